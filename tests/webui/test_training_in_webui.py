"""The tab "ohwx train" in a real webui: trained from the page, and what was trained draws the same here and there."""

import json
import shutil
import time
from urllib.parse import quote

import pytest
from PIL import Image
from test_tab_in_webui import Tab
from webui_api import PATIENCE, difference, open_ui

from ohwx_compare.cli.main import main
from ohwx_compare.core.infotext.sampler_names import one_name
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.toy.datasets import write_class, write_subject


@pytest.fixture
def pictures(tmp_path):
    write_subject(tmp_path / "bilder ü" / "img", count=6, size=128)
    write_class(tmp_path / "bilder ü" / "reg", "man", count=4, size=128)
    return tmp_path / "bilder ü"


def test_trained_on_the_page_and_compared(webui, browser, pictures, tmp_path):
    name, tab = f"test {time.time_ns()}", Tab(webui.url)
    page = open_ui(browser, webui)
    page.click("#tabs > .tab-nav > button:has-text('ohwx train')")
    page.wait_for_selector("#ohwx-base")
    page.select_option("#ohwx-preset", "corrected")
    page.select_option("#ohwx-base", "tiny_base.safetensors")
    for field, value in {
        "train": str(pictures / "img"), "reg": str(pictures / "reg"), "name": name, "epochs": "2",
        "save_every_epochs": "1", "width": "128", "height": "128", "lr_unet": "0.0001",
        "sample_prompts": "photo of ohwx man",
    }.items():  # fmt: skip
        page.fill(f"#ohwx-recipe-{field}", value)
    page.evaluate("document.querySelectorAll('.ohwx-group').forEach((group) => { group.open = true; })")
    page.fill("#ohwx-recipe-bucket_min", "64")
    page.select_option("#ohwx-recipe-precision", "fp32")
    page.fill("#ohwx-recipe-sample_steps", "4")
    page.wait_for_selector("#ohwx-train-start:enabled")
    assert page.inner_text("#ohwx-plan").startswith(
        "24 steps · 6 training pictures and 4 regularization images · 2 checkpoints"
    )
    page.click("#ohwx-train-start")
    page.wait_for_selector("#ohwx-training-standing:has-text('training')")
    page.reload()  # the run is found again
    page.click("#tabs > .tab-nav > button:has-text('ohwx train')")
    page.wait_for_selector("#ohwx-training-standing:has-text('done · step 24 of 24')", timeout=PATIENCE * 1000)
    page.wait_for_selector(".ohwx-samples img >> nth=2")
    assert page.locator(".ohwx-plot polyline").count() >= 5
    page.click("#ohwx-training-compare")
    page.wait_for_selector(".ohwx-chip >> nth=1")
    chosen = page.eval_on_selector_all(".ohwx-chip > span", "nodes => nodes.map(node => node.textContent)")
    assert chosen == [f"{name}/{name}-000001.safetensors", f"{name}/{name}.safetensors"]
    assert page.errors == []

    outputs = webui.folder.parents[1] / "outputs" / "ohwx"
    for saved in (outputs / "train" / name).glob("*.safetensors"):  # a webui knows the tiny layout by this file only
        shutil.copyfile(webui.folder / "tiny_base.yaml", saved.with_suffix(".yaml"))
    request = tab.post(f"train/runs/{quote(name)}/compare")["request"]
    job = {**request["job"], "seed": 10, "steps": 6}
    run = tab.post("runs", {"request": {**request, "job": job, "faces": [], "name": f"of {name}"}})["id"]
    told = tab.until(run, "done", "failed")
    assert (told["done"], told["failed"], told["error"]) == (3, 0, None)  # the base as control among them
    cells = [cell for cell in open_run(outputs / "compare" / run).cells if name in cell.cell.checkpoint.name]
    drawn = [outputs / "compare" / run / cell.result.image for cell in cells]
    assert len(drawn) == 2
    if webui.is_fork:  # which draws other pictures than AUTOMATIC1111 and our engine: its own are the reference
        again = [own(webui, outputs / "train" / cell.cell.checkpoint.name, cell.cell.job) for cell in cells]
    else:
        flags = ["--checkpoints", str(outputs / "train" / name), "--out", str(tmp_path / "again"), "--device", "cpu"]
        assert main(["replay", *map(str, drawn), *flags]) == 0
        again = [Image.open(tmp_path / "again" / path.name) for path in drawn]
    for path, picture in zip(drawn, again, strict=True):
        most, mean = difference(Image.open(path).convert("RGB"), picture.convert("RGB"))
        assert most <= 2
        assert mean <= 0.002


def own(webui, checkpoint, job):
    """What the webui's own API draws with this file, which it gets among its own for so long."""
    names = (f"own {checkpoint.stem}{suffix}" for suffix in (".safetensors", ".yaml"))
    placed = [webui.folder / name for name in names]  # a name of its own: forge-classic goes by it
    try:
        for path in placed:
            shutil.copyfile(checkpoint.with_suffix(path.suffix), path)
        webui.post("/sdapi/v1/refresh-checkpoints")
        before_1_9 = one_name(job.sampler, job.schedule)
        is_one = before_1_9 in [sampler["name"] for sampler in webui.get("/sdapi/v1/samplers")]
        asked = {
            "prompt": job.prompt, "negative_prompt": job.negative, "seed": job.seed, "steps": job.steps,
            "cfg_scale": job.cfg, "width": job.width, "height": job.height, "scheduler": job.schedule,
            "sampler_name": before_1_9 if is_one else job.sampler,
            "override_settings": {"sd_model_checkpoint": placed[0].name},
        }  # fmt: skip
        return webui.draw(asked).images[0]
    finally:
        for path in placed:
            path.unlink(missing_ok=True)
        webui.post("/sdapi/v1/refresh-checkpoints")


def test_stopped_and_gone_on_with(webui, pictures):
    tab, name = Tab(webui.url), f"test {time.time_ns()}"
    recipe = {
        "base": "tiny_base.safetensors", "train": str(pictures / "img"), "name": name, "resolution": 128, "epochs": 5,
        "bucket_min": 64, "precision": "fp32", "save_every_epochs": None, "save_every_steps": 30, "validation": 0,
    }  # fmt: skip

    def until(*states):
        for _ in range(PATIENCE * 5):
            told = json.loads(tab.get(f"ohwx/api/train/runs/{quote(name)}?after=0"))["run"]
            if told["state"] in states:
                return told
            time.sleep(0.2)
        raise AssertionError(told)

    tab.post("train/runs", {"recipe": recipe})
    until("running")
    tab.post(f"train/runs/{quote(name)}/stop")
    assert until("stopped", "done", "failed")["state"] == "stopped"
    tab.post(f"train/runs/{quote(name)}/start")
    assert until("done", "failed")["step"] == 30
