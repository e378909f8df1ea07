"""What CFG 1 spares: the negative prompt's half of every call.

usage: OMP_NUM_THREADS=1 python bench/cfg.py [--rounds 3] [--steps 20] [--size 256] [--batch 4]

Draws a tiny checkpoint into a temporary folder and tells the CPU time of a batch at CFG 1 and at CFG 7, in turns.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.render import txt2img
from ohwx_compare.engine.weights import load
from ohwx_compare.testing.tiny import draw_tiny


def main() -> None:
    """Parse the flags, draw in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("rounds", 3), ("steps", 20), ("size", 256), ("batch", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = load(draw_tiny(Path(folder))[0])
        taken: dict[float, list[float]] = {1.0: [], 7.0: []}
        for _ in range(options.rounds + 1):
            for cfg, times in taken.items():
                jobs = [
                    Job(
                        prompt="ohwx man", negative="blurry", seed=seed, cfg=cfg, steps=options.steps, rng="CPU",
                        sampler="Euler a", width=options.size, height=options.size,
                    )
                    for seed in range(options.batch)
                ]  # fmt: skip
                started = time.process_time()
                txt2img(model, jobs)
                times.append(time.process_time() - started)
    one, seven = (statistics.median(times[1:]) for times in taken.values())
    print(f"CPU: {one:.2f} s at CFG 1, {seven:.2f} s at CFG 7: {one / seven:.2f}")


if __name__ == "__main__":
    main()
