"""Runs as a whole in the tab: found, renamed, deleted, taken back, merged, added to, downloaded; a real browser."""

import io
import shutil
import zipfile
from dataclasses import replace

import pytest
import tab_server
from conftest import HOSTILE, NAMES, experiment_of

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files.ledger.own import mark
from ohwx_compare.files.ledger.reader import experiment_in


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_run):
    """Two runs of one experiment, two seeds each, and one of another."""
    runs = tmp_path_factory.mktemp("made")
    make_run(runs / "seeds 10 #1", experiment_of(64))
    make_run(runs / "<b>20", experiment_of(64, seeds=(20, 21)))
    other = experiment_of(64)
    make_run(runs / "other", replace(other, job=replace(other.job, steps=9)), {1: Outcome.FAILED})
    return runs


@pytest.fixture
def server(tmp_path, made):
    runs = shutil.copytree(made, tmp_path / "runs")
    for copied in runs.glob("*/run.sqlite"):
        mark(copied)
    tab = tab_server.Tab(runs, [*NAMES, "new <i>.safetensors"], tmp_path)
    tab.order = ["seeds 10 #1", "<b>20", "other"]
    server = tab_server.serve(tab)
    tab.url = f"http://127.0.0.1:{server.server_port}/"
    yield tab
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(chromium, server):
    """The tab with the first run chosen; at the end nothing was hurt and no error was left uncaught."""
    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    page.locator(".ohwx-run").nth(0).click()
    yield page
    assert page.evaluate("window.hurt") is None
    assert errors == []
    page.close()


def choose(page, words):
    page.click("#ohwx-menu > summary")
    page.get_by_role("button", name=words).or_(page.get_by_role("link", name=words)).click()


def names(page):
    return page.locator(".ohwx-run b").all_inner_texts()


@pytest.mark.slow
def test_a_run_is_renamed_and_stays_chosen(page, server):
    choose(page, "Rename…")
    page.fill("#ohwx-rename-name", "a/b")
    page.click("#ohwx-dialog-accept")
    page.wait_for_selector("#ohwx-dialog .ohwx-error:visible")
    assert "cannot be the name" in page.locator("#ohwx-dialog .ohwx-error").inner_text()
    page.fill("#ohwx-rename-name", "<img src=x onerror='window.hurt=1'>".replace("<", "(").replace(">", ")"))
    page.keyboard.press("Enter")
    page.wait_for_selector("#ohwx-dialog", state="detached")
    page.wait_for_selector(".ohwx-chosen h3:text('(img src')")
    assert names(page)[0].startswith("(img src")
    assert page.locator(".ohwx-run").nth(0).get_attribute("aria-current") == "true"
    page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()


def test_a_run_is_deleted_and_one_click_brings_it_back(page, server):
    choose(page, "Delete")
    page.wait_for_selector("#ohwx-deleted:visible")
    assert page.locator("#ohwx-deleted").inner_text() == "Deleted seeds 10 #1. Undo"
    page.wait_for_function("document.querySelectorAll('.ohwx-run').length === 2")
    page.click("#ohwx-undo")
    page.wait_for_selector(".ohwx-chosen h3:text('seeds 10 #1')")
    assert sorted(names(page)) == sorted(server.order)
    assert page.locator("#ohwx-deleted").is_hidden()


@pytest.mark.slow
def test_the_bin_gives_back_and_is_emptied_only_after_a_question(page, server):
    for _ in range(2):
        choose(page, "Delete")
        page.wait_for_selector("#ohwx-deleted:visible")
        page.locator(".ohwx-run").nth(0).click()
    page.reload()
    page.click("#ohwx-bin > summary")
    assert page.locator("#ohwx-bin > summary").inner_text() == "2 deleted runs"
    page.get_by_role("button", name="Restore <b>20").click()
    page.wait_for_selector("#ohwx-bin > summary:text('1 deleted run')")
    page.click("#ohwx-bin-empty")
    page.click("#ohwx-dialog-close")
    assert [path.name for path in (server.folder / ".bin").iterdir()] == ["seeds 10 #1"]
    page.click("#ohwx-bin-empty")
    page.click("#ohwx-dialog-accept")
    page.wait_for_selector("#ohwx-bin", state="hidden")
    assert list((server.folder / ".bin").iterdir()) == []


