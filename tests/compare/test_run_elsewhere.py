"""A run copied from another machine is looked at, adopted and extended; what was painted over is generated again."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from drawing_runs import PLAIN, contents, draw
from killed_run import EXPERIMENT
from PIL import Image, PngImagePlugin

from ohwx_compare.cli import drawing
from ohwx_compare.cli.answer import words_of
from ohwx_compare.cli.main import main
from ohwx_compare.compare.run import Options
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import ElsewhereError, LedgerError
from ohwx_compare.files.images import load_rgb, pixel_digest, write_png
from ohwx_compare.files.infotexts import read_record
from ohwx_compare.files.ledger.reader import open_run, read_pictures, read_summary
from ohwx_compare.look.page import page_data, render_page
from ohwx_compare.look.sheet import write_sheets
from ohwx_compare.testing.fake_host import FakeHost

ADOPTING = Options(batch=2, adopt=True)
no_links = pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")


def grown(experiment, *seeds):
    axes = tuple(Axis("seed", seeds) if axis.kind == "seed" else axis for axis in experiment.axes)
    return replace(experiment, axes=axes)


def moved(folder, tmp_path):
    """As from another machine: other file numbers under another path."""
    (tmp_path / "copied ä").mkdir()
    return Path(shutil.copytree(folder, tmp_path / "copied ä" / folder.name))


def painted(path):
    """Paint over a picture; what it says about itself stays."""
    with Image.open(path) as image:
        chunks = PngImagePlugin.PngInfo()
        for name, text in image.text.items():
            chunks.add_itxt(name, text) if isinstance(text, PngImagePlugin.iTXt) else chunks.add_text(name, text)
        other = Image.new("RGB", image.size, "hotpink")
    other.save(path, pnginfo=chunks)


def shown(folder):
    """What each cell ended with."""
    return {c.cell.number: pixel_digest(load_rgb(folder / c.result.image)) for c in open_run(folder).cells}


def pixels(folder):
    return {path.name: pixel_digest(load_rgb(path)) for path in sorted((folder / "images").glob("*.png"))}


def test_a_copied_run_is_looked_at_adopted_and_extended(models, tmp_path):
    draw(grown(EXPERIMENT, 1, 2), models, tmp_path / "whole" / "out")
    copy = moved(tmp_path / "whole" / "out", tmp_path)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert read_summary(copy).done == 8
    assert "8 cells, all done" in render_page(page_data(open_run(copy)))
    with pytest.raises(ElsewhereError, match="must be adopted") as refused:
        draw(grown(EXPERIMENT, 1, 2, 3), models, copy)
    assert "--adopt" in words_of(refused.value)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    told = []
    result, _, log, _ = draw(grown(EXPERIMENT, 1, 2, 3), models, copy, options=ADOPTING, told=told)
    assert [event for event in told if isinstance(event, events.Adopted)] == [events.Adopted(8, ())]
    compared = [event for event in told if isinstance(event, events.Adopting)]
    assert compared == [events.Adopting(done, len(compared)) for done in range(1, len(compared) + 1)]
    assert told.index(events.Adopted(8, ())) == len(compared) > 8  # before anything else, faces' pictures too
    assert (result.drawn, result.reused) == (4, 8)
    assert {line.split()[2] for line in log if line.startswith("render")} == {"3"}
    draw(grown(EXPERIMENT, 1, 2, 3), models, tmp_path / "whole" / "out")
    assert contents(copy) == contents(tmp_path / "whole" / "out")
    assert draw(grown(EXPERIMENT, 1, 2, 3), models, copy)[0].reused == 12  # ours from now on


def test_the_command_line_adopts_by_its_flag(models, tmp_path, monkeypatch, capsys):
    def host(*args):
        made = FakeHost(models)
        made.device = SimpleNamespace(type="cpu")
        return made

    monkeypatch.setattr(drawing, "native_host", host)
    (tmp_path / "e.json").write_text(json.dumps(PLAIN.to_dict()), encoding="utf-8")
    line = ["compare", str(tmp_path / "e.json"), "--checkpoints", str(models), "--json", "--out"]
    assert main([*line, str(tmp_path / "whole" / "out")]) == 0
    copy = moved(tmp_path / "whole" / "out", tmp_path)
    capsys.readouterr()
    assert main([*line, str(copy)]) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("The flag for that: --adopt.")
    for flags, adopts in ((["--adopt"], True), ([], False)):
        assert main([*line, str(copy), *flags]) == 0
        told = capsys.readouterr()
        assert ("is adopted: 6 cells kept." in told.err) == adopts
        assert json.loads(told.out)["reused"] == 6


def test_what_is_missing_or_changed_is_listed_and_generated_again(models, tmp_path):
    draw(PLAIN, models, tmp_path / "whole" / "out")
    copy = moved(tmp_path / "whole" / "out", tmp_path)
    cells = open_run(copy).cells
    (copy / cells[0].result.image).unlink()
    painted(copy / cells[1].result.image)
    (copy / cells[2].result.image).write_bytes((copy / cells[3].result.image).read_bytes())
    (copy / cells[4].result.image).write_bytes((copy / cells[4].result.image).read_bytes()[:-40])
    lost = tuple(cells[i].cell.label for i in (0, 1, 2, 4))
    told = []
    result, _, _, _ = draw(PLAIN, models, copy, options=ADOPTING, told=told)
    adopted = next(event for event in told if isinstance(event, events.Adopted))
    assert adopted == events.Adopted(2, lost)
    assert lost[0] in adopted.words
    assert (result.drawn, result.reused) == (4, 2)
    assert shown(copy) == shown(tmp_path / "whole" / "out")


@pytest.mark.parametrize("before", [True, False])
def test_a_picture_painted_over_in_its_own_folder_is_generated_again(before, models, tmp_path):
    _, opened, _, _ = draw(EXPERIMENT, models, tmp_path / "out")
    whole = contents(tmp_path / "out")
    result = next(c.result for c in opened.cells if c.result.outcome is Outcome.FACES)
    painted(tmp_path / "out" / (result.before if before else result.after))
    assert draw(EXPERIMENT, models, tmp_path / "out")[0].drawn > 0
    assert contents(tmp_path / "out") == whole
    assert draw(EXPERIMENT, models, tmp_path / "out")[0].drawn == 0


def test_a_face_pass_starts_from_the_picture_that_was_generated(models, tmp_path):
    """Size and time are as they were, so only the pixels tell."""
    _, opened, _, _ = draw(EXPERIMENT, models, tmp_path / "out")
    before = tmp_path / "out" / opened.cells[0].result.before
    told, size = before.stat(), before.stat().st_size
    painted(before)
    before.write_bytes(before.read_bytes().ljust(size, b"\0"))
    os.utime(before, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert before.stat().st_size == size
    more = replace(EXPERIMENT, axes=(*EXPERIMENT.axes[:2], Axis("face denoise", (0.3, 0.5, 0.7))))
    draw(more, models, tmp_path / "out")
    draw(more, models, tmp_path / "whole" / "out")
    assert shown(tmp_path / "out") == shown(tmp_path / "whole" / "out")


def test_a_picture_painted_over_is_not_lent(models, tmp_path):
    _, opened, _, _ = draw(EXPERIMENT, models, tmp_path / "first")
    result = next(c.result for c in opened.cells if c.result.outcome is Outcome.FACES)
    for name in (result.before, result.after):
        painted(tmp_path / "first" / name)
    draw(EXPERIMENT, models, tmp_path / "b", options=Options(batch=2, reuse=(tmp_path / "first",)))
    draw(EXPERIMENT, models, tmp_path / "whole")
    assert pixels(tmp_path / "b") == pixels(tmp_path / "whole")


def test_a_picture_whose_text_alone_was_touched_is_kept(models, tmp_path):
    """As by a program that writes tags, or that packs files better."""
    draw(PLAIN, models, tmp_path / "out")
    for path in (tmp_path / "out" / "images").glob("*.png"):
        with Image.open(path) as image:
            chunks = PngImagePlugin.PngInfo()
            for name, text in {**image.text, "rating": "5"}.items():
                chunks.add_text(name, text)
            image.save(path, pnginfo=chunks, optimize=True)
    assert draw(PLAIN, models, tmp_path / "out")[0].drawn == 0


def test_every_picture_is_recorded(models, tmp_path):
    draw(EXPERIMENT, models, tmp_path / "out")
    recorded = read_pictures(tmp_path / "out")
    assert {name: row.pixels for name, row in recorded.items()} == {
        f"images/{name}": digest for name, digest in pixels(tmp_path / "out").items()
    }


def forgotten(folder):
    """As after a kill between a batch's pictures and the rows of its cells."""
    with closing(sqlite3.connect(folder / "run.sqlite")) as db, db:
        for table in ("pictures", "faces", "cells"):
            db.execute(f"DELETE FROM {table}")


