"""A small demo on drawn weights, also in a process of its own, to be killed: `drawn_demo.py FOLDER BASE`."""

import pickle
import shutil
import sys
from functools import partial
from pathlib import Path

import torch

from ohwx_compare.demo.sizes import Sizes
from ohwx_compare.demo.work import Parts, work
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.testing.drawn_detector import draw_detector
from ohwx_compare.toy.reader import Reader, ReaderNetwork

SMALL = Sizes(
    ema=None,  # of so few steps an average would be the base
    apart=1,
    saves=2,
    reg_images=15,
    styles=("anime",),
    seeds=(1, 2),
    class_seeds=(1, 2),
    face_seeds=(1,),
    face_saves=1,
    truths=6,
)


def drawn_reader() -> Reader:
    """A reader that knows nothing, but says the same each time."""
    torch.manual_seed(0)
    network = ReaderNetwork().state_dict()
    return Reader({name: 0.1 * torch.randn_like(value.float()) for name, value in network.items()})


def drawn_parts(base: Path) -> Parts:
    """Everything but the learned weights."""
    return Parts(
        write_base=partial(shutil.copyfile, base),
        write_detector=draw_detector,
        detector="drawn.safetensors",
        load_reader=drawn_reader,
        hashes=Hashes(),
    )


if __name__ == "__main__":
    folder, base = map(Path, sys.argv[1:])
    readings = work(folder, SMALL, drawn_parts(base), lambda event: None, lambda: False)
    sys.stdout.buffer.write(pickle.dumps(readings))
