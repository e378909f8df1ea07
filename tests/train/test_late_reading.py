"""A step waits for no device: nothing of it is read before the next is queued, or before something is written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from slow_after import slow_after
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from ohwx_compare.core.events import Learned, Saved, Validated
from ohwx_compare.core.events import Step as Counted
from ohwx_compare.errors import TrainingError
from ohwx_compare.train.learn.crossing import Coming
from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.learn.stepper import Stepper
from ohwx_compare.train.learn.trained import trainable
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run import loop
from ohwx_compare.train.run.loop import take, train

READS = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "allclose", "item"}


class NoReading(TorchDispatchMode):
    """Raises where the host asks for a number of the device, whose tensors are the meta device's, or copies one."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        there = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor) and x.is_meta]
        if there and name in READS:
            raise RuntimeError(f"The host reads a number within a step: {name}.")
        if there and name == "_to_copy" and torch.device(kwargs.get("device") or "meta").type != "meta":
            raise RuntimeError("The host copies from the device within a step.")
        if name == "copy_" and args[1].is_meta and not args[0].is_meta:
            raise RuntimeError("The host copies from the device within a step.")
        self.calls += bool(there)
        return func(*args, **kwargs)


def on_the_meta_device(values):
    """A run whose UNet, texts and optimiser hold no numbers."""
    setup = set_up(make_plan(Recipe.from_dict(values)), "cpu")
    unet, own = setup.unet.to("meta"), setup.stepper
    weights = trainable({"unet": unet})
    stepper = Stepper(weights, own.rule, {name: 1e-4 for name in weights}, own.precision)
    texts = setup.texts
    return replace(
        setup, unet=unet, stepper=stepper, texts=lambda captions: tuple(text.to("meta") for text in texts(captions))
    )


CONFIGS = {
    "adafactor": {"precision": "bf16-stochastic", "checkpointing": True},
    "adamw": {"optimizer": "adamw", "optimizer_args": {}, "fused": False, "clip_by": "global", "accumulation": 2},
    "adamw8bit": {"optimizer": "adamw8bit", "optimizer_args": {}, "precision": "bf16-stochastic"},
    "fp16": {"precision": "fp16", "optimizer": "adamw", "optimizer_args": {}},
    "came": {"optimizer": "came", "optimizer_args": {}},
    "prodigy": {"optimizer": "prodigy", "optimizer_args": {}, "lr_unet": 1.0},
    "fp16 at the end": {"precision": "fp16", "fused": False, "clip_by": "global"},
    "losses": {
        "loss": "huber", "loss_weighting": "min-snr", "min_snr_gamma": 5.0, "noise_offset": 0.1,
        "multires_iterations": 3, "ip_noise_gamma": 0.1,
    },
}  # fmt: skip


@pytest.mark.parametrize("config", slow_after(2, CONFIGS))
def test_a_whole_step_reads_nothing_back(small, config):
    setup = on_the_meta_device({**small, **CONFIGS[config]})
    with NoReading() as reading:
        for number, epoch, step in list(setup.plan.walk(0))[:2]:
            taken = take(setup, number, epoch, step)
    assert reading.calls > 1000
    with pytest.raises((RuntimeError, NotImplementedError)):
        taken.learned()


def test_what_reads_is_seen(small):
    """So that the test above can fail: an average is kept on the host, and a look at the loss is one."""
    setup = on_the_meta_device(small)
    number, epoch, step = next(iter(setup.plan.walk(0)))
    setup.ema.update({name: torch.zeros(weight.shape) for name, weight in setup.stepper.weights.items()})
    averaged = replace(setup, plan=replace(setup.plan, recipe=replace(setup.plan.recipe, ema=0.5)))
    with NoReading(), pytest.raises(RuntimeError, match="within a step"):
        take(averaged, number, epoch, step)
    with NoReading(), pytest.raises(RuntimeError, match="reads a number"):
        torch.zeros(1, device="meta").item()


@pytest.fixture
def late(monkeypatch):
    """The CPU counts as a device on which work is queued."""
    monkeypatch.setattr(loop, "queues", lambda device: True)


