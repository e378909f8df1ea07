"""A real webui with a stranger's folders among its own, a full disk, many requests at once, Stop at odd moments."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from urllib.parse import quote

import pytest
from PIL import Image
from starting import put_extension, started
from test_tab_in_webui import FACE, NAMES, Tab, asked
from webui_api import PATIENCE

from ohwx_compare.toy.datasets import write_subject


@pytest.fixture
def tab(webui):
    return Tab(webui.url)


@pytest.fixture
def outputs(webui):
    return webui.folder.parents[1] / "outputs" / "ohwx"


@pytest.fixture
def healthy(tab, outputs):
    """A run, and a place for copies of it; all of them are removed at the end."""
    name = f"test {time.time_ns()}"
    tab.post("runs", {"request": {**asked(NAMES[:1], (10,))[0]["request"], "name": name}})
    tab.until(name, "done", "failed")
    yield outputs / "compare" / name
    for folder in (outputs / "compare").glob(f"{name}*"):
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)


def break_ledger(folder, secret):
    (folder / "run.sqlite").write_bytes(b"no database")


def make_pipe(folder, secret):
    (folder / "request.json").unlink()
    os.mkfifo(folder / "request.json")


def lead_out(folder, secret):
    shutil.rmtree(folder / "images")
    (folder / "images").symlink_to(secret.parent)


def put_list(folder, secret):
    (folder / "request.json").write_text('{"request": [], "by": 1, "when": {}, "error": NaN}', encoding="utf-8")


def link_all(folder, secret):
    shutil.rmtree(folder)
    folder.symlink_to(secret.parent)


DAMAGES = (break_ledger, make_pipe, lead_out, put_list, link_all)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders and lets few users make links")
def test_a_hostile_folder_hides_no_run_and_gives_nothing_out(tab, healthy, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    shutil.copy(healthy / "run.sqlite", tmp_path)
    for number, damage in enumerate(DAMAGES):
        folder = healthy.with_name(f"{healthy.name} {number}")
        shutil.copytree(healthy, folder)
        damage(folder, secret)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    rows = {run["id"]: run for run in json.loads(tab.get("ohwx/api/state"))["runs"]}
    assert (rows[healthy.name]["state"], rows[healthy.name]["error"]) == ("done", None)
    for number in (0, 4):
        assert rows[f"{healthy.name} {number}"]["state"] == "failed"
        assert rows[f"{healthy.name} {number}"]["error"]
    for number in range(len(DAMAGES)):
        at = f"ohwx/runs/{quote(healthy.name)}%20{number}"
        for path in ("images/secret.png", "secret.png"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                tab.get(f"{at}/{path}")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        tab.get(f"ohwx/runs/{quote(healthy.name)}%200/index.html")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_forty_face_jobs_at_once_are_forty(tab, healthy):
    picture = str(next((healthy / "images").glob("*.png")))
    body = {"paths": [picture], "faces": [{**FACE, "steps": 4}]}
    with ThreadPoolExecutor(40) as pool:
        names = [answer["job"] for answer in pool.map(lambda _: tab.post("faces", body), range(40))]
    assert len(set(names)) == 40
    assert set(names) <= set(json.loads(tab.get("ohwx/api/state"))["jobs"])
    for name in names[3:]:
        tab.post(f"jobs/{quote(name)}/interrupt")
    for _ in range(PATIENCE * 5):
        told = [json.loads(tab.get(f"ohwx/api/jobs/{quote(name)}")) for name in names]
        if not any(one["state"] in ("queued", "drawing") for one in told):
            break
        time.sleep(0.2)
    assert {one["state"] for one in told} <= {"done", "stopped"}
    assert any(one["state"] == "done" for one in told)


@contextmanager
def small_disk(folder):
    """A disk of 6 MB at `folder`."""
    folder.mkdir(parents=True)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True)
    if mount.returncode:
        pytest.skip("nobody may mount a small disk here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(not shutil.which("mount"), reason="no disk to fill")
def test_the_queue_outlives_a_full_disk(data):
    put_extension(data)
    runs = data.folder / "outputs" / "ohwx" / "compare"
    with small_disk(runs), started(data) as (api, _):
        tab = Tab(api.url)
        tab.post("runs", {"request": {**asked(NAMES, range(10, 20))[0]["request"], "name": "first"}})
        tab.until("first", "drawing")
        with (runs / "full").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        failed = tab.until("first", "failed", "stopped", "done")
        assert "space" in failed["error"]
        (runs / "full").unlink()
        tab.post("runs", {"request": {**asked(NAMES[:1], (10,))[0]["request"], "name": "second"}})
        assert tab.until("second", "done", "failed")["state"] == "done"
        tab.post("runs/first/resume")
        assert tab.until("first", "done", "failed")["failed"] == 0


@pytest.fixture
def training(tab, outputs, tmp_path):
    """Recipe and name of a training that is not started yet."""
    write_subject(tmp_path / "img", count=3, size=64)
    name = f"test {time.time_ns()}"
    recipe = {
        "base": "tiny_base.safetensors", "train": str(tmp_path / "img"), "name": name, "resolution": 64, "epochs": 2,
        "bucket_min": 64, "precision": "fp32", "save_every_epochs": None, "validation": 0,
        "sample_prompts": ["photo of ohwx man"], "sample_steps": 1,
    }  # fmt: skip
    yield recipe, name
    shutil.rmtree(outputs / "train" / name, ignore_errors=True)


def told(tab, name):
    return json.loads(tab.get(f"ohwx/api/train/runs/{quote(name)}?after=0"))


def trained(tab, name, *states):
    for _ in range(PATIENCE * 5):
        now = told(tab, name)
        if now["run"]["state"] in states:
            return now
        time.sleep(0.2)
    raise AssertionError(now["run"])


def test_stop_at_the_start_and_at_the_end_of_a_training(tab, training):
    recipe, name = training
    at = f"train/runs/{quote(name)}"
    tab.post("train/runs", {"recipe": recipe})
    tab.post(f"{at}/stop")  # while its process starts
    now = trained(tab, name, "stopped", "done", "failed")
    assert (now["run"]["state"], now["run"]["step"]) == ("stopped", 0)
    tab.post(f"{at}/start")
    steps = 0
    while steps < 5:  # of 6
        steps = told(tab, name)["run"]["step"]
        time.sleep(0.02)
    tab.post(f"{at}/stop")
    now = trained(tab, name, "stopped", "done", "failed")
    if now["run"]["state"] == "stopped":
        assert now["run"]["step"] < 6
        tab.post(f"{at}/start")
        now = trained(tab, name, "done", "failed")
    assert (now["run"]["state"], now["run"]["step"], now["run"]["error"]) == ("done", 6, None)
    sampled = [event["step"] for event in now["events"] if event["event"] == "Sampled"]
    assert sampled[-1] == 6  # a stop in the last step leaves no sample out


def test_a_finished_training_started_again_stays_done(tab, training):
    recipe, name = training
    tab.post("train/runs", {"recipe": recipe})
    before = trained(tab, name, "done", "failed")["run"]
    assert before["state"] == "done"
    tab.post("train/runs", {"recipe": recipe})
    after = trained(tab, name, "done", "failed", "stopped")["run"]
    assert (after["state"], after["step"], after["steps"]) == ("done", before["steps"], before["steps"])
    assert after["checkpoints"] == before["checkpoints"]