def silenced(path):
    """The same picture as an earlier version wrote it: after a face pass it says nothing of its own pixels."""
    text, says = read_record(path)
    record = json.dumps({name: value for name, value in says.items() if name != "own"})
    write_png(path, load_rgb(path), text, record)


@pytest.mark.parametrize("lends", [False, True])
def test_a_picture_after_its_face_pass_that_no_row_records_is_compared_too(lends, models, tmp_path):
    out = tmp_path / "out"
    _, opened, _, _ = draw(EXPERIMENT, models, out)
    whole, after = pixels(out), [c.result.after for c in opened.cells if c.result.outcome is Outcome.FACES]
    forgotten(out)
    painted(out / after[0])
    silenced(out / after[1])
    resumed = (tmp_path / "b", {"options": Options(batch=2, reuse=(out,))}) if lends else (out, {})
    _, _, log, _ = draw(EXPERIMENT, models, *resumed[:1], **resumed[1])
    assert pixels(resumed[0]) == whole
    assert not [line for line in log if line.startswith("render")]
    again, faces = (
        sum(len(c.result.faces) for c in opened.cells if c.result.after in names) for names in (after[:2], after)
    )
    assert 0 < len([line for line in log if line.startswith("inpaint")]) == again < faces


def test_resuming_decodes_no_picture_that_looks_the_same(models, tmp_path, monkeypatch):
    draw(EXPERIMENT, models, tmp_path / "out")
    monkeypatch.setattr("ohwx_compare.compare.shelf.load_rgb", None)
    assert draw(EXPERIMENT, models, tmp_path / "out")[0].reused == 12


