"""`ohwx pnginfo --csv` over many PNGs against opening each with Pillow, in one run.

usage: python bench/pnginfo.py [--count 10000] [--side 512] [--dir DIR]

The pictures are real (noise that compresses like a photograph, each with its own seed in an infotext as the webui
writes it) and made in a temporary folder, about 600 KB each at 512 px. Pillow has two ways: `image.text`, which gives
every text chunk and so decodes the pixels that stand before the last ones, and `image.info` right after opening, which
gives the chunks before the pixels only. The two Pillow rows write the bare texts as CSV; ours also takes them apart,
one column a key, and pairs pictures before and after the face pass. Files are in the system's cache (just written).
"""

import argparse
import io
import json
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

TESTS = Path(__file__).parents[1] / "tests"
PEER = """
import csv, sys
from pathlib import Path
from PIL import Image
table = csv.writer(sys.stdout)
for path in sorted(Path(sys.argv[1]).rglob("*.png")):
    with Image.open(path) as image:
        table.writerow((path, image.{where}.get("parameters", "")))
"""


def draw(folder: Path, count: int, side: int) -> int:
    """Write the pictures; returns the bytes of one."""
    text = json.loads((TESTS / "goldens" / "article.json").read_text(encoding="utf-8"))["infotexts"][0]
    small = np.random.default_rng(0).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    memory = io.BytesIO()
    Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(memory, "PNG", compress_level=1)
    content = memory.getvalue()
    for number in range(count):
        data = b"parameters\0" + text.replace("Seed: ", f"Seed: {number}", 1).encode("latin-1")
        chunk = struct.pack(">I", len(data)) + b"tEXt" + data + struct.pack(">I", zlib.crc32(b"tEXt" + data))
        (folder / f"{number:05d}-{number}.png").write_bytes(content[:33] + chunk + content[33:])  # behind IHDR
    return len(content) + len(chunk)


def timed(command: list[str]) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and output lines of a child process, its start included."""
    import resource

    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.count(b"\n")
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, lines


def main() -> None:
    """Print a row a program and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=512, help="px")
    parser.add_argument("--dir", type=Path, help="where to make the temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        size = draw(Path(folder), options.count, options.side)
        print(f"{options.count:,} PNGs of {options.side} px, {size:,} bytes each; Pillow {Image.__version__}")
        commands = {
            "ohwx pnginfo --csv": [sys.executable, "-m", "ohwx_compare", "pnginfo", folder, "--csv"],
            "Pillow, image.info": [sys.executable, "-c", PEER.format(where="info"), folder],
            "Pillow, image.text": [sys.executable, "-c", PEER.format(where="text"), folder],
        }
        found = {name: timed(command) for name, command in commands.items()}
    own = found["ohwx pnginfo --csv"]
    for name, (cpu, wall, lines) in found.items():
        assert lines >= options.count, f"{name} found {lines} pictures"
        print(f"{name}: {cpu:.2f} s CPU, {wall:.2f} s wall; {cpu / own[0]:.1f} and {wall / own[1]:.1f} of ours")


if __name__ == "__main__":
    main()
