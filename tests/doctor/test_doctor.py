"""The dataset doctor on planted truth: every picture here is known, and boxes are off by as much as a detector's."""

import json
import shutil
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from ohwx_compare.cli.main import main
from ohwx_compare.core.buckets import Buckets
from ohwx_compare.core.geometry import Box
from ohwx_compare.doctor.crops import COMMON_SIZES, face_crop, keep_faces
from ohwx_compare.doctor.examine import LINES, examined, set_pictures
from ohwx_compare.doctor.facts import PictureFacts, facts_of
from ohwx_compare.doctor.findings import diagnose, duplicates, findings_of, shot_scale
from ohwx_compare.errors import ExperimentError
from ohwx_compare.toy.datasets import toy_sample

BUCKETS = Buckets(resolution=(1024, 1024))
SQUARE = Buckets(resolution=(1024, 1024), only_resolution=True)  # cuts far more away
ENDS = {"head": (0.2, 0.55), "bust": (0.9, 1.9), "half": (2.6, 4.6), "full": (6.4, 7.2)}  # heads below the chin


def off(box: Box, random: Random, by: float = 0.08) -> Box:
    """The box as a detector might give it."""
    return Box(*(edge + by * box.height * random.uniform(-1, 1) for edge in box.xyxy))


def facts(size=(1024, 1024), faces=(), **more):
    return PictureFacts(size=size, faces=tuple(faces), **more)


def recall_and_false(truth: list[bool], said: list[bool]) -> tuple[float, float]:
    pairs = list(zip(truth, said, strict=True))
    return (
        sum(t and s for t, s in pairs) / sum(truth),
        sum(s and not t for t, s in pairs) / (len(truth) - sum(truth)),
    )


def test_shot_scales():
    """Bodies of 7.5 heads, a face's box of three quarters of a head, cut where each shot ends."""
    random = Random(1)
    hits = []
    for _ in range(400):
        shot = random.choice(list(ENDS))
        head = random.uniform(40, 400)
        top = random.uniform(0.1, 1.0) * head
        face = Box(100, top + 0.25 * head, 100 + 0.6 * head, top + head)
        height = round(top + head + random.uniform(*ENDS[shot]) * head)
        hits.append(shot_scale(off(face, random), height) == shot)
    assert sum(hits) / len(hits) >= 0.9


def test_cut_faces():
    random = Random(2)
    truth, said = [], []
    while len(truth) < 400:
        size = (random.choice([1024, 1500, 2000, 700]), random.choice([1024, 1500, 3000, 900]))
        placement = random.choice([BUCKETS, SQUARE]).place(size)
        height = random.uniform(0.1, 0.5) * min(size)
        x, y = random.uniform(0, size[0] - 0.8 * height), random.uniform(0, size[1] - height)
        face = Box(x, y, x + 0.8 * height, y + height)
        across, down = (a / b for a, b in zip(size, placement.resized, strict=True))
        left, top = placement.crop[0] * across, placement.crop[1] * down
        inside = min(x - left, y - top, size[0] - left - face.x2, size[1] - top - face.y2) / height
        if inside < -0.12 or inside > 0.12:  # cut or whole beyond the error of a box
            truth.append(inside < 0)
            said.append("faces cut" in findings_of(facts(size, [off(face, random)]), placement).problems)
    assert sum(truth) > 80
    recall, false = recall_and_false(truth, said)
    assert recall >= 0.95
    assert false <= 0.05


