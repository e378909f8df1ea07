"""A draft's fields in a real browser: hires fix, styles, clip skip, VAE, LoRA; the order of columns; dialogs."""

import pytest
import tab_server
from conftest import NAMES
from test_tab import TEXT, drafted, last

OTHER = "other.safetensors"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "runs").mkdir()
    tab = tab_server.Tab(tmp_path / "runs", [*NAMES, OTHER], tmp_path)
    server = tab_server.serve(tab)
    tab.url = f"http://127.0.0.1:{server.server_port}/"
    yield tab
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(chromium, server):
    """The tab with a draft of three checkpoints."""
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    page.wait_for_selector("#ohwx-read")
    drafted(page, TEXT.replace("nobody.safetensors", NAMES[2]))
    page.locator(".ohwx-list label", has_text=OTHER).locator("input").check()
    yield page
    assert page.evaluate("window.hurt") is None
    assert errors == []
    page.close()


def columns(page):
    return page.locator("[aria-label='Selected checkpoints'] .ohwx-chip > span").all_inner_texts()


def asked(page, server):
    """What is estimated a moment after the last change."""
    page.wait_for_timeout(500)
    return last(server, "ohwx/api/estimate")["request"]


@pytest.mark.slow
def test_hires_fix_styles_clip_skip_vae_and_lora_are_asked_for(page, server):
    assert not {"hires_upscaler", "vae"} & asked(page, server)["job"].keys()
    assert page.locator("#ohwx-hires-scale").is_hidden()
    page.select_option("#ohwx-hires", "4x")
    page.fill("#ohwx-hires-scale", "1.5")
    page.fill("#ohwx-job-clip_skip", "2")
    page.select_option("#ohwx-job-vae", "sdxl_vae.safetensors")
    page.select_option("#ohwx-style", "Anime <b>")
    page.select_option("#ohwx-style", "Film")
    page.get_by_role("button", name="Remove Film").click()
    page.select_option("#ohwx-lora", "me <i>")
    page.fill("#ohwx-lora-weight", "0.8")
    page.click("#ohwx-lora-add")
    request = asked(page, server)
    told = {name: request["job"][name] for name in ("hires_upscaler", "hires_scale", "clip_skip", "vae")}
    assert told == {"hires_upscaler": "4x", "hires_scale": 1.5, "clip_skip": 2, "vae": "sdxl_vae.safetensors"}
    assert request["styles"] == ["Anime <b>"]
    assert request["job"]["prompt"].endswith("photo of ohwx man <lora:me <i>:0.8>")
    page.reload()
    page.wait_for_selector("#ohwx-job-clip_skip")
    assert page.input_value("#ohwx-hires") == "4x"


def test_columns_are_dragged_and_moved_by_the_keyboard(page, server):
    first, second, third = columns(page)
    chips = page.locator("[aria-label='Selected checkpoints'] .ohwx-chip")
    chips.nth(0).drag_to(chips.nth(2))
    assert columns(page) == [second, third, first]
    chips.nth(2).focus()
    for key, order in {
        "ArrowLeft": [second, first, third], "Home": [first, second, third], "ArrowLeft ": [first, second, third],
        "ArrowRight": [second, first, third], "End": [second, third, first],
    }.items():  # fmt: skip
        page.keyboard.press(key.strip())
        assert columns(page) == order
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(f"{first}, ")
    assert asked(page, server)["checkpoints"] == [second, third, first]


@pytest.mark.slow
def test_an_axis_takes_so_many_styles_of_a_family(page, server):
    page.click("#ohwx-axis-add")
    assert page.locator(".ohwx-family:visible").count() == 0
    page.select_option("#ohwx-axis-2", "styles")
    assert page.locator("#ohwx-family-2 option").all_inner_texts() == ["anime (1)", "photo (4)"]
    page.select_option("#ohwx-family-2", "photo")
    page.fill("#ohwx-family-count-2", "2")
    page.click("#ohwx-family-add-2")
    page.select_option("#ohwx-family-2", "anime")
    page.fill("#ohwx-family-count-2", "1")
    page.click("#ohwx-family-add-2")
    axes = asked(page, server)["axes"]
    assert axes[-1] == {"kind": "styles", "values": "2 of the photo family, 1 of the anime family"}


def test_a_start_that_cannot_be_says_why_in_a_dialog(page, server):
    for _ in range(3):
        page.locator(".ohwx-drop").first.click()
    page.wait_for_selector("#ohwx-cost:text('Select the checkpoints to compare.')")
    page.click("#ohwx-start")
    assert page.locator("#ohwx-why p").first.inner_text() == "Select the checkpoints to compare."
    page.keyboard.press("Escape")
    page.wait_for_selector("#ohwx-why", state="detached")
    assert page.locator("#ohwx-tab button:disabled, .ohwx-tab button:disabled").count() == 0
    assert not [path for path, _ in server.asked if path == "ohwx/api/runs"]


def test_columns_are_dragged_by_a_finger(chromium, server):
    context = chromium.new_context(viewport={"width": 1300, "height": 900}, has_touch=True)
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector("#ohwx-read")
    drafted(page, TEXT.replace("nobody.safetensors", NAMES[2]))
    page.locator(".ohwx-list label", has_text=OTHER).locator("input").check()
    first, second, third = columns(page)
    session = context.new_cdp_session(page)
    chips = page.locator("[aria-label='Selected checkpoints'] .ohwx-chip > span")
    chips.first.scroll_into_view_if_needed()
    boxes = [chips.nth(i).bounding_box() for i in (0, 2)]
    at = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2} for box in boxes]
    for kind, points in (("touchStart", at[:1]), ("touchMove", at[1:]), ("touchEnd", [])):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert columns(page) == [second, third, first]
    context.close()
