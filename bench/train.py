"""Training: steps a second, and time and peak memory by phase (forward, backward, optimiser).

usage: python bench/train.py [--base FILE] [--size 1024] [--batch 1 4] [--preset lean fast] [--steps 10] [--device cuda]

Without --base, tiny drawn checkpoints at 256 px on the CPU. With a full-size SDXL file (drawn weights will do) and
--device cuda, what a GPU does. Every combination of preset and batch runs alone in its process, so that its peak is its
own: tensors on CUDA, resident memory else. A fused optimiser steps within the backward pass and is told with it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from ohwx_compare.testing.tiny import draw_tiny
from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.learn.step import losses
from ohwx_compare.train.outside.machine import peak_memory
from ohwx_compare.train.plan.estimate import RESERVE
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run import loop

PHASES = ("forward", "backward", "optimiser")


def clock(device: str) -> float:
    """Seconds, with all of a GPU's work done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def peak(device: str, *, anew: bool = False) -> float:
    """GB at most since the last call `anew`; where neither CUDA nor Linux forgets a peak, since the process began."""
    gigabytes = (peak_memory(device) or 0) / 1e9
    forget = Path("/proc/self/clear_refs")
    if anew and device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    elif anew and forget.exists():
        forget.write_text("5")  # man 5 proc: the peak becomes what is resident now
    return gigabytes


def measure(recipe: Recipe, steps: int, device: str) -> dict:
    """Seconds and peak of each phase, medians over `steps` after two to warm up."""
    plan = make_plan(recipe)
    setup = set_up(plan, device)
    seconds = {phase: [] for phase in PHASES}
    most = dict.fromkeys(PHASES, 0.0)
    for number, _, step in plan.walk():
        if number > steps + 2:
            break
        pictures = dict(enumerate(step[0]))
        peak(device, anew=True)
        setup.stepper.begin(number)
        times = [clock(device)]
        loss = losses(setup.unet, setup.diffusion, loop.batch(setup, number, pictures)).mean()
        for phase, act in zip(PHASES, (lambda: None, loss.backward, setup.stepper.end), strict=True):
            act()
            times.append(clock(device))
            most[phase] = max(most[phase], peak(device, anew=True))
        if number > 2:
            for phase, begin, end in zip(PHASES, times, times[1:], strict=False):
                seconds[phase].append(end - begin)
    return {
        "seconds": {phase: median(each) for phase, each in seconds.items()},
        "peak": most,
        "estimate": (plan.memory.total + RESERVE) / 1e9,
        "again": len(plan.again),
    }


def drawn_recipe(folder: Path, size: int, pictures: int, base: Path | None = None) -> dict:
    """Values of a recipe of drawn pictures, `size` px a side; base: None draws a tiny one."""
    (folder / "img" / "1_ohwx man").mkdir(parents=True)
    for number in range(pictures):
        picture = np.random.RandomState(number).randint(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(picture).resize((size, size)).save(folder / "img" / "1_ohwx man" / f"{number}.png")
    base = base or sorted(draw_tiny(folder / "checkpoints"))[0]
    return {
        "base": str(base), "train": str(folder / "img"), "output": str(folder / "out"), "resolution": size,
        "bucket_min": 64, "validation": 0,
    }  # fmt: skip


def alone(options: argparse.Namespace) -> None:
    """One combination, its result as JSON."""
    with tempfile.TemporaryDirectory() as name:
        values = drawn_recipe(Path(name), options.size, max(options.batch), options.base)
        values |= {"preset": options.preset[0], "batch": options.batch[0], "steps": options.steps + 2}
        print(json.dumps(measure(Recipe.from_dict(values), options.steps, options.device)))


def main() -> None:
    """Parse the flags; one process a combination."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", type=Path, help="SDXL checkpoint (default: tiny drawn ones)")
    parser.add_argument("--size", type=int, default=256, help="px")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--preset", nargs="+", default=["lean", "fast"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        return alone(options)
    base = ["--base", str(options.base)] if options.base else []
    for preset in options.preset:
        for batch in options.batch:
            flags = {"size": options.size, "batch": batch, "preset": preset, "steps": options.steps}
            pairs = [text for flag, value in flags.items() for text in (f"--{flag}", str(value))]
            command = [sys.executable, __file__, "--alone", "--device", options.device, *base, *pairs]
            told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            total = sum(told["seconds"].values())
            phases = ", ".join(f"{p} {told['seconds'][p]:.3f} s {told['peak'][p]:.3f} GB" for p in PHASES)
            print(f"{preset}, batch {batch}: {1 / total:.2f} steps/s ({phases}); {told['again']} blocks computed again")
            print(f"    by the shapes {told['estimate']:.2f} GB with the runtime's own", flush=True)
    return None


if __name__ == "__main__":
    main()
