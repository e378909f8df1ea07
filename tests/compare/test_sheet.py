"""The sheet shows every cell where the layout says, in any script, and a plain webui can read it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import FaceRecord, Fate, Outcome
from ohwx_compare.core.infotext.infotext import extra, to_job
from ohwx_compare.core.infotext.pairs import parse
from ohwx_compare.core.infotext.xyz import xyz
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.ledger.rows import Result
from ohwx_compare.look.board import board_of, face_caption, in_words
from ohwx_compare.look.layout import _SIDE
from ohwx_compare.look.lettering import Lettering
from ohwx_compare.look.sheet import _Sheet, sheet_files, write_sheets


def pages_of(run, pictures="after"):
    """Where everything lies on the sheets that `write_sheets` writes."""
    return _Sheet(board_of(run), pictures).pages


def crop(image, rect):
    return image.crop((rect.x, rect.y, rect.right, rect.bottom))


@pytest.fixture(scope="module")
def sheets(sample_run):
    return write_sheets(sample_run)


def test_every_picture_lies_at_its_rectangle(sample_run, sheets):
    assert (
        [path.name for path in sheets]
        == ["sheet.png", "sheet-before.png"]
        == [p.name for p in sheet_files(sheets[0].parent)]
    )
    rows = board_of(sample_run).rows
    for path, pictures in zip(sheets, ("after", "before"), strict=True):
        (page,) = pages_of(sample_run, pictures)
        sheet = load_rgb(path)
        assert sheet.size == (page.width, page.height)
        shown = 0
        for row, column, rect in page.cells:
            result = rows[row].cells[column].result
            name = result.before if pictures == "before" else result.image
            if name:
                assert crop(sheet, rect).tobytes() == load_rgb(sample_run.folder / name).tobytes()
                shown += 1
        assert shown == 10


def test_columns_are_checkpoints_and_rows_stand_by_prompt(sample_run):
    board = board_of(sample_run)
    assert [column.label for column in board.columns] == [ref.stem for ref in sample_run.experiment.checkpoints]
    assert [column.hash for column in board.columns] == ["a" * 64, "b" * 64, "f31347de70"]
    assert [len(group.rows) for group in board.groups] == [2, 2]
    assert [row.label for row in board.rows] == ["seed 10", "seed 11"] * 2
    for group in board.groups:
        assert {cell.cell.job.prompt for row in group.rows for cell in row.cells} == {group.prompt}


def test_no_cell_and_no_head_is_blank(sample_run, sheets):
    (page,) = pages_of(sample_run)
    sheet = load_rgb(sheets[0])
    for rect in [page.title] + [part[-1] for part in (*page.heads, *page.bands, *page.sides, *page.cells)]:
        assert len(crop(sheet, rect).getcolors(1 << 20)) > 3


def test_a_lost_or_damaged_picture_is_a_tile_that_says_so(make_run, make_experiment, tmp_path):
    run = make_run(tmp_path, make_experiment(64, (1,), ("a",)))
    (tmp_path / run.cells[0].result.after).unlink()
    (tmp_path / run.cells[1].result.after).write_bytes(b"no picture")
    (page,) = pages_of(run)
    sheet = load_rgb(write_sheets(run)[0])
    for _, column, rect in page.cells:
        corner = sheet.getpixel((rect.x, rect.y))
        assert corner == ((248, 234, 232) if column < 2 else (3, 255, 7))


def test_the_webui_reads_the_sheet_as_its_own_plot(sample_run, sheets):
    text = parse(read_infotext(sheets[0]))
    first = sample_run.cells[0].cell
    assert to_job(text) == first.job
    plot = xyz(text)
    assert (plot.x.type, plot.y.type, plot.z.type) == ("Checkpoint name", "Seed", "Prompt S/R")
    assert plot.x.values == tuple(map(str, sample_run.experiment.checkpoints))
    assert plot.y.values == (10, 11)
    assert plot.z.values == tuple(pair.prompt for pair in sample_run.experiment.axes[2].values)
    assert extra(text)["sheet"]["pictures"] == "after"
    before = extra(parse(read_infotext(sheets[1])))["sheet"]
    assert before["pictures"] == "before"
    assert before["axes"] == json.loads(json.dumps([axis.to_json() for axis in sample_run.experiment.axes]))


def test_a_large_grid_becomes_pages_and_old_ones_go(make_run, tmp_path):
    refs = tuple(CheckpointRef(f"model-{i}") for i in range(9))
    axes = (Axis("checkpoint", refs), Axis("seed", tuple(range(7))))
    run = make_run(tmp_path, Experiment(job=Job(prompt="p", seed=0, width=2048, height=2048), axes=axes),
                   {number: Outcome.PENDING for number in range(1, 64)})  # fmt: skip
    pages = pages_of(run)
    assert len(pages) > 1
    assert all(max(page.width, page.height) < _SIDE for page in pages)
    for name in ("sheet-99.png", "sheet-before.png", "sheet-mine.png"):
        (tmp_path / name).write_bytes(b"")
    small = make_run(tmp_path, Experiment(job=Job(prompt="p", seed=0, width=8, height=8), axes=axes[:1]),
                     {number: Outcome.PENDING for number in range(1, 10)})  # fmt: skip
    assert write_sheets(small) == [tmp_path / "sheet.png"]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["sheet-mine.png", "sheet.png"]


any_text = st.text(st.characters(exclude_categories=[]), max_size=60)


@settings(deadline=None, max_examples=60)
@given(any_text, st.integers(20, 400))
def test_wrapping_loses_nothing_and_stays_in_its_width(text, width):
    letters = Lettering(13)
    lines = letters.wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(letters.width(line) <= width for line in lines if len(line) > 1)


@settings(deadline=None, max_examples=60)
@given(any_text.filter(lambda text: any(c.isalnum() for c in text)), st.booleans())
def test_no_label_is_empty_in_any_script(text, without_fonts):
    letters = Lettering(14, files=[]) if without_fonts else Lettering(14)
    image = Image.new("L", (letters.width(text) + 4, 40))
    letters.draw(image, (2, 2), text, "white")
    assert image.getbbox()


def test_what_no_font_has_is_written_as_its_code_point_and_an_emoji_by_its_name():
    letters = Lettering(14, files=[])
    assert letters.width("星") == letters.width("U+661F")
    assert letters.width("a \U0001f389") == letters.width("a (party popper)")


def test_checkpoint_names_break_where_a_reader_would():
    letters = Lettering(15)
    width = letters.width("me_15_Starlight")
    assert letters.wrap("me_15_StarlightXLAnimatedV3_noREG-000030", width) == [
        "me_15_Starlight", "XLAnimatedV3_", "noREG-000030",
    ]  # fmt: skip
    assert letters.wrap("a b c d e f g", letters.width("a b c"), lines=2)[-1].endswith("…")


def face(fate: Fate, confidence: float, reason: str = "") -> FaceRecord:
    return FaceRecord(
        tab=0, box=(0, 0, 9, 9), confidence=confidence, detector="OpenCV cascade", fate=fate, reason=reason
    )


def test_outcomes_in_words():
    kept, left = face(Fate.INPAINTED, 0.871), face(Fate.FILTERED, 0.4, "top k")
    both = Result(outcome=Outcome.FACES, faces=(kept, left))
    assert face_caption(both) == "face 0.87"
    assert in_words(both) == "1 face inpainted (0.87), 1 face filtered (0.40: top k); found by OpenCV cascade"
    assert face_caption(Result(outcome=Outcome.NO_FACE)) == "no face found"
    assert in_words(Result(outcome=Outcome.FAILED, error="out of memory")) == "Failed: out of memory"
