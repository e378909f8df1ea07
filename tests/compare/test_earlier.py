"""Time told from earlier runs."""

from dataclasses import replace

import pytest

from ohwx_compare.compare.cost.earlier import pace, seconds_at
from ohwx_compare.compare.cost.plan import plan
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.outcome import Outcome


def planned(experiment, tmp_path):
    return plan(experiment, lambda ref: Checkpoint(ref.name, tmp_path / ref.name))


def test_the_same_run_again_takes_what_it_took(make_run, make_experiment, tmp_path):
    experiment = make_experiment(64, (1, 2), ("a",))
    experiment = replace(experiment, faces=(replace(experiment.faces[0], steps=None),))  # as many as the picture
    run = make_run(tmp_path, experiment)
    took = sum(cell.result.seconds for cell in run.cells)
    assert seconds_at(pace([run]), planned(experiment, tmp_path)) == pytest.approx(took)
    twice = replace(
        experiment, axes=(*experiment.axes, Axis("steps", (experiment.job.steps, experiment.job.steps * 3)))
    )
    assert seconds_at(pace([run]), planned(twice, tmp_path)) == pytest.approx(4 * took, rel=0.1)


def test_nothing_drawn_tells_nothing(make_run, make_experiment, tmp_path):
    experiment = make_experiment(64, (1,), ("a",))
    pending = dict.fromkeys(range(1, len(experiment.cells()) + 1), Outcome.PENDING)
    assert pace([make_run(tmp_path, experiment, pending)]) is None
    assert pace([]) is None
