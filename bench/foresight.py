"""How far `ohwx plan --calibrate` is off: foretell a comparison of drawn checkpoints, draw it, compare.

usage: python bench/foresight.py [--steps 20] [--size 256] [--seeds 6] [--batch 4] [--times 1]

Told twice: by the clock on the wall, which other programs disturb between calibration and run, and by this process's
own CPU time, which they disturb less.
"""

import argparse
import tempfile
import time
from functools import cache
from pathlib import Path

from ohwx_compare.compare.cost.calibrate import seconds
from ohwx_compare.compare.cost.plan import plan
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext import infotext
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.look.sheet import write_sheets
from ohwx_compare.testing.drawn_detector import draw_detector
from ohwx_compare.testing.tiny import draw_tiny

GRID = Path(__file__).parents[1] / "tests" / "seed" / "small_grid.txt"  # three tiny checkpoints, two seeds

CLOCKS = {"wall": time.perf_counter, "CPU": time.process_time}


def main() -> None:
    """Print one line a time and clock."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("steps", 20), ("size", 256), ("seeds", 6), ("batch", 4), ("times", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    seeds = ",".join(str(10 + n) for n in range(options.seeds))
    text = GRID.read_text(encoding="utf-8").replace('"10,11"', f'"{seeds}"').replace('"10, 11"', f'"{seeds}"')
    text = text.replace("Steps: 12", f"Steps: {options.steps}").replace("256x256", f"{options.size}x{options.size}")
    experiment = Experiment.from_infotext(infotext.parse(text))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_tiny(folder)
        draw_detector(folder / "drawn_face.safetensors")
        for number in range(options.times):
            compare(experiment, folder, folder / f"run-{number}", options.batch)


def compare(experiment: Experiment, folder: Path, out: Path, batch: int) -> None:
    """Foretell with both clocks, then draw once."""
    resolve, detectors = in_folder(folder, {}), cache(lambda name: find_detector(name, [folder]))
    found = {tab.model: detectors(tab.model) for tab in experiment.faces}
    planned = plan(experiment, resolve, batch=batch)
    foretold, spent = {}, {}
    for name, clock in CLOCKS.items():
        host, started = NativeHost([folder], device="cpu"), clock()
        foretold[name] = seconds(planned, host, found, clock)
        spent[name] = clock() - started
        host.close()
    started = {name: clock() for name, clock in CLOCKS.items()}
    host = NativeHost([folder], device="cpu")
    result = draw_run(experiment, host, detectors, out, resolve=resolve, options=Options(batch=batch))
    host.close()
    write_sheets(open_run(out))
    for name, clock in CLOCKS.items():
        took = clock() - started[name]
        print(
            f"{result.drawn} cells, {name}: foretold {foretold[name]:.1f} s, took {took:.1f} s, "
            f"{foretold[name] / took - 1:+.1%}; the calibration itself {spent[name]:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
