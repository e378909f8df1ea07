"""The page holds the whole run as data, runs nothing that a prompt brings, and works in a real browser from disk."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Result, Run, RunCell
from ohwx_compare.look.board import summary
from ohwx_compare.look.page import page_data, render_page, write_page
from ohwx_compare.look.page_cells import cell_chunk
from ohwx_compare.look.sheet import write_sheets

ROOT = Path(__file__).parents[2]
STYLE = {"name": "film", "prompt": "film", "negative": ""}


class Reader(HTMLParser):
    """Collects tags and the text inside each script."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, text):
        if self.cdata_elem == "script":
            self.scripts[-1] += text


def parts_of(folder, kind):
    """The parts of a page as it lies on the disk."""
    found = []
    for number in range(len(list((folder / "page").glob(f"{kind}-*.js")))):
        text = (folder / "page" / f"{kind}-{number}.js").read_text(encoding="utf-8")
        head, part = re.fullmatch(r"received\((.*?),(\[.*\])\);\n", text, re.DOTALL).groups()
        assert head.startswith(f'"{kind}",{number},')
        found += json.loads(part)
    return found


def test_a_controls_own_prompt_leaves_the_others_heading(tmp_path):
    cells = Experiment.from_dict({
        "job": {"prompt": "photo of ohwx man", "seed": 1},
        "axes": [{"kind": "checkpoint", "values": ["a", "b"]}],
        "control": {"checkpoint": "base", "class_token": "ohwx man"},
    })  # fmt: skip
    pending = Result(outcome=Outcome.PENDING)
    rows = tuple(RunCell(cell=cell, result=pending, checkpoint=None) for cell in cells.cells())
    data = page_data(Run(folder=tmp_path, experiment=cells, cells=rows, checkpoints=()))
    assert [value["label"] for value in data["axes"][0]["values"]] == ["a", "b", "base (control: man)"]
    assert data["prompts"] == {"axes": [], "texts": [["photo of ohwx man", ""]]}


@pytest.fixture(scope="module")
def page(sample_run):
    write_sheets(sample_run)
    return write_page(sample_run)


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("cfg", [5, 7], "1 checkpoint × 2 CFG values"),
        ("prompt s/r", ["man", "woman"], "1 checkpoint × 2 wordings"),
        ("styles", [[STYLE], []], "1 checkpoint × 2 style choices"),
        ("face padding", [0, 32, 64], "1 checkpoint × 3 face padding values"),
        ("seed", [1], "1 checkpoint"),
    ],
)
def test_how_large_a_run_is_reads_as_a_sentence(sample_run, kind, values, said):
    axes = (Axis.read("checkpoint", ["a"]), Axis.read(kind, values))
    experiment = replace(sample_run.experiment, axes=axes)
    assert summary(replace(sample_run, experiment=experiment)) == said


def test_the_page_holds_the_run(sample_run, page):
    data = json.loads(Reader(page.read_text(encoding="utf-8")).scripts[0])
    assert data == page_data(open_run(sample_run.folder))
    found = {cell["number"]: cell for cell in parts_of(sample_run.folder, "cells")}
    texts = parts_of(sample_run.folder, "texts")
    assert sorted(found) == list(range(1, 13))
    assert texts == [planned.result.infotext for planned in sample_run.cells]
    for planned in sample_run.cells:
        cell, result = found[planned.cell.number], planned.result
        assert [face["box"] for face in cell["faces"]] == [list(face.box) for face in result.faces]
    prompts = [cell.cell.job.prompt for cell in sample_run.cells[:2]]
    assert [prompt for prompt, _ in data["prompts"]["texts"]] == prompts
    assert [data["axes"][i]["kind"] for i in data["prompts"]["axes"]] == ["prompt"]
    assert [found[n]["words"] for n in (2, 12)] == ["No face found; the picture is unchanged", "Not generated yet"]
    assert "CUDA out of memory" in found[5]["words"]
    assert found[1]["words"] == "1 face inpainted (0.71); found by face_yolov8n.pt"


def test_links_lead_to_the_files(sample_run, page):
    data = page_data(sample_run)
    found = parts_of(sample_run.folder, "cells")
    links = [cell[name] for cell in found for name in ("image", "thumb", "before", "beforeThumb") if cell[name]]
    assert len(links) == 9 * 4 + 2
    for link in [*links, *(sheet["href"] for sheet in data["sheets"])]:
        assert re.fullmatch(r"[A-Za-z0-9/._%-]+", link)
        assert (sample_run.folder / unquote(link)).is_file()


def test_nothing_comes_from_outside(page):
    text = page.read_text(encoding="utf-8")
    read = Reader(text)
    assert "://" not in re.sub(r"http://www\.w3\.org/2000/svg", "", text.replace(read.scripts[0], ""))
    assert not [attrs for tag, attrs in read.tags if tag in ("script", "link", "img") and attrs.get("src")]
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b", read.scripts[1])


@settings(deadline=None, max_examples=50)
@given(
    st.text(st.characters(exclude_categories=[])) | st.sampled_from(["</script>", "<!--<script>", "@@STYLE@@", "]]>"])
)
def test_any_text_stays_data(text):
    data = {"text": text, "list": [text]}
    read = Reader(render_page(data))
    assert len(read.scripts) == 2
    assert json.loads(read.scripts[0]) == data


