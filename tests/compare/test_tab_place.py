"""How a run's page sits in the tab: little above its pictures, one scroll area, the webui's colours, drops."""

import pytest
import tab_server
from conftest import NAMES, experiment_of
from test_tab import drop

from ohwx_compare.files.ledger.own import mark

LIGHT = {
    "--body-background-fill": "#ffffff", "--body-text-color": "#1f2937", "--border-color-primary": "#e5e7eb",
    "--background-fill-secondary": "#f9fafb", "--link-text-color": "#2563eb", "--input-background-fill": "#ffffff",
}  # fmt: skip
DARK = {
    "--body-background-fill": "#0b0f19", "--body-text-color": "#f3f4f6", "--border-color-primary": "#374151",
    "--background-fill-secondary": "#111827", "--link-text-color": "#3b82f6", "--input-background-fill": "#1f2937",
}  # fmt: skip
SCROLLERS = """() => [...document.querySelectorAll("*")].filter((node) => node.scrollHeight > node.clientHeight + 1 &&
    (node === document.documentElement || /auto|scroll/.test(getComputedStyle(node).overflowY)))
    .map((node) => node.tagName)"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, make_run):
    folder = tmp_path_factory.mktemp("place")
    make_run(folder / "runs" / "2026-11-30 08-00-0a1b2c3d", experiment_of(64, seeds=(1, 2, 3)))
    mark(folder / "runs" / "2026-11-30 08-00-0a1b2c3d" / "run.sqlite")
    tab = tab_server.Tab(folder / "runs", list(NAMES), folder)
    tab.order = ["2026-11-30 08-00-0a1b2c3d"]
    server = tab_server.serve(tab)
    tab.url = f"http://127.0.0.1:{server.server_port}/"
    yield tab
    server.shutdown()
    server.server_close()


def opened(chromium, server, colours=LIGHT, query=""):
    """The tab at a common small window, the run chosen and its pictures there."""
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    page.goto(server.url + query)
    rules = "".join(f"{name}: {value};" for name, value in colours.items())
    page.add_style_tag(content=f":root, .dark {{ {rules} }} body {{ margin: 0; font-family: Georgia, serif }}")
    page.locator(".ohwx-run").click()
    page.frame_locator("#ohwx-page").locator(".cell img").first.wait_for()
    return page


@pytest.mark.slow
def test_the_first_picture_is_near_the_runs_title_and_one_thing_scrolls(chromium, server):
    page = opened(chromium, server)
    title = page.locator(".ohwx-chosen h3").bounding_box()
    picture = page.frame_locator("#ohwx-page").locator(".cell").first.bounding_box()
    assert picture["y"] - title["y"] <= 200
    assert (page.evaluate(SCROLLERS), page.frames[1].evaluate(SCROLLERS)) == ([], ["HTML"])
    page.close()


def test_the_webuis_footer_is_away_while_a_runs_page_is_seen(chromium, server):
    page = opened(chromium, server, query="?train")
    added = """() => document.body.append(Object.assign(document.createElement("div"),
        { id: "footer", textContent: "API", style: "height: 69px" }))"""
    page.evaluate(added)
    page.wait_for_function("() => document.documentElement.classList.contains('ohwx-looking')")
    assert page.evaluate(SCROLLERS) == []
    page.click(".tab-nav > button:text('ohwx train')")
    page.locator("#footer").wait_for()
    page.close()


@pytest.mark.parametrize(("colours", "query"), [(LIGHT, ""), (DARK, "?theme=dark")], ids=["light", "dark"])
def test_the_page_has_the_webuis_colours_and_font(chromium, server, colours, query):
    page = opened(chromium, server, colours, query)
    inside = page.frames[1]
    for own, theirs in {"backgroundColor": "--body-background-fill", "color": "--body-text-color"}.items():
        told = inside.evaluate(f"getComputedStyle(document.body).{own}")
        assert told == "rgb({}, {}, {})".format(*bytes.fromhex(colours[theirs][1:]))
    assert inside.evaluate("getComputedStyle(document.body).fontFamily") == "Georgia, serif"
    assert (
        inside.evaluate("document.documentElement.style.getPropertyValue('--accent')") == colours["--link-text-color"]
    )
    page.close()


@pytest.mark.slow
def test_a_colour_that_cannot_be_read_stays_the_pages_own(chromium, server):
    page = opened(chromium, server, {**LIGHT, "--link-text-color": "#fde68a"})
    assert page.frames[1].evaluate("document.documentElement.style.getPropertyValue('--accent')") == ""
    page.close()
    page = opened(chromium, server, {**LIGHT, "--body-text-color": "#eeeeee"})
    assert page.frames[1].evaluate("document.documentElement.style.getPropertyValue('--paper')") == ""
    page.close()


def test_the_settings_stand_above_on_request(chromium, server):
    page = opened(chromium, server)
    frame = page.frame_locator("#ohwx-page")
    assert frame.locator("#facts").is_hidden()
    frame.locator("#about").click()
    assert frame.locator("#facts").is_visible()
    assert frame.locator("#about").get_attribute("aria-expanded") == "true"
    page.close()


@pytest.mark.parametrize("place", [".ohwx-side", "body", "#ohwx-page"])
def test_a_picture_dropped_anywhere_becomes_a_draft(chromium, server, place):
    page = opened(chromium, server)
    data = next((server.folder / server.order[0] / "images").glob("*.png")).read_bytes()
    if place == "#ohwx-page":
        drop(page.frames[1], "#grid", "grid.png", data, "image/png")
    else:
        drop(page, place, "grid.png", data, "image/png")
    page.wait_for_selector("#ohwx-start")
    assert page.input_value("#ohwx-job-negative") == "shirtless, topless"
    assert page.locator(".ohwx-chosen").is_hidden()
    page.close()
