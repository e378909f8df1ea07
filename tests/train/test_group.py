"""Two processes that share each batch end where one does; only the first writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from torch import distributed

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.train.learn.group import ProcessGroup
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train

ROOT = Path(__file__).parents[2]


def together(recipe: Path, size: int) -> list[int]:
    """Start `size` processes with what torchrun would tell them; their exit statuses."""
    command = [sys.executable, str(Path(__file__).with_name("processes.py")), str(recipe), str(size)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["event"] == "Learned"]


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available() or not distributed.is_gloo_available(), reason="torch without gloo")
@pytest.mark.parametrize("more", [{"ema": 0.7}, {"fused": False, "clip_by": "global", "precision": "bf16-stochastic"}])
def test_two_are_one(small, tmp_path, more):
    """Three pictures in batches of two: the last batch of an epoch leaves one process without a picture."""
    values = {**small, "batch": 2, "optimizer": "adamw", "optimizer_args": {}, **more}
    train(make_plan(Recipe.from_dict({**values, "output": str(tmp_path / "one")})), lambda event: None)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({**values, "output": str(tmp_path / "two")}), encoding="utf-8")
    assert together(path, 2) == [0, 0]
    rounding = 1e-2 if "precision" in more else 1e-5  # bfloat16 sums differ in their eighth bit
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=rounding)
    one, two = (load_file(tmp_path / name / "me.safetensors") for name in ("one", "two"))
    assert list(one) == list(two)
    for name, weight in one.items():
        same = two[name].astype(float)
        np.testing.assert_allclose(same, weight.astype(float), rtol=rounding, atol=2e-3, err_msg=name)
    assert len(list((tmp_path / "two").glob("me-000001.safetensors"))) == 1
    before = sha256(tmp_path / "two" / "me.safetensors")
    if "ema" in more:
        assert together(path, 2) == [0, 0]  # finished: nothing to do for either
        assert sha256(tmp_path / "two" / "me.safetensors") == before


def test_each_process_needs_a_picture(small):
    with pytest.raises(ExperimentError, match="batch is 1, shared by 2 processes; set it to 2"):
        train(make_plan(Recipe.from_dict(small)), lambda event: None, group=ProcessGroup(0, 2))


def test_shares_are_all_pictures_once():
    for count in range(6):
        assert sorted(place for rank in range(3) for place in ProcessGroup(rank, 3).share(count)) == list(range(count))
