"""The planted run, written once, and the parts that judge it."""

import pytest
from planted_run import ME, STYLES, ColourReader, SquareDetector, photographs, planted_run

from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.references import FaceSight, read_references
from ohwx_compare.judge.run.pictures import judged_run


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """A run folder of seven checkpoints, nine styles and four seeds, with a face pass."""
    return planted_run(tmp_path_factory.mktemp("planted"), has_face_pass=True)


@pytest.fixture
def judged(tmp_path):
    """A small run to write scores into: three styles and two seeds."""
    folder = planted_run(tmp_path, styles=STYLES[:3], seeds=(1, 2), has_face_pass=True)
    return judged_run(open_run(folder), "ohwx man")


@pytest.fixture(scope="session")
def square_sight():
    return FaceSight(SquareDetector(), ColourReader())


@pytest.fixture(scope="session")
def my_photographs(square_sight, tmp_path_factory):
    """Four photographs of the person."""
    folder = photographs(tmp_path_factory.mktemp("mine") / "photos", ME, ME, ME, ME)
    return read_references([folder], square_sight)
