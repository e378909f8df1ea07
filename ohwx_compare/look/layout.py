"""Where everything on a labelled grid of pictures lies: pure arithmetic on rectangles.

A sheet is one or more pages. Rows come in groups (one prompt each) under a band that spans the page. Heights of text
depend on the width it gets, so they come in as functions. What has no length takes no gap either.

Frame: px of the page, x to the right, y down. Pages are at most `_SIDE` - 1 px a side, the most that WebP and most
browsers and GPUs take, or as large as the paper, and at most `AREA` px in all: Pillow warns of a "decompression bomb"
above it, so larger grids trouble every other tool a user has (and 3 * `AREA` bytes bound the memory a page takes while
it is drawn: 268 MB).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ohwx_compare.errors import GeometryError

__all__ = ["AREA", "Grid", "Page", "Rect", "TextHeights", "lay_out"]

_SIDE = 16_384
AREA = 89_478_485


@dataclass(frozen=True)
class Rect:
    """A rectangle in whole px: its top left corner, width and height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column of px to the right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row of px below it."""
        return self.y + self.height


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is to be laid out; lengths in px."""

    cell: tuple[int, int]  # width, height of the largest picture
    columns: int
    groups: Sequence[int]  # number of rows in each group
    side: int  # width of the row heads
    gap: int
    margin: int
    slot: int = 1  # least width of a column, for the sake of its head
    content: int = 1  # least width between the margins, for the sake of title and bands
    most: tuple[int, int] = (_SIDE - 1, _SIDE - 1)  # width and height of a page