def test_runs_are_searched(page, server):
    page.fill("#ohwx-runs-search", "20")
    page.wait_for_function("document.querySelectorAll('.ohwx-run').length === 1")
    assert names(page) == ["<b>20"]
    page.fill("#ohwx-runs-search", "nothing of this")
    page.wait_for_selector("p:text('No run holds these words.')")
    page.fill("#ohwx-runs-search", "")
    page.wait_for_function("document.querySelectorAll('.ohwx-run').length === 3")


@pytest.mark.slow
def test_only_what_is_new_is_added_and_its_cost_told_first(page, server):
    choose(page, "Add to this run…")
    page.wait_for_selector("#ohwx-more-cost:text('Choose what to add.')")
    assert page.locator("#ohwx-grow .ohwx-list label").all_inner_texts() == ["new <i>.safetensors"]
    page.locator("#ohwx-grow .ohwx-list input").check()
    page.fill("#ohwx-more-seeds", "x")
    page.wait_for_selector("#ohwx-grow .ohwx-bad")
    page.fill("#ohwx-more-seeds", "11, 12")
    page.fill("#ohwx-more-prompts", f"{HOSTILE}\na <b>dog".replace("\u2028", " "))
    page.wait_for_function("document.querySelector('#ohwx-more-cost').textContent.startsWith('48 cells · 36 pictures')")
    assert server.states == {}
    page.click("#ohwx-more-start")
    page.wait_for_selector("#ohwx-grow", state="detached")
    page.wait_for_selector("#ohwx-interrupt:visible")
    grown = experiment_in(server.folder / "seeds 10 #1")
    assert [len(axis.values) for axis in grown.axes] == [4, 3, 4]


def test_runs_are_merged_and_others_refused_in_one_sentence(page, server):
    choose(page, "Merge another run…")
    page.select_option("#ohwx-merge-other", "other")
    page.click("#ohwx-dialog-accept")
    page.wait_for_selector("#ohwx-dialog .ohwx-error:visible")
    assert (
        page.locator("#ohwx-dialog .ohwx-error")
        .inner_text()
        .startswith("These are not runs of one experiment: steps is 20 in one and 9")
    )
    page.select_option("#ohwx-merge-other", "<b>20")
    page.click("#ohwx-dialog-accept")
    page.wait_for_selector("#ohwx-dialog", state="detached")
    page.wait_for_selector("#ohwx-standing:text('24')")
    assert len(experiment_in(server.folder / "seeds 10 #1").cells()) == 24


@pytest.mark.slow
def test_a_run_is_downloaded_and_its_folder_opened_where_the_webui_does_that(page, server):
    page.click("#ohwx-menu > summary")
    with page.expect_download() as saved:
        page.click("#ohwx-zip")
    with zipfile.ZipFile(io.BytesIO(saved.value.path().read_bytes())) as packed:
        assert "seeds 10 #1/run.sqlite" in packed.namelist()
    page.click("#ohwx-folder-open")
    page.wait_for_function("!document.querySelector('#ohwx-menu').open")
    assert server.asked[-1] == ("ohwx/api/runs/seeds%2010%20%231/open", {})
    server.opens = False
    page.reload()
    page.click("#ohwx-menu > summary")
    assert page.locator("#ohwx-folder-open").is_hidden()


@pytest.mark.slow
def test_a_run_that_is_worked_on_says_so_in_a_dialog(page, server):
    server.states["seeds 10 #1"] = "drawing"
    page.wait_for_selector("#ohwx-interrupt:visible")
    for words in ("Delete", "Rename…", "Merge another run…", "Add to this run…"):
        choose(page, words)
        page.wait_for_selector("#ohwx-dialog p:text('This run is being worked on.')")
        page.keyboard.press("Escape")
        page.wait_for_selector("#ohwx-dialog", state="detached")
    assert (server.folder / "seeds 10 #1").is_dir()
