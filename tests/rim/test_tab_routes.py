"""The tab's routes over the fake webui: what comes of a run, and of what the page asks besides."""

import hashlib
import io
import json
import shutil
import threading
import time
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from fake_webui import write_checkpoint
from fastapi import FastAPI
from PIL import Image
from tab_page import BOTH, OWN, Page, asked, started

from ohwx_compare.files.infotexts import read_infotext


def test_a_run_is_drawn_listed_and_shown(page, drawn, webui):
    assert drawn["state"] == "done"
    assert (drawn["cells"], drawn["done"], drawn["failed"], drawn["error"]) == (2, 2, 0, None)
    assert drawn["title"] == "2 checkpoints"
    assert [run["id"] for run in page.get("/ohwx/api/state").json()["runs"]] == ["run"]
    thumb = page.get("/" + drawn["thumb"])
    assert Image.open(io.BytesIO(thumb.content)).format == "JPEG"
    assert thumb.headers["x-content-type-options"] == "nosniff"
    assert page.get("/" + drawn["thumb"], headers={"If-None-Match": thumb.headers["etag"]}).status_code == 304
    assert "Content-Security-Policy" in page.get("/" + drawn["page"]).text
    assert "access-control-allow-origin" not in thumb.headers
    assert webui.model.sd_checkpoint_info.name == "user.safetensors"
    assert webui.state.job == ""


def test_a_checkpoints_file_is_hashed_as_it_is_now(page, webui):
    path = next(webui.data.rglob("one.safetensors"))
    for _ in range(2):
        told = page.get("/ohwx/api/checkpoints/one.safetensors").json()
        assert told == {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        path.write_bytes(path.read_bytes() + b"another")
    for name in ("none.safetensors", "..%2F..%2Fconfig.json"):
        assert page.get(f"/ohwx/api/checkpoints/{name}").status_code == 404


@pytest.mark.parametrize("name", ["..", "nobody"])
def test_runs_that_do_not_exist_are_not_resumed(page, name):
    for act in ("resume", "interrupt", "skip"):
        assert page.post(f"/ohwx/api/runs/{quote(name, safe='')}/{act}").status_code in (404, 405)


def test_a_run_from_elsewhere_is_shown_and_resumed_once_it_is_adopted(page, drawn, webui, tmp_path):
    folder = webui.data / "outputs" / "ohwx" / "compare" / "run"
    shutil.copytree(folder, tmp_path / "kept")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)
    assert not drawn["elsewhere"]
    found = page.state("run")
    assert (found["elsewhere"], found["done"]) == (True, 2)
    assert page.get("/" + found["page"]).status_code == 200
    next((folder / "images").glob("*.png")).unlink()
    refused = page.post("/ohwx/api/runs/run/resume")
    assert (refused.status_code, "press Adopt" in refused.json()["error"]) == (400, True)
    assert page.post("/ohwx/api/runs", asked()).status_code == 400
    assert page.post("/ohwx/api/runs/run/adopt", headers={"Origin": "http://elsewhere"}).status_code == 403
    assert page.post("/ohwx/api/runs/run/adopt").json()["id"] == "run"
    adopted = page.until("run", "stopped", "done", "failed")
    assert (adopted["elsewhere"], adopted["done"]) == (False, 1)
    assert "1 cell kept, 1 cell to be generated again" in adopted["said"]
    page.post("/ohwx/api/runs/run/adopt")
    assert page.until("run", "stopped")["said"] == ""
    page.post("/ohwx/api/runs/run/resume")
    assert page.until("run", "done", "failed")["done"] == 2


