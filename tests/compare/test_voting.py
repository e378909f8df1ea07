"""Blind votes in a run's page: over HTTP and in a real browser, by keyboard alone; nothing sent tells what is shown."""

import io
import json
import re
import shutil
import sqlite3
import sys
import threading
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.core.experiment.outcome import FaceRecord, Fate
from ohwx_compare.files.images import write_png
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.ledger.votes_kept import VOTES_FILE, read_votes
from ohwx_compare.judge.votes.pool import QUESTIONS
from ohwx_compare.look.server import PageServer

sys.path.append(str(Path(__file__).parents[1] / "judge"))

from planted_run import STYLES, Planted, picture, planted_run, record

ME = {"rater": "me", "question": QUESTIONS[0], "pool": 0, "most": 60, "untilClear": False}
NAMES = ("reg-secret", "noreg-secret")


def shown(planted, job):
    """The second training's square is larger; each prompt and seed has a shade of its own."""
    image = picture((60 + 7 * job.seed, 200, 40 + 10 * len(job.prompt)))
    return image.resize((96, 64) if planted.name.startswith("reg") else (64, 64))


@pytest.fixture
def folder(tmp_path):
    def saves(base):
        return [Planted(name, 0.5, 1.0, record(30, reg=name == NAMES[0], base=base)) for name in NAMES]

    run = planted_run(tmp_path, styles=STYLES[:6], seeds=(1,), saves=saves, draw=shown)
    for path in (run / "images").iterdir():  # as our own pictures, each says whose it is
        write_png(path, Image.open(path).convert("RGB"), f"Model: reg-secret {path.name}")
    return run


@pytest.fixture
def server(folder):
    with PageServer(folder) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        made.shutdown()


def asked(server, path, body=None):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    host = f"127.0.0.1:{server.server_port}"
    head = {"Host": host, "X-Ohwx-Token": server.token}
    if body is not None:
        head |= {"Origin": f"http://{host}", "Content-Type": "application/json"}
    connection.request("POST" if body is not None else "GET", path, body and json.dumps(body), head)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def told(server, path, body=None):
    status, data = asked(server, path, body)
    assert status == 200, data
    return json.loads(data)


def test_what_is_sent_does_not_tell_what_is_shown(server, folder):
    state = told(server, "/votes/next", ME)
    sent = json.dumps(state) + asked(server, "/votes/index.html")[1].decode()
    assert not [name for name in (*NAMES, folder.name + "/", "images/") if name in sent]
    assert (len(state["trial"]["pictures"]), len(state["ahead"]), state["trial"]["told"]) == (2, 6, "")
    for each in state["trial"]["pictures"]:
        status, data = asked(server, f"/votes/{each['src']}")
        assert status == 200
        assert (b"secret" in data, b"tEXt" in data) == (False, False)
        drawn = [np.asarray(Image.open(path)) for path in (folder / "images").iterdir()]
        own = np.asarray(Image.open(io.BytesIO(data)))
        assert any(own.shape == other.shape and (own == other).all() for other in drawn)
    with PageServer(folder) as other:
        threading.Thread(target=other.serve_forever, args=(0.02,), daemon=True).start()
        assert told(other, "/votes/next", ME)["trial"] != state["trial"]  # the same pictures under other addresses
        other.shutdown()


def test_votes_are_kept_taken_back_and_continued_by_another_start(server, folder):
    state = told(server, "/votes/next", ME)
    first = state["trial"]
    after = told(server, "/votes/answer", {**ME, "number": 0, "answer": "much better", "best": 1, "seconds": 1.5})
    assert (after["answered"], after["trial"]["number"]) == (1, 1)
    assert [each["src"] for each in after["trial"]["pictures"]] == state["ahead"][:2]
    late = told(server, "/votes/answer", {**ME, "number": 0, "answer": "chosen", "best": 0})  # pressed twice
    assert (late["trial"], len(read_votes(folder))) == (after["trial"], 1)
    (vote,) = read_votes(folder)
    assert (vote.rater, vote.best, vote.answer, vote.seconds) == ("me", 1, "much better", 1.5)
    assert vote.rule == "to 60 votes"
    with PageServer(folder) as other:
        threading.Thread(target=other.serve_forever, args=(0.02,), daemon=True).start()
        assert told(other, "/votes/next", ME)["trial"]["number"] == 1
        other.shutdown()
    assert told(server, "/votes/undo", ME)["trial"] == first
    assert read_votes(folder) == ()
    assert told(server, "/votes/undo", ME)["trial"] == first  # there is nothing more to undo


