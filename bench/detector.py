"""Detector latency on the CPU, warm and cold: ours and, where it is installed, ultralytics' with the same file.

usage: python bench/detector.py [--weights FILE.pt] [--picture FILE] [--times 20] [--threads 1]

Warm: the median of `--times` detections, the two taking turns. Cold: a fresh process that has imported torch already
imports the detector, loads the file and detects once.
"""

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

GOLDENS = Path(__file__).parents[1] / "tests" / "goldens"
OURS = """
from pathlib import Path
from ohwx_compare.engine.detect import Yolo
yolo = Yolo(Path({weights!r}))
detect = lambda image: yolo.detect([image], 0.3)
"""
THEIRS = """
from ultralytics import YOLO
yolo = YOLO({weights!r})
detect = lambda image: yolo.predict(image, conf=0.3, device="cpu", verbose=False)
"""
COLD = """
import time, torch
from PIL import Image
torch.set_num_threads({threads})
image = Image.open({picture!r}).convert("RGB")
started, used = time.perf_counter(), time.process_time()
{make}
detect(image)
print(time.perf_counter() - started, time.process_time() - used)
"""


def made(code: str) -> Callable:
    """The `detect` that `code` defines."""
    names: dict = {}
    exec(code, names)
    return names["detect"]


def report(what: str, found: dict[str, list[tuple[float, float]]]) -> None:
    """Medians and bests of each one's wall and CPU seconds, and ours over theirs."""
    medians: dict[str, list[float]] = {"wall": [], "CPU": []}
    for name, pairs in found.items():
        for clock, seconds in zip(medians, zip(*pairs, strict=True), strict=True):
            middle, best = statistics.median(seconds), min(seconds)
            medians[clock].append(middle)
            print(f"{name}, {what}, {clock}: median {middle * 1e3:.0f} ms, best {best * 1e3:.0f} ms", flush=True)
    for clock, middles in medians.items():
        if len(middles) == 2:
            print(f"ours / ultralytics, {what}, {clock}: {middles[0] / middles[1]:.2f}")


def main() -> None:
    """Print warm and cold figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, default=GOLDENS / "drawn_yolov8.pt")
    parser.add_argument("--picture", type=Path, default=GOLDENS / "portrait.png")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    image = Image.open(options.picture).convert("RGB").resize((640, 640))
    codes = {"ours": OURS} | ({"ultralytics": THEIRS} if importlib.util.find_spec("ultralytics") else {})
    codes = {name: code.format(weights=str(options.weights)) for name, code in codes.items()}
    detects = {name: made(code) for name, code in codes.items()}
    warm: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
    for _ in range(options.times + 3):
        for name, detect in detects.items():
            started, used = time.perf_counter(), time.process_time()
            detect(image)
            warm[name].append((time.perf_counter() - started, time.process_time() - used))
    report("warm", {name: pairs[3:] for name, pairs in warm.items()})
    cold: dict[str, list[tuple[float, float]]] = {}
    for name, code in codes.items():
        command = COLD.format(threads=options.threads, picture=str(options.picture), make=code)
        fresh = [sys.executable, "-c", command]
        said = [subprocess.run(fresh, check=True, stdout=subprocess.PIPE).stdout.split()[-2:] for _ in range(3)]
        cold[name] = [(float(wall), float(used)) for wall, used in said]
    report("cold", cold)
    if len(codes) == 1:
        print("ultralytics is not installed here; no ratio")


if __name__ == "__main__":
    main()
