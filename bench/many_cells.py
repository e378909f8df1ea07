"""What ten thousand cells cost before, beside and after drawing: planning, keys, the wait for a picture, the run list.

usage: python bench/many_cells.py [--checkpoints 10] [--seeds 500] [--denoise 2] [--side 32] [--folder DIR]

Draws checkpoints x seeds x denoise strengths with a host without a model, so that what is measured is ours alone, and
prints wall and CPU seconds of each part. --folder keeps the run there (and takes the one that lies there); a folder in
memory leaves the disk out.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

from ohwx_compare.compare.cost.plan import keys_in, plan, shelved
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import draw_run
from ohwx_compare.compare.work import keys_with
from ohwx_compare.core.events import Event, Image
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.ledger.reader import open_run, read_cells, read_summary
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.testing.fake_host import FakeHost


class Detector:
    """Finds one face in every picture."""

    name, sha256, kind, note = "stub.pt", "00", "yolov8", ""

    def detect(self, images: list, confidence: float) -> list:
        """A box in the middle."""
        return [[self._face(*image.size)] for image in images]

    def _face(self, width: int, height: int) -> SimpleNamespace:
        return SimpleNamespace(
            box=Box(width // 4, height // 4, width * 3 // 4, height * 3 // 4), confidence=0.9, mask=None, stretched=None
        )


class Arrived(KeyboardInterrupt):
    """The first picture is there."""


def until_the_first(event: Event) -> None:
    """Ends a run at its first picture."""
    if isinstance(event, Image):
        raise Arrived


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print what the block cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        print(f"{what:52s} {time.perf_counter() - wall:8.3f} s {time.process_time() - cpu:8.3f} s CPU", flush=True)


def measure(experiment: Experiment, root: Path) -> None:
    """All parts in turn; the run lies in `root`/run."""
    models, out = root / "models", root / "run"
    models.mkdir(parents=True, exist_ok=True)
    for ref in experiment.checkpoints:
        (models / f"{ref.name}.safetensors").write_bytes(ref.name.encode() * 40)
    host, resolve = FakeHost(models), in_folder(models, {})

    def draw(on_event: Callable[[Event], None] = lambda event: None) -> None:
        draw_run(experiment, host, lambda name: Detector(), out, on_event, resolve=resolve)

    with timed("the experiment read"):
        Experiment.from_dict(experiment.to_dict())
    with timed("plan, nothing there"):
        plan(experiment, resolve)
    if not out.exists():
        with timed("wait for the first picture"), suppress(Arrived):
            draw(until_the_first)
        with timed("all drawn"):
            draw()
    with timed("drawn again: nothing to draw"):
        draw()
    with timed("the same plan into the ledger"), Ledger(out) as ledger:
        ledger.plan(experiment)
    with timed("the run read"):
        run = open_run(out)
    with timed("what is there"):
        there = shelved(run)
    with timed("plan by its own keys"):
        plan(experiment, resolve, there=there, keys=keys_in(run))
    with timed("plan by keys as a run makes them"):
        plan(experiment, resolve, there=there, keys=keys_with(host.fingerprint, {FaceSettings.model: "00"}, there))
    with timed("a summary, as the run list reads"):
        read_summary(out)
    with timed("100 cells, first"):
        read_cells(out, 0, 100)
    with timed("100 cells, then"):
        read_cells(out, 100, 200)


def main() -> None:
    """Read the flags and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("checkpoints", 10), ("seeds", 500), ("denoise", 2), ("side", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    axes = (
        Axis("checkpoint", tuple(CheckpointRef(f"c{i:03d}") for i in range(options.checkpoints))),
        Axis("seed", tuple(range(options.seeds))),
        Axis("face denoise", tuple((i + 1) / (options.denoise + 1) for i in range(options.denoise))),
    )
    job = Job(prompt="portrait of (ohwx man:1.1), " * 8, seed=0, steps=4, width=options.side, height=options.side)
    experiment = Experiment(job=job, axes=axes, faces=(FaceSettings(),))
    print(f"{len(experiment.cells())} cells")
    with tempfile.TemporaryDirectory() as folder:
        measure(experiment, options.folder or Path(folder))


if __name__ == "__main__":
    main()
