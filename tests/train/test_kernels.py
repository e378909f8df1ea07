"""Triton's kernels against the plain rule, by Triton's interpreter on the CPU, where Triton is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIDE_BY_SIDE = """
import torch
from ohwx_compare.train.learn import kernels
from ohwx_compare.train.learn.optim import Adafactor, Landing, land
from ohwx_compare.train.learn.rounding import Strip

torch.manual_seed(0)
for shape, flatten, dtype, more in [
    ((3, 40, 150), False, torch.float32, ""),
    ((2, 4, 5, 3, 3), False, torch.bfloat16, "chance"),
    ((2, 4, 5, 3, 3), True, torch.bfloat16, "chance"),
    ((2, 6, 200), False, torch.bfloat16, "master"),
    ((1, 6, 7), False, torch.float32, "lost"),
]:
    rule = Adafactor(weight_decay=0.1, flatten=flatten)
    start = torch.randn(shape).to(dtype)
    strip = Strip([shape], 5, start.device)
    ends = []
    for kind in ("plain", "triton"):
        chance = torch.Generator().manual_seed(1)
        weight = start.clone()
        state, norms = rule.start(weight), []
        master = start.float() if more == "master" else None
        def bound(each):
            norms.append(each.clone())
            return (2 / each).clamp(max=1)
        for step in (1, 2):
            size = 10 ** torch.randn(shape[0], *[1] * (len(shape) - 1), generator=chance)
            grads = (torch.randn(shape, generator=chance) * size).to(dtype)
            finite = torch.tensor(step == 1) if more == "lost" else None
            landing = Landing(weight, master, strip.window(step, 0, 0, shape[0]) if more == "chance" else None, finite)
            if kind == "plain":
                land(rule.move(grads, state, bound, 1e-2, step), landing)
            else:
                kernels.move(rule, grads, state, bound, (1e-2, step), landing)
        ends.append((weight, master, state["row"], state["column"], *norms))
    for plain, other in zip(*ends):
        if plain is None:
            continue
        if plain.dtype == torch.bfloat16:  # a float32's last bit may carry into another bfloat16
            # the interpreter cuts where CUDA rounds to nearest, so only the master says more then
            assert more == "master" or (plain != other).float().mean() < 0.01, (shape, more)
            assert (plain.float() - other.float()).abs().max() <= 2 ** -7 * plain.float().abs().max()
        else:
            torch.testing.assert_close(plain, other, rtol=2e-6, atol=2e-6)
    assert not torch.equal(ends[1][0], start)
print("agree")
"""


def test_kernels_are_the_plain_step(monkeypatch):
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=":")
    done = subprocess.run([sys.executable, "-c", SIDE_BY_SIDE], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "agree\n", done.stderr
