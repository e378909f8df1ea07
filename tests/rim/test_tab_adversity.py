"""The tab under a full disk, many requests at once, an Interrupt in the first instant, and a page that left."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from PIL import Image
from tab_page import BOTH, OWN, asked
from test_tab_routes import held


def test_the_queue_outlives_a_job_whose_end_cannot_be_written_down(page, webui, monkeypatch):
    from ohwx_compare.files import atomic
    from ohwx_compare.hosts.webui.request import record

    begun, go = held(webui)
    page.post("/ohwx/api/runs", asked("first"))
    assert begun.wait(20)

    def full(path, text):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(record, "write_text", full)
        disk.setattr(atomic, "_new", lambda beside: full(beside, ""))
        go.set()
        failed = page.until("first", "failed")
    assert "No space left" in failed["error"]
    page.post("/ohwx/api/runs", asked("second"))
    assert page.until("second", "done")["done"] == 2
    page.post("/ohwx/api/runs/first/resume")
    assert page.until("first", "done")["error"] is None


def test_the_queue_outlives_a_webui_that_cannot_end_a_job(page, webui):
    ends = []

    def end():
        ends.append(1)
        if len(ends) == 1:
            raise RuntimeError("CUDA error: device-side assert triggered")

    webui.state.end = end
    page.post("/ohwx/api/runs", asked("first"))
    page.until("first", "done")
    page.post("/ohwx/api/runs", asked("second"))
    assert page.until("second", "done")["done"] == 2


def test_an_interrupt_in_the_first_instant_is_not_lost(page, webui):
    """Between taking a run from the queue and its first picture nothing is drawn yet."""
    import modules.progress

    begun, go = threading.Event(), threading.Event()

    def start_task(task):
        begun.set()
        go.wait(20)

    modules.progress.start_task = start_task
    page.post("/ohwx/api/runs", asked("first"))
    assert begun.wait(20)
    page.post("/ohwx/api/runs/first/interrupt")
    go.set()
    assert page.until("first", "stopped", "done")["done"] == 0


def test_a_run_that_failed_can_be_resumed_as_soon_as_it_says_so(page, webui, monkeypatch):
    """Until the worker lets go of it, it is not told as failed: a Resume pressed then would be dropped."""
    from ohwx_compare.hosts.webui.tab import desk

    written, go, write = threading.Event(), threading.Event(), desk.write_request

    def slow(folder, saved):
        write(folder, saved)
        if saved.error:
            written.set()
            go.wait(20)

    monkeypatch.setattr(desk, "write_request", slow)
    page.post("/ohwx/api/runs", asked(checkpoints=["one.safetensors", "three.safetensors"]))
    assert written.wait(20)
    assert page.state("run")["state"] == "drawing"
    (webui.folder / "three.safetensors").write_bytes((webui.folder / "two.safetensors").read_bytes())
    webui.list_models()
    go.set()
    page.until("run", "failed")
    page.post("/ohwx/api/runs/run/resume")
    assert page.until("run", "done")["done"] == 2


def test_forty_face_jobs_at_once_are_forty_jobs(page, webui, tmp_path, monkeypatch):
    import ohwx_compare.hosts.webui.tab.face_jobs as module

    class Slow(dict):
        """Shows whether looking and setting are one step: both take a while."""

        def __contains__(self, name):
            found = super().__contains__(name)
            time.sleep(0.002)
            return found

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    made = module.FaceJobs.__init__

    def init(self, queue):
        made(self, queue)
        self._jobs = Slow()

    monkeypatch.setattr(module.FaceJobs, "__init__", init)
    with webui.lock:  # none is drawn meanwhile
        body = {"paths": [str(tmp_path / "a.png")], "faces": []}
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: page.post("/ohwx/api/faces", body), range(40)))
        names = [answer.json()["job"] for answer in answers]
        assert len(set(names)) == 40
        state = page.get("/ohwx/api/state").json()
        assert sorted(state["jobs"]) == sorted(names)
        assert sorted(state["queue"]) == sorted(f"faces {name}" for name in names)
        for name in names:
            assert page.post(f"/ohwx/api/jobs/{quote(name)}/interrupt").json()["state"] == "stopped"


def test_a_picture_that_the_webui_fails_at_ends_no_other(page, drawn, webui, face):
    def fail_once():
        webui.before_draw = lambda: None
        raise UnboundLocalError("local variable 'h' referenced before assignment")  # k-diffusion's, after one step

    webui.before_draw = fail_once
    pictures = str(webui.data / "outputs/ohwx/compare/run/images")
    job = page.post("/ohwx/api/faces", {"paths": [pictures], "faces": [face]}).json()["job"]
    for _ in range(500):
        found = page.get(f"/ohwx/api/jobs/{quote(job)}").json()
        if found["state"] in ("done", "failed"):
            break
        time.sleep(0.02)
    assert (found["state"], found["error"]) == ("done", None)
    assert [result["outcome"] for result in found["results"]] == ["failed", "faces inpainted"]
    assert "UnboundLocalError" in found["results"][0]["error"]


def test_the_same_run_asked_for_forty_times_at_once_is_one(page, webui):
    with webui.lock:
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: page.post("/ohwx/api/runs", asked("run")), range(40)))
        assert {answer.status_code for answer in answers} == {200}
        assert page.get("/ohwx/api/state").json()["queue"] == ["run"]
    page.until("run", "done")
    assert len(webui.calls) == 2


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\ud800", " a", "..", "a/b", "x" * 300])
def test_a_run_gets_no_name_that_cannot_be_asked_for(page, name):
    if name.strip() == name and name != "a\ud800":  # a blank around it is taken off before; no client sends the other
        answer = page.post("/ohwx/api/runs", asked(name))
        assert (answer.status_code, "cannot be the name of a run folder" in answer.json()["error"]) == (400, True)
    assert not page.get("/ohwx/api/state").json()["runs"]


def test_folders_that_are_hidden_are_hidden_from_everything(page, webui, tmp_path):
    import modules.shared

    modules.shared.cmd_opts.hide_ui_dir_config = True
    outside = tmp_path / "outside"
    (outside / "1_ohwx man").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(outside / "1_ohwx man" / "a.png")
    (outside / "base.safetensors").write_bytes((webui.folder / "one.safetensors").read_bytes())
    (webui.data / "link").symlink_to(outside)
    (webui.data / "pictures").mkdir()
    (webui.data / "pictures" / "a.png").symlink_to(outside / "1_ohwx man" / "a.png")
    recipe = {"base": "one.safetensors", "train": str(webui.data / "train"), "name": "me"}
    hidden = "--hide-ui-dir-config"
    for place in (
        outside,
        webui.data / "link",
        webui.data / "pictures" / ".." / ".." / "outside",
        "//host.invalid/share",
    ):
        concepts = {"train": None, "concepts": [{"folder": str(place)}]}
        for change in ({"train": str(place)}, {"reg": str(place)}, {"base": f"{place}/base.safetensors"}, concepts):
            for path in ("plan", "runs"):
                answer = page.post(f"/ohwx/api/train/{path}", {"recipe": {**recipe, **change}})
                assert hidden in answer.json()["error"], (change, path)
        assert hidden in page.post("/ohwx/api/pnginfo", {"folder": str(place)}).json()["error"]
        assert hidden in page.post("/ohwx/api/pnginfo.csv", {"folder": str(place)}).json()["error"]
        assert hidden in page.post("/ohwx/api/pnginfo.jpg", {"path": f"{place}/a.png"}).json()["error"]
        assert hidden in page.post("/ohwx/api/faces", {"paths": [str(place)]}).json()["error"]
    assert hidden in page.post("/ohwx/api/pnginfo", {"folder": str(webui.data / "pictures")}).json()["error"]
    assert hidden not in page.post("/ohwx/api/train/plan", {"recipe": recipe}).json()["error"]


def test_a_thumbnail_is_of_a_picture_alone(page, tmp_path):
    Image.new("RGB", (300, 200), "red").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("secret")
    small = page.post("/ohwx/api/pnginfo.jpg", {"path": str(tmp_path / "a.png")})
    assert small.status_code == 200, small.text
    with Image.open(io.BytesIO(small.content)) as image:
        assert (image.format, image.size) == ("JPEG", (96, 64))
    for name in ("b.png", "none.png", "", "../a.png"):
        answer = page.post("/ohwx/api/pnginfo.jpg", {"path": str(tmp_path / name) if name else ""})
        assert answer.status_code in (400, 404), name
        assert "secret" not in answer.text


def test_a_folder_beyond_measure_is_refused(page, tmp_path, monkeypatch):
    from ohwx_compare.hosts.webui.tab import http, pictures_of

    for number in range(30):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    monkeypatch.setattr(http, "_MOST_LOOKS", 20)
    body = {"folder": str(tmp_path)}
    for path in ("pnginfo", "pnginfo.csv"):
        answer = page.post(f"/ohwx/api/{path}", body)
        assert (answer.status_code, "over 20 files" in answer.json()["error"]) == (400, True)
    monkeypatch.setattr(http, "_MOST_LOOKS", 10**6)
    monkeypatch.setattr(http, "_LONGEST", -1.0)
    assert "minutes; choose a smaller folder" in page.post("/ohwx/api/pnginfo", body).json()["error"]
    monkeypatch.setattr(http, "_LONGEST", 600.0)
    monkeypatch.setattr(pictures_of, "_MOST_TEXT", -1)
    assert "letters; choose one of the folders" in page.post("/ohwx/api/pnginfo.csv", body).json()["error"]


def test_one_folder_is_read_at_a_time(page, tmp_path, monkeypatch):
    from ohwx_compare.hosts.webui.tab import desk, http

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    now, most, guard = 0, 0, threading.Lock()
    read = desk.pictures_of

    def slow(folder, check):
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        found = read(folder, check)
        with guard:
            now -= 1
        return found

    monkeypatch.setattr(desk, "pictures_of", slow)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: page.post("/ohwx/api/pnginfo", {"folder": str(tmp_path)}), range(8)))
    assert ({answer.status_code for answer in answers}, most) == ({200}, 1)
    monkeypatch.setattr(http, "_PATIENCE", -1.0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: page.post("/ohwx/api/pnginfo", {"folder": str(tmp_path)}), range(8)))
    refused = [answer.json()["error"] for answer in answers if answer.status_code == 400]
    assert refused
    assert all("reading another folder" in sentence for sentence in refused)


def test_one_page_is_made_at_a_time(page, drawn, monkeypatch):
    from ohwx_compare.look import page_routes

    now, most, guard = 0, 0, threading.Lock()
    made = page_routes.page_data

    def slow(run, **more):
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with guard:
            now -= 1
        return made(run, **more)

    monkeypatch.setattr(page_routes, "page_data", slow)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: page.get("/ohwx/runs/run/index.html"), range(8)))
    assert ({answer.status_code for answer in answers}, most) == ({200}, 1)


def test_work_ends_when_nobody_waits_for_it(page):
    """As uvicorn tells it: the page dropped its request, or was closed."""
    import asyncio

    from ohwx_compare.errors import Interrupted
    from ohwx_compare.hosts.webui.tab import login, routes

    ended = threading.Event()

    def work(ask):
        for _ in range(500):
            time.sleep(0.02)
            try:
                ask.check()
            except Interrupted:
                ended.set()
                raise
        return {}

    endpoint = routes.guarded(work, login.Login(page.client.app, None))
    from starlette.requests import Request

    headers = [(b"host", b"testserver"), (b"origin", OWN["Origin"].encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/ohwx/x", "headers": headers, "query_string": b"", "app": None,
             "server": ("testserver", 80), "scheme": "http", "path_params": {}}  # fmt: skip
    told = [{"type": "http.request", "body": b"{}", "more_body": False}, {"type": "http.disconnect"}]

    async def receive():
        await asyncio.sleep(0)
        return told.pop(0) if told else {"type": "http.disconnect"}

    asyncio.run(endpoint(Request(scope, receive)))
    assert ended.is_set()


def test_names_of_checkpoints_are_names(page):
    answer = page.post("/ohwx/api/runs", asked(checkpoints=[*BOTH, 7]))
    assert (answer.status_code, "must be a list of names" in answer.json()["error"]) == (400, True)
