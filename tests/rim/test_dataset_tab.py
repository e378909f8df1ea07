"""The training tab's look at a set of pictures: a real process, its findings, its crops, its end."""

import time
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

API = "/ohwx/api/datasets"


@pytest.fixture
def photos(webui):
    """Four pictures, one torn, one there twice; the folder lies in the webui's data."""
    folder = webui.data / "img ü" / "1_ohwx man"
    folder.mkdir(parents=True)
    for name, seed, size in (("a", 1, (200, 120)), ("b", 2, (128, 128)), ("c", 1, (200, 120))):
        array = np.random.RandomState(seed).randint(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
        Image.fromarray(array).resize(size).save(folder / f"{name}.png")
    (folder / "torn.png").write_bytes((folder / "a.png").read_bytes()[:900])
    return folder.parent


RECIPE = {"resolution": 128, "bucket_no_upscale": True, "bucket_step": 32}


def until(page, job, *states, least=0):
    for _ in range(600):
        told = page.get(f"{API}/{quote(job)}").json()
        if told["state"] in states and (told["done"] >= least or told["error"]):
            return told
        time.sleep(0.1)
    raise AssertionError(told)


def look(page, photos, **more):
    answer = page.post(API, {"folder": "img ü", "recipe": RECIPE, "detector": "opencv-frontalface", **more})
    assert answer.status_code == 200, answer.json()
    return until(page, answer.json()["job"], "done", "failed")


@pytest.mark.slow
def test_a_look_finds_shows_and_crops_and_leaves_the_pictures_alone(page, photos, webui):
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    told = look(page, photos)
    assert (told["state"], told["done"], told["total"], told["crops"]) == ("done", 4, 4, None)
    found = told["found"]
    problems = {one["name"]: one for one in found["problems"]}
    assert (found["pictures"], found["detector"]) == (4, "opencv-frontalface")
    assert problems["unread"]["files"] == ["1_ohwx man/torn.png"]
    assert problems["duplicates"]["files"] == ["1_ohwx man/a.png", "1_ohwx man/c.png"]
    assert "enlarged" not in problems  # sorted as the recipe says: 128 px, nothing enlarged
    sheet = page.get(f"/{problems['duplicates']['sheet']}")
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "image/jpeg")
    cropped = look(page, photos, crops=True)
    assert len(list((webui.data / cropped["crops"]).rglob("*.png"))) == 3
    assert cropped["crops"].startswith(told["report"])
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before
    at = f"/ohwx/datasets/{quote(told['job'])}"
    for path in ("report.json", "recipe.json", "../x.jpg", "%2e%2e/x.jpg", "blurred.jpg/x", ""):
        assert page.get(f"{at}/{path}").status_code == 404, path


@pytest.mark.slow
def test_a_look_is_stopped_and_resumed(page, photos):
    folder = photos / "1_ohwx man"
    for number in range(12):
        Image.effect_noise((800, 800), number + 1).convert("RGB").save(folder / f"n{number:02d}.jpg")
    asked = {"folder": str(photos), "recipe": RECIPE, "detector": "opencv-frontalface"}
    job = page.post(API, asked).json()["job"]
    (photos.parent / "other").mkdir()
    busy = page.post(API, {"folder": str(photos.parent / "other"), "recipe": RECIPE})
    assert "is being looked at; wait for it, or stop it." in busy.json()["error"]
    until(page, job, "drawing", "failed", least=3)
    assert page.post(f"{API}/{quote(job)}/stop").json()["state"] == "stopped"
    told = look(page, photos)
    assert (told["state"], told["found"]["pictures"]) == ("done", 16)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"folder": ""}, "Enter the folder"),
        ({"folder": "/no/where"}, "There is no folder"),
        ({"folder": "a\0b"}, "There is no folder"),
        ({"folder": [1]}, "Enter the folder"),
        ({"folder": ".", "recipe": []}, "must be a JSON object"),
        ({"folder": ".", "recipe": {"bucket_step": 3}}, "multiple of 32"),
        ({"folder": ".", "detector": "nobody.pt"}, "There is no detector"),
    ],
)
def test_what_cannot_be_looked_at_is_one_sentence(page, body, says):
    answer = page.post(API, {"recipe": {}, **body})
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_folder_without_pictures_fails_with_its_sentence(page, webui):
    (webui.data / "none").mkdir()
    job = page.post(API, {"folder": "none", "recipe": {}}).json()["job"]
    assert "holds no pictures" in until(page, job, "failed", "done")["error"]
    assert page.get(f"{API}/nobody").status_code == 404
