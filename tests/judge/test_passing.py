"""What a face pass did wrong is counted for each checkpoint, and the pictures are named."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from planted_run import STYLES, CornerStyle, Planted, planted_run, record

from ohwx_compare.core.experiment.outcome import FaceRecord, Fate
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.run.judgement import judge_scores
from ohwx_compare.judge.run.passing import pass_counts
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.scoring import score_run
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.seams import SEAMS, Seams
from ohwx_compare.look.report.markdown import judgement_markdown
from ohwx_compare.look.report.numbers import judgement_json
from ohwx_compare.look.report.page import render_judgement

SAVES = [Planted(f"a-{n}", n / 100, 0.9, record(n)) for n in (30, 60)]


def lighter_around(path):
    """The pass left a lighter square around the face, too dark to be taken for one."""
    pixels = np.asarray(Image.open(path)).astype(int)
    pixels[6:58, 6:58] += 16
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def beside(path, colour):
    """Another, smaller face."""
    image = Image.open(path)
    ImageDraw.Draw(image).rectangle((57, 20, 63, 32), fill=colour)
    image.save(path)


@pytest.fixture(scope="module")
def found(tmp_path_factory, square_sight, my_photographs):
    """Of four pictures of each save the first one's second has a seam, and the second one's third another face."""
    folder = planted_run(tmp_path_factory.mktemp("passes"), styles=STYLES[:2], seeds=(1, 2), saves=SAVES,
                         has_face_pass=True)  # fmt: skip
    run = judged_run(open_run(folder))
    own = {label: [each for each in run.pictures if each.checkpoint == f"{label}.safetensors"]
           for label in ("a-30", "a-60")}  # fmt: skip
    with_seam = [each for each in own["a-30"] if each.is_last][1]
    lighter_around(with_seam.path)
    wrong = [each for each in own["a-60"] if each.is_last][2]
    before = next(each for each in own["a-60"] if each.place[:2] == wrong.place[:2] and not each.is_last)
    beside(before.path, (90, 90, 200))
    beside(wrong.path, (94, 92, 196))
    trained = trained_in(run, run.columns[0].sha256)
    measures = [Likeness(square_sight, my_photographs), CornerStyle(), Seams()]
    return judge_scores(run, trained, score_run(run, measures)), with_seam, wrong


def test_seams_and_wrong_faces_are_counted_by_checkpoint(found):
    judgement, with_seam, wrong = found
    points = {point.label: point.passed for point in judgement.points}
    assert {label: (len(p.seams), len(p.wrong), p.looked) for label, p in points.items()} == {
        "base": (0, 0, 4), "a-30": (1, 0, 4), "a-60": (0, 1, 4)
    }  # fmt: skip
    assert (points["a-30"].seams, points["a-60"].wrong) == ((with_seam,), (wrong,))


def test_the_report_says_so_and_names_the_pictures(found):
    judgement, with_seam, wrong = found
    numbers = {one["label"]: one for one in judgement_json(judgement)["checkpoints"]}
    json.dumps(numbers)
    assert numbers["a-30"]["seams"] == [f"images/{with_seam.path.name}"]
    assert (numbers["a-60"]["wrong_faces"], numbers["a-60"]["inpainted"]) == ([f"images/{wrong.path.name}"], 4)
    text, page = judgement_markdown(judgement), render_judgement(judgement)
    assert "The border of an inpainted face shows in 1 of 4 in a-30." in text
    assert "The face pass inpainted another face than the largest in 1 of 4 in a-60." in text
    for path in (with_seam.path, wrong.path):
        assert f"`images/{path.name}`: " in text
        assert f'<a href="images/{path.name}">' in page
    assert not any(clause["measure"] == SEAMS for clause in judgement_json(judgement)["answer"])


def test_where_the_pass_tells_its_faces_they_count(found):
    """Without a measure of likeness the largest face that it found is the wanted one."""
    judgement, with_seam, _ = found
    large, small = (0.0, 0.0, 40.0, 40.0), (44.0, 0.0, 60.0, 20.0)
    table = judgement.tables[SEAMS]

    def wrong(*fates):
        faces = tuple(
            FaceRecord(tab=0, box=box, confidence=0.9, detector="d", fate=fate)
            for box, fate in zip((small, large), fates, strict=True)
        )
        object.__setattr__(next(each for each in table.scored.scores if each == with_seam), "faces", faces)
        return pass_counts(table, None, "a-30.safetensors").wrong

    assert wrong(Fate.INPAINTED, Fate.INPAINTED) == (with_seam,)
    assert wrong(Fate.FILTERED, Fate.INPAINTED) == ()
    assert wrong(Fate.INPAINTED, Fate.FILTERED) == (with_seam,)
