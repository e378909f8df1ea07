"""Steps in float16: what the loss is multiplied by changes no step, and a step that overflows leaves no trace."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from ohwx_compare.core.events import Learned, Told
from ohwx_compare.errors import TrainingError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.train.learn import loss_scale
from ohwx_compare.train.learn import setup as module
from ohwx_compare.train.learn.adamw8bit import AdamW8bit
from ohwx_compare.train.learn.loss_scale import LossScale
from ohwx_compare.train.learn.optim import Adafactor, AdamW
from ohwx_compare.train.learn.stepper import Precision, Stepper
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run import loop
from ohwx_compare.train.run.loop import train

RULES = {"adafactor": Adafactor(), "adamw": AdamW(), "adamw8bit": AdamW8bit()}
SHAPES = {"vector": (7,), "matrix": (72, 64), "other": (72, 64), "conv": (4, 3, 3, 3)}


class Stepped:
    """Tensors that move by gradients given to them."""

    def __init__(self, rule, **precision):
        draw = np.random.RandomState(0)
        self.weights = {n: torch.nn.Parameter(torch.tensor(draw.standard_normal(s)).float()) for n, s in SHAPES.items()}
        rates = dict.fromkeys(self.weights, 1e-2)
        self.stepper = Stepper(self.weights, rule, rates, Precision(stochastic=False, **precision))

    def step(self, count, lost=()):
        draw = np.random.RandomState(count)
        self.stepper.begin(count)
        loss = 0
        for name, weight in self.weights.items():
            grad = torch.tensor(draw.standard_normal(SHAPES[name])).float()
            grad.view(-1)[0] = float("inf") if name in lost else 1.0
            loss = loss + (weight * grad).sum()
        self.stepper.scaled(loss).backward()
        return self.stepper.end()

    def all(self):
        state = {f"{kind}/{name}": t for name, kinds in self.stepper.state.items() for kind, t in kinds.items()}
        return {name: t.detach().clone() for name, t in {**self.weights, **state}.items()}


def equal(one, two):
    return {name for name in one if torch.equal(one[name], two[name])}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_scaled_or_not_it_is_the_same_step(rule, fused):
    scaled, plain = (Stepped(RULES[rule], fused=fused, scaled=scaled) for scaled in (True, False))
    for count in range(1, 6):
        assert torch.equal(scaled.step(count), plain.step(count))
    assert equal(scaled.all(), plain.all()) == set(plain.all())


@pytest.mark.parametrize("by", ["tensor", "global"])
@pytest.mark.parametrize("rule", RULES)
def test_a_step_that_overflows_leaves_no_trace(rule, by):
    run, other = (Stepped(RULES[rule], fused=False, scaled=True, by=by) for _ in range(2))
    for each in (run, other):
        each.step(1)
    before = run.all()
    assert not torch.isfinite(run.step(2, lost=("other",)))
    assert equal(run.all(), before) == set(before)
    assert run.stepper.loss_scale.scale == loss_scale.FIRST / 2
    for each in (run, other):
        each.step(3)
    assert equal(run.all(), other.all()) == set(before)
    assert not equal(run.all(), before) & set(SHAPES)


@pytest.mark.parametrize("rule", RULES)
def test_within_the_backward_pass_those_that_overflow_are_left_out(rule):
    run, other = (Stepped(RULES[rule], scaled=True) for _ in range(2))
    run.step(1)
    before = run.all()
    run.step(2, lost=("other",))
    assert {name.rpartition("/")[2] for name in equal(run.all(), before)} == {"other"}
    assert run.stepper.loss_scale.scale == loss_scale.FIRST / 2
    other.step(1)
    other.step(2)
    assert {name for name in equal(run.all(), other.all()) if name in SHAPES} == set(SHAPES) - {"other"}


def test_it_moves_as_torchs_does(monkeypatch):
    if not hasattr(torch, "amp") or not hasattr(torch.amp, "GradScaler"):
        pytest.skip("this torch scales on CUDA alone")
    monkeypatch.setattr(loss_scale, "LONG", 5)
    own, chance = LossScale(torch.device("cpu")), np.random.RandomState(0)
    scale, growth = torch.full((), loss_scale.FIRST), torch.zeros((), dtype=torch.int32)
    seen = set()
    for _ in range(200):
        lost = chance.rand() < 0.15
        torch._amp_update_scale_(scale, growth, torch.tensor(float(lost)), 2.0, 0.5, 5)
        own.begin()
        own.saw(torch.tensor([True, not lost]))
        own.end()
        assert (own.scale, own.calm) == (scale, growth)
        seen.add(scale.item())
    assert len(seen) > 5


def trained(values, stop=None, **changes):
    """The file of a run, its losses, and what it told."""
    recipe, events = Recipe.from_dict({**values, **changes}), []
    train(make_plan(recipe), events.append, lambda: any(isinstance(e, Learned) and e.step == stop for e in events))
    losses = [one.loss for one in events if isinstance(one, Learned)]
    told = [one.words for one in events if isinstance(one, Told)]
    return Path(recipe.output) / "me.safetensors", losses, told


@pytest.fixture
def half(small):
    try:
        loop.require_float16("cpu")
    except TrainingError:
        pytest.skip("this torch computes no float16 on the CPU")
    return {**small, "precision": "fp16", "epochs": None, "steps": 5, "save_every_epochs": None}


@pytest.mark.slow
def test_a_run_that_overflows_and_stops_ends_as_if_it_had_not(half, tmp_path, monkeypatch):
    monkeypatch.setattr(loss_scale, "FIRST", 2.0**22)
    values = {**half, "optimizer": "adamw8bit", "optimizer_args": {}}
    whole, losses, told = trained(values, output=str(tmp_path / "whole"))
    assert told[0] == "Step 1 was left out: its gradients overflowed float16 at a loss scale of 4,194,304."
    _, first, told_first = trained(values, stop=2)
    parts, rest, told_rest = trained(values)
    assert first + rest == losses
    assert told_first + told_rest == told
    assert 0 < len(told) < 5
    assert sha256(parts) == sha256(whole)


def test_float16_without_a_master_is_near_float32_too(half, tmp_path):
    values = {**half, "steps": 3}
    _, losses, told = trained({**values, "precision": "fp16-stochastic"})
    _, same, _ = trained({**values, "precision": "fp32"}, output=str(tmp_path / "fp32"))
    assert losses == pytest.approx(same, rel=5e-3)
    assert not told


@pytest.mark.slow
def test_float16_is_near_float32(half, tmp_path):
    one, losses, told = trained(half, lr_te1=1e-4)
    two, same, _ = trained({**half, "precision": "fp32"}, lr_te1=1e-4, output=str(tmp_path / "fp32"))
    assert losses == pytest.approx(same, rel=5e-3)
    assert not told
    one, two = load_file(one), load_file(two)
    for name, weight in two.items():
        np.testing.assert_allclose(one[name].astype(float), weight.astype(float), atol=2e-3, err_msg=name)


def test_a_lora_in_float16_never_holds_its_base_in_float32(small, monkeypatch):
    """The plan counts two bytes a weight; cards that need float16 are small."""
    asked, inner = {}, module.load_part

    def loaded(part, *args, dtype, **more):
        asked[part] = dtype
        return inner(part, *args, dtype=dtype, **more)

    monkeypatch.setattr(module, "load_part", loaded)
    setup = module.set_up(make_plan(Recipe.from_dict({**small, "precision": "fp16", "network": "lora"})), "cpu")
    assert asked["unet"] == torch.float16
    assert {setup.stepper.kept(name).dtype for name in setup.stepper.weights} == {torch.float32}


def test_no_other_precision_branches_from_it(small, tmp_path):
    """Both hold a float32 master; what the loss is scaled by has no place there."""
    values = {**small, "epochs": None, "steps": 1, "state_at_end": True, "save_every_epochs": None}
    trained({**values, "precision": "fp32-master"}, output=str(tmp_path / "before"))
    values |= {"precision": "fp16", "steps": 2, "from_state": str(tmp_path / "before")}
    with pytest.raises(TrainingError, match=r"holds BF16.* and this recipe needs F16.*precision of that run"):
        trained(values)


def test_nan_at_any_scale_ends_the_run(half, monkeypatch):
    monkeypatch.setattr(loss_scale, "FIRST", 0.5)
    monkeypatch.setattr(loop, "losses", lambda unet, *others: next(unet.parameters()).float().sum().view(1) * 1e9)
    with pytest.raises(TrainingError, match=r"Step 1 \(.*gradients of norm"):
        trained(half)
