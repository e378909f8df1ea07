"""The tab keeps runs: rename, delete and take back, search, open, download, add to one, merge two."""

import io
import os
import shutil
import sys
import threading
import zipfile
from types import ModuleType

import pytest
from PIL import Image
from tab_page import BOTH, asked

SEEDS = [{"kind": "seed", "values": [7, 8]}]


@pytest.fixture
def runs(webui):
    return webui.data / "outputs" / "ohwx" / "compare"


def ids(page):
    return [run["id"] for run in page.get("/ohwx/api/state").json()["runs"]]


def done(page, answer):
    assert answer.status_code == 200, answer.json()
    return page.until(answer.json()["id"], "done", "failed")


def test_a_renamed_run_goes_on_under_its_new_name(page, drawn, runs):
    assert page.post("/ohwx/api/runs/run/rename", {"name": " läufe #1 "}).json() == {"id": "läufe #1"}
    assert ids(page) == ["läufe #1"]
    (runs / "läufe #1" / "images" / next(os.walk(runs / "läufe #1" / "images"))[2][0]).unlink()
    found = page.state("läufe #1")
    assert not found["elsewhere"]
    assert page.get("/" + found["page"]).status_code == 200
    assert done(page, page.post("/ohwx/api/runs/l%C3%A4ufe%20%231/resume"))["done"] == 2
    assert ids(page) == ["läufe #1"]
    for wrong in ("läufe #1", "..", "a/b", "", None):
        refused = page.post("/ohwx/api/runs/l%C3%A4ufe%20%231/rename", {"name": wrong})
        assert refused.status_code == (200 if wrong == "läufe #1" else 400)


def test_a_deleted_run_comes_back_by_one_request(page, drawn, webui):
    before = page.state("run")
    assert page.post("/ohwx/api/runs/run/delete").json() == {"id": "run"}
    state = page.get("/ohwx/api/state").json()
    assert (state["runs"], state["deleted"]) == ([], ["run"])
    assert page.get("/" + drawn["thumb"]).status_code == 404
    assert page.post("/ohwx/api/bin/restore", {"name": "run"}).json() == {"id": "run"}
    assert page.state("run") == before
    page.post("/ohwx/api/runs/run/delete")
    assert page.post("/ohwx/api/bin/empty").json() == {"said": "1 run deleted for good."}
    assert page.post("/ohwx/api/bin/restore", {"name": "run"}).status_code == 404


@pytest.mark.parametrize("act", ["rename", "delete", "merge", "grow"])
def test_a_run_that_is_generated_or_waits_stays_as_it_is(act, webui, page, drawn):
    begun, go = threading.Event(), threading.Event()
    webui.before_draw = lambda: (begun.set(), go.wait(20))
    for name in ("first", "second"):
        page.post("/ohwx/api/runs", asked(name))
    assert begun.wait(20)
    body = {"name": "other", "other": "run", "more": {"seed": "9"}}
    for name in ("first", "second"):
        answer = page.post(f"/ohwx/api/runs/{name}/{act}", body)
        assert (answer.status_code, "wait for it" in answer.json()["error"]) == (400, True)
    assert page.post("/ohwx/api/runs/run/merge", {"other": "second"}).status_code == 400
    go.set()
    page.until("second", "done")
    assert sorted(ids(page)) == ["first", "run", "second"]


def test_only_the_new_is_generated_and_the_cost_is_told_first(page, webui, runs):
    page.post("/ohwx/api/runs", asked(checkpoints=["one.safetensors"]))
    page.until("run", "done")
    webui.calls.clear()
    more = {"more": {"checkpoint": ["two.safetensors"], "seed": "8", "prompt": ""}}
    cost = page.post("/ohwx/api/runs/run/growth", more).json()
    assert (cost["cells"], cost["renders"], cost["missing"]) == (4, 3, [])
    assert not webui.calls
    page.post("/ohwx/api/runs/run/grow", more)
    grown = page.until("run", "done")
    assert (grown["cells"], grown["done"], len(webui.calls)) == (4, 4, 3)
    assert grown["request"]["checkpoints"] == BOTH
    assert page.post("/ohwx/api/runs/run/resume").json()["id"] == "run"
    for wrong in ({"more": {"nothing": "1"}}, {"more": {"seed": "x"}}, {"more": [1]}, {}):
        assert page.post("/ohwx/api/runs/run/growth", wrong).status_code == 400