def test_a_run_that_only_began_has_a_page(make_run, make_experiment, tmp_path):
    run = make_run(tmp_path, make_experiment(), {n: Outcome.PENDING for n in range(1, 13)})
    data = page_data(run)
    assert data["summary"].endswith("0 of 12 cells done")
    assert write_page(run).is_file()
    assert {cell["image"] for cell in parts_of(tmp_path, "cells")} == {None}


def test_a_picture_whose_face_pass_failed_is_never_shown_as_the_last_one(sample_run):
    first = sample_run.cells[0]
    result = replace(first.result, outcome=Outcome.FAILED, after=None, after_thumb=None, error="no memory")
    run = replace(sample_run, cells=(replace(first, result=result), *sample_run.cells[1:]))
    cell = cell_chunk(run.cells, {})[0]
    assert (cell["image"], cell["thumb"], cell["why"]) == (None, None, "no memory")
    assert unquote(cell["before"]) == first.result.before


def test_looking_needs_no_model():
    code = "import sys, ohwx_compare.look.page, ohwx_compare.look.sheet; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


# ---- in a browser


@pytest.fixture
def tab(chromium, page):
    """The page opened from disk; at the end it must have said nothing and asked for nothing but files."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    tab = context.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    yield tab
    assert tab.evaluate("window.hurt") is None
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()


def shown(tab, selector):
    """The file that an image shows, once it has turned to it."""
    tab.wait_for_function("image => image.currentSrc", arg=tab.query_selector(selector))
    return tab.eval_on_selector(selector, "image => decodeURIComponent(image.currentSrc)")


def test_the_grid_in_a_browser(tab, sample_run):
    assert tab.locator(".cell").count() == 12
    assert tab.locator(".head b").all_inner_texts() == [ref.stem for ref in sample_run.experiment.checkpoints]
    assert sample_run.experiment.axes[2].values[1].prompt.split("\u2028")[0] in tab.locator(".band").nth(1).inner_text()
    first, third = ".cell >> nth=0 >> img", ".cell >> nth=2 >> img"
    tab.wait_for_function("() => document.querySelector('.cell img').naturalWidth > 0")
    assert "before" not in shown(tab, first)
    tab.get_by_role("button", name="Before", exact=True).click()
    assert "before" in shown(tab, first)
    tab.keyboard.press("b")
    assert "before" not in shown(tab, first)
    tab.locator(".cell").nth(0).focus()
    tab.keyboard.press("Shift+B")
    assert "before" in shown(tab, first)
    assert "before" not in shown(tab, third)
    tab.keyboard.down("b")
    tab.wait_for_timeout(400)
    assert "before" in shown(tab, third)
    tab.keyboard.up("b")
    assert "before" not in shown(tab, third)
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')").startswith("модель 星 #1 50%?, seed 11")


def test_the_filter_in_a_browser(tab):
    tab.keyboard.press("/")
    tab.keyboard.type("no face, seed 10")
    assert tab.locator(".tile:not(.dim):visible").count() == 1
    assert tab.locator("#count").inner_text() == "1 of 12 cells"
    tab.keyboard.press("Escape")
    assert tab.locator(".tile:visible").count() == 12
    assert tab.locator("#count").inner_text() == "12 cells"


def test_a_pill_tells_the_pass_that_is_seen(tab):
    first = tab.locator(".tile").first
    first.hover()
    assert first.locator(".flip").inner_text() == "after"
    assert "before" not in shown(tab, ".cell >> nth=0 >> img")
    first.locator(".flip").click()
    assert first.locator(".flip").inner_text() == "before"
    assert "before" in shown(tab, ".cell >> nth=0 >> img")


def test_the_viewer_in_a_browser(tab, sample_run):
    tab.locator(".cell").nth(0).click()
    after, before = "#v-after", "#v-before"
    tab.wait_for_function("() => document.querySelector('#v-after').naturalWidth === 128")
    assert tab.locator("#p-text").inner_text() == sample_run.cells[0].result.infotext
    assert "1 face inpainted (0.71)" in tab.locator("#p-words").inner_text()
    tab.keyboard.press("b")
    assert tab.locator(before).is_visible()
    assert not tab.locator(after).is_visible()
    tab.keyboard.press("w")
    wipe = tab.get_by_role("slider", name="Wipe between before and after")
    wipe.focus()
    tab.keyboard.press("ArrowRight")
    assert wipe.get_attribute("aria-valuenow") == "51"
    tab.keyboard.press("Home")
    assert wipe.get_attribute("aria-valuenow") == "0"
    tab.locator("#stage").focus()
    scale = "new DOMMatrix(document.querySelector('#layer').style.transform).a"
    fitted = tab.evaluate(scale)
    tab.keyboard.press("f")
    zoomed = tab.evaluate(scale)
    assert zoomed > fitted
    tab.keyboard.press("ArrowRight")
    assert "модель 星" in tab.locator("#v-title").inner_text()
    assert tab.evaluate(scale) == zoomed
    tab.keyboard.press("0")
    assert tab.evaluate(scale) == fitted
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    assert "1 face inpainted" in tab.locator("#p-words").inner_text()
    tab.keyboard.press("?")
    assert tab.locator("#keys").is_visible()
    tab.keyboard.press("Escape")
    tab.keyboard.press("Escape")
    assert not tab.locator("#viewer").is_visible()
    assert tab.evaluate("document.activeElement.className") == "cell"


def test_outlines_are_as_thin_at_any_zoom(tab):
    """2 px of the screen, however near the face."""
    tab.locator(".cell").first.click()
    tab.keyboard.press("o")
    width = "parseFloat(getComputedStyle(document.querySelector('#v-faces rect')).strokeWidth)"
    screen = f"{width} * document.querySelector('#v-faces').getScreenCTM().a"
    for key in ("0", "f", "+", "1"):
        tab.keyboard.press(key)
        assert tab.evaluate(screen) == pytest.approx(2, rel=0.01)


def test_the_viewer_has_the_window_to_itself(tab):
    """The page's scrollbars are gone while it is open, and the page is where it was when it is closed."""
    assert tab.evaluate("innerWidth - document.documentElement.clientWidth") > 0  # a page that scrolls
    tab.evaluate("scrollTo(0, 150)")
    tab.locator(".cell").nth(3).click()
    assert tab.evaluate("[innerWidth - document.documentElement.clientWidth, innerHeight]") == [0, 900]
    close = tab.get_by_role("button", name="Close", exact=True).bounding_box()
    assert (
        tab.evaluate("([x, y]) => document.elementFromPoint(x, y).dataset.do", [close["x"] + 5, close["y"] + 9])
        == "close"
    )
    tab.mouse.wheel(0, 500)
    tab.keyboard.press("Escape")
    tab.locator("html:not(.viewing)").wait_for()
    assert tab.evaluate("innerWidth > document.documentElement.clientWidth")
    assert tab.evaluate("scrollY") == 150


