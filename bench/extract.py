"""What a LoRA of each rank lacks of a fine-tune: of its weights, and of its pictures.

    python bench/extract.py TUNED BASE --prompt "photo of ohwx man" --ranks 4 8 16

draws the prompt with some seeds by the base, the fine-tune, and the base that wears each LoRA, and says how far the
pictures are from the fine-tune's (mean difference of 255). With --full-size TUNED and BASE are left out: a base of
SDXL's size is drawn, and a fine-tune whose cross attention is drawn anew. Such a change has no low rank at all, so what
is lacking is the most that there can be; time and memory do not depend on it.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from full_size import draw_family

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.networks.extract import extract
from ohwx_compare.engine.networks.lora_file import write_lora
from ohwx_compare.hosts.native import Beside, NativeHost


def main() -> None:
    """Print a row for each rank."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tuned", type=Path, nargs="?")
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("--prompt", default="photo of ohwx man")
    parser.add_argument("--ranks", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--full-size", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.full_size:
            full_size(Path(folder), options.ranks)
        else:
            toy(options, Path(folder))


def toy(options: argparse.Namespace, folder: Path) -> None:
    """Error of the weights and distance of the pictures, by rank."""
    errors, sizes = {}, {}
    for rank in options.ranks:
        found, path = extract(options.tuned, options.base, rank), folder / f"rank{rank}.safetensors"
        write_lora(path, found.tensors, options.base.stem, {})
        errors[rank], sizes[rank] = found.error, path.stat().st_size
    host = NativeHost([options.tuned.parent, options.base.parent], device="cpu", beside=Beside(loras=[folder]))
    job = Job(prompt=options.prompt, seed=1, steps=16, cfg=3.0, width=options.size, height=options.size)

    def drawn(path: Path, tag: str = "") -> np.ndarray:
        host.use(next(one for one in host.checkpoints() if one.path == path))
        jobs = [replace(job, prompt=job.prompt + tag, seed=seed) for seed in range(1, options.seeds + 1)]
        return np.stack([np.asarray(one.image, float) for one in host.render(jobs)])

    print("| rank | file, MB | lacks of the weights' change | distance of pictures | nearer than the base |")
    print("|---|---|---|---|---|")
    whole = drawn(options.tuned)
    far = np.abs(drawn(options.base) - whole).mean()
    print(f"| the base | | 100 % | {far:.2f} | |")
    for rank in options.ranks:
        apart = np.abs(drawn(options.base, f" <lora:rank{rank}:1>") - whole).mean()
        row = f"{rank} | {sizes[rank] / 1e6:.1f} | {100 * errors[rank]:.1f} % | {apart:.2f} | {far / apart:.1f} times"
        print(f"| {row} |", flush=True)


def full_size(folder: Path, ranks: list[int]) -> None:
    """Error, time and memory at SDXL's size."""
    paths = draw_family(folder)
    for rank in ranks:
        began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = extract(paths["attention"], paths["base"], rank)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = sum(t.numel() * t.element_size() for t in found.tensors.values())
        seconds = time.process_time() - began
        print(
            f"rank {rank}: {len(found.ranks)} layers, lacks {100 * found.error:.2f} %, {seconds:.0f} s of CPU, LoRA "
            f"{size / 1e6:.0f} MB, memory {(peak - before) / 1e3:.0f} MB more",
            flush=True,
        )


if __name__ == "__main__":
    main()
