"""How fast a checkpoint is hashed, whole and by tensor, beside sha256 alone.

usage: python bench/hashing.py [--size 2.0] [--rounds 5]

Writes a safetensors file of `--size` GB into the temporary folder, reads it once, then takes turns. Wall and CPU time,
medians; a machine's other load counts in wall time.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from ohwx_compare.files.contents import read_contents
from ohwx_compare.files.tensors import header_bytes

EACH = 20_000_000  # bytes of a tensor


def bare(path: Path) -> str:
    """sha256 of the file, as any program computes it."""
    digest, block = hashlib.sha256(), memoryview(bytearray(1 << 18))  # as hashlib.file_digest reads
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            digest.update(block[:count])
    return digest.hexdigest()


def write(path: Path, count: int) -> None:
    """A file of `count` tensors."""
    places = {f"t{n}": ("F16", (EACH // 2,), n * EACH, (n + 1) * EACH) for n in range(count)}
    data = bytes(range(256)) * (EACH // 256) + bytes(EACH % 256)
    with path.open("wb") as file:
        file.write(header_bytes(places, {}))
        for _ in range(count):
            file.write(data)


def main() -> None:
    """Parse the flags, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.safetensors"
        write(path, round(options.size * 1e9 / EACH))
        ways: dict[str, Callable[[Path], object]] = {"sha256 alone": bare, "whole and tensors": read_contents}
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(options.rounds + 1):
            for name, way in ways.items():
                wall, used = time.perf_counter(), time.process_time()
                way(path)
                taken[name].append((time.perf_counter() - wall, time.process_time() - used))
        walls = {name: median(wall for wall, _ in own[1:]) for name, own in taken.items()}
        for name, own in taken.items():
            speed = path.stat().st_size / walls[name] / 1e9
            print(f"{name}: {speed:.2f} GB/s wall, {median(used for _, used in own[1:]):.2f} s CPU")
        print(f"{walls['sha256 alone'] / walls['whole and tensors']:.2f} of its speed")


if __name__ == "__main__":
    main()