def test_two_runs_of_one_experiment_become_one(page, webui, runs):
    for name, checkpoint in zip("ab", BOTH, strict=True):
        page.post("/ohwx/api/runs", asked(name, [checkpoint], axes=SEEDS))
        page.until(name, "done")
    webui.calls.clear()
    assert page.post("/ohwx/api/runs/a/merge", {"other": "b"}).json()["state"] in ("merging", "done")
    merged = page.until("a", "done", "failed")
    assert (merged["cells"], merged["done"]) == (4, 4)
    assert merged["said"].startswith("2 cells of b are here now.")
    assert merged["request"]["checkpoints"] == BOTH
    assert "two" in (runs / "a" / "index.html").read_text(encoding="utf-8")
    page.post("/ohwx/api/runs/a/resume")
    assert page.until("a", "done")["done"] == 4
    assert not webui.calls
    assert (page.state("b")["cells"], page.state("b")["state"]) == (2, "done")
    page.post("/ohwx/api/runs", asked("c", [BOTH[0]], job={"prompt": "photo", "seed": 7, "steps": 9, "width": 64}))
    page.until("c", "done", "failed")
    page.post("/ohwx/api/runs/a/merge", {"other": "c"})
    assert "not runs of one experiment" in page.until("a", "done")["error"]
    assert page.post("/ohwx/api/runs/a/merge", {"other": "a"}).status_code in (200, 400)
    assert page.post("/ohwx/api/runs/a/merge", {"other": ".."}).status_code == 404


def test_a_run_is_found_by_its_words_and_by_what_was_noted(page, drawn, runs):
    from ohwx_compare.files.ledger.marks import MarkRow, keep_marks

    def found(words):
        return page.post("/ohwx/api/search", {"words": words}).json()["ids"]

    assert found("PHOTO two.safe") == found("") == found("ru") == ["run"]
    assert found("photo nobody") == []
    keep_marks(runs / "run", [MarkRow(picture="k", star=0, note="Übertrainiert", time=1.0)])
    assert found("übertrainiert") == ["run"]
    assert page.post("/ohwx/api/search", {"words": "x" * 2000}).status_code == 400


def test_a_run_is_downloaded_whole(page, drawn):
    answer = page.get("/ohwx/api/runs/run/zip")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''run.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        names = set(packed.namelist())
    assert {"run/run.sqlite", "run/index.html", "run/sheet.png", "run/request.json"} < names
    assert not {"run/run.lock", "run/run.mark"} & names
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert page.get("/ohwx/api/runs/run/zip", headers=elsewhere).status_code == 403
    assert page.get("/ohwx/api/runs/nobody/zip").status_code == 404


def test_a_folder_is_opened_only_where_the_webui_opens_its_own(page, drawn, runs, monkeypatch):
    import modules
    import modules.shared

    def offered():
        return page.get("/ohwx/api/state").json()["opens"]

    assert (offered(), page.post("/ohwx/api/runs/run/open").status_code) == (False, 400)
    opened, util = [], ModuleType("modules.util")
    util.open_folder = opened.append
    monkeypatch.setitem(sys.modules, "modules.util", util)
    monkeypatch.setattr(modules, "util", util, raising=False)
    assert (offered(), page.post("/ohwx/api/runs/run/open").status_code) == (True, 200)
    assert opened == [str(runs / "run")]
    modules.shared.cmd_opts.hide_ui_dir_config = True
    assert (offered(), page.post("/ohwx/api/runs/run/open").status_code) == (False, 400)
    assert len(opened) == 1


def test_photographs_for_votes_are_of_a_folder_that_the_webui_shows(page, drawn, runs, tmp_path):
    import modules.shared

    (tmp_path / "me").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "me" / "1.png")
    at, named = "/ohwx/runs/run/votes/photos", {"folder": str(tmp_path / "me")}
    (address,) = page.post(at, named).json()["photos"]
    assert page.get(f"/ohwx/runs/run/votes/{address}").status_code == 200
    assert "There is no folder" in page.post(at, {"folder": str(tmp_path / "none")}).json()["error"]
    assert "a whole path" in page.post(at, {"folder": "me"}).json()["error"]
    modules.shared.cmd_opts.hide_ui_dir_config = True
    refused = page.post(at, named)
    assert (refused.status_code, "hide-ui-dir-config" in refused.json()["error"]) == (400, True)


def test_a_run_from_elsewhere_is_renamed_and_deleted_but_grows_only_once_it_is_adopted(page, drawn, runs, tmp_path):
    shutil.copytree(runs / "run", tmp_path / "kept")
    shutil.rmtree(runs / "run")
    shutil.copytree(tmp_path / "kept", runs / "run")
    assert page.post("/ohwx/api/runs/run/grow", {"more": {"seed": "8"}}).status_code == 400
    assert page.post("/ohwx/api/runs/run/rename", {"name": "theirs"}).json() == {"id": "theirs"}
    page.post("/ohwx/api/runs", asked("own"))
    page.until("own", "done")
    page.post("/ohwx/api/runs/theirs/merge", {"other": "own"})
    assert "made elsewhere" in page.until("theirs", "done")["error"]
    page.post("/ohwx/api/runs/own/merge", {"other": "theirs"})
    assert "2 cells that both have" in page.until("own", "done")["said"]
    assert page.post("/ohwx/api/runs/theirs/delete").status_code == 200
