"""What an experiment will cost where earlier runs are."""

import os

from drawing_runs import PLAIN, draw

from ohwx_compare.compare.cost.earlier import pace, seconds_at
from ohwx_compare.compare.cost.forecast import forecast
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.files.ledger.reader import open_run


def test_nothing_tells_the_time_before_the_first_run(models, tmp_path):
    estimated = forecast(PLAIN, in_folder(models, {}), batch=2, own=None, runs=tmp_path / "runs")
    assert (estimated.plan.renders, estimated.seconds, estimated.to_json()["seconds"]) == (6, None, None)


def test_what_the_runs_own_folder_holds_costs_nothing(models, tmp_path):
    own = tmp_path / "runs" / "first"
    draw(PLAIN, models, own)
    more = PLAIN.with_checkpoints([*PLAIN.checkpoints, CheckpointRef("c")])
    for experiment, renders in ((PLAIN, 0), (more, 3)):
        estimated = forecast(experiment, in_folder(models, {}), batch=2, own=own, runs=own.parent)
        assert estimated.plan.renders == renders
        assert estimated.seconds == seconds_at(pace([open_run(own)]), estimated.plan)
    assert forecast(PLAIN, in_folder(models, {}), batch=2, own=tmp_path / "none", runs=own.parent).plan.renders == 6


def test_the_time_is_that_of_the_three_newest_runs(models, tmp_path):
    for number in range(5):
        draw(PLAIN, models, tmp_path / "runs" / str(number))
        os.utime(tmp_path / "runs" / str(number) / "run.sqlite", (number, number))
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "run.sqlite").write_bytes(b"none")
    os.utime(tmp_path / "runs" / "damaged" / "run.sqlite", (0, 0))
    estimated = forecast(PLAIN, in_folder(models, {}), batch=2, own=None, runs=tmp_path / "runs")
    newest = [open_run(tmp_path / "runs" / name) for name in "432"]
    assert estimated.seconds == seconds_at(pace(newest), estimated.plan)
