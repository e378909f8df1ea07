"""Adafactor's step in the CPU's cache gives what the plain step gives, whatever parts it is taken in."""

import pytest
import torch

from ohwx_compare.train.learn import in_cache
from ohwx_compare.train.learn.in_cache import Room, can_move_in_cache, move_in_cache
from ohwx_compare.train.learn.optim import Adafactor, AdamW, Landing, land

SHAPES = [(3, 8, 5), (2, 40, 30), (1, 64, 48), (2, 6, 4, 3, 3), (1, 24, 5, 3, 3), (3, 7, 2, 1, 1)]


@pytest.mark.parametrize("small", [64, 1 << 17])
@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_in_parts_as_in_whole(shape, flatten, small, monkeypatch):
    monkeypatch.setattr(in_cache, "_IN_CACHE", small)
    rule, draw = Adafactor(weight_decay=0.3, flatten=flatten), torch.Generator().manual_seed(3)
    for kind, has_master in ((torch.bfloat16, False), (torch.float32, False), (torch.bfloat16, True)):
        sides = []
        for _ in range(2):
            draw.manual_seed(3)
            weight = torch.randn(shape, generator=draw).to(kind)
            master = weight.float() if has_master else None
            pieces = 2 if shape[1] % 2 == 0 else 1
            numbers = weight[0].numel() // pieces
            strip = torch.randint(1 << 15, (100_000,), dtype=torch.int32, generator=draw)
            chance = strip.as_strided((shape[0], pieces, numbers), (997, 5013, 1)) if kind == torch.bfloat16 else None
            grads = [torch.randn(shape, generator=draw).to(kind) * scale for scale in (1e-3, 30.0)]
            sides.append((Landing(weight, master, None if has_master else chance, None), rule.start(weight), grads))
        (one, state, grads), (other, known, _) = sides
        assert can_move_in_cache(rule, one.weight)
        for count, g in enumerate(grads, 1):
            move_in_cache(rule, g, state, bounded, (1e-2, count), one, Room())
            land(rule.move(g.clone(), known, bounded, 1e-2, count), other)
        for name in state:
            torch.testing.assert_close(state[name], known[name], rtol=2e-5, atol=0)
        close = {"rtol": 0.008, "atol": 1e-6} if kind == torch.bfloat16 else {"rtol": 2e-6, "atol": 2e-6}
        torch.testing.assert_close(one.weight, other.weight, **close)
        assert (one.weight == other.weight).float().mean() > (0.99 if kind == torch.bfloat16 else 0.3)
        if has_master:
            torch.testing.assert_close(one.master, other.master, rtol=2e-6, atol=2e-6)


def bounded(norms):
    return torch.div(torch.tensor(1.0), norms + 1e-6).clamp_(max=1.0)


def test_nothing_moves_where_a_step_is_not_finite():
    rule, weight = Adafactor(), torch.randn(2, 8, 6)
    before, state = weight.clone(), rule.start(weight)
    landing = Landing(weight, None, None, torch.tensor(False))
    move_in_cache(rule, torch.randn(2, 8, 6), state, lambda norms: None, (1e-2, 1), landing, Room())
    assert torch.equal(weight, before)


def test_other_rules_and_shapes_move_as_before():
    assert not can_move_in_cache(AdamW(), torch.zeros(2, 8, 6))
    assert not can_move_in_cache(Adafactor(), torch.zeros(2, 8))
    assert not can_move_in_cache(Adafactor(), torch.zeros(2, 8, 6, device="meta"))
