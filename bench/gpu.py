"""What a GPU makes of it: SDXL's full size, 1024 px, with and without compile.

usage: python bench/gpu.py --folder SCRATCH [--device cuda] [--dtype float16] [--steps 20] [--batch 4] [--compile]
       [--tiny]

Draws full-size checkpoints (21 GB) into SCRATCH, removed afterwards, and prints sampling in image-steps a second for
one picture and for a batch, one picture and its face pass from start to end, and each one's peak memory; with --compile
the first two again with compiled blocks. A switch at this size is `bench/switch.py --device cuda`. With --tiny all is
small and works on any device, which shows that the program runs and nothing else.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from full_size import draw_family

from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.engine.compiled import compile_blocks, require_compiler
from ohwx_compare.engine.inpaint import inpaint
from ohwx_compare.engine.render import txt2img
from ohwx_compare.engine.weights import Model, load
from ohwx_compare.files.masks import box_mask
from ohwx_compare.testing.tiny import draw_tiny

PROMPT = "photo of ohwx man, sharp focus, natural light"


class Watch:
    """Times of the sampler's steps."""

    def __init__(self, device: str):
        self.device, self.at = device, []

    def __call__(self, count: int) -> None:
        """A step of `count` pictures was asked for."""
        self.at.append((self.now(), count))

    def now(self) -> float:
        """Seconds, once the device has done what it was told."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter()

    def rate(self) -> float:
        """Image-steps a second, from the third step on."""
        seconds = [later - sooner for (sooner, _), (later, _) in zip(self.at[2:], self.at[3:], strict=False)]
        return self.at[-1][1] / statistics.median(seconds)


def peak(device: str) -> str:
    """Most memory the tensors took since the last reset, and by the allocator."""
    if not device.startswith("cuda"):
        return "memory not measured"
    used, held = torch.cuda.max_memory_allocated() / 1e9, torch.cuda.max_memory_reserved() / 1e9
    torch.cuda.reset_peak_memory_stats()
    return f"peak {used:.2f} GB, {held:.2f} GB reserved"


def timed(what: str, device: str, draw: Callable[[Watch], object], repeat: int = 2) -> None:
    """Draw `repeat` times and tell the last one."""
    for _ in range(repeat):
        watch = Watch(device)
        started = watch.now()
        draw(watch)
        seconds = watch.now() - started
    print(f"{what}: {watch.rate():.2f} image-steps/s, {seconds:.2f} s in all, {peak(device)}", flush=True)


def measure(model: Model, options: argparse.Namespace, kind: str) -> None:
    """All rows for one model."""
    device, size = options.device, 128 if options.tiny else 1024
    job = Job(prompt=PROMPT, negative="blurry", seed=1, steps=options.steps, width=size, height=size, rng="CPU")
    jobs = [replace(job, seed=seed) for seed in range(1, options.batch + 1)]
    face = InpaintJob(job=replace(job, steps=2 * options.steps, denoise=0.5), only_masked=True, padding=32)
    timed(f"{kind}, one picture", device, lambda watch: txt2img(model, [job], watch))
    timed(f"{kind}, {options.batch} pictures at once", device, lambda watch: txt2img(model, jobs, watch))
    image = txt2img(model, [job])[0].image
    mask = box_mask(image.size, Box(size * 0.4, size * 0.2, size * 0.6, size * 0.45))
    timed(f"{kind}, face pass of one picture", device, lambda watch: inpaint(model, [face], [image], [mask], watch))


def measure_compiled(path: Path, options: argparse.Namespace) -> None:
    """One picture and a batch; a UNet is compiled for one shape, so each has its own."""
    require_compiler(torch.device(options.device))
    size = 128 if options.tiny else 1024
    for count in (1, options.batch):
        model = load(path, device=options.device, dtype=getattr(torch, options.dtype))
        compile_blocks(model.unet)
        jobs = [
            Job(prompt=PROMPT, negative="blurry", seed=seed, steps=options.steps, width=size, height=size, rng="CPU")
            for seed in range(1, count + 1)
        ]
        timed(f"compiled, {count} at once", options.device, partial(txt2img, model, jobs))


def main() -> None:
    """Parse the flags, draw the files, measure, clean up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="takes 21 GB for the time of the run")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="float16", choices=("float16", "bfloat16", "float32"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--compile", action="store_true", help="measure a compiled UNet too")
    parser.add_argument("--tiny", action="store_true", help="tiny checkpoints and pictures, to try the program")
    options = parser.parse_args()
    paths = draw_tiny(options.folder) if options.tiny else list(draw_family(options.folder).values())
    try:
        started = time.perf_counter()
        model = load(paths[0], device=options.device, dtype=getattr(torch, options.dtype))
        name = torch.cuda.get_device_name() if options.device.startswith("cuda") else options.device
        print(f"{name}, torch {torch.__version__}, {options.dtype}, loaded in {time.perf_counter() - started:.1f} s")
        measure(model, options, "eager")
        if options.compile:
            del model
            measure_compiled(paths[0], options)
    finally:
        for path in paths:
            path.unlink()


if __name__ == "__main__":
    main()
