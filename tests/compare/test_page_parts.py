"""The parts of a page in a folder of their own: whole, of this run's plan, and read where the window is."""

import re
import shutil
import threading
from pathlib import Path

import pytest

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.look.page import write_page
from ohwx_compare.look.page_cells import CHUNK
from ohwx_compare.look.server import PageServer
from ohwx_compare.look.sheet import write_sheets


@pytest.fixture(scope="module")
def page(sample_run):
    write_sheets(sample_run)
    return write_page(sample_run)


def test_a_part_that_was_damaged_is_written_again(sample_run, page):
    part = sample_run.folder / "page" / "cells-0.js"
    whole = part.read_bytes()
    part.write_bytes(b"\xff")
    write_page(sample_run)
    assert part.read_bytes() == whole


def test_a_part_of_another_plan_is_refused(chromium, sample_run, page, tmp_path):
    """The folder got another experiment while its page was open."""
    folder = Path(shutil.copytree(sample_run.folder, tmp_path / "changed"))
    part = folder / "page" / "cells-0.js"
    part.write_text(re.sub(r'"[0-9a-f]{16}"', '"0"', part.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    tab = chromium.new_page()
    tab.goto((folder / "index.html").as_uri())
    tab.locator("#toast:has-text('The run has changed')").wait_for()
    assert tab.locator(".tile img:visible").count() == 0
    tab.close()


@pytest.mark.slow
def test_thousands_of_cells_are_a_few_nodes(chromium, make_run, make_experiment, tmp_path):
    """2,400 cells with two drawn: what is far from the window is neither in the document nor read."""
    experiment = make_experiment(64, tuple(range(400)))
    numbers = range(1, len(experiment.cells()) + 1)
    run = make_run(tmp_path, experiment, {number: Outcome.PENDING for number in numbers if number > 2})
    tab = chromium.new_page(viewport={"width": 1366, "height": 768})
    tab.goto(write_page(run).as_uri())
    tab.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length > 10")
    read = "store.asked.size"
    assert tab.evaluate(read) <= 6
    most = 0
    for part in (0.25, 0.5, 0.75, 1):
        tab.evaluate("part => scrollTo(0, part * document.documentElement.scrollHeight)", part)
        tab.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length > 10")
        most = max(most, tab.evaluate("document.getElementsByTagName('*').length"))
    assert most <= 2000
    assert tab.locator(".side").last.inner_text() == "seed 399"
    tab.keyboard.press("/")
    tab.keyboard.type("seed 7,hostile")
    tab.wait_for_function("() => document.querySelector('#count').textContent === '0 of 2400 cells'")
    tab.close()


def test_parts_that_are_seen_together_come_together(chromium, make_run, make_experiment, tmp_path):
    """Three columns are checkpoints, of two parts each: the first rows are of three parts."""
    experiment = make_experiment(64, tuple(range(CHUNK)))
    cells = len(experiment.cells())
    make_run(tmp_path, experiment, dict.fromkeys(range(3, cells + 1), Outcome.PENDING))
    with PageServer(tmp_path) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        tab, asked = chromium.new_page(viewport={"width": 1366, "height": 768}), []
        tab.on("request", lambda request: asked.append(request.url.removeprefix(server.address)))
        tab.goto(server.url)
        tab.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length > 10")
        assert cells == 6 * CHUNK
        assert [path for path in asked if "cells" in path] == ["page/cells-0.2.4.json"]
        tab.evaluate("Promise.all([1, data.chunk + 1].map((number) => store.want('texts', number)))")
        assert asked[-1] == "page/texts-0.1.json"
        assert tab.evaluate("cellOf(1).infotext.length + cellOf(2).infotext.length") > 0
        assert tab.evaluate(f"fetch('page/cells-{'0.' * 25}0.json').then((answer) => answer.status)") == 404
        tab.close()
        server.shutdown()