def other(image: Image.Image, kind: int) -> Image.Image:
    """Nearly the same picture."""
    width, height = image.size
    if kind == 0:
        return image.resize((width // 2, height // 2))
    if kind == 1:
        return ImageEnhance.Brightness(image).enhance(1.25)
    if kind == 2:
        return ImageOps.mirror(image)
    if kind == 3:
        return image.crop((2, 2, width - 1, height - 1)).resize(image.size)
    return image.convert("L").convert("RGB").filter(ImageFilter.GaussianBlur(1))


@pytest.mark.slow
def test_near_duplicates():
    """Copies of other sizes, brighter, mirrored, cropped by 2 %, grey; against other pictures of the toy world."""
    images = [toy_sample(number).portrait.image for number in range(40)]
    copies = {number: other(images[number], number % 5) for number in range(20)}
    smalls = [facts_of(image, (), "", 0).small for image in [*images, *copies.values()]]
    found = set(duplicates(smalls))
    truth = [number < 20 or number >= 40 for number in range(60)]
    recall, false = recall_and_false(truth, [number in found for number in range(60)])
    assert recall >= 0.95
    assert false <= 0.05


def shapes(random: Random) -> Image.Image:
    """Forty hard-edged boxes."""
    image = Image.new("RGB", (256, 256))
    pen = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = random.randrange(240), random.randrange(240)
        colour = tuple(random.randrange(256) for _ in range(3))
        pen.rectangle((x, y, x + random.randrange(8, 80), y + random.randrange(8, 80)), fill=colour)
    return image


def test_blur_is_told_from_sharpness():
    images = [shapes(Random(number)) for number in range(40)]
    sharp = [facts_of(image, (), "", 0).blur for image in images]
    soft = [facts_of(image.filter(ImageFilter.GaussianBlur(2.5)), (), "", 0).blur for image in images]
    named = [["blurred" in findings_of(facts(blur=blur), BUCKETS.place((1024, 1024))).problems for blur in one]
             for one in (soft, sharp)]  # fmt: skip
    assert np.mean(named[0]) >= 0.95
    assert np.mean(named[1]) <= 0.05


def test_what_else_is_wrong_with_a_picture():
    face = Box(40, 40, 80, 90)
    placement = BUCKETS.place((512, 512))
    found = findings_of(facts((512, 512), [face], tokens=76), placement)
    assert set(found.problems) == {"enlarged", "long captions"}
    assert (found.bucket, found.face, found.enlargement) == ((1024, 1024), 100, 2.0)
    assert "small faces" in findings_of(facts((1024, 1024), [face]), BUCKETS.place((1024, 1024))).problems
    edge = Box(1, 300, 160, 500)
    assert "faces touched" in findings_of(facts((1024, 1024), [edge]), BUCKETS.place((1024, 1024))).problems
    assert {"no face", "cut away"} <= set(findings_of(facts((300, 4000)), BUCKETS.place((300, 4000))).problems)
    assert "several faces" in findings_of(facts(faces=[face, edge]), BUCKETS.place((1024, 1024))).problems
    assert findings_of(facts((40, 40)), None).problems == ("no face", "small")
    assert findings_of(facts(error="torn"), None).problems == ("unread",)


def test_what_a_set_lacks_and_repeats():
    def one(background, clothes, face):
        image = Image.new("RGB", (600, 800), background)
        ImageDraw.Draw(image).rectangle((150, 260, 450, 800), fill=clothes)
        return facts_of(image, (face,), "", 0)

    face = Box(250, 120, 350, 240)
    same = [one("#3050c0", "#c03030", face) for _ in range(4)]
    others = [
        one(*colours, face) for colours in [("#20a040", "#f0e040"), ("#e0e0e0", "#101010"), ("#a05010", "#20c0c0")]
    ]
    said = " ".join(
        diagnose([*same, *others], [findings_of(each, BUCKETS.place(each.size)) for each in [*same, *others]])
    )
    assert "No picture shows the person as: head, bust, full." in said
    assert "4 of 7 pictures have much the same background." in said
    assert "4 of 7 pictures have much the same clothing." in said
    assert diagnose(others, []) == []


def test_crops_keep_faces(tmp_path):
    random = Random(3)
    for _ in range(200):
        size = (random.randint(300, 3000), random.randint(300, 3000))
        height = random.uniform(0.1, 0.5) * min(size)
        x, y = random.uniform(0, size[0] - 0.8 * height), random.uniform(0, size[1] - height)
        target, box = face_crop(size, (Box(x, y, x + 0.8 * height, y + height),))
        assert target in COMMON_SIZES
        assert box.x1 <= x
        assert box.y1 <= y
        assert box.x2 >= x + 0.8 * height - 1
        assert box.y2 >= y + height - 1
        assert 0 <= box.x1 < box.x2 <= size[0]
        assert abs(box.width / box.height - target[0] / target[1]) < 0.02
    keep_faces(Image.new("RGB", (900, 1700)), (), tmp_path / "é" / "a.png")
    with Image.open(tmp_path / "é" / "a.png") as made:
        assert made.size in COMMON_SIZES


class Faces:
    """Finds one face in the middle, and counts what it was asked."""

    name = "middle"

    def __init__(self):
        self.asked = 0

    def __call__(self, image):
        self.asked += 1
        return (Box(0.4 * image.width, 0.2 * image.height, 0.6 * image.width, 0.45 * image.height),)


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "img é"
    folder = root / "1_ohwx man"
    folder.mkdir(parents=True)
    for number in range(4):
        shapes(Random(number)).save(folder / f"{number}.png")
    (folder / "1.txt").write_text("a " * 90, encoding="utf-8")
    (folder / "torn.png").write_bytes((folder / "0.png").read_bytes()[:900])
    (folder / "page.jpg").write_text("<html>", encoding="utf-8")
    return root


def test_a_second_look_goes_on_where_the_first_stopped(photos, tmp_path):
    faces = Faces()
    first = list(examined(set_pictures(photos), tmp_path / "report", faces))
    assert [place.inside for place, seen in first if seen.error] == ["1_ohwx man/page.jpg", "1_ohwx man/torn.png"]
    assert [seen.tokens for _, seen in first if seen.tokens > 75] == [90]
    assert faces.asked == 4
    lines = (tmp_path / "report" / LINES).read_bytes()
    (tmp_path / "report" / LINES).write_bytes(lines[: len(lines) // 2])  # a kill in the middle of a line
    again = Faces()
    second = list(examined(set_pictures(photos), tmp_path / "report", again))
    assert 0 < again.asked < 4
    assert [seen.to_dict() for _, seen in second] == [seen.to_dict() for _, seen in first]
    Image.new("RGB", (200, 300)).save(photos / "1_ohwx man" / "0.png")
    list(examined(set_pictures(photos), tmp_path / "report", again := Faces()))
    assert again.asked == 1


def test_the_command(photos, tmp_path, capsys, monkeypatch):
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    arguments = [
        "dataset",
        str(photos),
        "--detector",
        "opencv-frontalface",
        "--crops",
        str(tmp_path / "crops"),
        "--json",
    ]
    assert main(arguments) == 1  # two cannot be read
    told = json.loads(capsys.readouterr().out)
    assert told["problems"]["unread"] == [4, 5]
    assert len(list((tmp_path / "crops").rglob("*.png"))) == 4
    report = tmp_path / "img é-report"
    assert (report / "unread.jpg").stat().st_size > 500
    assert json.loads((report / "report.json").read_text(encoding="utf-8")) == told
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before
    assert main(arguments[:-1]) == 1
    assert "unread: 2 (cannot be read): 1_ohwx man/page.jpg" in capsys.readouterr().out
    assert main(["dataset", str(photos), "--report", str(photos / "in")]) == 1
    assert "among the pictures" in capsys.readouterr().err


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ExperimentError, match="holds no pictures"):
        set_pictures(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(ExperimentError, match=r"holds no pictures|cannot be read"):
        set_pictures(tmp_path)
