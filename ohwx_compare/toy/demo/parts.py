"""What a demo starts from: the toy checkpoint, the toy face detector and the reader, all part of the package."""

import shutil
from importlib import resources
from pathlib import Path

from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.toy.checkpoint import write_checkpoint
from ohwx_compare.toy.demo.work import Parts
from ohwx_compare.toy.reader import load_reader

__all__ = ["DETECTOR", "toy_parts"]

DETECTOR = "toy_face_yolov8.pt"


def toy_parts() -> Parts:
    """The learned weights."""
    return Parts(
        write_base=write_checkpoint,
        write_detector=_write_detector,
        detector=DETECTOR,
        load_reader=load_reader,
        hashes=Hashes(cache_folder()),
    )


def _write_detector(path: Path) -> None:
    with resources.as_file(resources.files("ohwx_compare.toy") / "data" / DETECTOR) as packed:
        shutil.copyfile(packed, path)