def test_a_failed_cell_in_a_browser(tab):
    tab.locator(".tile.bad .cell").click()
    assert "CUDA out of memory. Tried to allocate 2.00 GiB <b>&</b>" in tab.locator("#v-none").inner_text()
    assert not tab.locator("#v-after").is_visible()


def test_the_page_fits_a_phone(chromium, page):
    tab = chromium.new_page(viewport={"width": 390, "height": 844})
    tab.goto(page.as_uri())
    for selector in (".top", ".bar", "#help", "#filter"):
        box = tab.locator(selector).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    tab.close()


def test_any_axis_stands_anywhere_and_the_address_keeps_it(tab, page, sample_run):
    """By a select, by dragging, and back by the address; values and long beginnings are shown or not."""
    tab.keyboard.press("a")
    assert tab.locator(".role").all_inner_texts()[0].startswith("Columns")
    tab.get_by_label("Where Prompt stands").select_option("y")
    assert tab.locator(".band").count() == 0
    tab.locator('[data-axis="1"] b').drag_to(tab.locator('[data-role="x"] h2'))
    tab.get_by_label("Where Checkpoint stands").select_option("y")
    assert tab.locator(".head b").all_inner_texts() == ["seed 10", "seed 11"]
    assert tab.locator(".row").count() == 2 * 3
    tab.locator('[data-axis="0"] summary').click()
    tab.get_by_label("модель 星 #1 50%?", exact=True).uncheck()
    assert tab.locator(".row").count() == 2 * 2
    short = "…" + sample_run.experiment.axes[2].values[0].prompt.replace("\n", " ")
    assert not tab.locator(".side").first.inner_text().startswith(short)
    assert tab.locator(".cell").count() == 8
    tab.get_by_label("Rows by").select_option("confidence")
    confidences = (
        "[...document.querySelectorAll('.tile')].map(tile => cellOf(+tile.dataset.number).faces[0]?.confidence)"
    )
    tab.wait_for_function("() => document.querySelector('#count').textContent === '8 cells'")
    first, *_, last = tab.evaluate(confidences)
    assert first > 0.75 > (last or 0)  # the first as planned has 0.71
    address = tab.evaluate("location.hash")
    assert "x=seed" in address
    again = tab.context.new_page()
    again.goto(page.as_uri() + address)
    again.wait_for_function("() => document.querySelectorAll('.cell').length === 8")
    assert again.evaluate(confidences)[0] == first
    again.close()


def test_infotexts_are_read_when_asked_for(tab):
    asked = "[...store.asked.keys()].filter(name => name.startsWith('texts'))"
    assert tab.evaluate(asked) == []
    tab.locator(".cell").nth(0).click()
    tab.wait_for_function("() => document.querySelector('#p-text').textContent.includes('Steps')")
    assert len(tab.evaluate(asked)) == 1


def test_a_page_that_cannot_be_written_is_one_sentence(sample_run, tmp_path):
    (tmp_path / "index.html").mkdir()
    with pytest.raises(LedgerError, match=r"index\.html cannot be written"):
        write_page(replace(sample_run, folder=tmp_path))
