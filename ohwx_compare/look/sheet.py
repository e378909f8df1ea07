"""The sheet: one labelled PNG of the whole grid, or several where one would be too large for other tools.

Pictures are pasted cell by cell in their own pixels. In memory at any time: one page (3 bytes a px, at most 268 MB,
see `look/layout.py`), its PNG while it is written (hardly larger), and one picture.
"""

import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from PIL import Image, ImageDraw

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import ImageError
from ohwx_compare.files.images import load_rgb, write_png
from ohwx_compare.files.inner import inner_file
from ohwx_compare.files.ledger.rows import Result, Run
from ohwx_compare.look.board import Board, board_of, face_caption, summary
from ohwx_compare.look.layout import Grid, Page, Rect, TextHeights, lay_out
from ohwx_compare.look.lettering import Lettering
from ohwx_compare.look.settings_words import settings_words
from ohwx_compare.look.sheet_infotext import sheet_infotext
from ohwx_compare.look.sheet_style import AS_FITS, DPI, SheetStyle

__all__ = ["sheet_files", "write_pages", "write_sheets"]

PAPER, INK, GREY, RULE = "#fcfbf9", "#1d1c1a", "#76726b", "#dedad2"
WARN, BAD, TILE, BAD_TILE = "#8f5400", "#a1242b", "#f1eee8", "#f8eae8"
_NAME = re.compile(r"sheet(?:-before)?(?:-\d+)?\.png")
_POINTS = 7  # the height of text on paper, in points of 1/72 inch
_BAND_LINES = 6  # of a prompt; the whole prompt is in every picture


def write_sheets(run: Run, style: SheetStyle = AS_FITS) -> list[Path]:
    """Write `sheet.png` (last pictures) and, where a face pass ran, `sheet-before.png` into the run folder.

    Paged sheets are called `sheet-1.png` and so on; sheets of an earlier state are replaced or removed. Returns the
    files in order. Raises ImageError where a file cannot be written; a picture that cannot be read becomes a tile that
    says so.
    """
    board = board_of(run)
    old = set(sheet_files(run.folder))
    written = []
    for pictures in ("after", "before") if board.has_face_pass else ("after",):
        stem = "sheet" if pictures == "after" else "sheet-before"
        written += write_pages(board, run.folder / stem, pictures, style)
    for path in old - set(written):
        path.unlink(missing_ok=True)
    return written


def write_pages(board: Board, stem: Path, pictures: str, style: SheetStyle = AS_FITS) -> list[Path]:
    """Write the board as `stem.png`, or `stem-1.png` and so on; pictures: "after" or "before" the face pass.

    Raises ImageError, and GeometryError where the labels alone fill a page.
    """
    sheet = _Sheet(board, pictures, style)
    written = []
    for number, page in enumerate(sheet.pages, 1):
        path = stem.with_name(f"{stem.name}.png" if len(sheet.pages) == 1 else f"{stem.name}-{number}.png")
        text = sheet.infotext(number, page)
        write_png(path, sheet.draw(number, page), text, dpi=DPI if style.paper else None)
        written.append(path)
    return written


def sheet_files(folder: Path) -> list[Path]:
    """The sheets of a run folder in reading order: last pictures, then those before the face pass, by page."""
    found = [path for path in folder.glob("sheet*.png") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: ("before" in path.name, len(path.name), path.name))


