"""Trainings seen from outside: their folders tell everything, also of a run that was killed."""

import json
import shutil
from pathlib import Path

import pytest

from ohwx_compare.core.events import Learned
from ohwx_compare.errors import TrainingError
from ohwx_compare.train.outside import controls
from ohwx_compare.train.outside.runs import Trainings, folder_for
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train


@pytest.fixture
def trained(small, tmp_path):
    """A folder with one run of six steps, stopped after four: it saved after three."""
    recipe = Recipe.from_dict({**small, "output": str(tmp_path / "runs" / "läufe 1")})
    folder = Path(recipe.output)
    train(make_plan(recipe), lambda e: controls.ask(folder, "stop") if isinstance(e, Learned) and e.step == 4 else None)
    return Trainings(folder.parent)


def test_a_run_is_told_by_its_folder(trained):
    (run,) = trained.all()
    assert (run["id"], run["state"], run["step"], run["steps"]) == ("läufe 1", "stopped", 4, 6)
    assert run["checkpoints"] == [{"name": "me-000001.safetensors", "step": 3, "exposures": 1.0}]
    assert run["recipe"]["lr_unet"] == 1e-4
    assert "output" not in run["recipe"]


def test_events_are_read_on_from_where_one_was(trained):
    events, end, more = trained.events("läufe 1", 0)
    assert [event["step"] for event in events if event["event"] == "Learned"] == [1, 2, 3, 4]
    assert not more
    with (trained.path("läufe 1") / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "Learned", "step": 5}\n{"event": "Lea')
    later, after, _ = trained.events("läufe 1", end)
    assert later == [{"event": "Learned", "step": 5}]  # a line that is not whole yet waits
    assert trained.events("läufe 1", after)[0] == []


def test_a_killed_run_is_no_running_one(trained):
    path = trained.path("läufe 1") / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "status": "running"}), encoding="utf-8")
    assert trained.one("läufe 1")["state"] == "killed"


def test_the_pace_of_the_last_steps_tells_the_time_left(trained):
    folder = trained.path("läufe 1")
    lines = [json.dumps({"event": "Learned", "step": step, "time": 2.0 * step}) for step in range(1, 5)]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "state.json").write_text(json.dumps({"status": "starting", "time": 1e12}), encoding="utf-8")
    assert trained.one("läufe 1")["seconds_left"] is None
    from ohwx_compare.train.outside.runs import _seconds_left

    assert _seconds_left(folder, 4, 9) == 10.0


@pytest.mark.parametrize("name", ["..", "", "a/b", "a\\b", "C:", "nobody", "\0"])
def test_only_runs_are_runs(trained, name):
    with pytest.raises(TrainingError, match="There is no training"):
        trained.path(name)


def test_a_name_is_one_recipes(trained, small):
    below = trained.folder
    small = {key: value for key, value in small.items() if key != "output"}
    shutil.move(below / "läufe 1", below / "me")
    assert folder_for(small, below) == below / "me"
    assert folder_for({**small, "seed": 7}, below) == below / "me 2"
