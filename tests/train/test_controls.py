"""Stop, pause, save by files; and a run in a process of its own, found by its folder."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from ohwx_compare.core.events import Learned
from ohwx_compare.errors import TrainingError
from ohwx_compare.files.checkpoint import read_header, sha256
from ohwx_compare.files.lock import hold, is_held
from ohwx_compare.train.outside import child, controls
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train


def run(values, act=lambda step, folder: None, **changes):
    """Train; `act` is called after each step with the folder."""
    recipe = Recipe.from_dict({**values, **changes})
    folder = Path(recipe.output)
    outcome = train(make_plan(recipe), lambda e: act(e.step, folder) if isinstance(e, Learned) else None)
    return folder / "me.safetensors", outcome


def status(folder: Path) -> dict:
    return json.loads((folder / "state.json").read_text(encoding="utf-8"))


def test_stop_and_go_on(small, tmp_path):
    whole, _ = run(small, output=str(tmp_path / "whole"))
    path, outcome = run(small, lambda step, folder: controls.ask(folder, "stop") if step == 2 else None)
    assert (outcome.step, outcome.is_finished) == (2, False)
    assert not (path.parent / "stop").exists()
    controls.ask(path.parent, "stop")  # left by somebody who came too late
    path, outcome = run(small)
    assert outcome.is_finished
    assert sha256(path) == sha256(whole)


@pytest.mark.slow
def test_save_now(small, tmp_path):
    whole, _ = run(small, output=str(tmp_path / "whole"))
    path, _ = run(small, lambda step, folder: controls.ask(folder, "save") if step == 2 else None, keep_last=1)
    saved = path.with_name("me-step00000002.safetensors")
    record = json.loads(read_header(saved).metadata["ohwx.training"])
    assert (record["step"], record["epoch"], record["exposures"]) == (2, 1, 0.67)
    assert not list(path.parent.glob("save"))
    plain = json.loads(read_header(whole).metadata["ohwx.training"])
    assert plain["recipe"] | {"keep_last": 1} == json.loads(read_header(path).metadata["ohwx.training"])["recipe"]


def test_pause_keeps_a_state_and_waits(small, monkeypatch):
    seen = []

    def sleep(seconds):
        folder = Path(small["output"])
        seen.append((status(folder)["status"], [p.name for p in (folder / "state").iterdir()]))
        if len(seen) == 2:
            controls.unask(folder, "pause")

    monkeypatch.setattr(controls.time, "sleep", sleep)
    path, outcome = run(small, lambda step, folder: controls.ask(folder, "pause") if step == 1 else None)
    assert seen == [("paused", ["step-00000001.state"])] * 2
    assert outcome.is_finished
    lines = [json.loads(line) for line in (path.parent / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["waits"] for line in lines if line["event"] == "Paused"] == [True, False]


def test_the_lock_tells_who_lives(tmp_path):
    assert not is_held(tmp_path)
    assert not list(tmp_path.iterdir())
    held = hold(tmp_path)
    assert is_held(tmp_path)
    with pytest.raises(BlockingIOError):
        hold(tmp_path)
    held.close()
    assert not is_held(tmp_path)


def test_a_childs_environment():
    inherited = {"PATH": "p", "LD_PRELOAD": "tcmalloc", "COMMANDLINE_ARGS": "--xformers", "PYTHONPATH": "webui"}
    made = child.environment(inherited)
    assert {"LD_PRELOAD", "COMMANDLINE_ARGS"}.isdisjoint(made)
    assert made["PATH"] == "p"
    assert Path(made["PYTHONPATH"], "ohwx_compare", "train", "outside", "child.py").is_file()


def wait_for(folder: Path, *words: str) -> dict:
    until = time.monotonic() + 120
    while (seen := child.look(folder))["status"] not in words:
        assert time.monotonic() < until, seen
        time.sleep(0.1)
    return seen


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_run_of_its_own(small):
    """Started, seen, stopped by a file, gone on with, killed and seen to be."""
    recipe = Recipe.from_dict({**small, "epochs": 400, "save_every_epochs": None, "state_every": 1})
    folder = Path(recipe.output)
    child.start(recipe, "cpu")
    seen = wait_for(folder, "running")
    assert seen["pid"] != os.getpid()
    assert seen["time"] >= seen["started"] > time.time() - 120
    with pytest.raises(TrainingError, match="Another run is writing"):
        child.start(recipe)
    while not child.look(folder).get("step"):
        time.sleep(0.05)
    controls.ask(folder, "stop")
    seen = wait_for(folder, "ended")
    assert 0 < seen["step"] < 1200
    assert "steps into" in seen["log"]
    child.start(recipe, "cpu")
    os.kill(wait_for(folder, "running")["pid"], 9)
    assert wait_for(folder, "cut off")["alive"] is False


@pytest.mark.slow
def test_a_run_that_said_its_end_is_waited_for(small, tmp_path):
    recipe = Recipe.from_dict({**small, "train": str(tmp_path / "nothing")})
    folder = Path(recipe.output)
    folder.mkdir(parents=True)
    with hold(folder) as held:
        (folder / "state.json").write_text(json.dumps({"status": "running"}), encoding="utf-8")
        with pytest.raises(TrainingError, match="Another run is writing"):
            child.start(recipe, "cpu")
        (folder / "state.json").write_text(json.dumps({"status": "ended"}), encoding="utf-8")
        threading.Timer(0.3, held.close).start()
        child.start(recipe, "cpu")
    assert wait_for(folder, "failed")["error"].endswith("does not exist.")


@pytest.mark.slow
def test_a_run_that_cannot_start_says_why(small, tmp_path):
    recipe = Recipe.from_dict({**small, "train": str(tmp_path / "nothing")})
    child.start(recipe, "cpu")
    seen = wait_for(Path(recipe.output), "failed")
    assert seen["error"] == f"The training folder {tmp_path / 'nothing'} does not exist."