@dataclass(frozen=True)
class _Sheet:
    """One board as pages. All sizes follow from `size`, the height of its text, and that from the pictures."""

    board: Board
    pictures: str
    style: SheetStyle = AS_FITS

    @cached_property
    def whole(self) -> tuple[int, int]:
        """Width and height of the largest picture."""
        jobs = [cell.cell.job for cell in self.board.cells]
        return max(job.width for job in jobs), max(job.height for job in jobs)

    @cached_property
    def cell(self) -> tuple[int, int]:
        """Of its place: on paper as many columns stand side by side as have room for their names."""
        paper = self.style.paper
        if paper is None:
            return self.whole
        room = paper.px[0] - 2 * self.edge - (self.side + self.gap if self.side else 0) + self.gap
        count = len(self.board.columns)
        blocks = -(-count // max(room // (self.slot + self.gap), 1))
        width = max(room // -(-count // blocks) - self.gap, 1)
        return width, max(round(self.whole[1] * width / self.whole[0]), 1)

    @cached_property
    def size(self) -> int:
        if self.style.paper:
            return round(_POINTS * DPI / 72)
        return min(max(min(self.whole) // 22, 15), 48)

    @cached_property
    def slot(self) -> int:
        """Least width of a column."""
        return self.size * 10 if self.style.legend else 1

    @cached_property
    def gap(self) -> int:
        return max(self.size // 2, 8) if self.style.margin is None else self.style.margin

    @cached_property
    def edge(self) -> int:
        return self.size * 2 if self.style.legend or self.style.paper else self.gap

    @cached_property
    def plain(self) -> Lettering:
        return Lettering(self.size)

    @cached_property
    def bold(self) -> Lettering:
        return Lettering(self.size, bold=True)

    @cached_property
    def small(self) -> Lettering:
        return Lettering(max(round(self.size * 0.8), 12))

    @cached_property
    def heading(self) -> Lettering:
        return Lettering(round(self.size * 1.5), bold=True)

    @cached_property
    def side(self) -> int:
        if not self.style.legend:
            return 0
        widest = max(self.plain.width(row.label) for row in self.board.rows)
        return min(max(widest, self.size * 3), self.size * 10)

    @cached_property
    def pages(self) -> tuple[Page, ...]:
        board, paper, legend = self.board, self.style.paper, self.style.legend
        grid = Grid(
            cell=self.cell,
            columns=len(board.columns),
            groups=tuple(len(group.rows) for group in board.groups),
            side=self.side,
            gap=self.gap,
            margin=self.edge,
            slot=self.slot,
            content=(paper.px[0] - 2 * self.edge if paper else self.size * 36) if legend else 1,
        )
        texts = TextHeights(
            title=cache(lambda width: self.heading.line + len(self._facts(width)) * self.small.line + self.size),
            head=cache(self._head_height),
            band=cache(self._band_height),
            below=cache(self._below),
        )
        none = TextHeights(title=lambda _: 0, head=lambda *_: 0, band=lambda *_: 0, below=lambda *_: 0)
        return lay_out(replace(grid, most=paper.px) if paper else grid, texts if legend else none)

    def draw(self, number: int, page: Page) -> Image.Image:
        size = self.style.paper.px if self.style.paper else (page.width, page.height)
        image = Image.new("RGB", size, PAPER)
        canvas = ImageDraw.Draw(image)
        if self.style.legend:
            self._draw_legend(image, canvas, number, page)
        for row, column, rect in page.cells:
            self._draw_cell(image, canvas, rect, self.board.rows[row].cells[column].result)
        return image

    def _draw_legend(self, image: Image.Image, canvas: ImageDraw.ImageDraw, number: int, page: Page) -> None:
        self._draw_title(image, page.title, number)
        for column, rect in page.heads:
            self._draw_head(image, rect, column)
        for group, rect in page.bands:
            if not rect.height:
                continue
            canvas.rectangle((rect.x, rect.y, rect.right - 1, rect.y + max(self.size // 16, 1) - 1), fill=RULE)
            self._write(image, self.plain, (rect.x, rect.y + self.size // 2), self._band(group, rect.width), INK)
        for row, rect in page.sides:
            self._write(image, self.plain, (rect.x, rect.y), self._side(row), GREY)
        places = {(row, column): rect for row, column, rect in page.cells}
        for row, column, rect in page.captions:
            picture = places[row, column]
            self._draw_caption(image, rect, self.board.rows[row].cells[column].result, picture)

    def infotext(self, number: int, page: Page) -> str:
        board = self.board
        cells = [board.rows[row].cells[column] for row, column, _ in page.cells]
        place = {"page": number, "pages": len(self.pages)}
        return sheet_infotext(board.run, cells, pictures=self.pictures, chosen=board.chosen, **place)

    def _facts(self, width: int) -> list[str]:
        picture, *faces = settings_words(self.board.cells)
        facts = [f"{summary(self.board.run, self.board.cells)} · {picture}", *faces]
        return [line for fact in facts for line in self.small.wrap(fact, width)]

    def _band(self, group: int, width: int) -> list[str]:
        prompt = " ".join(self.board.groups[group].prompt.split())
        return self.plain.wrap(prompt, width, lines=_BAND_LINES) if prompt else []

    def _band_height(self, group: int, width: int) -> int:
        lines = self._band(group, width)
        return len(lines) * self.plain.line + self.size if lines else 0

    def _head(self, column: int, width: int) -> tuple[list[str], list[str]]:
        head = self.board.columns[column]
        return self.bold.wrap(head.label, width), [head.hash[:10]] if head.hash else []

    def _head_height(self, column: int, width: int) -> int:
        name, below = self._head(column, width)
        return len(name) * self.bold.line + len(below) * self.small.line

    def _side(self, row: int) -> list[str]:
        return self.plain.wrap(self.board.rows[row].label, self.side)

    def _below(self, row: int, width: int, height: int) -> int:
        """What stands below the pictures of a row: captions, and what has no room in a tile or beside them."""
        line = self.board.rows[row]
        lines = max(len(self._caption(cell.result, width, (self.cell[0], height))) for cell in line.cells)
        beside = len(self._side(row)) * self.plain.line - height
        return max(lines * self.small.line + self.size // 3 if lines or self._has_captions else 0, beside, 0)

    @cached_property
    def _has_captions(self) -> bool:
        return any(face_caption(cell.result) for cell in self.board.cells)

    def _caption(self, result: Result, width: int, picture: tuple[int, int]) -> list[str]:
        """The lines below a picture, or below a tile that has no room for what it says."""
        told = self._tile(result)
        if told is None:
            said = face_caption(result)
        else:
            head, text = self._inside(told, picture)
            said = "" if text else told[1] if head else ": ".join(filter(None, told))
        return self.small.wrap(said, width) if said else []

    def _tile(self, result: Result) -> tuple[str, str] | None:
        """Title and text that stand in place of a picture which is not there; None where there is one."""
        failed = result.outcome is Outcome.FAILED  # what there is of it was not meant to be last
        name = result.before if self.pictures == "before" else None if failed else result.image
        if name:
            is_there = inner_file(self.board.run.folder, name) is not None
            return None if is_there else ("Picture missing", f"There is no file {name} in {self.board.run.folder}.")
        return ("Failed", result.error or "no reason was recorded") if failed else ("Not generated yet", "")

    def _inside(self, told: tuple[str, str], size: tuple[int, int]) -> tuple[list[str], list[str]]:
        """The lines of title and text in a tile; none of what it has no room for."""
        width, height = (length - 2 * self._inset(size[0]) for length in size)
        if max(map(self.bold.width, told[0].split()), default=0) > width:
            return [], []
        head = self.bold.wrap(told[0], width)
        text = self.small.wrap(told[1], width) if told[1] else []
        room = height - len(head) * self.bold.line
        return (head, text if len(text) * self.small.line <= room else []) if room >= 0 else ([], [])

    def _inset(self, width: int) -> int:
        return min(self.size, width // 8)

    def _draw_title(self, image: Image.Image, rect: Rect, number: int) -> None:
        title = "Before the face pass" if self.pictures == "before" else "Checkpoint comparison"
        self.heading.draw(image, (rect.x, rect.y), title, INK)
        if len(self.pages) > 1:
            text = f"page {number} of {len(self.pages)}"
            self.small.draw(image, (rect.right - self.small.width(text), rect.y), text, GREY)
        self._write(image, self.small, (rect.x, rect.y + self.heading.line), self._facts(rect.width), GREY)

    def _draw_head(self, image: Image.Image, rect: Rect, column: int) -> None:
        name, below = self._head(column, rect.width)
        top = rect.bottom - self._head_height(column, rect.width)
        self._write(image, self.bold, (rect.x, top), name, INK)
        self._write(image, self.small, (rect.x, top + len(name) * self.bold.line), below, GREY)

    def _draw_cell(self, image: Image.Image, canvas: ImageDraw.ImageDraw, rect: Rect, result: Result) -> None:
        told, picture = self._tile(result), None
        if told is None:
            try:
                picture = load_rgb(self.board.run.folder / self._name(result))
            except ImageError as error:  # damaged: nobody knew before it was opened
                told = ("Picture missing", str(error))
        if picture is None:
            self._draw_tile(image, canvas, rect, told or ("", ""), bad=told != ("Not generated yet", ""))
            return
        scale = min(rect.width / picture.width, rect.height / picture.height)
        if scale < 1 or self.style.paper:
            size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        image.paste(picture, (rect.x + (rect.width - picture.width) // 2, rect.y + (rect.height - picture.height) // 2))

    def _name(self, result: Result) -> str:
        return str(result.before if self.pictures == "before" else result.image)

    def _draw_tile(
        self, image: Image.Image, canvas: ImageDraw.ImageDraw, rect: Rect, told: tuple[str, str], *, bad: bool
    ) -> None:
        canvas.rectangle((rect.x, rect.y, rect.right - 1, rect.bottom - 1), fill=BAD_TILE if bad else TILE)
        inset = self._inset(rect.width)
        x, y = rect.x + inset, rect.y + inset
        head, text = self._inside(told, (rect.width, rect.height))
        self._write(image, self.bold, (x, y), head, BAD if bad else GREY)
        self._write(image, self.small, (x, y + len(head) * self.bold.line), text, INK)

    def _draw_caption(self, image: Image.Image, rect: Rect, result: Result, picture: Rect) -> None:
        fill = BAD if result.outcome is Outcome.FAILED else GREY if result.outcome is Outcome.FACES else WARN
        lines = self._caption(result, rect.width, (picture.width, picture.height))
        self._write(image, self.small, (rect.x, rect.y + self.size // 6), lines, fill)

    @staticmethod
    def _write(image: Image.Image, letters: Lettering, xy: tuple[int, int], lines: list[str], fill: str) -> None:
        for i, line in enumerate(lines):
            letters.draw(image, (xy[0], xy[1] + i * letters.line), line, fill)
