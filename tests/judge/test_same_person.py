"""Real photographs, real weights: one person is told from strangers whatever happens to the picture."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.engine.detect import Cascade
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.families import FAMILIES
from ohwx_compare.judge.likeness import Likeness, ceiling_distances
from ohwx_compare.judge.measure import MeasureContext
from ohwx_compare.judge.references import SAME_PERSON, FaceSight, read_references
from ohwx_compare.judge.style_scale import style_scale
from ohwx_compare.judge.weights import find_face_files

sys.path.append(str(Path(__file__).parents[1] / "engine"))

from alterations import ALTERATIONS
from face_cases import read_photographs

pytestmark = pytest.mark.slow
PEOPLE = {"obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"), "biden": ("biden.jpg",), "collins": ("astronaut.png",)}


@pytest.fixture(scope="module")
def sight(face_files):
    return FaceSight(Cascade(), FaceReader.load(*find_face_files(named=face_files)))


@pytest.fixture(scope="module")
def folder(face_files, goldens, tmp_path_factory):
    """A folder for each person, of the photographs that a package ships and one of NASA's."""
    archive = face_files / "face_recognition-1.3.0.tar.gz"
    if not archive.is_file():
        pytest.skip(f"no {archive.name} beside the weights: `pip download --no-deps face-recognition==1.3.0`")
    photographs = {name: Image.fromarray(pixels) for name, pixels in read_photographs(archive).items()}
    photographs["astronaut.png"] = Image.open(goldens / "astronaut.png").convert("RGB")
    root = tmp_path_factory.mktemp("people")
    for person, names in PEOPLE.items():
        (root / person).mkdir()
        for name in names:
            photographs[name].save(root / person / Path(name).with_suffix(".png"))
    return root


@pytest.fixture(scope="module")
def people(sight, folder):
    return {name: read_references([folder / name], sight, least=1) for name in PEOPLE}


@pytest.fixture(scope="module")
def others(people):
    return [face for name in ("biden", "collins") for face in people[name].faces]


def test_every_face_is_found(people):
    assert {name: len(person.faces) for name, person in people.items()} == {"obama": 3, "biden": 1, "collins": 1}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_no_false_one(sight, people, others, name):
    """Each altered photograph against each untouched one of another photograph or person: 6 and 14 pairs."""
    faces = [(person, face) for person, references in people.items() for face in references.faces]
    altered = [ALTERATIONS[name](face.crop, face.box) for _, face in faces]
    found = sight.reader.read([image for image, _ in altered], [box for _, box in altered])
    for i, (person, _) in enumerate(faces):
        for j, (other, face) in enumerate(faces):
            if i != j:
                assert (np.linalg.norm(found[i] - face.descriptor) < SAME_PERSON) == (person == other)


def test_likeness_of_whole_photographs(sight, people, folder):
    measure = Likeness(sight, people["obama"])
    paths = [next((folder / name).iterdir()) for name in ("biden", "collins")] + [folder / "obama" / "obama2.png"]
    scores = measure.score([Image.open(path) for path in paths], MeasureContext())
    assert scores[0].value > 0.7
    assert scores[1].value > 0.7
    assert scores[2].value < 0.4
    assert scores[2].details["nearest"] == "obama2.png"
    assert scores[2].details["nearest_distance"] < 0.1


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_style_is_scaled_or_refused(sight, people, others, family):
    """Drawn in a style, the person's photographs are on their scale about 1 and the strangers' about 0."""
    ceiling = ceiling_distances(sight, people["obama"], family)
    drawn = sight.reader.read(
        [Image.fromarray(family.draw(face.crop)) for face in others], [face.box for face in others]
    )
    floor = [people["obama"].distance(descriptor) for descriptor in drawn]
    scale = style_scale(floor, ceiling)
    if family.name != "pixel art":  # which hides who it is; whether from these two strangers too is chance
        assert scale.refusal == ""
        assert min(scale.of(distance) for distance in ceiling) > 0.7
        assert max(scale.of(distance) for distance in floor) < 0.3


def test_two_people_in_one_folder_are_a_sentence(sight, folder):
    biden = folder / "biden" / "biden.png"
    with pytest.raises(MeasureError, match=r"look like 2 people: biden\.png; obama\.png"):
        read_references([biden, folder / "obama" / "obama.png"], sight)
