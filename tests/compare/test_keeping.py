"""What is decided on a run's page: marks in the ledger or beside it, exports, the winner; no hostile text hurts."""

import csv
import io
import json
import shutil
import sqlite3
import threading
import zipfile
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import HOSTILE
from PIL import Image

from ohwx_compare.errors import CheckpointError, ExperimentError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.ledger.marks import MARKS_FILE, MarkRow, keep_marks, read_marks
from ohwx_compare.files.ledger.measures import MeasureLedger, VoteRow
from ohwx_compare.files.ledger.own import mark
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import CheckpointRow
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.look.export import export_chosen, zipped
from ohwx_compare.look.marking import marks_by_number, take_marks
from ohwx_compare.look.page import page_data, write_page
from ohwx_compare.look.page_cells import plan_of, scores_in
from ohwx_compare.look.server import PageServer
from ohwx_compare.look.winner import crown

FORMULA = "=HYPERLINK(0)<img src=x onerror='window.hurt=1'>"


@pytest.fixture
def run(sample_run, tmp_path):
    """A run of ours whose pictures have keys; cells 5 and 12 have no picture."""
    folder = Path(shutil.copytree(sample_run.folder, tmp_path / "run"))
    mark(folder / "run.sqlite")
    with Ledger(folder) as ledger, ledger._change() as db:
        db.execute("UPDATE cells SET key = 'k' || number, before_key = 'b' || number WHERE outcome <> 'failed'")
    return open_run(folder)


def told(run, **marks):
    return {"plan": plan_of(run.experiment), "marks": {name.strip("_"): each for name, each in marks.items()}}


def test_marks_stand_in_the_ledger_by_picture(run):
    said = take_marks(run.folder, told(run, _1={"star": 1, "tags": ["a", "b", "a"], "note": FORMULA}, _2={"star": -1}))
    assert said["isBeside"] is False
    assert not (run.folder / MARKS_FILE).exists()
    marks = read_marks(run.folder)
    assert {key: (row.star, row.tags, row.note) for key, row in marks.items()} == {
        "k1": (1, ("a", "b"), FORMULA),
        "k2": (-1, (), ""),
    }
    assert page_data(run)["marks"] == {
        "1": {"star": 1, "tags": ["a", "b"], "note": FORMULA},
        "2": {"star": -1, "tags": [], "note": ""},
    }
    take_marks(run.folder, told(run, _1={}))  # taken back
    assert set(read_marks(run.folder)) == {"k2"}


def test_a_ledger_of_schema_4_gets_the_table_with_the_first_mark(run):
    with closing(sqlite3.connect(run.folder / "run.sqlite")) as db:
        db.executescript("DROP TABLE marks; PRAGMA user_version = 4;")
    assert read_marks(run.folder) == {}
    assert take_marks(run.folder, told(run, _1={"star": 1}))["isBeside"] is False
    assert set(read_marks(run.folder)) == {"k1"}
    assert open_run(run.folder).cells == run.cells


def test_while_a_run_writes_they_lie_beside_and_go_in_later(run):
    with Ledger(run.folder):
        said = take_marks(run.folder, told(run, _1={"star": 1}))
        assert said == {"words": f"Kept in {MARKS_FILE} beside the ledger: a run is writing to it.", "isBeside": True,
                        "kept": "1 mark"}  # fmt: skip
        assert marks_by_number(run.folder, run.cells)["1"]["star"] == 1
    take_marks(run.folder, told(run, _3={"tags": ["x"]}))
    assert not (run.folder / MARKS_FILE).exists()
    assert set(read_marks(run.folder)) == {"k1", "k3"}


def test_a_folder_from_elsewhere_is_adopted_on_request_and_keeps_its_marks(run, tmp_path):
    take_marks(run.folder, told(run, _1={"star": 1}))
    other = Path(shutil.copytree(run.folder, tmp_path / "other"))
    assert take_marks(other, told(run, _2={"star": 1}))["isBeside"]
    assert set(read_marks(other)) == {"k1", "k2"}
    assert keep_marks(other, (), adopt=True)
    assert not (other / MARKS_FILE).exists()
    assert set(read_marks(other)) == {"k1", "k2"}


