"""What is asked for by clicking in a real webui's page and is not there: one sentence, before anything is generated."""

import re
import time

import pytest
from PIL import Image
from test_in_browser import GRADIOS, PANEL, choose
from test_tab_in_browser import NOT_OURS, TEXT, look, stands, start
from webui_api import ask_for_picture, open_ui, paste, wait

LOG, FOLD = "#html_log_txt2img", "#txt2img_enable"  # where the webui says what went wrong; its Refiner
SCRIPT = "#txt2img_script_container #script_list input"


@pytest.fixture
def page(webui, browser):
    page = open_ui(browser, webui)
    yield page
    assert not [error for error in page.errors if error not in (*GRADIOS, *NOT_OURS)], page.errors


@pytest.fixture
def outputs(webui):
    return webui.folder.parents[1] / "outputs" / "ohwx"


@pytest.fixture
def asked(page):
    """The script chosen, with one checkpoint and a small picture; gives the name of the run folder."""
    name = f"asked {time.time_ns()}"
    ask_for_picture(page, steps=2, width=64, height=64)
    choose(page, "#script_list", "ohwx compare")
    choose(page, f"{PANEL}files", "tiny_reg")
    page.keyboard.press("Escape")
    page.fill(f"{PANEL}name textarea", name)
    return name


def with_axis(page, kind, values):
    choose(page, f"{PANEL}axis_1", kind)
    page.fill(f"{PANEL}values_1 textarea", values)
    page.press(f"{PANEL}values_1 textarea", "Tab")


def take(page, detector):
    """The one click on a detector that is there."""
    page.locator(f"{PANEL}detectors label", has_text=detector).click()
    page.wait_for_selector(f"{PANEL}detectors", state="hidden")


def refused(page, webui, outputs, name, sentence):
    """Generate says it, and no picture and no folder is made."""
    before = webui.progress()["state"]["job_timestamp"]
    page.click("#txt2img_generate")
    page.wait_for_selector(f"{LOG} >> text={sentence}")
    wait(lambda: not webui.progress()["state"]["job"])
    assert before != webui.progress()["state"]["job_timestamp"]
    assert not (outputs / "compare" / name).exists()


def generated(page, outputs, name):
    page.click("#txt2img_generate")
    page.wait_for_selector(f"{LOG} .ohwx-whole-run")
    assert (outputs / "compare" / name / "index.html").is_file()


def test_a_missing_detector_takes_one_click_and_the_whole_run_is_a_link(page, webui, outputs, asked):
    offered = page.locator(f"{PANEL}detectors label").all_inner_texts()
    own = [name for name in offered if not name.startswith(("mediapipe", "toy"))]  # where the package or a toy is there
    assert own == ["drawn_yolov8.pt", "opencv-frontalface"]
    assert page.input_value(f"{PANEL}detector input") == ""
    refused(page, webui, outputs, asked, "There is no face detector face_yolov8n.pt")
    take(page, "drawn_yolov8.pt")
    assert page.input_value(f"{PANEL}detector input") == "drawn_yolov8.pt"
    page.wait_for_selector(f"{PANEL}estimate_text >> text=1 cell: 1 picture, 1 face, 1 checkpoint load")
    generated(page, outputs, asked)
    with page.context.expect_page() as opened:
        page.click(f"{LOG} .ohwx-whole-run")
    opened.value.wait_for_selector(".cell")
    assert "1 cell" in opened.value.locator("#summary").inner_text()
    assert str(outputs) not in page.locator(LOG).first.inner_text()


