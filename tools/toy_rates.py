"""Run the quick demo at several learning rates and print what each gives, to choose `RATE` in demo/sizes.py.

    python tools/toy_rates.py WORK 1e-4 3e-4 1e-3

Each rate has a demo of its own in WORK (0.5 GB); the same command goes on where it stopped.
"""

import sys
from dataclasses import replace
from pathlib import Path

from ohwx_compare.cli.bar import Bar
from ohwx_compare.demo.answer import MEASURES, answer
from ohwx_compare.demo.page import write_answer
from ohwx_compare.demo.parts import toy_parts
from ohwx_compare.demo.sizes import QUICK
from ohwx_compare.demo.work import work


def main(folder: Path, rates: list[float]) -> None:
    """One demo a rate: each measure at each save, base first."""
    for rate in rates:
        out, bar = folder / f"{rate:g}", Bar()
        readings = work(out, replace(QUICK, rate=rate), toy_parts(), bar, lambda: False)
        bar.close()
        found = answer(readings)
        write_answer(out, found, readings)
        for arm, points in found.arms.items():
            for name in MEASURES:
                told = " ".join(f"{point.values[name].value:.2f}" for point in (found.base, *points))
                print(f"{rate:g} {arm:<7} {name:<9} {told}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [float(rate) for rate in sys.argv[2:]])
