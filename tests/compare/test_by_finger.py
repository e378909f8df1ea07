"""A finger drags axes on a run's page, and what a small filmstrip shows."""

import pytest

from ohwx_compare.look.page import write_page


@pytest.fixture
def tab(chromium, sample_run):
    page = write_page(sample_run)
    context = chromium.new_context(viewport={"width": 900, "height": 700}, has_touch=True)
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_function("() => document.querySelector('.cell img').naturalWidth > 0")
    yield tab
    context.close()


def drag_by_finger(tab, start, end):
    """From the middle of one element to that of another."""
    session = tab.context.new_cdp_session(tab)
    places = []
    for one in (start, end):
        one.scroll_into_view_if_needed()
        box = one.bounding_box()
        places.append((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    (x1, y1), (x2, y2) = places
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x1, "y": y1}]})
    for part in (0.1, 0.3, 0.6, 1):
        at = {"x": x1 + part * (x2 - x1), "y": y1 + part * (y2 - y1)}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.slow
def test_an_axis_is_dragged_by_a_finger(tab):
    tab.keyboard.press("a")
    assert tab.get_by_label("Where Seed stands").input_value() == "y"
    drag_by_finger(tab, tab.locator('[data-axis="1"] b'), tab.locator('[data-role="x"] h2'))
    assert tab.get_by_label("Where Seed stands").input_value() == "x"
    tab.wait_for_function("() => document.querySelectorAll('.head').length > 3")
    drag_by_finger(tab, tab.locator('[data-axis="1"] b'), tab.locator('[data-axis="0"] b'))
    assert tab.evaluate("state.view.roles.x") == [1, 0]  # before the one that it was let go on


def test_no_name_lies_over_a_picture_of_the_filmstrip(tab):
    tab.locator(".cell").first.focus()
    tab.keyboard.press("l")
    tab.wait_for_function("() => document.querySelectorAll('#m-stage .frame img').length === 3")
    apart = """() => [...document.querySelectorAll("#m-stage .frame")].map((frame) => {
        const [tag, pane] = [".m-tag", ".pane"].map((name) => frame.querySelector(name).getBoundingClientRect());
        return tag.bottom <= pane.top && pane.height > tag.height && tag.height > 0;
    })"""
    assert tab.evaluate(apart) == [True] * 3
    tab.keyboard.press("w")
    tab.wait_for_function("() => document.querySelectorAll('#m-stage .frame').length === 0")
    assert tab.locator("#m-stage .pane > .m-tag").count() == 1


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_votes_have_the_theme_of_the_page(tab, theme):
    tab.goto(tab.url.partition("#")[0] + f"#{theme}")
    tab.reload()
    assert tab.locator("#vote").get_attribute("href") == f"votes/index.html#{theme}"