def test_a_mark_does_not_adopt_a_folder_of_an_earlier_version(run, tmp_path):
    """That compares every picture: it is asked for."""
    old = Path(shutil.copytree(run.folder, tmp_path / "old"))
    (old / "run.mark").unlink()
    with closing(sqlite3.connect(old / "run.sqlite")) as db:
        db.executescript("DROP TABLE marks; DROP TABLE pictures; PRAGMA user_version = 3;")
    assert take_marks(old, told(run, _1={"star": 1}))["isBeside"]


def test_a_strangers_file_beside_is_taken_as_far_as_it_is_sound(run):
    odd = {"k1": {"star": 7, "time": 1}, "k2": 5, "k3": {"star": 1, "time": "x"}, "k4": {"star": 1, "time": 2.5}}
    odd["k5"] = {"star": 1, "time": 10**400}
    (run.folder / MARKS_FILE).write_text(json.dumps(odd), encoding="utf-8")
    assert read_marks(run.folder) == {"k4": MarkRow(picture="k4", star=1, time=2.5)}


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({"_5": {"star": 1}}, "Cell 5 has no picture yet"),
        ({"_99": {"star": 1}}, "The run has no cell 99"),
        ({"_0": {"star": 1}}, "The run has no cell 0"),
        ({"_x": {"star": 1}}, "A cell is named by its number"),
        ({"_1": {"star": True}}, "A star is 1, 0 or -1"),
        ({"_1": {"tags": ["x" * 61]}}, "shorten them"),
        ({"_1": {"note": "x" * 2001}}, "shorten them"),
    ],
)
def test_marks_that_mean_nothing_are_refused(run, marks, sentence):
    with pytest.raises(ExperimentError, match=sentence):
        take_marks(run.folder, told(run, **marks))
    with pytest.raises(ExperimentError, match="another run"):
        take_marks(run.folder, {**told(run, _1={"star": 1}), "plan": "0"})
    assert read_marks(run.folder) == {}


def test_votes_count_for_whom_they_prefer(run):
    common = {"rater": "me", "question": "keep it", "style": "", "answer": "chosen"}
    with MeasureLedger(run.folder) as ledger:
        ledger.vote(VoteRow(shown=("k1", "k2"), best=1, **common))
        ledger.vote(VoteRow(shown=("k1", "k2"), best=1, is_repeat=True, **common))
        ledger.vote(VoteRow(shown=("k1", "k2", "k3", "k4"), best=0, worst=3, **common))
        ledger.take_back(ledger.vote(VoteRow(shown=("k1", "k2"), best=0, **common)))
        ledger.vote(VoteRow(shown=("k1", "k2"), **{**common, "answer": "the same"}))
    found = {key: told["votes"] for key, told in scores_in(run.folder).items()}
    assert found == {"k1": 0, "k2": 1, "k3": 0, "k4": -1}


def test_the_chosen_are_exported_with_metadata_and_no_formula(run):
    take_marks(run.folder, told(run, _2={"star": 1, "tags": [FORMULA], "note": "@SUM(1)"}))
    folder = export_chosen(run, [2, 5, 6], ["pictures", "sheet", "table", "page"])
    assert folder.parent == run.folder / "exports"
    pictures = sorted((folder / "pictures").iterdir())
    assert [read_infotext(path) for path in pictures] == [run.cells[i].result.infotext for i in (1, 5)]
    with Image.open(folder / "contact-sheet.png") as sheet:
        assert sheet.size == (2 * 268 + 12, 256 + 54 + 12 + 12)
    rows = list(csv.reader(io.StringIO((folder / "chosen.csv").read_text(encoding="utf-8-sig"))))
    assert [row[0] for row in rows] == ["cell", "2", "6"]
    assert f"'{FORMULA}" in rows[1]
    assert "'@SUM(1)" in rows[1]
    assert HOSTILE in rows[1]
    assert not any(cell[:1] in ("=", "+", "@") for row in rows for cell in row)
    assert {path.name for path in (folder / "images").iterdir()} == {
        Path(name).name for i in (1, 5) for name in (run.cells[i].result.before, run.cells[i].result.after) if name
    }