def test_a_run_is_adopted_while_the_page_goes_on(page, drawn, webui, tmp_path, monkeypatch):
    """A large run takes minutes: the request is answered at once, and the list tells how far it is."""
    from ohwx_compare.files.ledger import adopt
    from ohwx_compare.hosts.webui.tab.run_list import Runs

    folder = webui.data / "outputs" / "ohwx" / "compare" / "run"
    shutil.copytree(folder, tmp_path / "kept")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)
    compared, begun, go = adopt._compared, threading.Event(), threading.Event()

    def slow(*picture):
        if begun.is_set():
            go.wait(20)
        begun.set()
        return compared(*picture)

    monkeypatch.setattr(adopt, "_compared", slow)
    assert page.post("/ohwx/api/runs/run/adopt").json()["state"] == "adopting"
    assert begun.wait(20)
    assert page.post("/ohwx/api/runs/run/adopt").json()["state"] == "adopting"  # it goes on, once
    for _ in range(500):
        row = page.get("/ohwx/api/state").json()["runs"][0]
        if row["percent"]:
            break
        time.sleep(0.02)
    assert (row["state"], row["percent"], row["now"]) == ("adopting", 50.0, "adopting: 1 of 2 pictures compared")
    one = Runs.one

    def ends_meanwhile(runs, *asked):
        row = one(runs, *asked)
        go.set()
        for thread in threading.enumerate():
            if thread.name == "ohwx adopting":
                thread.join(20)
        return row

    monkeypatch.setattr(Runs, "one", ends_meanwhile)
    assert page.state("run")["state"] == "adopting"  # never "done" beside what was counted before
    assert page.until("run", "done")["said"].endswith("2 cells kept.")


