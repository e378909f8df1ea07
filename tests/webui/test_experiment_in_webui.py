"""A whole experiment from the tab "ohwx train" of a real webui: stopped while it compares, resumed, and looked at."""

import json
import time
from urllib.parse import quote

from test_tab_in_webui import Tab
from webui_api import PATIENCE, open_ui

from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.toy.datasets import write_class, write_subject

JOB = {"prompt": "photo of ohwx man", "seed": 10, "steps": 4, "width": 128, "height": 128}


def asked(pictures):
    """Two trainings that differ in regularization images, and all their saves with the face pass."""
    recipe = {
        "base": "tiny_base.safetensors", "train": str(pictures / "img"), "resolution": 128, "bucket_min": 64,
        "epochs": 2, "save_every_epochs": 1, "precision": "fp32", "validation": 0,
    }  # fmt: skip
    return {
        "recipe": recipe,
        "arms": {"no-reg": {}, "reg": {"reg": str(pictures / "reg")}},
        "comparisons": {
            "both": {
                "job": JOB,
                "axes": [{"kind": "seed", "values": [10, 11]}],
                "faces": [{"model": "drawn_yolov8.pt", "top_k": 1, "steps": 4, "denoise": 0.5}],
            }
        },
    }


def state(tab, name):
    return json.loads(tab.get(f"ohwx/api/experiments/{quote(name)}"))


def until(tab, name, *states, of=lambda told: True):
    for _ in range(PATIENCE * 5):
        told = state(tab, name)
        if told["state"] in states and of(told):
            return told
        time.sleep(0.2)
    raise AssertionError(told)


def test_stopped_resumed_and_looked_at(webui, browser, tmp_path):
    write_subject(tmp_path / "bilder ü" / "img", count=4, size=128)
    write_class(tmp_path / "bilder ü" / "reg", "man", count=4, size=128)
    experiment, tab, name = asked(tmp_path / "bilder ü"), Tab(webui.url), f"test {time.time_ns()}"
    plan = tab.post("experiments/plan", {"text": json.dumps(experiment), "name": name})
    assert (plan["name"], plan["problems"]) == (name, [])
    assert tab.post("experiments", {"text": json.dumps(experiment), "name": name})["id"] == name
    folder = webui.folder.parents[1] / "outputs" / "ohwx" / "experiments" / name
    until(tab, name, "running", of=lambda told: list((folder / "both").glob("images/*.png")))
    tab.post(f"experiments/{quote(name)}/stop")
    assert until(tab, name, "stopped", "done", "failed")["state"] == "stopped"
    drawn = {path: path.stat().st_mtime_ns for path in (folder / "both" / "images").iterdir()}
    plain = {**JOB, "sampler_name": "Euler", "scheduler": "Automatic"}
    answer = webui.draw(webui.body(plain))
    assert len(answer.images) == 1  # the webui draws meanwhile
    tab.post(f"experiments/{quote(name)}/start")
    told = until(tab, name, "done", "failed", "stopped", "killed")
    assert (told["state"], told["error"], told["part"]) == ("done", None, told["parts"])
    cells = open_run(folder / "both").cells
    assert len(cells) == 10  # four saves and the base, of two seeds
    assert all(cell.result.key for cell in cells)
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn

    page = open_ui(browser, webui)
    page.click("#tabs > .tab-nav > button:has-text('ohwx train')")
    page.click("summary:has-text('A whole experiment')")
    row = page.locator(f"section[aria-label='{name}']")
    link = row.locator("a:has-text('both')")
    link.wait_for()
    assert "done" in row.inner_text()
    with page.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_selector(".tile img[src]")
    assert opened.value.locator(".tile").count() >= 10
    assert page.errors == []