def told(values, monkeypatch):
    """What happens in a run, in its order."""
    events, inner = [], loop.take

    def queued(setup, number, *others):
        events.append(f"queued {number}")
        return inner(setup, number, *others)

    def listen(event):
        if isinstance(event, Learned | Validated):
            events.append(f"{type(event).__name__} {event.step}")
        elif isinstance(event, Saved):
            events.append("Saved")
        elif isinstance(event, Counted):
            events.append("counted")

    monkeypatch.setattr(loop, "take", queued)
    train(make_plan(Recipe.from_dict(values)), listen)
    return [event for event in events if event != "counted"], events.count("counted")


def test_each_step_is_told_when_the_next_is_queued_and_before_anything_is_written(small, monkeypatch, late):
    events, counted = told({**small, "validation": 1}, monkeypatch)
    assert events == [
        "Validated 0", "queued 1", "queued 2", "Learned 1", "queued 3", "Learned 2", "Learned 3", "Saved",
        "Validated 3", "queued 4", "queued 5", "Learned 4", "queued 6", "Learned 5", "Learned 6", "Saved",
        "Validated 6",
    ]  # fmt: skip
    assert counted == 6


def test_a_state_is_written_of_known_steps_alone(small, monkeypatch, late):
    events, _ = told({**small, "state_every": 2, "save_every_epochs": None}, monkeypatch)
    assert events == [
        "queued 1", "queued 2", "Learned 1", "Learned 2", "queued 3", "queued 4", "Learned 3", "Learned 4",
        "queued 5", "queued 6", "Learned 5", "Learned 6", "Saved",
    ]  # fmt: skip


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_nan_is_told_with_its_own_step_and_nothing_is_written_of_it(small, monkeypatch, late, bad):
    """The weights are NaN from step `bad` on; states are written after even steps."""
    inner, queued = loop.losses, []

    def spoiled(*args):
        queued.append(len(queued) + 1)
        return inner(*args) * (float("nan") if queued[-1] == bad else 1.0)

    monkeypatch.setattr(loop, "losses", spoiled)
    with pytest.raises(TrainingError, match=rf"^Step {bad} \("):
        train(make_plan(Recipe.from_dict({**small, "state_every": 2})), lambda event: None)
    assert len(queued) == {1: 2, 2: 2, 3: 3}[bad]  # a state is due after step 2, a checkpoint after 3
    folder = Path(small["output"])
    assert [path.name for path in (folder / "state").glob("*.state")] == (["step-00000002.state"] if bad == 3 else [])
    assert not list(folder.glob("*.safetensors"))
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if line["event"] == "Learned"] == list(range(1, bad))


def test_on_the_cpu_each_is_told_at_once(small, monkeypatch):
    events, _ = told({**small, "epochs": 1, "save_every_epochs": None}, monkeypatch)
    assert events == ["queued 1", "Learned 1", "queued 2", "Learned 2", "queued 3", "Learned 3", "Saved"]


@pytest.mark.slow
def test_late_or_not_it_is_the_same_run_also_when_it_stops(small, tmp_path, monkeypatch):
    def run(folder, stop=None):
        learned = []
        values = {**small, "output": str(tmp_path / folder), "ema": 0.7, "precision": "bf16-stochastic"}
        result = train(
            make_plan(Recipe.from_dict(values)),
            lambda event: learned.append(event) if isinstance(event, Learned) else None,
            lambda: bool(learned) and learned[-1].step == stop,
        )
        return result, [(one.step, one.loss, one.norm) for one in learned]

    _, whole = run("whole")
    monkeypatch.setattr(loop, "queues", lambda device: True)
    first, begun = run("parts", stop=1)
    last, ended = run("parts")
    assert (first.step, first.is_finished, last.is_finished) == (2, False, True)  # the second was queued by then
    assert begun + ended == whole
    assert (tmp_path / "parts" / "me.safetensors").read_bytes() == (tmp_path / "whole" / "me.safetensors").read_bytes()


def test_what_comes_is_what_was_sent():
    assert Coming(torch.tensor([1.5, -2.0])).read() == [1.5, -2.0]