@no_links
@pytest.mark.parametrize("name", ["images", "thumbs"])
def test_a_folder_that_is_a_link_is_not_written_through(name, models, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine.unfinished").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(outside, target_is_directory=True)
    with pytest.raises(LedgerError, match=f"{name} is a link or a file, expected a folder"):
        draw(PLAIN, models, tmp_path / "out")
    assert [path.name for path in outside.iterdir()] == ["mine.unfinished"]
    shutil.rmtree(tmp_path / "out")
    draw(PLAIN, models, tmp_path / "out")
    copy = moved(tmp_path / "out", tmp_path)
    shutil.rmtree(copy / name)
    (copy / name).symlink_to(outside, target_is_directory=True)
    with pytest.raises(LedgerError, match="is a link or a file, expected a folder"):
        draw(PLAIN, models, copy, options=ADOPTING)
    assert [path.name for path in outside.iterdir()] == ["mine.unfinished"]


@no_links
@pytest.mark.parametrize("kind", ["the picture", "its folder"])
def test_what_a_lenders_link_leads_to_is_not_lent(kind, models, tmp_path):
    """A picture of the key that is asked for, but not in the lender's folder."""
    draw(PLAIN, models, tmp_path / "first")
    lender = tmp_path / "lender"
    if kind == "its folder":
        lender.mkdir()
        (lender / "images").symlink_to(tmp_path / "first" / "images", target_is_directory=True)
        with pytest.raises(LedgerError, match="is not a run folder"):
            draw(PLAIN, models, tmp_path / "b", options=Options(batch=2, reuse=(lender,)))
        return
    (lender / "images").mkdir(parents=True)
    for path in (tmp_path / "first" / "images").iterdir():
        (lender / "images" / path.name).symlink_to(path)
    assert draw(PLAIN, models, tmp_path / "b", options=Options(batch=2, reuse=(lender,)))[0].drawn == 6


@no_links
def test_a_sheet_shows_nothing_from_outside(models, tmp_path):
    draw(PLAIN, models, tmp_path / "whole" / "out")
    copy = moved(tmp_path / "whole" / "out", tmp_path)
    shutil.rmtree(copy / "images")
    (copy / "images").symlink_to(tmp_path / "whole" / "out" / "images", target_is_directory=True)
    with_link = write_sheets(open_run(copy))[0].read_bytes()
    (copy / "images").unlink()
    assert write_sheets(open_run(copy))[0].read_bytes() == with_link
