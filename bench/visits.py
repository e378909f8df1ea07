"""What a run costs besides drawing: comparisons of drawn stand-ins, whose pictures take no time, counted a cell.

usage: python bench/visits.py [--grids 10x200 100x20] [--side 64]

A grid is checkpoints x seeds. Each is drawn into a new folder, asked for again, and borrowed whole by a second folder;
told are the seconds of this process (CPU) and by the clock on the wall, which waits for the disk too.
"""

import argparse
import tempfile
import time
from pathlib import Path

from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, RunResult, draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.job import Job
from ohwx_compare.testing.fake_host import FakeHost


def main() -> None:
    """Print three lines a grid."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--grids", nargs="+", default=["10x200", "100x20"], metavar="CHECKPOINTSxSEEDS")
    parser.add_argument("--side", type=int, default=64, help="px")
    options = parser.parse_args()
    for grid in options.grids:
        checkpoints, seeds = map(int, grid.split("x"))
        with tempfile.TemporaryDirectory() as name:
            compare(Path(name), checkpoints, seeds, options.side)


def compare(folder: Path, checkpoints: int, seeds: int, side: int) -> None:
    """Draw one grid, again, and into a folder that borrows."""
    models = folder / "models"
    models.mkdir()
    refs = tuple(CheckpointRef(f"{number:03}") for number in range(checkpoints))
    for ref in refs:
        (models / f"{ref}.safetensors").write_bytes(ref.name.encode() * 100)
    job = Job(prompt="photo of ohwx man", seed=0, width=side, height=side)
    experiment = Experiment(job=job, axes=(Axis("checkpoint", refs), Axis("seed", tuple(range(seeds)))))
    borrowing = Options(reuse=(folder / "first",))
    for what, out, chosen in (("new", "first", Options()), ("again", "first", Options()), ("borrowed", "b", borrowing)):
        wall, cpu = time.perf_counter(), time.process_time()
        result: RunResult = draw_run(
            experiment, FakeHost(models), {}.get, folder / out, resolve=in_folder(models, {}), options=chosen
        )
        wall, cpu, cells = time.perf_counter() - wall, time.process_time() - cpu, result.drawn + result.reused
        print(
            f"{checkpoints} checkpoints x {seeds} seeds, {what}: {result.drawn} drawn, {result.reused} there; "
            f"CPU {cpu:.1f} s, {1000 * cpu / cells:.2f} ms a cell; wall {wall:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