def test_an_adoption_that_fails_says_why(page, drawn, webui, tmp_path, monkeypatch):
    from ohwx_compare.files.ledger import adopt

    folder = webui.data / "outputs" / "ohwx" / "compare" / "run"
    shutil.copytree(folder, tmp_path / "kept")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)

    def full(path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(adopt, "_beside", full)
        page.post("/ohwx/api/runs/run/adopt")
        assert "No space left" in page.until("run", "done")["error"]
    assert page.state("run")["elsewhere"]
    page.post("/ohwx/api/runs/run/adopt")
    assert page.until("run", "done")["error"] is None


def held(webui):
    """Let drawing stand still until `go` is set."""
    begun, go = threading.Event(), threading.Event()

    def wait():
        begun.set()
        go.wait(20)

    webui.before_draw = wait
    return begun, go


def test_two_runs_are_drawn_one_after_the_other(webui, page):
    begun, go = held(webui)
    page.post("/ohwx/api/runs", asked("first"))
    assert page.post("/ohwx/api/runs", asked("second")).json()["state"] == "queued"
    assert begun.wait(20)
    drawing = page.state("first")
    assert drawing["state"] == "drawing"
    assert drawing["now"] == "1 of 2: one"
    assert page.get("/ohwx/api/state").json()["queue"] == ["second"]
    assert webui.lock.locked()
    go.set()
    page.until("second", "done")
    assert page.state("first")["state"] == "done"


def test_interrupt_ends_the_run_in_hand_and_leaves_those_that_wait(webui, page):
    begun, go = held(webui)
    page.post("/ohwx/api/runs", asked("first"))
    page.post("/ohwx/api/runs", asked("second"))
    page.post("/ohwx/api/runs", asked("third"))
    assert begun.wait(20)
    assert page.post("/ohwx/api/runs/third/interrupt").json()["state"] == "stopped"
    page.post("/ohwx/api/runs/first/interrupt")
    go.set()
    assert page.until("first", "stopped")["done"] == 0
    page.until("second", "done")
    assert page.state("third")["done"] == 0
    assert page.post("/ohwx/api/runs/first/resume").json()["id"] == "first"
    assert page.until("first", "done")["done"] == 2


def test_skip_leaves_the_cell_in_hand(webui, page):
    begun, go = held(webui)
    page.post("/ohwx/api/runs", asked())
    assert begun.wait(20)
    assert page.post("/ohwx/api/runs/run/skip").status_code == 200
    go.set()
    found = page.until("run", "stopped", "done")
    assert (found["done"], found["failed"], found["error"]) == (1, 0, None)
    assert page.post("/ohwx/api/runs/run/skip").status_code == 400


def test_after_a_kill_the_list_tells_what_is_left(webui, page, fakes):
    begun, go = held(webui)
    webui.after_draw = lambda: setattr(webui.state, "interrupted", len(webui.calls) == 2)
    page.post("/ohwx/api/runs", asked())
    assert begun.wait(20)
    go.set()
    assert page.until("run", "stopped")["done"] == 1
    again = Page(started(webui, FastAPI()))  # another process knows the folder alone
    listed = again.get("/ohwx/api/state").json()["runs"][0]
    assert (listed["state"], listed["done"], listed["percent"]) == ("stopped", 1, 50.0)


def test_an_error_before_the_first_cell_is_kept(page, webui):
    page.post("/ohwx/api/runs", asked(checkpoints=["one.safetensors", "nobody.safetensors"]))
    failed = page.until("run", "failed")
    assert "nobody.safetensors" in failed["error"]
    (webui.folder / "nobody.safetensors").write_bytes((webui.folder / "two.safetensors").read_bytes())
    webui.list_models()
    page.post("/ohwx/api/runs/run/resume")
    assert page.until("run", "done")["error"] is None


def test_a_run_of_the_script_is_in_the_list_while_it_draws(webui, page):
    from fake_webui import Txt2Img

    begun, go = held(webui)
    script = webui.load_script()
    text = json.dumps({"checkpoints": BOTH, "name": "scripted"})
    thread = threading.Thread(target=script.run, args=(Txt2Img(seed=7), text))
    thread.start()
    assert begun.wait(20)
    assert page.state("scripted")["state"] == "drawing"
    go.set()
    thread.join()
    assert page.state("scripted")["state"] == "done"
    assert page.state("scripted")["request"]["checkpoints"] == BOTH


def test_the_tab_does_not_go_on_without_hires_fix(webui, page):
    from fake_webui import Txt2Img

    p = Txt2Img(seed=7)
    p.enable_hr = True
    webui.load_script().run(p, json.dumps({"checkpoints": BOTH, "name": "scripted"}))
    answer = page.post("/ohwx/api/runs/scripted/resume")
    assert answer.status_code == 400
    assert "hires fix; press Generate in txt2img again" in answer.json()["error"]


@pytest.mark.parametrize("name", ["three", "three.safetensors", "deep/three", "DEEP/Three.safetensors", "gone"])
def test_panel_and_tab_find_the_same_file(name, webui, page):
    write_checkpoint(webui.folder / "deep" / "three.safetensors", 3)
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.cost import estimate_html

    counted = page.post("/ohwx/api/estimate", asked(checkpoints=[name])).json()
    told = estimate_html({"steps": 4}, list(Panel(checkpoints=[name])))
    assert counted["missing"] == (["gone"] if name == "gone" else [])
    assert ("not found" in told) == (name == "gone")


TEXT = (
    "photo of ohwx man\nSteps: 4, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 7, Seed: {}, Size: 64x64, "
    "Model: {}"
)


def test_infotexts_become_a_request(page):
    texts = [TEXT.format(seed, name) for name in ("one", "two") for seed in (7, 8)] + [TEXT.format(7, "gone")]
    answer = page.post("/ohwx/api/draft", {"texts": texts}).json()
    request = answer["request"]
    assert request["checkpoints"] == [*BOTH, "gone"]
    assert request["axes"] == [{"kind": "seed", "values": [7, 8]}]
    assert answer["missing"] == ["gone"]
    page.post("/ohwx/api/runs", {"request": {**request, "checkpoints": BOTH, "name": "run"}})
    assert page.until("run", "done", "failed")["done"] == 4


def test_a_control_is_drawn_saved_and_found_again(page, webui):
    control = {"checkpoint": "two.safetensors", "class_token": "ohwx man", "class": ""}
    text = TEXT.format(7, "one")
    request = page.post("/ohwx/api/draft", {"texts": [text]}).json()["request"]
    page.post("/ohwx/api/runs", {"request": {**request, "control": control, "name": "run"}})
    run = page.until("run", "done", "failed")
    assert run["done"] == 2
    assert run["request"]["control"] == {**control, "class": "man"}
    assert [call.prompt for call in webui.calls] == ["photo of ohwx man", "photo of man"]
    sheet = read_infotext(webui.data / "outputs/ohwx/compare/run/sheet.png")
    again = page.post("/ohwx/api/draft", {"texts": [sheet]}).json()["request"]
    assert (again["checkpoints"], again["control"]) == (BOTH, {**control, "class": "man"})


def test_an_estimate_counts_and_foretells_from_earlier_runs(page):
    first = page.post("/ohwx/api/estimate", asked(checkpoints=[*BOTH, "gone"])).json()
    assert (first["cells"], first["switches"], first["missing"], first["seconds"]) == (3, 3, ["gone"], None)
    page.post("/ohwx/api/runs", asked())
    page.until("run", "done")
    assert page.post("/ohwx/api/estimate", asked()).json()["seconds"] >= 0


def test_a_dropped_picture_tells_its_infotext(page, drawn, webui):
    sheet = (webui.data / "outputs/ohwx/compare/run/sheet.png").read_bytes()
    read = page.client.post("/ohwx/api/read", content=sheet, headers={**OWN, "Content-Type": "image/png"}).json()
    assert page.post("/ohwx/api/draft", {"texts": [read["infotext"]]}).json()["request"]["checkpoints"] == BOTH
    answer = page.client.post("/ohwx/api/read", content=b"no picture", headers={**OWN, "Content-Type": "image/png"})
    assert answer.status_code == 400
    assert "error" in answer.json()


def test_faces_of_pictures_that_exist(page, drawn, webui, face):
    picture = webui.data / "outputs/ohwx/compare/run" / "images"
    job = page.post("/ohwx/api/faces", {"paths": [str(picture)], "faces": [face], "checkpoint": None}).json()["job"]
    for _ in range(500):
        found = page.get(f"/ohwx/api/jobs/{quote(job)}").json()
        if found["state"] in ("done", "failed"):
            break
        time.sleep(0.02)
    assert (found["state"], found["done"], found["total"]) == ("done", 2, 2), found
    assert [result["outcome"] for result in found["results"]] == ["faces inpainted"] * 2
    made = Image.open(io.BytesIO(page.get("/" + found["results"][0]["image"]).content))
    assert "ADetailer model: drawn_yolov8.pt" in made.text["parameters"]
    assert page.get("/ohwx/api/jobs/other").status_code == 404


def test_png_info_of_a_folder(page, drawn, webui):
    folder = str(webui.data / "outputs/ohwx/compare/run")
    told = page.post("/ohwx/api/pnginfo", {"folder": folder}).json()
    assert told["total"] == len(told["rows"]) == 5  # sheet, cells, thumbnails
    assert "Model" in told["columns"]
    table = page.post("/ohwx/api/pnginfo.csv", {"folder": folder})
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.content.decode("utf-8-sig").splitlines()) >= 4
    assert page.post("/ohwx/api/pnginfo", {"folder": folder + "/nothing"}).status_code == 400
    import modules.shared

    modules.shared.cmd_opts.hide_ui_dir_config = True
    assert page.post("/ohwx/api/pnginfo", {"folder": str(webui.data.parent)}).status_code == 400


