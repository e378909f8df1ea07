"""axe-core finds nothing serious: in a run's page, its votes and the tabs, in both themes, on a phone too."""

import sys
import threading
from pathlib import Path

import pytest
import tab_server
from accessible import SHOWN, WIDTHS, serious
from conftest import NAMES, experiment_of

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.look.server import PageServer
from ohwx_compare.look.sheet import write_sheets

sys.path.append(str(Path(__file__).parents[1] / "judge"))

from planted_run import STYLES, Planted, planted_run, record

# what the webui puts around the tabs: gradio's default theme
LIGHT = """:root { --body-background-fill: #fff; --background-fill-primary: #fff; --background-fill-secondary: #f9fafb;
    --body-text-color: #1f2937; --border-color-primary: #e5e7eb; --color-accent: #f97316; --link-text-color: #2563eb;
    --input-background-fill: #f3f4f6; --button-secondary-text-color: #374151; --button-primary-text-color: #ea580c;
    --button-secondary-background-fill: linear-gradient(#f3f4f6, #e5e7eb);
    --button-primary-background-fill: linear-gradient(#ffedd5, #fed7aa) }
    body { background: var(--body-background-fill); color: var(--body-text-color) }"""
DARK = """.dark { --body-background-fill: #0b0f19; --background-fill-primary: #0b0f19; --body-text-color: #f3f4f6;
    --background-fill-secondary: #111827; --border-color-primary: #374151; --link-text-color: #3b82f6;
    --input-background-fill: #1f2937; --button-secondary-text-color: #fff; --button-primary-text-color: #fff;
    --button-secondary-background-fill: linear-gradient(#4b5563, #374151); --error-icon-color: #ef4444;
    --button-primary-background-fill: linear-gradient(#ea580c, #c2410c) }"""


@pytest.fixture(scope="module", params=SHOWN, ids="-".join)
def shown(request, chromium):
    width, theme = request.param
    context = chromium.new_context(viewport=WIDTHS[width], color_scheme=theme, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture(scope="module")
def served(sample_run):
    write_sheets(sample_run)
    with PageServer(sample_run.folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.slow
def test_a_runs_page(shown, served):
    """The grid, its axes, a picture, a comparison, and each dialog."""
    page = shown.new_page()
    page.goto(served.url)
    page.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length > 4")
    states = {
        "grid": "a",  # a state, and the key that leads to the next
        "axes": "a",
        "grid again": "?",
        "keys": "Escape",
        "no dialog": "e",
        "keep": "Escape",
        "a cell": "Enter",
        "viewer": "Escape",
        "closed": "Space",
        "one chosen": "ArrowRight",
        "the next": "Space",
        "two chosen": "c",
        "compared": "i",
        "differences": "Escape",
        "back": "t",
        "tags": None,
    }
    page.locator(".cell").first.focus()
    found = []
    for state, key in states.items():
        if state != "grid again":
            found += [f"{state}: {each}" for each in serious(page)]
        if state in ("a cell", "closed"):
            page.locator(".cell").first.focus()
        if key:
            page.keyboard.press(key)
    assert found == []
    page.close()


def test_blind_votes(shown, tmp_path):
    def saves(base):
        return [Planted(name, 0.5, 1.0, record(30, reg=name == "reg", base=base)) for name in ("reg", "noreg")]

    folder = planted_run(tmp_path, styles=STYLES[:2], seeds=(1,), saves=saves)
    with PageServer(folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        page = shown.new_page()
        page.goto(f"{server.address}votes/index.html?token={server.token}")
        page.wait_for_selector("#rater")
        found = serious(page)
        page.fill("#rater", "me")
        page.keyboard.press("Enter")
        page.wait_for_selector("#vote:not([hidden]) img")
        found += serious(page)
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector("#count:text('1 of')")
        page.keyboard.press("Escape")
        page.wait_for_selector("#reveal:not([hidden])")
        found += serious(page)
        page.close()
        server.shutdown()
    assert found == []


@pytest.mark.slow
def test_the_tabs(shown, make_run, tmp_path):
    runs = tmp_path / "runs"
    make_run(runs / "first", experiment_of(64), {2: Outcome.NO_FACE, 5: Outcome.FAILED})
    tab = tab_server.Tab(runs, NAMES, tmp_path)
    tab.order = ["first"]
    server = tab_server.serve(tab)
    page = shown.new_page()
    theme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'theme' : ''")
    page.goto(f"http://127.0.0.1:{server.server_port}/?{theme}")
    page.wait_for_selector(".ohwx-run")
    page.add_style_tag(content=LIGHT + DARK)
    found = serious(page)
    page.click(".ohwx-run")
    page.wait_for_selector("iframe")
    found += serious(page)
    page.goto(f"http://127.0.0.1:{server.server_port}/?train&{theme}")
    page.get_by_role("button", name="ohwx train").click()
    page.wait_for_selector("#ohwx-base", state="attached")
    page.add_style_tag(content=LIGHT + DARK)
    found += serious(page)
    page.close()
    server.shutdown()
    server.server_close()
    assert found == []