def test_exports_of_one_minute_are_files_of_their_own(run):
    packed = [zipped(export_chosen(run, [number], ["pictures"])) for number in (2, 6)]
    names = [zipfile.ZipFile(path).namelist() for path in packed]
    assert names[0] != names[1]
    assert [path.suffix for path in packed] == [".zip", ".zip"]
    assert len({*packed, export_chosen(run, [2], ["table"])}) == 3


def test_an_exported_picture_may_be_edited(run):
    folder = export_chosen(run, [2], ["pictures"])
    whole = (run.folder / run.cells[1].result.image).read_bytes()
    with next((folder / "pictures").iterdir()).open("ab") as file:
        file.write(b"edited")
    assert (run.folder / run.cells[1].result.image).read_bytes() == whole


def test_the_page_of_the_chosen_shows_them_alone(chromium, run):
    folder = export_chosen(run, [2, 7], ["page"])
    tab = chromium.new_page(viewport={"width": 1200, "height": 900})
    tab.goto((folder / "index.html").as_uri())
    tab.wait_for_function("() => document.querySelectorAll('.tile img:not([hidden])').length === 2")
    assert tab.locator(".cell").count() == 2 * 2 * 2
    assert tab.locator(".said b").all_inner_texts() == ["Not chosen"] * 6
    tab.close()


def test_the_winner_lies_among_the_models_with_a_card(run, tmp_path):
    models, source = tmp_path / "models", tmp_path / run.experiment.checkpoints[0].name
    models.mkdir()
    source.write_bytes(b"weights" * 9)
    row = CheckpointRow(
        ref=str(run.experiment.checkpoints[0]), path=str(source), sha256=sha256(source), size=63, modified_ns=1
    )
    with Ledger(run.folder) as ledger:
        ledger.remember(row)
    take_marks(run.folder, told(run, _1={"star": 1}))
    for is_link in (False, True):  # the same bytes again change nothing
        file, card = crown(open_run(run.folder), 0, models, is_link=is_link)
    assert file.read_bytes() == source.read_bytes()
    text = card.read_text(encoding="utf-8")
    assert row.sha256 in text
    assert f"| {run.experiment.checkpoints[0].stem} | 1 | 0 | – |".replace("_", "\\_").replace("-", "\\-") in text
    (models / source.name).write_bytes(b"other")
    with pytest.raises(ExperimentError, match="another file of that name"):
        crown(open_run(run.folder), 0, models, is_link=False)
    source.write_bytes(b"changed")
    with pytest.raises(CheckpointError, match="another file than the one"):
        crown(open_run(run.folder), 0, models, is_link=False)
    with pytest.raises(ExperimentError, match="No folder of checkpoints"):
        crown(open_run(run.folder), 0, None, is_link=False)


@pytest.fixture
def server(run):
    with PageServer(run.folder) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        made.shutdown()


