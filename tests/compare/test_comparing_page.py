"""Pictures of a run under one zoom, by keyboard in a real browser: modes, steps, faces, filmstrip, differences."""

import pytest

from ohwx_compare.look.page import write_page

SCALES = "[...document.querySelectorAll('#m-stage .layer')].map(layer => new DOMMatrix(layer.style.transform).a)"


@pytest.fixture(scope="module")
def opened(chromium, sample_run):
    """The page from disk with the first two cells of the grid's first row compared; afterwards nothing was said."""
    path = write_page(sample_run)
    tab = chromium.new_page(viewport={"width": 1200, "height": 900})
    said = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(path.as_uri())
    tab.wait_for_function("() => document.querySelector('.cell img').naturalWidth > 0")
    yield tab
    assert tab.evaluate("window.hurt") is None
    assert said == []
    tab.close()


@pytest.fixture
def tab(opened):
    """Nothing chosen, nothing open."""
    opened.evaluate("document.querySelectorAll('dialog[open]').forEach(dialog => dialog.close()); chooseNone()")
    opened.evaluate("() => new Promise(done => setTimeout(done, 50))")  # "close" is told later, and moves the focus
    opened.locator(".cell").first.focus()
    return opened


def compared(tab):
    """The first row's first and third cell, by keys alone."""
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Space")
    assert tab.locator("#c-count").inner_text() == "2 chosen"
    tab.keyboard.press("c")
    tab.locator("#compare").wait_for()
    tab.wait_for_function("() => document.querySelectorAll('#m-stage img').length === 2")


def test_two_cells_under_one_zoom_in_every_mode(tab):
    compared(tab)
    fitted = tab.evaluate(SCALES)
    assert len(fitted) == 2
    tab.keyboard.press("+")
    nearer = tab.evaluate(SCALES)
    assert nearer[0] == nearer[1] > fitted[0]
    tab.keyboard.press("w")
    handle = tab.get_by_role("slider", name="Wipe between the two")
    handle.focus()
    tab.keyboard.press("Home")
    assert handle.get_attribute("aria-valuenow") == "0"
    tab.keyboard.press("ArrowRight")
    assert handle.get_attribute("aria-valuenow") == "1"
    assert tab.evaluate("document.activeElement.id") == "m-wipe"
    above = tab.locator("#m-stage img").nth(1)
    assert above.evaluate("image => image.style.clipPath").startswith("inset(")
    tab.locator("#m-stage").focus()
    tab.keyboard.press("o")
    slider = tab.get_by_role("slider", name="How much of the second is seen")
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert above.evaluate("image => image.style.opacity") == "0.51"
    tab.locator("#m-stage").focus()
    tab.keyboard.press("d")
    assert above.evaluate("image => image.style.mixBlendMode") == "difference"
    tab.keyboard.press("d")
    assert tab.locator("#m-stage .pane").count() == 2  # its key again: side by side


def test_blinking_keeps_still_where_motion_is_unwanted(tab):
    compared(tab)
    tab.emulate_media(reduced_motion="reduce")
    tab.keyboard.press("b")
    assert tab.evaluate("comparison.timer") == 0
    above = tab.locator("#m-stage img").nth(1)
    assert above.is_visible()
    tab.keyboard.press("b")
    assert not above.is_visible()
    assert tab.locator(".m-tag").inner_text() == "A"
    tab.emulate_media(reduced_motion="no-preference")
    tab.keyboard.press("s")
    tab.keyboard.press("b")
    assert tab.evaluate("comparison.timer") != 0


def test_steps_swaps_and_faces(tab):
    compared(tab)
    names = tab.locator(".m-shot")
    before = names.all_inner_texts()
    tab.keyboard.press("Space")
    assert [name[2:] for name in names.all_inner_texts()] == [name[2:] for name in reversed(before)]
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_function("() => document.querySelectorAll('.m-shot')[1].textContent.includes('модель')")
    tab.keyboard.press("ArrowDown")
    tab.wait_for_function(
        "() => [...document.querySelectorAll('.m-shot')].every(shot => shot.textContent.includes('seed 11'))"
    )
    tab.keyboard.press("f")
    assert tab.locator("#m-face").get_attribute("aria-pressed") == "true"
    assert min(tab.evaluate(SCALES)) > 5
    tab.keyboard.press("0")
    tab.keyboard.press("?")
    assert tab.locator("#keys").is_visible()


def test_only_what_differs_is_told(tab, sample_run):
    compared(tab)
    tab.keyboard.press("i")
    tab.wait_for_function("() => document.querySelectorAll('#m-table dt').length > 0")
    assert tab.locator("#m-table dt").all_inner_texts() == ["Model"]
    stems = [ref.stem for ref in sample_run.experiment.checkpoints]
    assert tab.locator("#m-table dd").all_inner_texts() == [f"A {stems[0]}", f"B {stems[2]}"]
    tab.keyboard.press("i")


def test_a_filmstrip_has_a_strip_for_each_training(tab):
    tab.keyboard.press("l")
    tab.locator("#compare").wait_for()
    tab.wait_for_function("() => document.querySelectorAll('#m-stage img').length === 3")
    tags = tab.locator(".m-tag").all_inner_texts()
    assert len(set(tags)) == 3
    assert tab.locator("#m-title b").inner_text() == "Filmstrip"
    tab.keyboard.press("Escape")
    assert not tab.locator("#compare").is_visible()
    assert tab.evaluate("document.activeElement.className") == "cell"


def test_the_comparison_has_the_window_to_itself(tab):
    compared(tab)
    assert tab.evaluate("innerWidth === document.documentElement.clientWidth")
    close = tab.locator("#compare .v-close").bounding_box()
    assert close["x"] + close["width"] <= 1200


def test_before_and_after_one_face_pass(tab):
    tab.keyboard.press("Enter")
    tab.locator("#viewer").wait_for()
    tab.keyboard.press("d")
    tab.wait_for_function("() => document.querySelectorAll('#m-stage img').length === 2")
    first, second = tab.locator("#m-stage img").evaluate_all("images => images.map(image => image.src)")
    assert "before" in first
    assert "before" not in second


def test_a_finger_that_rests_on_a_picture_chooses_it(tab):
    first = tab.locator(".cell").first
    first.dispatch_event("pointerdown", {"pointerType": "touch", "bubbles": True})
    tab.wait_for_function("() => document.querySelector('#c-count').textContent === '1 chosen'")
    first.dispatch_event("click")
    assert not tab.locator("#viewer").is_visible()
    first.dispatch_event("pointerdown", {"pointerType": "mouse", "bubbles": True})
    first.dispatch_event("click")
    assert tab.locator("#viewer").is_visible()
