"""Two processes that hold the UNet together, each a part of it, end where one does; what is refused, and the plan."""

import json
import os
import shutil
import subprocess
import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest
from moot import MOOT
from numpy.linalg import norm
from PIL import Image
from safetensors.numpy import load_file
from torch import distributed

from ohwx_compare.core.events import Learned
from ohwx_compare.errors import ExperimentError, TrainingError
from ohwx_compare.files.checkpoint import Header, Tensor
from ohwx_compare.train.learn.group import ProcessGroup
from ohwx_compare.train.plan.estimate import Memory, choose_blocks, estimate_memory, state_bytes
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.plan.shards import owned, rows_of
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.calibrate import foretell
from ohwx_compare.train.run.loop import train

ROOT = Path(__file__).parents[2]


def can_shard() -> bool:
    try:
        from torch.distributed.fsdp import fully_shard  # noqa: F401
    except ImportError:
        return False
    return distributed.is_gloo_available()


@pytest.mark.slow
@pytest.mark.skipif(not can_shard(), reason="torch without fully_shard, or without gloo")
def test_two_that_share_a_model_are_one(small, tmp_path):
    """Both go on from the state of one process: three pictures in batches of two; samples and saves take both."""
    values = {
        **small, "batch": 2, "epochs": None, "steps": 3, "save_precision": "fp32", "lr_unet": 1e-3,
        "sample_prompts": ["photo of ohwx man"], "sample_steps": 2, "checkpointing": True, "state_at_end": True,
        "save_every_epochs": None,
    }  # fmt: skip
    one, two, learned = tmp_path / "one", tmp_path / "two", []
    for stop in 1, 3:  # stopped, and resumed
        plan = make_plan(Recipe.from_dict({**values, "output": str(one)}))
        train(plan, lambda e: learned.append((e.loss, e.norm)) if isinstance(e, Learned) else None,
              lambda stop=stop: len(learned) == stop)  # fmt: skip
        if not two.exists():
            shutil.copytree(one, two)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({**values, "output": str(two), "shard": 2}), encoding="utf-8")
    command = [sys.executable, str(Path(__file__).with_name("sharded_run.py")), str(path), str(tmp_path)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, check=True)

    lines = [json.loads(line) for line in (two / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [(line["loss"], line["norm"]) for line in lines if line["event"] == "Learned"]
    np.testing.assert_allclose(told, learned, rtol=1e-4)
    base, weights, same = (load_file(file) for file in (small["base"], one / "me.safetensors", two / "me.safetensors"))
    assert list(weights) == list(same)
    for name in (name for name in weights if name.startswith("model.diff") and not MOOT.fullmatch(name)):
        assert norm(same[name] - weights[name]) <= 1e-4 * norm(weights[name] - base[name]), name
    whole, state = (load_file(next((folder / "state").iterdir())) for folder in (one, two))
    assert {name: tensor.shape for name, tensor in state.items()} == {n: tensor.shape for n, tensor in whole.items()}
    name = "row/model.diffusion_model.out.2.weight"
    np.testing.assert_allclose(state[name], whole[name], rtol=1e-3)
    (picture,) = (one / "samples").glob("*step00000003*")
    pair = [np.asarray(Image.open(folder / "samples" / picture.name)).astype(int) for folder in (one, two)]
    assert abs(pair[0] - pair[1]).max() <= 2


def test_each_row_and_each_tensor_is_one_cards():
    for count in range(12):
        for cards in (2, 3, 5):
            assert [row for card in range(cards) for row in rows_of(count, card, cards)] == list(range(count))
            for stack in range(4):
                parts = owned(count, stack, cards)
                assert sorted(at for part in parts for at in part) == list(range(count))
                assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_plan_counts_a_card(goldens):
    """At full size: more cards take less each, and two together no less than what one has of what is divided."""
    names = json.loads((goldens / "sdxl_manifest.json").read_text(encoding="utf-8"))
    header = Header(Path("full"), {name: Tensor(dtype, tuple(s), 0, 0) for name, (dtype, s) in names.items()}, {})
    unet = sum(prod(t.shape) for name, t in header.tensors.items() if name.startswith("model.diffusion_model."))

    def recipe(cards: int | None, **more) -> Recipe:
        values = {"base": "b", "train": "t", "output": "o", "optimizer_args": {}, "batch": cards or 1, "shard": cards}
        return Recipe.from_dict({**values, "optimizer": "adamw", **more})

    def memory(cards: int | None, **more) -> Memory:
        own = recipe(cards, **more)
        return estimate_memory(header, own, {(128, 128)}, choose_blocks(header, own, {(128, 128)}))

    one, two, eight = memory(None), memory(2), memory(8)
    assert one.total > two.total > memory(4).total > eight.total
    assert one.optimizer / 2 <= two.optimizer < 0.51 * one.optimizer
    assert unet <= two.weights < 1.2 * unet
    assert unet <= two.gradients < 1.3 * unet
    assert unet / 4 <= eight.weights < two.weights / 2
    assert one.activations == two.activations
    assert 2 * unet <= memory(2, precision="fp32-master").masters < 2.05 * unet
    assert state_bytes(header, recipe(2)) == state_bytes(header, recipe(None))


def test_what_does_not_go_with_it_is_one_sentence(small):
    shared = {**small, "shard": 2, "batch": 2}
    for more, said in (
        ({"network": "lora"}, "without compile and ema, got network 'lora'; take it out, or set shard to null"),
        ({"ema": 0.9}, "got ema 0.9"),
        ({"lr_te1": 1e-6}, "got lr_te1 1e-06"),
        ({"compile": True}, "got compile True"),
        ({"shard": 1}, "shard is 1, expected 2 to 1,024 cards, or null"),
        ({"batch": 1}, "batch is 1, shared by 2 cards; set it to 2 or a multiple"),
    ):
        with pytest.raises(ExperimentError, match=said):
            Recipe.from_dict({**shared, **more})


def test_it_needs_its_processes_and_its_torch(small, monkeypatch):
    plan = make_plan(Recipe.from_dict({**small, "shard": 2, "batch": 2}))
    with pytest.raises(ExperimentError, match="shard is 2, and 1 process trained together; start it with torchrun"):
        train(plan, lambda event: None)
    with pytest.raises(ExperimentError, match="A calibration takes one process and shard is 2"):
        foretell(plan.recipe, "cpu")
    monkeypatch.setitem(sys.modules, "torch.distributed.fsdp", None)
    with pytest.raises(TrainingError, match=r"cannot shard a model .*install torch 2\.6 or newer"):
        train(plan, lambda event: None, group=ProcessGroup(0, 2))
    assert not Path(small["output"]).exists()
