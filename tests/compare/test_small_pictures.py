"""The grid's small pictures where the page is served: many with one request, and each the one of its cell."""

import base64
import threading

import pytest

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.look.server import PageServer


@pytest.fixture
def seen(chromium, make_run, make_experiment, tmp_path):
    """A served run of 12 cells, one of them without its file, and the addresses that its page asked for."""
    run = make_run(tmp_path, make_experiment(64), {5: Outcome.NO_FACE})
    (tmp_path / run.cells[3].result.thumb).unlink()
    with PageServer(tmp_path) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        tab = chromium.new_page(viewport={"width": 1366, "height": 900})
        asked = []
        tab.on("request", lambda request: asked.append(request.url.removeprefix(server.address)))
        tab.goto(server.url)
        tab.wait_for_function("() => document.querySelectorAll('.tile img[src]').length === 12")
        yield run, tab, asked
        tab.close()
        server.shutdown()


def shown(tab, number):
    """What an image of the grid shows, as bytes in base64."""
    return tab.evaluate("number => cellOf(number).nodes.img.src", number).partition(",")[2]


def test_they_come_with_one_request(seen):
    run, tab, asked = seen
    small = [path for path in asked if "thumbs" in path]
    names = small[0].removeprefix("page/thumbs-").split(".")
    assert sorted(names, key=lambda name: int(name[:-1])) == [f"{number}a" for number in range(1, 13)]
    inside = "name => isSeen(cellOf(parseInt(name)).nodes.tile)"
    seen = [tab.evaluate(inside, name) for name in names]
    assert 0 < sum(seen) < 12
    assert seen == sorted(seen, reverse=True)  # what is in the window is not kept waiting by what is below it
    assert small[1:] == [run.cells[3].result.thumb]  # asked for by its name, so that it can be said
    for number in (1, 12):
        file = run.folder / run.cells[number - 1].result.thumb
        assert base64.b64decode(shown(tab, number)) == file.read_bytes()
    tab.locator(".tile.bad:has-text('Picture missing')").wait_for()
    assert run.cells[3].result.thumb in tab.locator(".tile.bad").inner_text()


def test_another_pass_is_fetched_and_the_way_back_too(seen):
    run, tab, asked = seen
    first = shown(tab, 1)
    asked.clear()
    tab.evaluate("() => { setPass('before'); setPass('after'); setPass('before'); }")
    tab.wait_for_function("first => !cellOf(1).nodes.img.src.endsWith(first)", arg=first)
    before = (run.folder / run.cells[0].result.before_thumb).read_bytes()
    assert base64.b64decode(shown(tab, 1)) == before
    assert len([path for path in asked if path.startswith("page/thumbs")]) == 1
    tab.evaluate("setPass('after')")
    tab.wait_for_function("first => cellOf(1).nodes.img.src.endsWith(first)", arg=first)


def test_what_has_left_the_window_is_not_asked_for(seen):
    _, tab, asked = seen
    asked.clear()
    gone = """() => {
        const img = document.createElement("img");
        thumbs.show(img, cellOf(1), false);
        return [...thumbs.wanted].length;
    }"""
    assert tab.evaluate(gone) == 1
    tab.wait_for_function("() => !thumbs.isAsking && !thumbs.wanted.size")
    assert asked == []
