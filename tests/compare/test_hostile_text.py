"""Hostile text wherever a person or a file brings text: it hurts neither page nor sheet, table nor file name."""

import csv
import io
import json
import re
import threading
from dataclasses import replace

import pytest
from conftest import HOSTILE, experiment_of

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.marks import read_marks
from ohwx_compare.files.ledger.own import mark
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.look.server import PageServer
from ohwx_compare.look.sheet import write_sheets

HURT = "</script><script>window.hurt=1</script><img src=x onerror='window.hurt=1'>"
FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "=HYPERLINK(0)")


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory):
    """Two checkpoints, two styles; names, prompts, negatives and metadata are all hostile."""
    base = experiment_of(32, (10,), (HOSTILE,))
    refs = tuple(CheckpointRef(f"{formula} {HURT.replace('/', '')}.safetensors") for formula in ("=1+1", "@SUM(1)"))
    styles = Axis("styles", tuple((Style(f"{formula}{HURT}", f"{{prompt}} {HURT}", formula),) for formula in "=@"))
    job = replace(base.job, negative=f"=1+1 {HURT}")
    folder = tmp_path_factory.mktemp("hostile") / "run"
    made = make_run(folder, replace(base, job=job, axes=(Axis("checkpoint", refs), styles)))
    mark(made.folder / "run.sqlite")
    with Ledger(made.folder) as ledger, ledger._change() as db:
        db.execute("UPDATE cells SET key = 'k' || number, infotext = infotext || ?, notes = ?",
                   (HURT, json.dumps([HURT])))  # fmt: skip
    return open_run(made.folder)


def test_nothing_hurts(chromium, run):
    """The page in every state that shows such text; then its exports."""
    write_sheets(run)
    with PageServer(run.folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        tab = chromium.new_page(viewport={"width": 1200, "height": 900})
        errors, asked = [], []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(server.url)
        tab.wait_for_function("() => document.querySelectorAll('.tile:not(.unread)').length === 4")
        tab.locator(".cell").first.focus()
        for formula in FORMULAS:
            tab.keyboard.press("t")
            tab.keyboard.type(f"{formula.strip()}{HURT}".replace(",", ""))
            tab.keyboard.press("Enter")
            tab.keyboard.press("n")
            tab.locator("#a-text").fill(formula + HURT)
            tab.keyboard.press("Enter")
        tab.keyboard.press("s")
        tab.keyboard.press("a")
        tab.locator("#axes summary").first.click()
        tab.keyboard.press("a")
        tab.locator(".cell").first.focus()
        tab.keyboard.press("Enter")
        tab.wait_for_function("() => document.querySelector('#p-text').textContent.includes('window.hurt')")
        tab.keyboard.press("Escape")
        for key in ("Space", "ArrowRight", "Space", "c", "i"):
            tab.keyboard.press(key)
        assert "onerror" in tab.locator("#m-table").inner_text()
        tab.keyboard.press("Escape")
        tab.keyboard.press("e")
        tab.locator("#k-each").check()
        for name in ("Export", "Make the sheet"):
            tab.get_by_role("button", name=name, exact=True).last.click()
            tab.wait_for_function("() => document.querySelector('#k-said').textContent.startsWith('Exported into')")
            tab.evaluate("() => { document.querySelector('#k-said').textContent = ''; }")
        assert tab.evaluate("() => window.hurt") is None
        assert errors == []
        assert all(url.startswith((server.address, "data:", "blob:")) for url in asked)
        tab.close()
        server.shutdown()
    assert [row.star for row in read_marks(run.folder).values()] == [1]
    exported = [path for path in (run.folder / "exports").rglob("*") if path.is_file()]
    for path in exported:
        if path.parent.name not in ("pictures", "images", "thumbs"):  # named by the run, which has tests of its own
            assert is_plain_name(path.name), path
    (table,) = (path for path in exported if path.suffix == ".csv")
    rows = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    assert any(HURT in cell for row in rows for cell in row)
    assert not any(re.match(r"[=+@\t\r]|-(?!\d)", cell) for row in rows for cell in row)
    sheets = [path for path in exported if path.name.startswith("sheet")]
    assert sheets
    assert all(load_rgb(path).width > 100 for path in sheets)
