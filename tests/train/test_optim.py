"""The rules against transformers' and torch's own, rounding against its laws, a step within the backward pass."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.train.learn import stepper as module
from ohwx_compare.train.learn.adamw8bit import AdamW8bit
from ohwx_compare.train.learn.chance import generator
from ohwx_compare.train.learn.optim import Adafactor, AdamW, Move, unbounded
from ohwx_compare.train.learn.rounding import round_stochastically
from ohwx_compare.train.learn.stepper import Precision, Stepper

# transformers 4.44.0's Adafactor (lr 1e-2, scale_parameter, relative_step and warmup_init False, weight_decay 0.01)
# after 100 steps on torch 2.13's CPU from `drawn()`; "flat" was given the convolution as a matrix
REFERENCE = Path(__file__).parent / "adafactor.npz"
SHAPES = {"vector": (7,), "matrix": (5, 6), "conv": (4, 3, 3, 3)}


def drawn():
    """Starting weights and the gradients of 100 steps, from 1e-4 to 10 in size."""
    draw = np.random.RandomState(1)
    start = {name: draw.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    grads = [
        {n: (draw.standard_normal(s) * 10.0 ** draw.uniform(-4, 1)).astype(np.float32) for n, s in SHAPES.items()}
        for _ in range(100)
    ]
    return start, grads


def hundred_steps(rule, rate):
    start, grads = drawn()
    weights = {name: torch.tensor(value) for name, value in start.items()}
    states = {name: rule.start(weight[None]) for name, weight in weights.items()}
    for count, step in enumerate(grads, 1):
        for name, weight in weights.items():
            move = rule.move(torch.tensor(step[name])[None], states[name], unbounded, rate, count)
            weight.copy_(move.of(weight[None])[0])
    return weights, states


@pytest.mark.parametrize(("flatten", "side"), [(False, "hf"), (True, "flat")])
def test_adafactor_is_transformers(flatten, side):
    weights, _ = hundred_steps(Adafactor(weight_decay=0.01, flatten=flatten), 1e-2)
    with np.load(REFERENCE) as file:
        for name, weight in weights.items():
            np.testing.assert_allclose(weight.numpy(), file[f"{side}/{name}"], rtol=2e-6, atol=2e-6)


def test_adamw_is_torchs():
    weights, _ = hundred_steps(AdamW(weight_decay=0.1), 1e-2)
    start, grads = drawn()
    own = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in start.items()}
    optimizer = torch.optim.AdamW(own.values(), lr=1e-2, weight_decay=0.1, foreach=False, fused=False)
    for step in grads:
        for name, weight in own.items():
            weight.grad = torch.tensor(step[name])
        optimizer.step()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, own[name].detach(), rtol=1e-6, atol=1e-6)


def test_a_flattened_convolution_keeps_a_row_and_a_column():
    state = Adafactor(flatten=True).start(torch.zeros(1, 4, 3, 3, 3))
    assert {name: tuple(t[0].shape) for name, t in state.items()} == {"row": (4,), "column": (27,)}


@given(st.floats(-100, 100, width=32))
def test_stochastic_rounding_goes_to_a_neighbour_without_bias(x):
    many = torch.full((4000,), x)
    bits = torch.tensor(x).view(torch.int32) & -(1 << 16)  # the neighbour towards zero, then the one away from it
    near, far = (b.view(torch.float32).double().item() for b in (bits, bits + (1 << 16)))
    rounded = round_stochastically(many, generator("test")).double()
    assert set(rounded.tolist()) <= ({near} if x == near else {near, far})
    assert abs(rounded.mean().item() - x) <= 5 * 0.5 * abs(far - near) / 4000**0.5  # five standard errors at most


@given(st.floats(-100, 100, width=32) | st.floats(-(2.0**-13), 2.0**-13, width=32))
def test_float16_is_rounded_to_a_neighbour_without_bias_too(x):
    rounded = round_stochastically(torch.full((4000,), x), generator("test"), torch.float16).double()
    nearest = np.float16(x)
    near = float(nearest)
    far = near if near == x else float(np.nextafter(nearest, np.float16(np.inf if near < x else -np.inf)))
    assert set(rounded.tolist()) <= {near, far}
    assert abs(rounded.mean().item() - x) <= (5 * 0.5 / 4000**0.5 + 2**-13) * abs(near - far)  # chance has 13 bits


def test_what_float16_holds_is_not_rounded():
    held = torch.from_numpy(np.arange(1 << 16, dtype=np.uint16).view(np.float16))
    held = held[torch.isfinite(held)]
    assert torch.equal(round_stochastically(held.float(), generator(2), torch.float16), held)


def test_what_bfloat16_holds_is_not_rounded():
    exact = torch.randn(1000, generator=generator(1)).bfloat16()
    assert torch.equal(round_stochastically(exact.float(), generator(2)), exact)


def one_step(dtype, precision, master=False, rate=1e-5):
    weight = torch.nn.Parameter(torch.linspace(0.5, 1, 4096).to(dtype))
    masters = {"w": weight.detach().float()} if master else {}
    stepper = Stepper({"w": weight}, AdamW(weight_decay=0.0), {"w": rate}, precision, masters)
    stepper.begin(1)
    weight.sum().backward()
    stepper.end()
    return weight.detach(), stepper.kept("w")


def test_nearest_is_torchs_cast():
    start = torch.linspace(0.5, 1, 4096).bfloat16()
    moved, _ = one_step(torch.bfloat16, Precision(stochastic=False), rate=2e-3)
    expected = start.float().add_(torch.ones(()).div(1 + 1e-8), alpha=-2e-3).bfloat16()
    assert torch.equal(moved, expected)
    assert not torch.equal(moved, start)


def test_small_steps_vanish_in_nearest_but_not_at_random():
    """At rate 1e-5 a weight of 0.5 is 390 steps away from the next bfloat16."""
    start = torch.linspace(0.5, 1, 4096).bfloat16().float()
    nearest, _ = one_step(torch.bfloat16, Precision(stochastic=False))
    random, _ = one_step(torch.bfloat16, Precision())
    _, master = one_step(torch.bfloat16, Precision(stochastic=False), master=True)
    assert torch.equal(nearest.float(), start)
    assert (random.float() - start).mean().item() == pytest.approx(-1e-5, abs=4e-6 * 5)
    assert (random.float() != start).any()
    torch.testing.assert_close(master, start - 1e-5)


def test_chance_is_a_function_of_seed_and_step():
    (one, _), (same, _) = (one_step(torch.bfloat16, Precision(seed=3)) for _ in range(2))
    other, _ = one_step(torch.bfloat16, Precision(seed=4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def trained(precision):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    weights = dict(net.named_parameters())
    stepper = Stepper(weights, Adafactor(), dict.fromkeys(weights, 1e-2), precision)
    x = torch.randn(32, 8)
    norms = []
    for count in range(1, 6):
        stepper.begin(count)
        net(x).square().mul(100).mean().backward()
        norms.append(stepper.end().item())
        assert all(weight.grad is None for weight in weights.values())
    return torch.cat([weight.detach().flatten() for weight in weights.values()]), norms


def test_fused_is_the_same_step():
    (after, norms), (fused, same) = (trained(Precision(fused=fused)) for fused in (False, True))
    assert torch.equal(after, fused)
    assert norms == pytest.approx(same)


@pytest.mark.parametrize("by", ["tensor", "global"])
def test_clipping_is_torchs(by):
    weights = {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in SHAPES.items()}
    rates = dict.fromkeys(weights, 1.0)

    class Descent:
        holds = 1

        def start(self, weights):
            return {}

        def move(self, grads, state, bound, rate, count):
            factor = bound(grads.flatten(1).norm(dim=1))
            return Move(-grads, factor.view(-1, *[1] * (grads.ndim - 1)), 0.0)

    stepper = Stepper(weights, Descent(), rates, Precision(fused=False, by=by, clip=0.5))
    for name, value in drawn()[0].items():
        weights[name].grad = torch.tensor(value)
    own = [weight.grad.clone() for weight in weights.values()]
    for group in [own] if by == "global" else [[grad] for grad in own]:
        holders = [torch.nn.Parameter(torch.zeros_like(grad)) for grad in group]
        for holder, grad in zip(holders, group, strict=True):
            holder.grad = grad
        torch.nn.utils.clip_grad_norm_(holders, 0.5)
    stepper.begin(1)
    stepper.end()
    for weight, grad in zip(weights.values(), own, strict=True):
        torch.testing.assert_close(weight.detach(), -grad)


def test_a_gradient_that_is_not_finite_moves_nothing():
    weight = torch.nn.Parameter(torch.ones(3))
    stepper = Stepper({"w": weight}, Adafactor(), {"w": 1.0}, Precision(fused=False))
    stepper.begin(1)
    (weight * torch.tensor([1.0, float("nan"), 1.0])).sum().backward()
    assert not torch.isfinite(stepper.end())
    assert torch.equal(weight.detach(), torch.ones(3))


RULES = [Adafactor(weight_decay=0.01), Adafactor(flatten=True), AdamW(), AdamW8bit()]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("fused", "by"), [(True, "tensor"), (False, "tensor"), (False, "global")])
def test_a_step_reads_nothing_back(rule, fused, by):
    """On the meta device there is nothing to read: whatever asked for a number would raise."""
    with torch.device("meta"):
        shapes = [*SHAPES.values(), (64, 72), (64, 72)]
        weights = {str(i): torch.nn.Parameter(torch.empty(s, dtype=torch.bfloat16)) for i, s in enumerate(shapes)}
    stepper = Stepper(weights, rule, dict.fromkeys(weights, 1e-5), Precision(fused=fused, by=by))
    stepper.begin(1)
    sum(weight.float().square().sum() for weight in weights.values()).backward()
    assert stepper.end().is_meta


@pytest.mark.parametrize("rule", RULES)
def test_who_moves_together_changes_nothing(rule, monkeypatch):
    """One by one or all of a shape at once, within the backward pass or after it: chance belongs to each tensor."""

    def ends(waiting, together, **how):
        monkeypatch.setattr(module, "WAITING", waiting)
        monkeypatch.setattr(module, "TOGETHER", together)
        draw = torch.Generator().manual_seed(1)
        shapes = [(64, 72)] * 5 + [(7,)] * 3
        start = [torch.randn(shape, generator=draw).bfloat16() for shape in shapes]
        weights = {str(i): torch.nn.Parameter(each) for i, each in enumerate(start)}
        stepper = Stepper(weights, rule, dict.fromkeys(weights, 1e-3), Precision(**how))
        for count in (1, 2):
            stepper.begin(count)
            sum(weight.float().square().sum() for weight in weights.values()).backward()
            stepper.end()
        return torch.cat([weight.detach().flatten() for weight in weights.values()])

    apart, together, after = ends(0, 1), ends(1 << 30, 1 << 30), ends(0, 1 << 14, fused=False)
    assert torch.equal(together, after)
    assert (apart != together).float().mean() < 1e-3  # sums may round otherwise
    assert not torch.equal(together, ends(0, 1, seed=1))


def test_a_state_goes_back_to_where_it_was_taken():
    def one(seed):
        weights = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in drawn()[0].items()}
        return weights, Stepper(weights, AdamW(), dict.fromkeys(weights, 1e-2), Precision(seed=seed))

    weights, stepper = one(0)
    stepper.begin(1)
    sum(weight.square().sum() for weight in weights.values()).backward()
    stepper.end()
    other = one(0)[1]
    assert other.state == {}
    for name, kinds in stepper.state.items():
        for kind, tensor in kinds.items():
            other.put(name, kind, tensor)
    for name, kinds in other.state.items():
        assert all(torch.equal(tensor, stepper.state[name][kind]) for kind, tensor in kinds.items())
    with pytest.raises(KeyError):
        other.put("matrix", "row", torch.zeros(5))
