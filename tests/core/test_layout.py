"""Laws of the sheet's rectangles."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohwx_compare.errors import GeometryError
from ohwx_compare.look.layout import _SIDE, AREA, Grid, Page, Rect, TextHeights, lay_out

grids = st.builds(
    Grid,
    cell=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)) | st.just((1024, 1024)),
    columns=st.integers(1, 40),
    groups=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    side=st.integers(0, 400),
    gap=st.integers(0, 30),
    margin=st.integers(0, 80),
    slot=st.integers(1, 300),
    content=st.integers(1, 900),
)
letters = st.integers(0, 40_000)
FLAT = TextHeights(title=lambda _: 1, head=lambda *_: 1, band=lambda *_: 1, below=lambda *_: 0)
texts = st.builds(
    lambda title, head, band: TextHeights(
        title=lambda width: title // width + 1,
        head=lambda column, width: min((head + column * 97) // width + 1, 2000),
        band=lambda group, width: min((band + group * 131) // width + 1, 2000),
        below=lambda row, width, height: min((band + row * 17) // width, 60 + 7 * (row % 3)),
    ),
    title=letters,
    head=letters,
    band=letters,
)


def parts(page: Page) -> list[Rect]:
    kinds = (page.heads, page.bands, page.sides, page.cells, page.captions)
    return [page.title, *(part[-1] for kind in kinds for part in kind)]


def overlap(a: Rect, b: Rect) -> bool:
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


@settings(deadline=None, max_examples=60)
@given(grids, texts)
def test_pages_stay_inside_their_bounds(grid, texts):
    for page in lay_out(grid, texts):
        assert page.width < _SIDE
        assert page.height < _SIDE
        assert page.width * page.height <= AREA
        for rect in parts(page):
            assert grid.margin <= rect.x
            assert grid.margin <= rect.y
            assert rect.right <= page.width - grid.margin
            assert rect.bottom <= page.height - grid.margin


@settings(deadline=None, max_examples=60)
@given(grids, texts)
def test_every_cell_is_there_once_with_its_head_and_side(grid, texts):
    pages = lay_out(grid, texts)
    seen = Counter((row, column) for page in pages for row, column, _ in page.cells)
    assert seen == Counter((row, column) for row in range(sum(grid.groups)) for column in range(grid.columns))
    for page in pages:
        assert [column for column, _ in page.heads] == sorted({column for _, column, _ in page.cells})
        assert [row for row, _ in page.sides] == sorted({row for row, _, _ in page.cells})
        group_of = [group for group, rows in enumerate(grid.groups) for _ in range(rows)]
        assert [group for group, _ in page.bands] == sorted({group_of[row] for row, _ in page.sides})


@settings(deadline=None, max_examples=60)
@given(grids, texts)
def test_nothing_overlaps(grid, texts):
    for page in lay_out(grid, texts):
        by_top = sorted((rect for rect in parts(page) if rect.height and rect.width), key=lambda rect: rect.y)
        for i, rect in enumerate(by_top):
            for other in by_top[i + 1 :]:
                if other.y >= rect.bottom:
                    break
                assert not overlap(rect, other)


@settings(deadline=None, max_examples=60)
@given(grids, texts)
def test_all_cells_are_of_one_size_and_shrink_only_when_one_alone_does_not_fit(grid, texts):
    sizes = {(rect.width, rect.height) for page in lay_out(grid, texts) for _, _, rect in page.cells}
    assert len(sizes) == 1
    if max(grid.cell) <= 4096:
        assert sizes == {grid.cell}


@settings(deadline=None, max_examples=60)
@given(grids, texts)
def test_pages_of_one_block_of_columns_are_even(grid, texts):
    pages = lay_out(grid, texts)
    for a, b in pairwise(pages):
        if a.heads == b.heads and len(grid.groups) == 1:
            assert abs(len(a.sides) - len(b.sides)) <= len(pages)


def test_a_dozen_checkpoints_by_eight_seeds_of_sdxl_size_make_two_pages_of_four_rows():
    grid = Grid(cell=(1024, 1024), columns=12, groups=(8,), side=200, gap=12, margin=48)
    flat = TextHeights(title=lambda _: 100, head=lambda *_: 80, band=lambda *_: 60, below=lambda *_: 40)
    assert [len(page.sides) for page in lay_out(grid, flat)] == [4, 4]


@pytest.mark.parametrize("change", [{"columns": 0}, {"groups": ()}, {"groups": (2, 0)}, {"cell": (0, 8)}])
def test_an_empty_grid_is_refused(change):
    given = {"cell": (8, 8), "columns": 1, "groups": (1,), "side": 0, "gap": 0, "margin": 0} | change
    with pytest.raises(GeometryError, match="at least one column"):
        lay_out(Grid(**given), FLAT)


def test_labels_that_fill_a_page_are_refused():
    grid = Grid(cell=(8, 8), columns=1, groups=(1,), side=0, gap=0, margin=0)
    with pytest.raises(GeometryError, match="labels leave no room"):
        lay_out(grid, replace(FLAT, title=lambda _: _SIDE))
