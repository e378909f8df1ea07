"""What the tabs ask the webui for: nothing twice, nothing while nobody looks, no plan that is typed over."""

import threading
from collections import Counter

import pytest
import tab_server
from conftest import NAMES, experiment_of

from ohwx_compare.core.experiment.outcome import Outcome

HIDE = """(state) => {
    Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def server(tmp_path, make_run):
    """A run that is being generated, and a training that runs."""
    make_run(tmp_path / "runs" / "first", experiment_of(64), {number: Outcome.PENDING for number in range(4, 13)})
    tab = tab_server.Tab(tmp_path / "runs", NAMES, tmp_path)
    tab.order, tab.states = ["first"], {"first": "drawing"}
    server = tab_server.serve(tab)
    tab.url = f"http://127.0.0.1:{server.server_port}/?train"
    yield tab
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(chromium, server):
    """The page with its clock in hand, and all it asked for."""
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.asked, page.open = [], set()
    page.on("request", lambda request: page.asked.append(request.url.removeprefix(server.url.rstrip("?train"))))
    page.on("request", lambda request: page.open.add(request))
    page.on("requestfinished", lambda request: page.open.discard(request))
    page.on("requestfailed", lambda request: page.open.discard(request))
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.goto(server.url)
    page.clock.run_for(100)
    yield page
    context.close()


def settled(page):
    """Let everything arrive that was asked for, and be asked for next; the page's clock stands still."""
    quiet = 0
    while quiet < 3:
        page.wait_for_timeout(50)
        quiet = 0 if page.open else quiet + 1


def twice(page):
    """But for a thumbnail that the list shows and the run's own page too: the browser has it by then.

    A module counts under whatever address: each gives another copy of it.
    """
    asked = Counter(url.partition("?")[0] if ".mjs" in url else url for url in page.asked)
    return {url: count for url, count in asked.items() if count > 1 and "/thumbs/" not in url}


@pytest.mark.slow
def test_nothing_is_loaded_twice(page):
    page.wait_for_selector(".ohwx-run")
    page.click(".ohwx-run")
    page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()
    settled(page)
    assert len([url for url in page.asked if url.endswith("ohwx/api/state")]) == 1
    assert twice(page) == {}
    page.click(".tab-nav > button:text('ohwx train')")
    page.wait_for_selector("#ohwx-base")
    settled(page)
    assert twice(page) == {}


@pytest.mark.parametrize("tab", ["compare", "train"])
def test_a_hidden_page_asks_for_nothing(page, server, tab):
    with server.training.process("me") as tell:
        del tell
        if tab == "train":
            page.click(".tab-nav > button:text('ohwx train')")
            page.wait_for_selector("#ohwx-train .ohwx-run")
            page.click("#ohwx-train .ohwx-run")
        else:
            page.wait_for_selector(".ohwx-run")
            page.click(".ohwx-run")
            page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()
        settled(page)
        page.clock.run_for(30_000)
        settled(page)
        assert twice(page)  # it looks again and again
        page.evaluate(HIDE, "hidden")
        page.clock.run_for(2_000)
        settled(page)
        page.asked.clear()
        page.clock.run_for(600_000)
        settled(page)
        assert page.asked == []
        page.evaluate(HIDE, "visible")
        settled(page)
        assert page.asked


def test_a_plan_that_is_typed_over_is_dropped(page, server):
    begun, go = threading.Event(), threading.Event()
    plan = server.training.post

    def post(path, body):
        if path.endswith("/plan") and body["recipe"].get("name") == "slow":
            begun.set()
            go.wait(20)
        return plan(path, body)

    server.training.post = post
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.post_data_json["recipe"]["name"]))
    page.click(".tab-nav > button:text('ohwx train')")
    page.wait_for_selector("#ohwx-base")
    page.select_option("#ohwx-base", "base.safetensors")
    page.fill("#ohwx-recipe-train", "/bilder")
    page.fill("#ohwx-recipe-name", "slow")
    page.clock.run_for(600)
    assert begun.wait(20)
    page.fill("#ohwx-recipe-name", "quick")
    page.clock.run_for(600)
    page.wait_for_function("document.querySelector('#ohwx-plan').textContent.startsWith('2250 steps')")
    assert failed == ["slow"]
    go.set()