def test_a_wrong_request_is_one_sentence_and_changes_nothing(server, folder):
    for body, sentence in (
        ({**ME, "rater": " "}, "`rater` must be a name"),
        ({**ME, "question": "?"}, "`question` must be one of"),
        ({**ME, "pool": 7}, "`pool` must be a number below"),
        ({**ME, "most": 0}, "`most` must be"),
        ({**ME, "number": 0, "answer": "yes"}, "`answer` must be one of"),
        ({**ME, "number": 0, "answer": "chosen", "best": 2}, "`best` must be a place below 2"),
        ({**ME, "number": 0, "answer": "chosen"}, "`best` must be the place of the chosen"),
        ({**ME, "number": 0, "answer": "the same", "best": 1}, "`best` must be the place of the chosen"),
    ):
        status, data = asked(server, "/votes/answer", body)
        assert (status, sentence in json.loads(data)["error"]) == (400, True), (body, data)
    assert read_votes(folder) == ()
    assert asked(server, "/votes/pictures/0123")[0] == 404
    assert asked(server, "/votes/photos/0")[0] == 404


def test_votes_on_a_run_made_elsewhere_lie_beside_it_until_it_is_adopted(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    before = (copy / LEDGER_FILE).read_bytes()
    with PageServer(copy) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        assert told(made, "/votes/opening")["isElsewhere"] is True
        same = {**ME, "answer": "the same"}
        for number in range(3):
            number = told(made, "/votes/answer", {**same, "number": number})["trial"]["number"]
        assert told(made, "/votes/undo", ME)["answered"] == 2
        assert (copy / LEDGER_FILE).read_bytes() == before
        assert [vote.answer for vote in read_votes(copy)] == ["the same"] * 2
        assert not has_own_mark(copy / LEDGER_FILE)
        adopted = told(made, "/votes/answer", {**same, "number": 2, "adopt": True})
        made.shutdown()
    assert (adopted["answered"], len(read_votes(copy)), has_own_mark(copy / LEDGER_FILE)) == (3, 3, True)
    assert not (copy / VOTES_FILE).exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"votes": 7}', '{"votes": [7, {}, {"rater": "x"}]}', "\0\xff"])
def test_a_strangers_votes_beside_are_taken_as_far_as_they_are_sound(folder, text):
    (folder / VOTES_FILE).write_text(text, encoding="utf-8")
    assert read_votes(folder) == ()


def test_the_reveal_names_who_was_preferred_and_the_file_has_no_formula(server, folder):
    state = told(server, "/votes/next", {**ME, "rater": "=1+1", "most": 20})
    while state["ending"] is None:
        sent = [asked(server, f"/votes/{each['src']}")[1] for each in state["trial"]["pictures"]]
        places = [Image.open(io.BytesIO(data)).width for data in sent]
        answer = {"number": state["trial"]["number"], "answer": "chosen", "best": places.index(96)}
        if state["trial"]["number"] == 3:
            answer |= {"answer": "the same", "best": None}
        state = told(server, "/votes/answer", {**ME, "rater": "=1+1", "most": 20, **answer})
    found = told(server, "/votes/reveal", {**ME, "rater": "=1+1"})
    assert found["sentences"][0].startswith(
        "“More like me”: with regularization images is preferred to without regularization images."
    )
    assert (found["first"], found["same"], found["preference"]["prompts"]) == (0, 1, 6)
    assert found["raters"][0]["consistent"]["value"] == 1
    csv = asked(server, "/votes/votes.csv")[1].decode()
    assert "\n'=1+1," in csv
    assert "noreg-secret" in csv


@pytest.fixture
def page(server, chromium):
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.address}votes/index.html?token={server.token}")
    page.wait_for_selector("#rater")
    yield page
    page.close()
    assert errors == []


def begin(page, name, most):
    until(page, lambda: page.evaluate("document.activeElement.id") == "rater")
    page.keyboard.type(name)
    page.evaluate(f"document.querySelector('#most').value = {most}")
    page.keyboard.press("Enter")
    page.wait_for_selector("#vote:not([hidden])")


def settled(page):
    """The page has its answer: what is pressed before is not heard."""
    until(page, lambda: not page.evaluate("document.body.ariaBusy === 'true'"))


def counted(page, votes):
    until(page, lambda: page.locator("#count").text_content().startswith(f"{votes} of"))
    settled(page)


def until(page, holds):
    """The page's policy lets no text run, so not `wait_for_function`."""
    for _ in range(1500):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError(page.locator("main").inner_text())


