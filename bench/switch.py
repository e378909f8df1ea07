"""A switch between two fine-tunes of one base at SDXL's size, against loading the whole file again.

usage: python bench/switch.py --folder SCRATCH [--device cpu] [--dtype float16] [--times 3] [--cold] [--keep]

Writes three drawn checkpoints (21 GB) into SCRATCH and removes them afterwards: a base, one whose UNet is another
throughout, one whose cross attention alone is another. Every load goes through the native host with the files' hashes
known, as in a run after its first; what hashing costs is told apart. With --cold the system is asked to forget each
file before it is loaded (Linux), else files are in the page cache as far as memory allows. The last rows read the file
ahead, as a run does while the checkpoint before draws, and time the switch alone.
"""

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from full_size import draw_family

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.memory import available_memory
from ohwx_compare.hosts.native import NativeHost


class Bench:
    """One host and its files."""

    def __init__(self, options: argparse.Namespace, paths: dict[str, Path]):
        self.options, self.hashes = options, Hashes(settled=0.0)
        self.files = {name: Checkpoint(path.name, path) for name, path in paths.items()}
        dtype = getattr(torch, options.dtype)
        self.host = NativeHost([options.folder], device=options.device, dtype=dtype, hashes=self.hashes)

    def seconds(self, do: Callable[[], object]) -> tuple[float, float]:
        """Wall and CPU."""
        started, used = time.perf_counter(), time.process_time()
        do()
        if self.options.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - started, time.process_time() - used

    def forget(self, name: str) -> None:
        """With --cold, take the file out of the page cache."""
        if self.options.cold:
            with self.files[name].path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def reload(self, name: str) -> tuple[float, float]:
        """The whole file, nothing being in memory."""
        self.host.close()
        gc.collect()
        self.forget(name)
        return self.seconds(lambda: self.host.use(self.files[name]))

    def switch(self, before: str, name: str, *, ahead: bool = False) -> tuple[float, float]:
        """From `before`, which is loaded first if need be."""
        self.host.use(self.files[before])
        self.forget(name)
        if ahead:
            self.host.expect(self.files[name])
            self.host._ahead.wait()  # what drawing would take the time of
        return self.seconds(lambda: self.host.use(self.files[name]))

    def differing(self, before: str, name: str) -> int:
        """Bytes that a switch reads."""
        one, other = (self.hashes.contents(self.files[key].path).tensors for key in (before, name))
        tensors = read_header(self.files[name].path).tensors
        return sum(t.end - t.start for key, t in tensors.items() if one.get(key) != other[key])


def measure(bench: Bench, times: int) -> None:
    """All rows, each with its ratio to a reload in the same run."""
    size = bench.files["base"].path.stat().st_size
    hashing = [bench.seconds(lambda f=f: bench.hashes.contents(f.path)) for f in bench.files.values()]
    print(f"hashing {size / 1e9:.1f} GB, the first time: {statistics.median(w for w, _ in hashing):.1f} s")
    bench.host.use(bench.files["base"])  # loads the program too
    whole = [bench.reload(name) for _ in range(times) for name in ("unet", "base")]
    reload = _row("reload of the whole file", size, whole, None)
    for name in ("unet", "attention"):
        for ahead in (False, True):
            found = [
                bench.switch(*pair, ahead=ahead) for _ in range(times) for pair in (("base", name), (name, "base"))
            ]
            what = f"switch, another {name}{', read ahead' if ahead else ''}"
            _row(what, bench.differing("base", name), found, reload)
    _row("the same file again", 0, [bench.switch("base", "base") for _ in range(times)], reload)
    bench.host.close()


def _row(what: str, size: int, found: list[tuple[float, float]], against: float | None) -> float:
    wall, used = (statistics.median(column) for column in zip(*found, strict=True))
    ratio = f", {wall / against:.2f} of a reload" if against else ""
    print(f"{what}: {size / 1e9:.2f} GB read, median {wall:.2f} s wall, {used:.2f} s CPU{ratio}", flush=True)
    return wall


def main() -> None:
    """Parse the flags, draw the files, measure, clean up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="takes 21 GB for the time of the run")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float16", choices=("float16", "bfloat16", "float32"))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="ask the system to forget a file before it is loaded")
    parser.add_argument("--keep", action="store_true", help="leave the files there and use those that are")
    options = parser.parse_args()
    there = {path.stem: path for path in options.folder.glob("*.safetensors")} if options.keep else {}
    started = time.perf_counter()
    paths = there or draw_family(options.folder)
    state = "asked to forget them" if options.cold else "as memory allows"
    free = (available_memory() or 0) / 1e9
    print(f"files drawn in {time.perf_counter() - started:.0f} s; {free:.0f} GB free; cache: {state}")
    try:
        measure(Bench(options, paths), options.times)
    finally:
        for path in [] if options.keep else paths.values():
            path.unlink()


if __name__ == "__main__":
    main()
