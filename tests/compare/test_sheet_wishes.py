"""Sheets as somebody wants them: any axes and values, for paper, without words; nothing on them is cut."""

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ohwx_compare.cli.main import main
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.look.arrangement import arranged, divided, values_named
from ohwx_compare.look.board import board_of
from ohwx_compare.look.lettering import Lettering
from ohwx_compare.look.sheet import _Sheet
from ohwx_compare.look.sheet_export import SheetWish, read_wish, write_wished
from ohwx_compare.look.sheet_style import Paper, SheetStyle

EMOJI = Path(__file__).with_name("drawn_emoji.ttf")  # one coloured bitmap of 109 px, as Android's fonts have them


@pytest.fixture(scope="module")
def run(make_run, make_experiment, tmp_path_factory):
    """Pictures of 32 px; cell 5 failed, 12 is not drawn."""
    odd = {5: Outcome.FAILED, 12: Outcome.PENDING}
    return make_run(tmp_path_factory.mktemp("small"), make_experiment(32), odd)


def test_any_axes_make_columns_and_rows_and_no_cell_is_lost(run):
    for first, second, third in permutations(range(3)):
        for columns, rows in (((first,), ()), ((first, second), (third,)), ((first,), (third, second))):
            for swap in (False, True):
                shown = arranged(run, columns, rows, swap=swap)
                assert sorted(shown.numbers) == [*range(1, 13)]
                for part in zip(*shown.lines, strict=True):  # one value of each column's axis in a column
                    at = [run.cells[number - 1].cell.coordinates for number in part]
                    assert all(len({place[i] for place in at}) == 1 for i in shown.columns)
    straight, swapped = arranged(run), arranged(run, swap=True)
    assert swapped.lines == tuple(zip(*straight.lines, strict=True))


def test_values_are_chosen_by_name_and_each_can_have_a_sheet(run):
    axis, labels = run.experiment.axes[0], run.experiment.labels_of(0)
    assert values_named(axis, labels, ["starlight"]) == [0, 2]
    assert values_named(run.experiment.axes[1], run.experiment.labels_of(1), ["10"]) == [0]
    with pytest.raises(ExperimentError, match="did you mean"):
        values_named(axis, labels, ["nobody"])
    parts = divided(run, arranged(run, shown={0: (0, 2)}), (1,))
    assert [name for name, _ in parts] == ["seed 10", "seed 11"]
    assert [part.lines for _, part in parts] == [((1, 9), (2, 10)), ((3, 11), (4, 12))]


def test_without_words_a_sheet_is_its_pictures_and_the_margin(run, tmp_path):
    wish = SheetWish(cells=arranged(run, shown={0: (0,)}, swap=True), style=SheetStyle(margin=3, legend=False))
    (path,) = write_wished(run, wish, tmp_path)
    sheet = load_rgb(path)
    assert sheet.size == (4 * 32 + 5 * 3, 32 + 2 * 3)
    for i, number in enumerate(wish.cells.numbers):
        picture = load_rgb(run.folder / run.cells[number - 1].result.image)
        assert sheet.crop((3 + 35 * i, 3, 35 + 35 * i, 35)).tobytes() == picture.tobytes()


@pytest.mark.parametrize("paper", ["a4", "letter", "a5-landscape", "100x150"])
def test_pages_are_as_large_as_the_paper(run, tmp_path, paper):
    size = Paper.read(paper)
    paths = write_wished(run, SheetWish(cells=arranged(run), style=SheetStyle(paper=size)), tmp_path)
    for path in paths:
        with Image.open(path) as page:
            assert page.size == size.px
            assert [page.size[i] / page.info["dpi"][i] * 25.4 for i in (0, 1)] == pytest.approx(
                [size.width, size.height], abs=0.1
            )
    shown = [json.loads(parse(read_infotext(path)).get("ohwx"))["sheet"]["page"] for path in paths]
    assert shown == [*range(1, len(paths) + 1)]


