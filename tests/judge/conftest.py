"""The planted run, written once, and the parts that judge it; photographs of people, where a package's are there."""

import sys
from pathlib import Path

import pytest
from PIL import Image
from planted_run import ME, STYLES, ColourReader, SquareDetector, photographs, planted_run

from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.references import FaceSight, read_references
from ohwx_compare.judge.run.pictures import judged_run

sys.path.append(str(Path(__file__).parents[1] / "engine"))

from face_cases import read_photographs

PEOPLE = {"obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"), "biden": ("biden.jpg",), "collins": ("astronaut.png",)}


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


@pytest.fixture(scope="session")
def people_folder(face_files, goldens, tmp_path_factory):
    """A folder for each person, of the photographs that a package ships and one of NASA's."""
    archive = face_files / "face_recognition-1.3.0.tar.gz"
    if not archive.is_file():
        pytest.skip(f"no {archive.name} beside the weights: `pip download --no-deps face-recognition==1.3.0`")
    taken = {name: Image.fromarray(pixels) for name, pixels in read_photographs(archive).items()}
    taken["astronaut.png"] = Image.open(goldens / "astronaut.png").convert("RGB")
    root = tmp_path_factory.mktemp("people")
    for person, names in PEOPLE.items():
        (root / person).mkdir()
        for name in names:
            taken[name].save(root / person / Path(name).with_suffix(".png"))
    return root