@dataclass(frozen=True, kw_only=True)
class TextHeights:
    """Heights in px that texts take at a width in px."""

    title: Callable[[int], int]
    head: Callable[[int, int], int]  # column number, width
    band: Callable[[int, int], int]  # group number, width
    below: Callable[[int, int, int], int]  # row number, width of a column, height of a picture


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: its size in px and its parts, each with the number from 0 of what it shows; rows count over groups."""

    width: int
    height: int
    title: Rect
    heads: tuple[tuple[int, Rect], ...]  # column
    bands: tuple[tuple[int, Rect], ...]  # group
    sides: tuple[tuple[int, Rect], ...]  # row
    cells: tuple[tuple[int, int, Rect], ...]  # row, column, the picture's place
    captions: tuple[tuple[int, int, Rect], ...]  # row, column, below the picture


@dataclass(frozen=True)
class _Frame:
    """One block of columns at one size of cell: all that its pages share."""

    grid: Grid
    texts: TextHeights
    cell: tuple[int, int]
    columns: range

    @property
    def slot(self) -> int:
        return max(self.cell[0], self.grid.slot)

    @property
    def content(self) -> int:
        n = len(self.columns)
        return max(self.grid.content, self.inset + n * (self.grid.gap + self.slot) - self.grid.gap)

    @property
    def inset(self) -> int:
        """From the left margin to the first column."""
        return self.below(self.grid.side)

    def below(self, length: int) -> int:
        """A length and the gap behind it."""
        return length + self.grid.gap if length else 0

    @property
    def width(self) -> int:
        return self.content + 2 * self.grid.margin

    @property
    def capacity(self) -> int:
        return min(self.grid.most[1], AREA // self.width)

    @cached_property
    def rows(self) -> list[int]:
        return [
            self.cell[1] + self.texts.below(row, self.slot, self.cell[1]) + self.grid.gap
            for row in range(sum(self.grid.groups))
        ]

    @property
    def head(self) -> int:
        return max(self.texts.head(column, self.slot) for column in self.columns)

    @property
    def fixed(self) -> int:
        return 2 * self.grid.margin + self.below(self.texts.title(self.content)) + self.below(self.head)

    @cached_property
    def bands(self) -> list[int]:
        return [self.below(self.texts.band(g, self.content)) for g in range(len(self.grid.groups))]

    def fits(self) -> bool:
        return self.width <= self.grid.most[0] and self.fixed + max(self.bands) + max(self.rows) <= self.capacity


def lay_out(grid: Grid, texts: TextHeights) -> tuple[Page, ...]:
    """Pages that together hold every cell once, rows first, then blocks of columns.

    A grid is split between rows as evenly as its bands allow; between columns only where one row alone is too large.
    Cells shrink only where a single one does not fit a page. Raises GeometryError for an empty grid, or when labels
    alone fill a page.
    """
    if grid.columns < 1 or not grid.groups or min(grid.groups) < 1 or min(grid.cell) < 1:
        raise GeometryError(f"A sheet needs at least one column and one row of pictures, got {grid}.")
    cell, blocks = _largest(grid, texts)
    frames = [_Frame(grid, texts, cell, block) for block in blocks]
    return tuple(_place(frame, rows) for frame in frames for rows in _split(frame))


def _blocks(columns: int, most: int) -> list[range]:
    """Columns in as few blocks of at most `most` as possible, and those as even as possible."""
    count = -(-columns // most)
    return [range(a, b) for a, b in pairwise(columns * i // count for i in range(count + 1))]


def _largest(grid: Grid, texts: TextHeights) -> tuple[tuple[int, int], list[range]]:
    """The size of a cell and the blocks of columns that share a page."""
    cell, smaller = (0, 0), grid.cell
    while smaller != cell:
        cell = smaller
        for most in range(grid.columns, 0, -1):
            blocks = _blocks(grid.columns, most)
            if all(_Frame(grid, texts, cell, block).fits() for block in blocks):
                return cell, blocks
        smaller = (max(1, int(cell[0] * 0.9)), max(1, int(cell[1] * 0.9)))
    raise GeometryError(
        f"The labels leave no room for pictures of {grid.cell[0]}x{grid.cell[1]} px on a page of {grid.most[0]}x"
        f"{grid.most[1]} px; shorten them, or leave them out."
    )


def _split(frame: _Frame) -> list[list[tuple[int, int]]]:
    """Rows of each page as (group, row), in as few pages as possible and those as even as possible."""
    low, high = frame.fixed + max(frame.bands) + max(frame.rows), frame.capacity
    fewest = len(_fill(frame, high))
    while low < high:
        middle = (low + high) // 2
        if len(_fill(frame, middle)) > fewest:
            low = middle + 1
        else:
            high = middle
    return _fill(frame, high)


def _fill(frame: _Frame, capacity: int) -> list[list[tuple[int, int]]]:
    pages: list[list[tuple[int, int]]] = []
    free = row = 0
    for group, rows in enumerate(frame.grid.groups):
        for i in range(rows):
            need = frame.rows[row] + (frame.bands[group] if i == 0 else 0)
            if not pages or need > free:
                pages.append([])
                free, need = capacity - frame.fixed, frame.rows[row] + frame.bands[group]
            pages[-1].append((group, row))
            free -= need
            row += 1
    return pages


def _place(frame: _Frame, rows: list[tuple[int, int]]) -> Page:
    grid, slot = frame.grid, frame.slot
    left = grid.margin
    title = Rect(left, grid.margin, frame.content, frame.texts.title(frame.content))
    xs = [left + frame.inset + i * (slot + grid.gap) for i in range(len(frame.columns))]
    y = grid.margin + frame.below(title.height)
    heads = tuple((column, Rect(x, y, slot, frame.head)) for column, x in zip(frame.columns, xs, strict=True))
    y += frame.below(frame.head)
    bands, sides, cells, captions = [], [], [], []
    width, height = frame.cell
    for i, (group, row) in enumerate(rows):
        if i == 0 or rows[i - 1][0] != group:
            bands.append((group, Rect(left, y, frame.content, frame.texts.band(group, frame.content))))
            y += frame.below(bands[-1][1].height)
        high = frame.rows[row] - grid.gap
        sides.append((row, Rect(left, y, grid.side, high)))
        for column, x in zip(frame.columns, xs, strict=True):
            cells.append((row, column, Rect(x, y, width, height)))
            captions.append((row, column, Rect(x, y + height, slot, high - height)))
        y += frame.rows[row]
    return Page(
        width=frame.width,
        height=y - grid.gap + grid.margin,
        title=title,
        heads=heads,
        bands=tuple(bands),
        sides=tuple(sides),
        cells=tuple(cells),
        captions=tuple(captions),
    )
