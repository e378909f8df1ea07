"""The tab in the real webui's page: draft from a pasted infotext, start, progress, page, send to txt2img, resume."""

import re
import shutil
import time

import pytest
from PIL import Image
from webui_api import PATIENCE

NOT_OURS = (  # the webui's own, when its buttons switch tabs and at any "send to inpaint"
    "Cannot read properties of undefined (reading 'props')",
    "recalculate_prompts_inpaint is not defined",
)
TEXT = (
    "photo of ohwx man\nNegative prompt: blurry\n"
    "Steps: 4, Sampler: DPM++ 2M SDE Karras, CFG scale: 6, Seed: 10, Size: 128x128, Model: tiny_base, RNG: CPU, "
    "ADetailer model: drawn_yolov8.pt, ADetailer confidence: 0.3, ADetailer mask only top k largest: 1, "
    "ADetailer dilate erode: 4, ADetailer mask blur: 4, ADetailer denoising strength: 0.5, "
    "ADetailer inpaint only masked: True, ADetailer inpaint padding: 32, ADetailer use separate steps: True, "
    "ADetailer steps: STEPS, ADetailer version: 23.11.1, Script: X/Y/Z plot, X Type: Checkpoint name, "
    'X Values: "tiny_base.safetensors,tiny_reg.safetensors,nobody.safetensors", Y Type: Seed, Y Values: "10, 11", '
    "Version: v1.10.1"
)


@pytest.fixture
def page(webui):
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs `pip install playwright`")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("the browser test needs Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE * 1000)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(webui.url)
        look(page)
        yield page
        browser.close()
    assert not [error for error in errors if error not in NOT_OURS], errors


def look(page):
    """Go to the tab as a person does."""
    page.wait_for_function("typeof gradioApp === 'function' && uiCurrentTab !== null")
    page.get_by_role("tab", name="ohwx compare").or_(
        page.locator("#tabs > .tab-nav button", has_text="ohwx compare")
    ).first.click()
    page.wait_for_selector("#ohwx-new")
    page.wait_for_function(
        "document.querySelector('.ohwx-runs').children.length || !document.querySelector('.ohwx-empty').hidden"
    )


def start(page, steps=8):
    """Draft the infotext, leave out the checkpoint that is nowhere, start; returns the run's name."""
    name = f"tab {time.time_ns()}"
    page.click("#ohwx-new")
    if page.locator("#ohwx-discard").is_visible():
        page.click("#ohwx-discard")
    page.fill("#ohwx-infotexts", TEXT.replace("STEPS", str(steps)))
    page.click("#ohwx-read")
    page.get_by_role("button", name="Remove nobody.safetensors").click()
    page.fill("#ohwx-name", name)
    page.wait_for_function("document.querySelector('#ohwx-cost').textContent.startsWith('4 cells')")
    page.click("#ohwx-start")
    page.wait_for_selector("#ohwx-page")
    assert page.locator("#ohwx-compare .ohwx-chosen h3").inner_text() == name
    return name


def stands(page, word):
    page.wait_for_function("(word) => document.querySelector('#ohwx-standing').textContent.startsWith(word)", arg=word)


def test_from_infotext_to_pictures_and_on_to_txt2img(page):
    name = start(page)
    stands(page, "generating")
    page.reload()
    look(page)
    assert page.locator("#ohwx-compare .ohwx-chosen h3").inner_text() == name
    stands(page, "done")
    frame = page.frame_locator("#ohwx-page")
    frame.locator(".tile.idle").first.wait_for(state="detached")
    assert frame.locator(".cell").count() == 4
    assert "4 cells, all done" in frame.locator("#summary").inner_text()
    frame.locator(".cell").nth(3).click()
    told = frame.locator("#p-text", has_text="Seed: 11")  # infotexts are read when a picture is looked at
    told.wait_for()
    text = told.inner_text()
    assert "Model: tiny_reg" in text
    frame.get_by_role("button", name="txt2img", exact=True).click()
    page.wait_for_function("gradioApp().querySelector('#txt2img_seed input').value === '11'")
    page.wait_for_selector("#txt2img_prompt textarea:visible")
    assert page.input_value("#txt2img_prompt textarea") == "photo of ohwx man"
    assert page.input_value("#txt2img_neg_prompt textarea") == "blurry"
    assert page.input_value("#txt2img_steps input[type=number]") == "4"
    assert page.input_value("#txt2img_cfg_scale input[type=number]") == "6"
    assert page.input_value("#txt2img_sampling input").startswith("DPM++ 2M SDE")


def test_a_picture_goes_to_img2img_and_inpaint(page):
    start(page)
    stands(page, "done")
    frame = page.frame_locator("#ohwx-page")
    frame.locator(".tile.idle").first.wait_for(state="detached")
    frame.locator(".cell").first.click()
    frame.get_by_role("button", name="img2img", exact=True).click()
    page.wait_for_selector("#img2img_image img:visible")
    said = "document.querySelector('#img2img_prompt textarea').value === 'photo of ohwx man'"
    page.wait_for_function(said)  # the webui brings the picture and the parameters by two events
    look(page)
    frame.locator(".cell").first.click()
    frame.get_by_role("button", name="inpaint", exact=True).click()
    page.wait_for_selector("#img2maskimg canvas:visible")


def test_interrupted_and_resumed(page):
    start(page, steps=150)  # long enough for a slow browser to press the button
    stands(page, "generating")
    page.click("#ohwx-interrupt")
    stands(page, "stopped")
    done = int(re.search(r"(\d) of 4", page.locator("#ohwx-standing").inner_text())[1])
    assert done < 4
    page.reload()
    look(page)
    page.click("#ohwx-resume")
    stands(page, "done")
    page.frame_locator("#ohwx-page").locator(".tile.idle").first.wait_for(state="detached")


def until(is_so):
    """The voting page lets no text be evaluated, so Python asks."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_told(votes, before):
    if votes.evaluate("document.body.ariaBusy === 'true'"):
        return False
    return votes.locator("#vote").is_hidden() or votes.locator("#count").text_content() != before


def test_votes_by_keyboard(page, tmp_path):
    """From a run of the tab: what is sent tells no checkpoint, and the reveal does at the end."""
    Image.new("RGB", (30, 20)).save(tmp_path / "me.png")
    start(page)
    stands(page, "done")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Vote").first.click()
    votes = opened.value
    votes.set_default_timeout(PATIENCE * 1000)
    votes.wait_for_selector("#start:not([hidden])")
    votes.fill("#rater", "me")
    votes.fill("#photos", str(tmp_path))
    votes.fill("#most", "4")
    votes.press("#most", "Enter")
    votes.wait_for_selector("#vote:not([hidden])")
    until(lambda: votes.evaluate("document.body.ariaBusy !== 'true'"))  # before, the page takes no key
    assert not re.search("tiny_(base|reg)", votes.content())
    votes.keyboard.press("Space")
    until(lambda: votes.evaluate("photograph.naturalWidth") == 30)
    votes.keyboard.press("Space")
    for number in range(12):  # repeats with sides swapped are votes too
        before = votes.locator("#count").text_content()
        votes.keyboard.press(("ArrowLeft", "Shift+ArrowRight", "ArrowDown", "ArrowUp")[number % 4])
        until(lambda before=before: is_told(votes, before))
        if not votes.locator("#vote").is_visible():
            break
    votes.wait_for_selector("#reveal:not([hidden])")
    assert "tiny_" in votes.locator("#reveal").inner_text()
