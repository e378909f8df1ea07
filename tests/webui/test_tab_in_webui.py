"""The tab's routes in a real webui: runs drawn one after the other, ended, gone on with; the same pictures as ever."""

import io
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from webui_api import PATIENCE

from ohwx_compare.files.ledger.reader import open_run

NAMES = ["tiny_base.safetensors", "tiny_reg.safetensors"]
FACE = {"model": "drawn_yolov8.pt", "top_k": 1, "denoise": 0.5, "steps": 8}


class Tab:
    """The routes as the tab's page asks them."""

    def __init__(self, url):
        self.url = url

    def get(self, path):
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=PATIENCE) as answer:
            return answer.read()

    def post(self, path, body=None, **headers):
        headers = {"Content-Type": "application/json", "Origin": self.url, **headers}
        asked = urllib.request.Request(f"{self.url}/ohwx/api/{path}", json.dumps(body or {}).encode(), headers)
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return json.load(answer)

    def run(self, name):
        return json.loads(self.get(f"ohwx/api/runs/{quote(name)}"))

    def until(self, name, *states, seconds=PATIENCE):
        for _ in range(seconds * 5):
            found = self.run(name)
            if found["state"] in states:
                return found
            time.sleep(0.2)
        raise AssertionError(found)


@pytest.fixture
def tab(webui):
    return Tab(webui.url)


def asked(checkpoints=NAMES, seeds=(10, 11), **job):
    job = {
        "prompt": "photo of ohwx man",
        "seed": 10,
        "steps": 6,
        "width": 128,
        "height": 128,
        "schedule": "Karras",
        **job,
    }
    axes = [{"kind": "seed", "values": list(seeds)}]
    name = f"tab {time.time_ns()}"
    return {"request": {"job": job, "checkpoints": checkpoints, "axes": axes, "faces": [FACE], "name": name}}, name


def told(run):
    """The confidences as the sheet's labels have them."""
    return [f"{face.confidence:.2f}" for cell in run.cells for face in cell.result.faces]


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)


def test_runs_follow_each_other_and_equal_the_scripts(tab, webui):
    user = webui.get("/sdapi/v1/options")["sd_model_checkpoint"]
    (first, one), (second, two) = asked(), asked(NAMES[:1], [12])
    assert tab.post("estimate", first)["cells"] == 4
    tab.post("runs", first)
    assert tab.post("runs", second)["state"] == "queued"
    done = tab.until(one, "done")
    assert (done["done"], done["failed"], done["error"]) == (4, 0, None)
    tab.until(two, "done")
    assert webui.get("/sdapi/v1/options")["sd_model_checkpoint"] == user
    assert webui.get("/sdapi/v1/progress")["state"]["job_count"] == 0
    job = first["request"]["job"]
    combined = f"DPM++ 2M SDE {job['schedule']}"
    before_1_9 = combined in [sampler["name"] for sampler in webui.get("/sdapi/v1/samplers")]
    named = {"sampler_name": combined} if before_1_9 else {"sampler_name": "DPM++ 2M SDE", "scheduler": job["schedule"]}
    same = {name: job[name] for name in ("prompt", "seed", "steps", "width", "height")}
    settings = {**first["request"], "job": {}, "name": f"{one} script", "keep_before": False}
    answer = webui.draw({
        **same, **named, "script_name": "ohwx compare", "script_args": [json.dumps(settings)],
    })  # fmt: skip
    page = tab.get(done["page"]).decode()
    assert "Content-Security-Policy" in page
    ours, theirs = (open_run(Path(answer.more["folder"]).with_name(name)) for name in (one, f"{one} script"))
    for run in (ours, theirs):
        assert len(run.cells) == 4
    for cell, other in zip(ours.cells, theirs.cells, strict=True):
        drawn = (pixels((run.folder / each.result.image).read_bytes()) for run, each in ((ours, cell), (theirs, other)))
        assert np.abs(np.subtract(*drawn)).max() <= 2
    sheet, script = pixels(tab.get(f"ohwx/runs/{quote(one)}/sheet.png")), np.asarray(answer.images[0], int)
    assert sheet.shape == script.shape
    if told(ours) == told(theirs):  # two drawings within the bound may round a confidence apart
        assert np.abs(sheet - script).max() <= 2


def test_interrupted_and_gone_on_with(tab):
    body, name = asked(NAMES, [10, 11, 12])
    tab.post("runs", body)
    for _ in range(PATIENCE * 5):
        if (found := tab.run(name))["done"] >= 1:
            break
        time.sleep(0.1)
    assert found["state"] == "drawing"
    tab.post(f"runs/{quote(name)}/interrupt")
    stopped = tab.until(name, "stopped")
    assert 1 <= stopped["done"] < 6
    tab.post(f"runs/{quote(name)}/resume")
    assert tab.until(name, "done")["done"] == 6


def test_what_was_drawn_is_drafted_again_and_its_faces_once_more(tab, webui):
    body, name = asked(NAMES[:1], [10])
    tab.post("runs", body)
    run = tab.until(name, "done")
    sheet = tab.get(f"ohwx/runs/{quote(name)}/sheet.png")
    read = urllib.request.Request(f"{tab.url}/ohwx/api/read", sheet, {"Content-Type": "image/png", "Origin": tab.url})
    with urllib.request.urlopen(read, timeout=PATIENCE) as answer:
        text = json.load(answer)["infotext"]
    draft = tab.post("draft", {"texts": [text]})
    assert draft["request"]["checkpoints"] == NAMES[:1]
    assert draft["missing"] == []
    assert draft["request"]["job"] == run["request"]["job"]
    folder = webui.folder.parents[1] / "outputs" / "ohwx" / "compare" / name / "images"
    told = tab.post("pnginfo", {"folder": str(folder)})
    before = next(row for row in told["rows"] if row["path"].endswith("-before.png"))
    job = tab.post("faces", {"paths": [before["path"]], "faces": [FACE], "checkpoint": None})["job"]
    for _ in range(PATIENCE * 5):
        found = json.loads(tab.get(f"ohwx/api/jobs/{quote(job)}"))
        if found["state"] in ("done", "failed"):
            break
        time.sleep(0.2)
    assert found["state"] == "done", found
    drawn = pixels(tab.get(found["results"][0]["image"]))
    after = next(folder.glob("0001*10.png"))
    assert np.abs(drawn - pixels(after.read_bytes())).max() <= 4


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("draft", {"Origin": "http://evil.example"}, 403), ("draft", {"Content-Type": "text/plain"}, 415)],
)
def test_others_are_refused(tab, path, headers, status):
    with pytest.raises(urllib.error.HTTPError) as caught:
        tab.post(path, {"texts": []}, **headers)
    with caught.value as answer:
        assert answer.code == status
        assert "error" in json.load(answer)


@pytest.mark.parametrize(
    "path", ["../../../config.json", "%2e%2e/%2e%2e/%2e%2e/config.json", "run.sqlite", "..%5cx.png"]
)
def test_no_way_out_of_the_run_folder(tab, path):
    body, name = asked(NAMES[:1], [10])
    tab.post("runs", body)
    tab.until(name, "done")
    with pytest.raises(urllib.error.HTTPError) as caught:
        tab.get(f"ohwx/runs/{quote(name)}/{path}")
    with caught.value as answer:
        assert answer.code == 404
