"""Real photographs, real weights: one person is told from strangers whatever happens to the picture."""

import numpy as np
import pytest
from alterations import ALTERATIONS
from PIL import Image

from ohwx_compare.engine.detect import Cascade
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.families import FAMILIES
from ohwx_compare.judge.likeness import Likeness, ceiling_distances
from ohwx_compare.judge.measure import MeasureContext
from ohwx_compare.judge.references import FaceSight, read_references
from ohwx_compare.judge.style_scale import style_scale
from ohwx_compare.judge.weights import find_face_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sight(face_files):
    return FaceSight(Cascade(), FaceReader.load(*find_face_files(named=face_files)))


@pytest.fixture(scope="module")
def people(sight, people_folder):
    return {each.name: read_references([each], sight, least=1) for each in people_folder.iterdir()}


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
                assert (np.linalg.norm(found[i] - face.descriptor) < sight.network.same_person) == (person == other)


def test_likeness_of_whole_photographs(sight, people, people_folder):
    measure = Likeness(sight, people["obama"])
    paths = [next((people_folder / name).iterdir()) for name in ("biden", "collins")]
    paths.append(people_folder / "obama" / "obama2.png")
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


def test_two_people_in_one_folder_are_a_sentence(sight, people_folder):
    biden = people_folder / "biden" / "biden.png"
    with pytest.raises(MeasureError, match=r"look like 2 people: biden\.png; obama\.png"):
        read_references([biden, people_folder / "obama" / "obama.png"], sight)
