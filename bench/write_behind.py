"""Whether a device would wait for the disk: a host that sleeps where a GPU would compute.

usage: python bench/write_behind.py [--cells 12] [--batch 4] [--size 1024] [--asleep 1.05]

Cells with a face pass; every picture of the host's is grainy, as photographs are for PNG. Printed are seconds a cell by
wall, how much of that the host slept, and the difference; and CPU time, which does not hang on a machine's other load.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from ohwx_compare.compare.host import Rendered
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.testing.fake_host import FakeHost


class Sleeping(FakeHost):
    """Sleeps half of a cell's time for the picture and half for its face."""

    def __init__(self, folder: Path, options: argparse.Namespace):
        super().__init__(folder)
        self.each, self.slept = options.asleep / 2, 0.0
        grain = np.random.default_rng(1).normal(128, 2, (options.size, options.size, 3))
        ramp = np.linspace(-90, 90, options.size)[:, None, None]
        self.picture = Image.fromarray((grain + ramp).clip(0, 255).astype(np.uint8))

    def sleep(self, count: int) -> None:
        """As long as `count` pictures take."""
        started = time.perf_counter()
        time.sleep(self.each * count)
        self.slept += time.perf_counter() - started

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """The same picture each time."""
        self.sleep(len(jobs))
        return (Rendered(self.picture.copy()) for _ in jobs)

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """The picture turned about."""
        self.sleep(len(jobs))
        return (Rendered(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) for image in images)


def main() -> None:
    """Parse the flags, run in a temporary folder, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("cells", 12), ("batch", 4), ("size", 1024)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--asleep", type=float, default=1.05)
    options = parser.parse_args()
    face = SimpleNamespace(box=Box(300, 300, 600, 600), confidence=0.9, mask=None, stretched=None)
    detector = SimpleNamespace(name="stub.pt", sha256="00", kind="yolov8", note="")
    detector.detect = lambda images, confidence: [[face]] * len(images)
    job = Job(prompt="ohwx man", seed=1, width=options.size, height=options.size)
    axes = (Axis("checkpoint", (CheckpointRef("a"),)), Axis("seed", tuple(range(options.cells))))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.safetensors").write_bytes(b"a")
        host = Sleeping(folder, options)
        wall, used, own = time.perf_counter(), time.process_time(), time.thread_time()
        draw_run(
            Experiment(job=job, axes=axes, faces=(FaceSettings(),)), host, lambda name: detector, folder / "run",
            resolve=in_folder(folder, {}), options=Options(batch=options.batch),
        )  # fmt: skip
        wall, used, own = time.perf_counter() - wall, time.process_time() - used, time.thread_time() - own
    each = [value / options.cells for value in (wall, host.slept, used, own)]
    print(f"a cell: {each[0]:.3f} s wall, {each[1]:.3f} s asleep: {each[0] - each[1]:.3f} s awake")
    print(f"CPU of a cell: {each[2]:.3f} s, of which {each[3]:.3f} s on the thread that drives the device")


if __name__ == "__main__":
    main()
