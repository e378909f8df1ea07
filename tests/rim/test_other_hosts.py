"""In webuis that load or draw in no way that is proved here: one sentence, and the rest stays whole."""

import json
import sys
import time
from types import ModuleType

import pytest
from conftest import opened, stocked
from fake_webui import Txt2Img
from tab_page import asked

from ohwx_compare.errors import CheckpointError, HostError

LACKED = {  # by SD.Next
    "errors": ["report"],
    "processing": ["program_version"],
    "sd_models": ["SkipWritingToConfig", "send_model_to_trash"],
    "shared": ["total_tqdm"],
}


@pytest.fixture
def sdnext(fakes):
    webui = stocked(fakes())
    for module, names in LACKED.items():
        for name in names:
            delattr(sys.modules[f"modules.{module}"], name)
    return webui


def test_sdnext_is_told_once_in_script_and_tab_and_nothing_hangs(sdnext):
    script = sdnext.load_script()
    script.ui(False)
    assert "draws through diffusers" in script._panel.estimate.value
    with pytest.raises(HostError, match="draws through diffusers"):
        script.run(Txt2Img(seed=7), "")
    with opened(sdnext) as page:
        state = page.get("/ohwx/api/state").json()
        assert "draws through diffusers" in state["freeze"]
        assert state["runs"] == []
        for path, body in (("runs", asked()), ("faces", {"paths": ["x"], "faces": []}), ("toy", {})):
            answer = page.post(f"/ohwx/api/{path}", body)
            assert answer.status_code == 400
            assert "draws through diffusers" in answer.json()["error"]
        assert page.get("/ohwx/api/state").json()["queue"] == []


def test_the_queue_outlives_a_job_that_fails_in_sdnext(sdnext, capsys):
    sdnext.load_script()
    from ohwx_compare.hosts.webui.generation.loading import unload
    from ohwx_compare.hosts.webui.tab.queue import Queue

    queue, failed = Queue(), []
    queue.add("broken", lambda: 1 / 0, failed.append)
    queue.add("worse", lambda: 1 / 0, lambda error: 1 / 0)
    queue.add("last", lambda: failed.append("last"), failed.append)
    for _ in range(500):
        if failed[-1:] == ["last"] and not queue.in_hand:
            break
        time.sleep(0.01)
    assert [type(one).__name__ for one in failed] == ["ZeroDivisionError", "str"]
    said = capsys.readouterr().err
    assert said.count("ZeroDivisionError") == 2  # of the job and of what was to note it
    assert "total_tqdm" not in said
    sdnext.model_data.sd_model = sdnext.model
    unload()
    assert sdnext.model_data.sd_model is sdnext.model


def test_where_the_toy_cannot_be_loaded_it_is_not_put(fakes):
    webui = stocked(fakes(kind="forge"))
    with opened(webui) as page:
        assert "sizes that it knows by heart" in page.post("/ohwx/api/toy").json()["error"]
    assert not (webui.folder / "ohwx-toy").exists()


def test_the_script_loads_without_open_clip_although_the_toy_is_there(webui, monkeypatch):
    from ohwx_compare.toy.for_webui import write_encoders

    write_encoders(webui.data / "models")
    monkeypatch.setitem(sys.modules, "open_clip", None)
    assert webui.load_script().title() == "ohwx compare"


def test_a_webui_may_have_a_list_of_checkpoint_folders(webui):
    from ohwx_compare.hosts.webui import features

    sys.modules["modules.shared"].cmd_opts.ckpt_dirs = ["/a", "/b"]
    assert [str(folder) for folder in features.model_folders()] == ["/a", "/b", str(webui.folder)]


def test_a_refusal_is_read_on_a_page_that_loses_what_a_script_raises(webui, monkeypatch):
    """As forge-classic's and reForge's, whose thread keeps no exception; Forge's does, and the API has no thread."""
    thread = ModuleType("modules_forge.main_thread")
    monkeypatch.setitem(sys.modules, thread.__name__, thread)
    script, asked = webui.load_script(), json.dumps({"checkpoints": ["nobody.safetensors"]})
    answer = script.run(Txt2Img(seed=7), asked)
    assert answer.images == []
    assert "nobody.safetensors" in answer.comments
    over_api = Txt2Img(seed=7)
    over_api.is_api = True
    with pytest.raises(CheckpointError, match="nobody"):
        script.run(over_api, asked)
    thread.last_exception = None
    with pytest.raises(CheckpointError, match="nobody"):
        script.run(Txt2Img(seed=7), asked)
