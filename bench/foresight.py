"""How far `ohwx plan --calibrate` is off: foretell a comparison of drawn checkpoints, draw it, compare the times.

usage: python bench/foresight.py [--steps 20] [--size 256] [--seeds 4] [--times 1]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ohwx_compare.cli.demo import INFOTEXT
from ohwx_compare.toy.drawn import draw_tiny
from ohwx_compare.toy.drawn_detector import draw_detector


def ohwx(*arguments: object) -> tuple[float, dict]:
    """Seconds of a whole `ohwx` process, and what it printed as JSON."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "ohwx_compare", *map(str, arguments), "--json", "--device", "cpu"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return time.perf_counter() - started, json.loads(said)


def main() -> None:
    """Print one line a time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--times", type=int, default=1)
    options = parser.parse_args()
    seeds = ",".join(str(10 + n) for n in range(options.seeds))
    text = INFOTEXT.replace('"10,11"', f'"{seeds}"').replace('"10, 11"', f'"{seeds}"')
    text = text.replace("Steps: 12", f"Steps: {options.steps}").replace("256x256", f"{options.size}x{options.size}")
    with tempfile.TemporaryDirectory() as folder:
        models, detectors = Path(folder) / "models", Path(folder) / "detectors"
        draw_tiny(models)
        detectors.mkdir()
        draw_detector(detectors / "drawn_face.safetensors")
        for number in range(options.times):
            flags = ["--from", text, "--checkpoints", models, "--detectors", detectors]
            calibration, plan = ohwx("plan", *flags, "--calibrate")
            wall, result = ohwx("compare", *flags, "--out", Path(folder) / f"run-{number}")
            error = plan["seconds"] / wall - 1
            print(
                f"foretold {plan['seconds']:.1f} s, whole process {wall:.1f} s (drawing {result['seconds']:.1f} s): "
                f"{error:+.1%}; calibration {calibration:.1f} s"
            )


if __name__ == "__main__":
    main()
