"""The script in the real webui's page, by clicking, in a real browser."""

import time
from pathlib import Path

import pytest
from PIL import Image
from webui_api import ask_for_picture, difference, open_ui, paste, ready, wait

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files.ledger.reader import open_run

GRADIOS = ("Cannot read properties of undefined (reading 'props')",)  # its own, at any Generate
PANEL = "#script_txt2img_ohwx_compare_"


@pytest.fixture
def page(webui, browser):
    page = open_ui(browser, webui)
    yield page
    assert not [error for error in page.errors if error not in GRADIOS], page.errors


def choose(page, element, text):
    """Pick an entry of one of gradio's dropdowns."""
    box = page.locator(f"{element} input").first
    box.blur()  # the list opens as the box gets the focus
    box.click()
    box.fill(text)
    page.locator("ul.options li", has_text=text).first.wait_for()
    box.press("Enter")
    page.wait_for_timeout(500)


CUT = """(id) => [...document.querySelectorAll(`[id^=${id}] :is(input, textarea)[placeholder]`)].filter((node) => {
    const kept = node.value;
    node.value = node.placeholder;
    const isCut = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight + 4;
    node.value = kept;
    return node.offsetParent && isCut;
}).map((node) => node.placeholder)"""


def chosen(page):
    return page.locator(f"{PANEL}files .token").all_inner_texts()


def test_a_page_reload_leaves_the_run_alone(page, webui):
    name = f"reloaded {time.time_ns()}"
    ask_for_picture(page, steps=8, width=128, height=128, batch_count=4)
    choose(page, "#script_list", "ohwx compare")
    choose(page, f"{PANEL}files", "tiny_reg")
    page.keyboard.press("Escape")
    choose(page, f"{PANEL}detector", "drawn_yolov8.pt")
    page.fill(f"{PANEL}name textarea", name)
    page.click("#txt2img_generate")
    wait(lambda: webui.done(name))
    page.reload()
    page.wait_for_selector("#txt2img_prompt textarea")
    wait(lambda: not webui.progress()["state"]["job"])
    run = open_run(webui.folder.parents[1] / "outputs" / "ohwx" / "compare" / name)
    assert {cell.result.outcome for cell in run.cells} <= {Outcome.FACES, Outcome.NO_FACE}
    assert len(run.cells) == 4


def test_every_hint_of_the_panel_can_be_read_whole(page):
    page.set_viewport_size({"width": 1366, "height": 900})
    choose(page, "#script_list", "ohwx compare")
    for kinds in (("CFG scale", "Seed", "Sampler"), ("Face denoise", "Prompt", "LoRA")):
        for number, kind in enumerate(kinds, 1):
            choose(page, f"{PANEL}axis_{number}", kind)
        assert page.evaluate(CUT, PANEL.removeprefix("#")) == []


def test_chosen_and_drawn_by_clicking_then_pasted(page, tmp_path):
    ask_for_picture(page, steps=4, width=128, height=128)
    choose(page, "#script_list", "ohwx compare")
    for name in ("tiny_base", "tiny_reg"):
        choose(page, f"{PANEL}files", name)
    page.keyboard.press("Escape")
    choose(page, f"{PANEL}axis_1", "Face denoise")
    page.fill(f"{PANEL}values_1 textarea", "0.4, 0.5")
    page.press(f"{PANEL}values_1 textarea", "Tab")
    page.wait_for_selector(f"{PANEL}estimate_text >> text=There is no face detector face_yolov8n.pt")
    choose(page, f"{PANEL}detector", "drawn_yolov8.pt")
    page.wait_for_selector(f"{PANEL}estimate_text >> text=4 cells: 2 pictures, 4 faces, 2 checkpoint loads")
    page.fill(f"{PANEL}steps input[type=number]", "8")
    page.press(f"{PANEL}steps input[type=number]", "Tab")
    page.fill(f"{PANEL}name textarea", f"clicked {tmp_path.name}")
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_gallery .thumbnail-item >> nth=6", state="attached")
    assert page.locator("#txt2img_gallery .grid-container .thumbnail-item").count() in (0, 7)
    text = page.locator("#html_info_txt2img").first.inner_text()
    assert "Model: tiny_base" in text
    assert "ADetailer model: drawn_yolov8.pt" in text
    page.locator(f"{PANEL}faces").scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "panel.png")

    page.reload()
    ready(page)
    assert chosen(page) == []
    paste(page, text)
    page.wait_for_selector(f"{PANEL}files .token >> nth=1")
    assert [Path(name.split()[0]).stem for name in chosen(page)] == ["tiny_base", "tiny_reg"]
    assert page.input_value(f"{PANEL}steps input[type=number]") == "8"
    assert page.input_value("#script_list input") == "ohwx compare"
    assert page.input_value(f"{PANEL}axis_1 input") == "Face denoise"
    assert page.input_value(f"{PANEL}values_1 textarea") == "0.4, 0.5"
    assert page.input_value(f"{PANEL}name textarea") == f"clicked {tmp_path.name}"
    page.click(f"{PANEL}files .remove-all")
    page.fill(f"{PANEL}filter textarea", "TINY reg")
    page.wait_for_timeout(1000)
    page.click(f"{PANEL}add_shown")
    page.wait_for_selector(f"{PANEL}files .token")
    assert {Path(name.split()[0]).stem for name in chosen(page)} >= {"tiny_reg", "tiny_noreg"}
    assert "tiny_base" not in str(chosen(page))


def test_an_xyz_plot_pasted_is_drawn_as_xyz_and_adetailer_draw_it(page, webui, case, theirs, tmp_path):
    text = case["infotexts"][0]
    payload = webui.body(case["payload"])
    name = f"pasted {tmp_path.name}"
    if payload["sampler_name"] != case["payload"]["sampler_name"]:  # before 1.9
        text = text.replace("DPM++ 2M SDE, Schedule type: Karras", payload["sampler_name"])
    paste(page, text)
    page.wait_for_function("document.querySelector('#script_list input').value === 'ohwx compare'")
    page.wait_for_selector(f"{PANEL}files .token >> nth=2")
    page.fill(f"{PANEL}name textarea", name)
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_gallery .thumbnail-item >> nth=6", state="attached")
    folder = webui.folder.parents[1] / "outputs" / "ohwx" / "compare" / name
    expected = theirs(webui)
    cells = open_run(folder).cells
    assert len(cells) == 6
    for cell in cells:
        drawn = Image.open(folder / cell.result.after).convert("RGB")
        most, mean = difference(drawn, expected[cell.cell.checkpoint.name, cell.cell.job.seed][0])
        assert most <= 4, (cell.cell.label, most)
        assert mean <= 0.02, (cell.cell.label, mean)