@pytest.mark.parametrize("paper", ["", "a9", "a4 sideways", "10x20", "9999x9999", "0x0"])
def test_what_is_no_paper_is_one_sentence(paper):
    with pytest.raises(ExperimentError, match=r"^A paper is .+ got ") as told:
        Paper.read(paper)
    assert str(told.value).count("\n") == 0


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(8, 300), st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30))
def test_no_reason_is_cut(run, side, word):
    reason = f"CUDA out of memory {word} " * 6
    failed = replace(run.cells[4], result=replace(run.cells[4].result, error=reason))
    cells = (*run.cells[:4], failed, *run.cells[5:])
    two = arranged(run, shown={0: (1, 2), 1: (0,), 2: (0,)})
    sheet = _Sheet(board_of(replace(run, cells=cells), two), "after")
    (page,) = sheet.pages
    row, column = next((r, c) for r, c, _ in page.cells if sheet.board.rows[r].cells[c].cell.number == 5)
    below = next(rect for r, c, rect in page.captions if (r, c) == (row, column))
    head, text = sheet._inside(("Failed", reason), (side, side))
    lines = sheet._caption(failed.result, below.width, (side, side))
    assert "".join("".join([*head, *text, *lines]).split()).endswith("".join(reason.split()))
    high = sheet._below(row, below.width, side)
    assert len(lines) * sheet.small.line + sheet.size // 6 <= high
    whole = sheet._below(row, below.width, sheet.cell[1])
    assert below.height == whole


@pytest.mark.parametrize(("columns", "shown"), [((1,), {0: (1, 2)}), ((2, 0), {}), ((0,), {1: (1,), 2: (0,)})])
def test_the_text_of_a_chosen_sheet_asks_for_its_cells_alone(run, tmp_path, columns, shown):
    cells = arranged(run, columns, shown=shown)
    (path,) = write_wished(run, SheetWish(cells=cells), tmp_path)
    again = Experiment.from_infotext(parse(read_infotext(path)))
    own = [run.cells[number - 1].cell for number in cells.numbers]
    assert {(c.checkpoint, c.job, c.faces) for c in again.cells()} == {(c.checkpoint, c.job, c.faces) for c in own}
    assert len(again.cells()) == len(own)


def test_files_have_plain_names_and_lone_pictures_lie_beside(run, tmp_path):
    wish = SheetWish(cells=arranged(run), by=(2, 0), has_pictures=True, is_before=True)
    paths = write_wished(run, wish, tmp_path)
    assert len({path.name for path in paths}) == 6
    assert all(is_plain_name(path.name) for path in paths)
    names = {Path(cell.result.before).name for cell in run.cells if cell.result.before}
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == names


@pytest.mark.parametrize(
    "told",
    [
        {"lines": [[1, 2], [3]]}, {"lines": []}, {"lines": [[99]]}, {"lines": [["1"]]}, {"columns": [7]},
        {"columns": []}, {"by": [0, 0]}, {"margin": "9"}, {"margin": -1}, {"paper": "a9"}, {"rows": "0"},
    ],
)  # fmt: skip
def test_what_a_page_cannot_ask_for_is_one_sentence(run, told):
    sound = {"columns": [0], "rows": [2, 1], "by": [], "lines": [[1, 5, 9]], "margin": None, "paper": ""}
    assert read_wish(run, sound).cells.numbers == (1, 5, 9)
    with pytest.raises(ExperimentError):
        read_wish(run, {**sound, **told})


def test_by_the_command_line(run, tmp_path, capsys):
    out = tmp_path / "new"
    asked = ["sheet", str(run.folder), "--columns", "Seed", "--show", "checkpoint=noREG", "--out", str(out)]
    assert main(asked) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "sheet.png")]
    assert main(asked) == 1
    assert "not empty" in capsys.readouterr().err
    assert main(["sheet", str(run.folder), "--columns", "sead"]) == 1
    assert "did you mean 'seed'?" in capsys.readouterr().err
    assert not (run.folder / "exports").exists()


def test_emoji_are_drawn_in_colour_where_a_font_has_them_so():
    letters = Lettering(20, files=[EMOJI])
    image = Image.new("RGB", (60, 30), "white")
    letters.draw(image, (2, 2), "\U0001f389", "black")
    colours = {colour for _, colour in image.getcolors(10_000)}
    assert any(red > 200 and green < 80 for red, green, _ in colours)
    assert 20 <= letters.width("\U0001f389") <= 26
    assert letters.width("\U0001f38a") == letters.width("(confetti ball)")