def test_by_keys_in_a_served_page(chromium, run, server, tmp_path):
    """Star, reject, tag, note, undo, several at once; a zip; a selection from a page on disk; nothing is hurt."""
    tab = chromium.new_page(viewport={"width": 1200, "height": 900})
    said = []
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(server.url)
    assert "token" not in tab.url
    tab.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length === 12")
    tab.locator(".cell").first.focus()
    tab.keyboard.press("s")
    tab.keyboard.press("t")
    tab.keyboard.type(f"{FORMULA}, sharp")
    tab.keyboard.press("Enter")
    tab.keyboard.press("n")
    tab.keyboard.type("</script><script>window.hurt=1</script>")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+Space")
    tab.keyboard.press("x")
    tab.keyboard.press("z")
    tab.evaluate("() => keeper.saving")
    marks = read_marks(run.folder)
    assert [(key, row.star, row.tags) for key, row in marks.items()] == [("k1", 1, (FORMULA, "sharp"))]
    assert tab.locator(".tile.starred").count() == 1
    assert "starred" in tab.locator(".cell").first.get_attribute("aria-label")
    tab.keyboard.press("e")
    assert tab.locator("#k-count").inner_text() == "2 pictures: the chosen."
    tab.locator("#k-zip").check()
    tab.get_by_role("button", name="Export", exact=True).last.click()
    tab.wait_for_function("() => document.querySelector('#k-said a')")
    with tab.expect_download() as download:
        tab.locator("#k-said a").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        assert any(name.endswith("contact-sheet.png") for name in packed.namelist())
    selection = tmp_path / "selection.json"
    selection.write_text(json.dumps({"ohwx": "selection", **told(run, _3={"star": 1})}), encoding="utf-8")
    tab.set_input_files("#k-file", selection)
    tab.wait_for_function("() => document.querySelector('#k-said').textContent === 'Read 1 mark.'")
    assert set(read_marks(run.folder)) == {"k1", "k3"}
    assert tab.evaluate("() => window.hurt") is None
    assert said == []
    tab.close()


def test_a_sheet_of_the_grid_as_it_stands(chromium, run, server):
    """Sorted by a key, swapped in the panel, filtered: the sheet has the same cells in the same places."""
    tab = chromium.new_page(viewport={"width": 1200, "height": 900})
    tab.goto(server.url)
    tab.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length === 12")
    tab.locator(".cell").first.focus()
    for _ in range(4):  # prompt up and down, then seed up and down
        tab.keyboard.press("r")
    assert "down%3Aseed" in tab.evaluate("location.hash")
    tab.keyboard.press("a")
    tab.get_by_role("button", name="Swap columns and rows").click()
    tab.locator("#filter").fill("noreg")
    tab.wait_for_function("() => document.querySelector('#count').textContent === '4 of 12 cells'")
    shown = tab.evaluate("grid.places.map(row => grid.columns.map(i => row[i].number))")
    assert shown[0] == [3, 1]  # of the first prompt, seed 11 before seed 10
    tab.get_by_role("button", name="Keep", exact=True).first.click()
    tab.get_by_label("with words").uncheck()
    tab.get_by_label("one for each group").check()
    tab.get_by_label("Margin").fill("5")
    tab.get_by_role("button", name="Make the sheet").click()
    tab.wait_for_function("() => document.querySelector('#k-said').textContent.startsWith('Exported into')")
    first, second = sorted((run.folder / "exports").glob("*/sheet*.png"))
    with Image.open(first) as sheet, Image.open(run.folder / run.cells[2].result.image) as picture:
        assert sheet.size == (2 * 128 + 3 * 5, 128 + 2 * 5)
        assert sheet.crop((5, 5, 133, 133)).tobytes() == picture.convert("RGB").tobytes()
    assert is_plain_name(second.name)
    tab.close()


def test_a_page_from_disk_says_so_and_offers_its_selection(chromium, run):
    tab = chromium.new_page(viewport={"width": 1200, "height": 900})
    tab.goto(write_page(run).as_uri())
    tab.locator(".cell").first.focus()
    tab.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length === 12")
    tab.keyboard.press("s")
    tab.keyboard.press("e")
    assert "opened from disk" in tab.locator("#k-disk").inner_text()
    assert not tab.locator("#k-served").is_visible()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save the selection").click()
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert take_marks(run.folder, saved)["kept"] == "1 mark"
    assert set(read_marks(run.folder)) == {"k1"}
    tab.reload()
    tab.wait_for_function("() => document.querySelectorAll('.tile.starred').length === 1")
    tab.close()


def test_a_post_of_marks_needs_the_pages_own_origin(server, run):
    body = json.dumps(told(run, _1={"star": 1}))
    headers = {"X-Ohwx-Token": server.token, "Content-Type": "application/json", "Origin": "http://evil.example"}
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("POST", "/marks", body, headers)
    assert connection.getresponse().status == 403
    connection.close()
    assert read_marks(run.folder) == {}
