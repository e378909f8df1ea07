"""The toy in a webui: put there and known to it on request, and not before."""

import shutil
import sys
from types import ModuleType

import pytest
from fastapi.testclient import TestClient
from tab_page import OWN, started

from ohwx_compare.files.checkpoint import read_header, sha256
from ohwx_compare.toy.checkpoint import toy_sha256, write_checkpoint
from ohwx_compare.toy.for_webui import ARCHITECTURE, write_encoders


@pytest.fixture
def known(monkeypatch):
    """What open_clip was told of."""
    known, open_clip = [], ModuleType("open_clip")
    open_clip.add_model_config = known.append
    monkeypatch.setitem(sys.modules, "open_clip", open_clip)
    return known


def test_registered_when_the_entry_is_loaded_and_only_on_request(webui, known):
    webui.load_script()
    assert known == []
    folder = write_encoders(webui.data / "models")
    webui.load_script()
    assert known == [folder / f"{ARCHITECTURE}.json"]


def test_the_route_puts_it_there_and_it_can_be_chosen_at_once(webui, known):
    webui.load_script()
    page, models = TestClient(started(webui), base_url="http://testserver", headers=OWN), webui.data / "models"
    assert "ohwx-toy/toy.safetensors" not in page.get("/ohwx/api/state").json()["checkpoints"]
    said = page.post("/ohwx/api/toy", json={}).json()["said"]
    assert said == (
        "The checkpoint ohwx-toy/toy.safetensors and the detector toy_face_yolov8.pt can be selected now. "
        "Its pictures want 96 x 96 px, 12 steps and CFG 3. To train it, choose the preset toy in the tab ohwx train."
    )
    assert sha256(webui.folder / "ohwx-toy" / "toy.safetensors") == toy_sha256()
    assert known == [models / "ohwx-toy" / f"{ARCHITECTURE}.json"]
    state = page.get("/ohwx/api/state").json()
    assert "ohwx-toy/toy.safetensors" in state["checkpoints"]
    assert "toy_face_yolov8.pt" in state["detectors"]
    assert "ohwx-toy/toy.safetensors" in webui.infos


def test_the_toy_can_be_trained_from_the_form_as_it_was_put_there(webui, known):
    webui.load_script()
    page = TestClient(started(webui), base_url="http://testserver", headers=OWN)
    assert page.get("/ohwx/api/train").json()["toy"] is None
    page.post("/ohwx/api/toy", json={})
    state = page.get("/ohwx/api/train").json()
    assert state["toy"] == {"base": "ohwx-toy/toy.safetensors", "train": "models/ohwx-toy/pictures"}
    assert "tab ohwx compare" in state["words"]["toy"]
    plan = page.post("/ohwx/api/train/plan", json={"recipe": {"preset": "toy", "name": "me", **state["toy"]}}).json()
    assert (plan["problems"], plan["steps"], plan["images"]["train"]) == ([], 60, 15)
    assert [save["exposures"] for save in plan["saves"]] == [20, 40, 60]


def test_no_preset_says_less_than_what_it_is_for(webui):
    webui.load_script()
    state = TestClient(started(webui), base_url="http://testserver", headers=OWN).get("/ohwx/api/train").json()
    assert list(state["words"]) == list(state["values"])
    assert not [words for words in state["words"].values() if "not tuned" in words]


def test_where_it_cannot_be_put_is_said(webui, known):
    webui.load_script()
    shutil.rmtree(webui.data / "models" / "adetailer", ignore_errors=True)
    (webui.data / "models" / "adetailer").write_bytes(b"")
    answer = TestClient(started(webui), base_url="http://testserver", headers=OWN).post("/ohwx/api/toy", json={})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The toy model cannot be put into models: ")
    assert known == []


def test_what_was_trained_from_it_gets_its_yaml_and_nothing_else_does(webui, mini, tmp_path):
    from ohwx_compare.hosts.webui.generation.toy import describe_toy

    write_checkpoint(tmp_path / "trained.safetensors")
    paths = (tmp_path / "trained.safetensors", mini)
    for is_given in (False, True):
        if is_given:
            write_encoders(webui.data / "models")
        for path in paths:
            describe_toy(read_header(path))
        assert [path.with_suffix(".yaml").exists() for path in paths] == [is_given, False]
