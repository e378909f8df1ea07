"""The toy checkpoint in a real webui: put there on request, it draws what our own engine draws."""

import json
import shutil
import time

import pytest
from PIL import Image
from starting import SETTINGS, put_extension, started
from test_tab_in_webui import Tab
from webui_api import difference, open_ui

from ohwx_compare.cli.main import main
from ohwx_compare.compare.face_pass import detail
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.demo.sizes import Sizes
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.toy.checkpoint import TOY
from ohwx_compare.toy.face_detector import DETECTOR
from ohwx_compare.toy.for_webui import FOLDER, put_into_webui

CUT = Sizes(
    apart=1, saves=2, reg_images=15, styles=("photo", "pixel art"), seeds=(1, 2), class_seeds=(1, 2), face_seeds=(1, 2),
    face_saves=1, ema=None, truths=6,
)  # fmt: skip


@pytest.fixture
def models(webui):
    """The webui's folder of models; without the toy again at the end."""
    if webui.is_fork:
        pytest.skip("this webui builds models of the sizes that it knows, and the toy's are none of them")
    models = webui.folder.parent
    yield models
    for folder in (models / FOLDER, webui.folder / FOLDER):
        shutil.rmtree(folder, ignore_errors=True)
    (models / "adetailer" / DETECTOR).unlink(missing_ok=True)
    webui.post("/sdapi/v1/refresh-checkpoints")


def test_the_demos_comparisons_are_those_of_our_engine(webui, browser, models, tmp_path, monkeypatch):
    tab, demo = Tab(webui.url), tmp_path / "demo é"
    page = open_ui(browser, webui)
    page.click("#tabs > .tab-nav > button:has-text('ohwx compare')")
    page.click("#ohwx-toy")
    page.wait_for_selector("#ohwx-toy-said:text('the detector toy_face_yolov8.pt can be selected now')")
    page.close()
    assert "ohwx-toy/toy.safetensors" in json.loads(tab.get("ohwx/api/state"))["checkpoints"]
    monkeypatch.setattr("ohwx_compare.demo.sizes.WHOLE", CUT)
    assert main(["demo", "--out", str(demo), "--json", "--webui", str(models.parent)]) == 0
    (models / "Stable-diffusion" / FOLDER / "reg.yaml").unlink()  # as one that was trained in the tab
    host, found, recut = NativeHost([demo], device="cpu"), [find_detector(DETECTOR, [demo / "detectors"])], []
    for name in CUT.experiments(DETECTOR):
        ours = open_run(demo / name)
        draft = tab.post("draft", {"texts": [read_infotext(demo / name / "sheet.png")]})
        assert draft["missing"] == []
        settings = {**draft["request"], "name": f"test {time.time_ns()}"}
        answer = webui.draw({"script_name": "ohwx compare", "script_args": [json.dumps(settings)]})
        assert answer.more["failed"] == []
        theirs = open_run(models.parent / "outputs" / "ohwx" / "compare" / settings["name"])
        for cell, other in zip(ours.cells, theirs.cells, strict=True):
            assert other.result.outcome is cell.result.outcome
            (before, after), (theirs_before, theirs_after) = pictures(ours, cell), pictures(theirs, other)
            what = f"{name}: {cell.result.image}"
            assert difference(before, theirs_before)[0] <= 1, what
            assert (after is None) == (theirs_after is None), what
            if after and cut(cell.result) != cut(other.result):
                recut.append(what)
                after = redrawn(host, found, cell.cell, theirs_before)
            if after:
                assert_same(after, theirs_after, what)
    assert len(recut) <= 3, recut


def pictures(run, cell):
    """Before the face pass and after it, None where there is none."""
    paths = cell.result.before, cell.result.after
    return [Image.open(run.folder / path) if path else None for path in paths]


def cut(result):
    """The faces in whole pixels, as masks are drawn: where an edge lies on one, 1/255 moves it by a row."""
    return [tuple(map(int, face.box)) for face in result.faces]


def redrawn(host, found, cell, before):
    """Our face pass over the other's picture."""
    host.use(next(one for one in host.checkpoints() if one.name == str(cell.checkpoint)))
    (after,) = detail(host, found, list(cell.faces), [cell.job], [before])
    return after.image


def test_started_with_the_toy_adetailer_finds_the_same_face(webui, data):
    if webui.is_fork:
        pytest.skip("this webui builds models of the sizes that it knows, and the toy's are none of them")
    put_extension(data)
    folder = put_into_webui(data.folder / "models")
    settings = {**SETTINGS, "sd_model_checkpoint": f"{FOLDER}/{TOY}"}
    (data.folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    job, face = CUT.comparison(DETECTOR).job, FaceSettings(model=DETECTOR, denoise=0.7, padding=16)
    host = NativeHost([folder], device="cpu")
    host.use(host.checkpoints()[0])
    (before,) = host.render([job])
    theirs = {"ad_model": DETECTOR, "ad_denoising_strength": 0.7, "ad_inpaint_only_masked_padding": 16}
    asked = {
        "prompt": job.prompt, "seed": job.seed, "steps": job.steps, "cfg_scale": job.cfg, "width": job.width,
        "height": job.height, "sampler_name": job.sampler, "scheduler": job.schedule,
    }  # fmt: skip
    with started(data, "--nowebui") as (api, _):
        (plain,) = api.draw(api.body(asked)).images
        (answer,) = api.draw(
            api.body({**asked, "alwayson_scripts": {"ADetailer": {"args": [True, False, theirs]}}})
        ).images
    assert difference(before.image, plain)[0] <= 1
    (after,) = detail(host, [find_detector(DETECTOR, [data.folder / "models" / "adetailer"])], [face], [job], [plain])
    assert after.outcome is Outcome.FACES
    assert difference(plain, after.image)[0] > 20
    assert_same(after.image, answer, "ADetailer")
    assert not data.complaints, data.complaints


def assert_same(one, other, what):
    """Where a face pass may have run, of 255."""
    most, mean = difference(one, other)
    assert most <= 4, (what, most)
    assert mean <= 0.02, (what, mean)
