"""What a demo starts from: the toy checkpoint, the toy face detector and the reader, all part of the package."""

from ohwx_compare.demo.work import Parts
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.toy.checkpoint import write_checkpoint
from ohwx_compare.toy.face_detector import DETECTOR, write_toy_detector
from ohwx_compare.toy.reader import load_reader

__all__ = ["toy_parts"]


def toy_parts() -> Parts:
    """The learned weights."""
    return Parts(
        write_base=write_checkpoint,
        write_detector=write_toy_detector,
        detector=DETECTOR,
        load_reader=load_reader,
        hashes=Hashes(cache_folder()),
    )