def test_the_tab_and_what_it_sends(page, drawn, webui):
    tab, train = webui.tabs[0]()
    assert (tab[1:], train[1:]) == (("ohwx compare", "ohwx_compare"), ("ohwx train", "ohwx_train"))
    for place, *_ in (tab, train):
        place.render()
    assert all(binding.paste_button.is_rendered for binding in webui.bindings)
    assert [binding.tabname for binding in webui.bindings] == ["txt2img", "img2img", "inpaint"]
    from ohwx_compare.hosts.webui.tab import place as module

    what = json.dumps({"run": "run", "image": "sheet.png", "infotext": "a\nSteps: 1", "ticket": 5})
    image, text, done = module._load(what)
    assert (image.mode, text, done) == ("RGB", "a\nSteps: 1", what)
    for wrong in ("", "[]", "{}", json.dumps({"run": "..", "image": "secret.png"}), json.dumps({"run": 1, "image": 2})):
        assert module._load(wrong)[0] is None


def test_the_lock_is_taken_as_by_every_job(webui, page):
    with webui.lock:
        page.post("/ohwx/api/runs", asked())
        time.sleep(0.1)
        assert page.state("run")["state"] == "queued"
        assert page.post("/ohwx/api/runs/run/interrupt").json()["state"] == "stopped"
    time.sleep(0.1)
    assert not webui.calls
    assert SimpleNamespace(**page.state("run")).state == "stopped"