def test_by_keyboard_alone(page, server, folder):
    begin(page, "<img src=x onerror=hurt()>", 60)
    counted(page, 0)
    names = re.compile("secret")
    assert not names.search(page.content())
    assert page.locator("#pictures img").count() == 2
    first = page.locator("#pictures img").first.get_attribute("src")
    page.keyboard.press("b")
    assert page.locator("#pictures button.shown").get_attribute("aria-label") == "left picture"
    page.keyboard.press("b")
    assert page.locator("#pictures button.shown").get_attribute("aria-label") == "right picture"
    page.keyboard.press("f")
    for votes, key in enumerate(("ArrowLeft", "Shift+ArrowRight", "ArrowDown", "ArrowUp"), 1):
        page.keyboard.press(key)
        counted(page, votes)
    page.keyboard.press("s")
    until(page, lambda: len(read_votes(folder)) == 5)
    assert [vote.answer for vote in read_votes(folder)] == ["chosen", "much better", "the same", "all bad", "skipped"]
    assert [vote.best for vote in read_votes(folder)] == [0, 1, None, None, None]
    for left in (4, 3, 2, 1, 0):
        settled(page)
        page.keyboard.press("z")
        until(page, lambda left=left: len(read_votes(folder)) == left)
    counted(page, 0)
    assert page.locator("#pictures img").first.get_attribute("src") == first
    page.keyboard.press("ArrowLeft")
    counted(page, 1)
    page.keyboard.press("Escape")
    page.wait_for_selector("#reveal:not([hidden])")
    assert page.locator("#answer").inner_text().startswith("“More like me”")
    assert page.evaluate("typeof hurt") == "undefined"


def test_photographs_of_a_folder_that_is_named_on_the_page(page, server, tmp_path):
    """Space shows them, and another folder's once that is named; they are known until the server ends."""
    for name, wide in (("mé 1", 30), ("mé 2", 50)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (wide, 20), "red").save(tmp_path / name / "a.png")
    page.fill("#photos", str(tmp_path / "none"))
    page.keyboard.press("Shift+Tab")
    page.fill("#rater", "me")
    page.keyboard.press("Enter")
    until(page, lambda: "There is no folder" in page.locator("#error").inner_text())
    page.fill("#photos", f'"{tmp_path / "mé 1"}"')
    page.keyboard.press("Enter")
    counted(page, 0)
    page.keyboard.press("Space")
    until(page, lambda: page.evaluate("photograph.naturalWidth") == 30)
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    page.click("#other")
    page.fill("#photos", str(tmp_path / "mé 2"))
    page.fill("#rater", "you")
    page.keyboard.press("Enter")
    counted(page, 0)
    page.keyboard.press("Space")
    until(page, lambda: page.evaluate("photograph.naturalWidth") == 50)
    assert len(told(server, "/votes/opening")["photos"]) == 1


def test_space_shows_the_photographs_and_f_the_faces(folder, chromium, tmp_path):
    """The photographs given, one after the other, upright; F brings each picture's face near."""
    (tmp_path / "me").mkdir()
    for place, (size, turned) in enumerate((((40, 20), 6), ((30, 30), 1))):  # EXIF orientation 6: stored on its side
        exif = Image.Exif()
        exif[0x0112] = turned
        Image.new("RGB", size, "red").save(tmp_path / "me" / f"{place}.jpg", exif=exif)
    face = FaceRecord(tab=0, box=(16, 16, 32, 32), confidence=0.9, detector="squares", fate=Fate.INPAINTED)
    with closing(sqlite3.connect(folder / LEDGER_FILE)) as db, db:
        numbers = [number for (number,) in db.execute("SELECT number FROM cells")]
        db.executemany("INSERT INTO faces VALUES (?, 0, ?)", [(n, json.dumps(face.to_json())) for n in numbers])
    with PageServer(folder, photos=tmp_path / "me") as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        page = chromium.new_page(viewport={"width": 1366, "height": 768})
        page.goto(f"{server.address}votes/index.html?token={server.token}")
        page.wait_for_selector("#rater")
        begin(page, "me", 30)
        counted(page, 0)
        seen = []
        for _ in range(3):
            page.keyboard.press("Space")
            until(page, lambda: page.evaluate("photograph.complete && photograph.naturalWidth > 0"))
            seen.append(page.evaluate("[photograph.naturalWidth, photograph.naturalHeight]"))
            page.keyboard.press("ArrowLeft")  # no vote while a photograph is shown
            page.keyboard.press("Space")
            assert page.locator("#photo").is_hidden()
        assert seen == [[20, 40], [30, 30], [20, 40]]
        near = "[...document.querySelectorAll('#pictures img')].map(image => image.style.transform)"
        page.keyboard.press("f")
        scales = [float(re.match(r"scale\(([\d.]+)\)", each)[1]) for each in page.evaluate(near)]
        assert min(scales) > 1.5
        page.keyboard.press("f")
        assert page.evaluate(near) == ["", ""]
        assert read_votes(folder) == ()
        page.close()
        server.shutdown()


@pytest.mark.slow
def test_fifty_votes_by_keyboard_alone(page, folder):
    begin(page, "me", 50)
    votes = 0
    while page.locator("#vote").is_visible():
        number = len(read_votes(folder))
        page.keyboard.press(("ArrowLeft", "ArrowRight", "Shift+ArrowLeft", "ArrowDown")[number % 4])
        until(page, lambda number=number: len(read_votes(folder)) > number)
        settled(page)
        votes += 1
        assert votes < 80
    assert sum(not vote.is_repeat for vote in read_votes(folder)) == 50
    assert "50 votes" in page.locator("#sentences").inner_text()