WRONG = {
    "schedule": ("Schedule", "Karras, Karas", "This webui has no schedule 'Karas'; did you mean 'Karras'"),
    "sampler": ("Sampler", "Euler a, Eulr b", "This webui has no sampler 'Eulr b'; did you mean 'Euler"),
    "face sampler": ("Face sampler", "Eulr b", "This webui has no sampler 'Eulr b'; did you mean 'Euler"),
    "face schedule": ("Face schedule", "Karas", "This webui has no schedule 'Karas'; did you mean 'Karras'"),
    "face merge": ("Face mask merging", "Mergee", "Mergee"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_misspelt_name_is_said_beside_the_cost_and_refused(page, webui, outputs, asked, what):
    kind, values, sentence = WRONG[what]
    take(page, "drawn_yolov8.pt")
    with_axis(page, kind, values)
    page.wait_for_selector(f"{PANEL}estimate_text >> text={sentence}")
    refused(page, webui, outputs, asked, sentence)


def test_a_missing_lora_is_refused(page, webui, outputs, asked):
    take(page, "drawn_yolov8.pt")
    page.fill("#txt2img_prompt textarea", "photo of ohwx man <lora:nosuch:1>")
    refused(page, webui, outputs, asked, "This webui has no LoRA 'nosuch'")


def test_a_refiner_is_refused(page, webui, outputs, asked):
    if page.locator(FOLD).count() == 0:
        pytest.skip("this webui's page shows no refiner (in forge-classic a setting)")
    take(page, "drawn_yolov8.pt")
    page.click(f"{FOLD} .label-wrap")
    choose(page, "#txt2img_checkpoint", "tiny_base")
    refused(page, webui, outputs, asked, "The refiner tiny_base")
    page.click(f"{FOLD} .label-wrap")
    generated(page, outputs, asked)


def test_a_vae_that_went_is_refused(page, webui, outputs, asked):
    if webui.takes_modules:
        pytest.skip("this webui heeds no setting that names a VAE")
    take(page, "drawn_yolov8.pt")
    before = webui.get("/sdapi/v1/options")["sd_vae"]
    webui.post("/sdapi/v1/options", {"sd_vae": "gone.safetensors"})
    try:
        refused(page, webui, outputs, asked, "This webui has no VAE 'gone.safetensors'")
    finally:
        webui.post("/sdapi/v1/options", {"sd_vae": before})


def test_a_cell_that_is_sent_chooses_no_script_and_an_xyz_text_that_is_pasted_chooses_ours(page):
    look(page)
    start(page)
    stands(page, "done")
    frame = page.frame_locator("#ohwx-page")
    frame.locator(".tile.idle").first.wait_for(state="detached")
    for target in ("txt2img", "img2img", "inpaint"):
        look(page)
        frame.locator(".cell").first.click()
        frame.get_by_role("button", name=target, exact=True).click()
        tab = "txt2img" if target == "txt2img" else "img2img"
        page.wait_for_selector(f"#{tab}_prompt textarea:visible")
        page.wait_for_function(f"document.querySelector('#{tab}_prompt textarea').value === 'photo of ohwx man'")
        assert page.input_value(f"#{tab}_script_container #script_list input") == "None"
    page.click("#tabs button:text-matches('^ *txt2img *$', 'i')")
    paste(page, TEXT.replace("STEPS", "8"))
    page.wait_for_selector(f"{PANEL}files .token >> nth=2")
    page.wait_for_selector(f"{PANEL}estimate_text >> text=not found: nobody.safetensors")
    assert page.input_value(SCRIPT) == "ohwx compare"
    assert page.input_value(f"{PANEL}axis_1 input") == "Seed"
    assert page.input_value(f"{PANEL}detector input") == "drawn_yolov8.pt"
    assert page.input_value(f"{PANEL}steps input[type=number]") == "8"


def test_an_xyz_plot_with_another_axis_stays_with_the_webuis_script(page):
    shown = page.evaluate("JSON.stringify(gradio_config.components.map(component => component.props.choices || 0))")
    script = next(title for title in ("X/Y/Z plot", "X/Y/Z Plot") if title in shown)  # forge-classic has the second
    other = "Y Type: Face restore, Y Values: GFPGAN"
    text = TEXT.replace("STEPS", "8").replace('Y Type: Seed, Y Values: "10, 11"', other)
    paste(page, text.replace("X/Y/Z plot", script))
    page.wait_for_function(f"document.querySelector('{SCRIPT}').value === '{script}'")
    assert page.locator(f"{PANEL}files .token").count() == 0


def test_a_photograph_needs_no_infotext_and_a_second_job_is_shown(page, goldens, tmp_path):
    for name in ("first", "second"):
        with Image.open(goldens / "face_top1_050.png") as picture:
            picture.convert("RGB").save(tmp_path / f"{name}.png")
    look(page)
    page.click("#ohwx-tab-faces")
    page.wait_for_selector("#ohwx-face-tab-model")
    page.fill("#ohwx-face-paths", str(tmp_path / "first.png"))
    page.locator("#ohwx-face-tab-missing button", has_text="drawn_yolov8.pt").click()
    page.fill("#ohwx-face-tab-steps", "4")
    page.click("#ohwx-face-start")
    page.wait_for_selector(".ohwx-results li >> text=/checkpoint|prompt/")
    page.select_option("#ohwx-face-checkpoint", "tiny_reg.safetensors")
    page.fill("#ohwx-face-tab-prompt", "photo of ohwx man")
    for name in ("first", "second"):  # neither needs a reload of the page
        page.fill("#ohwx-face-paths", str(tmp_path / f"{name}.png"))
        page.click("#ohwx-face-start")
        page.wait_for_selector(f".ohwx-results li:has-text('{name}.png') >> text=faces inpainted")
        assert page.locator(".ohwx-results li").count() == 1
        page.wait_for_selector("#ohwx-face-standing >> text=done")


def test_a_comparison_that_is_refused_at_its_start_leaves_no_run(page, outputs):
    look(page)
    page.click("#ohwx-new")
    rows = page.locator("#ohwx-compare .ohwx-run").count()
    folders = sorted(outputs.glob("compare/*"))
    text = TEXT.replace("STEPS", "8").replace(",nobody.safetensors", "").replace("ohwx man", "ohwx man <lora:nosuch:1>")
    page.fill("#ohwx-infotexts", text)
    page.click("#ohwx-read")
    page.wait_for_selector("#ohwx-cost >> text=This webui has no LoRA 'nosuch'")
    page.click("#ohwx-start")
    page.wait_for_selector("#ohwx-why >> text=This webui has no LoRA 'nosuch'")
    page.click("#ohwx-why-close")
    page.wait_for_timeout(1500)  # two polls
    assert page.locator("#ohwx-compare .ohwx-run").count() == rows
    assert sorted(outputs.glob("compare/*")) == folders
    prompt = page.locator("#ohwx-compare textarea").filter(has_text=re.compile("lora"))
    assert prompt.count() <= 1  # the fault is in sight beside the cost, the draft stays
