"""Samples and validation stay within the plan: they take turns, what they take is counted, and no run waits for it."""

import json
import weakref
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ohwx_compare.core.events import Missed, Sampled, Validated
from ohwx_compare.files.checkpoint import Header, Tensor, read_header
from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.plan.estimate import choose_blocks, estimate_memory
from ohwx_compare.train.plan.looks import look_bytes
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run import loop
from ohwx_compare.train.run.loop import train
from ohwx_compare.train.run.watch import Watch

SAMPLED = {"sample_prompts": ["photo of ohwx man"], "sample_steps": 2}


class Living(TorchDispatchMode):
    """The most bytes that tensors made within it hold together."""

    def __init__(self):
        super().__init__()
        self.known, self.most = {}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
            if storage is not None and storage._cdata not in self.known and not func.is_view:
                self.known[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self.known.pop, storage._cdata, None)
        self.most = max(self.most, sum(self.known.values()))
        return made


@pytest.mark.slow
def test_a_look_takes_what_is_foretold_and_not_both_at_one_time(small):
    values = {**small, **SAMPLED, "resolution": 512, "epochs": None, "steps": 1, "validation": 1}
    plan = make_plan(Recipe.from_dict(values))
    Path(plan.recipe.output).mkdir()
    events = []
    watch = Watch(set_up(plan, "cpu"), events.append, lambda: False)
    watch.samples._condition(watch.samples._jobs(0).values())  # by encoders on the CPU
    with Living() as living:
        watch.look(0)
    assert [type(event) for event in events] == [Validated, Sampled]
    header, latents = read_header(Path(plan.recipe.base)), {(64, 64)}
    foretold = look_bytes(header, plan.recipe, latents, 4)
    assert living.most == pytest.approx(foretold, rel=0.02)  # that of the VAE; the UNet's are gone
    memory = plan.memory
    stays = memory.weights + memory.optimizer
    assert memory.total == max(memory.steps, stays + foretold)


def test_full_size_looks_fit_where_steps_did(goldens):
    names = json.loads((goldens / "sdxl_manifest.json").read_text(encoding="utf-8"))
    header = Header(Path("full"), {name: Tensor(dtype, tuple(s), 0, 0) for name, (dtype, s) in names.items()}, {})

    def memory(**more):
        recipe = Recipe.from_dict({"base": "b", "train": "t", "output": "o", "preset": "lean", "validation": 0, **more})
        return estimate_memory(header, recipe, {(128, 128)}, choose_blocks(header, recipe, {(128, 128)}))

    assert memory(**SAMPLED, validation=4) == memory()  # a step's gradients and activations were more
    half = {"network": "lora", "precision": "fp16"}  # few gradients, and a VAE that float16 is too small for
    before, more = memory(**half), memory(**half, **SAMPLED)
    assert more.steps == before.steps == before.total
    assert more.total == more.weights + more.masters + more.optimizer + 4 * (83_653_863 + 3 * 256 * 1024**2)


def test_a_run_starts_where_only_its_steps_have_room(small, monkeypatch):
    plan = make_plan(Recipe.from_dict({**small, **SAMPLED, "epochs": None, "steps": 1}))
    assert plan.memory.looks > 0
    monkeypatch.setattr(loop, "free_memory", lambda device: plan.memory.steps)
    events = []
    assert train(plan, events.append).is_finished
    assert not [event for event in events if isinstance(event, Missed)]
