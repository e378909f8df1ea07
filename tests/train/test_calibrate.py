"""What a calibration foretells against what the run takes, in three configurations, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ohwx_compare.cli.main import main
from ohwx_compare.errors import TrainingError
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe, write_recipe
from ohwx_compare.train.run import calibrate

ROOT = Path(__file__).parents[2]
# both by the process's own CPU time, so that a busy machine does not count
FORETELL = """
import json, sys, time
from pathlib import Path
from ohwx_compare.train.run.calibrate import calibrate
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import read_recipe
told = calibrate(make_plan(read_recipe(Path(sys.argv[1]))), "cpu", time.process_time)
print(json.dumps([told.seconds, told.peak]))
"""
RUN = """
import json, sys, time
from pathlib import Path
from ohwx_compare.train.run.loop import train
from ohwx_compare.train.outside.machine import peak_memory
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import read_recipe
plan = make_plan(read_recipe(Path(sys.argv[1])))
began = time.process_time()
train(plan, lambda event: None)
print(json.dumps([time.process_time() - began, peak_memory("cpu")]))
"""
CONFIGS = {
    "lean": {"checkpointing": True, "resolution": 256, "precision": "bf16-stochastic", "steps": 10},
    "batches": {"batch": 3, "resolution": 192, "optimizer": "adamw", "optimizer_args": {}, "steps": 20},
    "watched": {
        "resolution": 128, "fused": False, "lr_te1": 1e-5, "steps": 150, "validation": 2,
        "sample_prompts": ["ohwx man"], "sample_steps": 8, "watch_every_steps": 50, "ema": 0.7,
    },
}  # fmt: skip


def answer(code: str, path: Path) -> list[float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    said = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


@pytest.mark.slow(first=True)
@pytest.mark.parametrize("config", CONFIGS)
def test_memory_is_foretold_within_15_percent(small, tmp_path, config):
    """The time is printed, not judged: it hangs on what else the machine does."""
    values = {**small, "epochs": None, "save_every_epochs": None, **CONFIGS[config]}
    path = tmp_path / "recipe.json"
    write_recipe(path, Recipe.from_dict(values))
    foretold, taken = answer(FORETELL, path), answer(RUN, path)
    print(f"{config}: {foretold[0]:.1f} of {taken[0]:.1f} s CPU, {foretold[1] / 1e6:.0f} of {taken[1] / 1e6:.0f} MB")  # noqa: T201
    assert foretold[1] == pytest.approx(taken[1], rel=0.15)


@pytest.mark.slow
def test_the_plan_tells_time_and_memory(small, tmp_path, capsys, monkeypatch):
    """The command, with the calibration in this process to be quick."""
    monkeypatch.setattr(calibrate, "foretell", lambda recipe, device: calibrate.calibrate(make_plan(recipe), device))
    path = tmp_path / "recipe.json"
    write_recipe(path, Recipe.from_dict({**small, "validation": 1}))
    assert main(["train", "--plan", "--calibrate", "--device", "cpu", "--json", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seconds"] > 0
    assert told["peak_bytes"] > 1e8
    assert main(["train", "--plan", "--calibrate", "--device", "cpu", str(path)]) == 0
    assert "\nhere    " in capsys.readouterr().out
    assert not Path(small["output"]).exists()


@pytest.mark.slow
def test_a_calibration_that_fails_says_why(small):
    recipe = Recipe.from_dict({**small, "train": small["train"] + "x"})
    with pytest.raises(TrainingError, match=r"The calibration failed: .*does not exist"):
        calibrate.foretell(recipe, "cpu")
