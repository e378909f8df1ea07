"""What oneDNN's linear layers gain on this processor: products alone, and pictures.

usage: OMP_NUM_THREADS=1 python bench/linear.py [--rounds 7] [--size 256] [--steps 6] [--batch 4]

Both kernels take turns; CPU time, medians. On an Intel processor MKL_ENABLE_INSTRUCTIONS=AVX2 has MKL compute as it
does on AMD's, while oneDNN keeps AVX-512.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional as F

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import render
from ohwx_compare.engine.linear import KERNELS, kernel_by_rule, linear_by
from ohwx_compare.engine.weights import load
from ohwx_compare.testing.tiny import draw_tiny

SHAPES = ((8192, 64, 64), (4096, 64, 512), (2048, 128, 1024), (616, 2048, 640), (1024, 640, 5120))  # rows, from, to


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def in_turns(work: Callable[[], object], rounds: int) -> list[float]:
    """Median CPU seconds by each kernel, after a round to warm up."""
    taken: dict[str, list[float]] = {kernel: [] for kernel in KERNELS}
    for _ in range(rounds + 1):
        for kernel in KERNELS:
            with linear_by(kernel):
                taken[kernel].append(seconds(work))
    return [median(own[1:]) for own in taken.values()]


@torch.inference_mode()
def main() -> None:
    """Parse the flags, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("rounds", 7), ("size", 256), ("steps", 6), ("batch", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, by rule: {kernel_by_rule(torch.device('cpu'))}")
    for rows, n, out in SHAPES:
        x, weight, bias = torch.randn(rows, n), torch.randn(out, n), torch.randn(out)

        def many(x: torch.Tensor = x, weight: torch.Tensor = weight, bias: torch.Tensor = bias) -> None:
            for _ in range(10):
                F.linear(x, weight, bias)

        own, other = in_turns(many, options.rounds)
        flop = 20 * rows * n * out / 1e9
        print(f"{rows} x {n} -> {out}: torch {flop / own:.0f}, oneDNN {flop / other:.0f} GFLOP/s, {other / own:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        model = load(draw_tiny(Path(folder))[0])
        job = Job(prompt="ohwx man", seed=1, steps=options.steps, width=options.size, height=options.size, rng="CPU")
        jobs = [replace(job, seed=seed) for seed in range(options.batch)]
        own, other = in_turns(lambda: render.txt2img(model, jobs), options.rounds)
        print(f"{options.batch} pictures: torch {own:.2f} s, oneDNN {other:.2f} s, {other / own:.2f} of it")


if __name__ == "__main__":
    main()
