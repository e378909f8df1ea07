"""A run to be killed: `python killed_run.py MODELS OUT LOG` draws the experiment of test_run.py with delays."""

import sys
from pathlib import Path
from types import SimpleNamespace

from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.testing.fake_host import FakeHost, Faults

EXPERIMENT = Experiment(
    job=Job(prompt="ohwx man", seed=1, steps=4, width=64, height=64),
    axes=(
        Axis("checkpoint", (CheckpointRef("a"), CheckpointRef("b"))),
        Axis("seed", (1, 2, 3)),
        Axis("face denoise", (0.3, 0.5)),
    ),
    faces=(FaceSettings(),),
)


class Detector:
    """Finds two faces in every picture but those whose corner is dark."""

    name, sha256, kind, note = "stub.pt", "00", "yolov8", ""

    def detect(self, images, confidence):
        faces = [
            SimpleNamespace(box=Box(8, 8, 30, 30), confidence=0.9, mask=None, stretched=None),
            SimpleNamespace(box=Box(40, 30, 60, 50), confidence=0.6, mask=None, stretched=None),
        ]
        return [faces if image.getpixel((0, 0))[0] > 99 else [] for image in images]


if __name__ == "__main__":
    models, out, log = map(Path, sys.argv[1:])
    host = FakeHost(models, faults=Faults(seconds=0.05), log=log)
    draw_run(EXPERIMENT, host, lambda name: Detector(), out, resolve=in_folder(models, {}), options=Options(batch=2))
