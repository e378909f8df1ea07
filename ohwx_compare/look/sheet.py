"""The sheet: one labelled PNG of the whole grid, or several where one would be too large for other tools.

Pictures are pasted cell by cell in their own pixels. In memory at any time: one page (3 bytes a px, at most 268 MB,
see `look/layout.py`), its PNG while it is written (hardly larger), and one picture.
"""

import re
from dataclasses import dataclass
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

__all__ = ["sheet_files", "write_sheets"]

PAPER, INK, GREY, RULE = "#fcfbf9", "#1d1c1a", "#76726b", "#dedad2"
WARN, BAD, TILE, BAD_TILE = "#8f5400", "#a1242b", "#f1eee8", "#f8eae8"
_NAME = re.compile(r"sheet(?:-before)?(?:-\d+)?\.png")
_BAND_LINES = 6  # of a prompt; the whole prompt is in every picture


def write_sheets(run: Run) -> list[Path]:
    """Write `sheet.png` (last pictures) and, where a face pass ran, `sheet-before.png` into the run folder.

    Paged sheets are called `sheet-1.png` and so on; sheets of an earlier state are replaced or removed. Returns the
    files in order. Raises ImageError where a file cannot be written; a picture that cannot be read becomes a tile that
    says so.
    """
    board = board_of(run)
    old = set(sheet_files(run.folder))
    written = []
    for pictures in ("after", "before") if board.has_face_pass else ("after",):
        sheet = _Sheet(board, pictures)
        stem = "sheet" if pictures == "after" else "sheet-before"
        for number, page in enumerate(sheet.pages, 1):
            path = run.folder / (f"{stem}.png" if len(sheet.pages) == 1 else f"{stem}-{number}.png")
            write_png(path, sheet.draw(number, page), sheet.infotext(number, page))
            written.append(path)
    for path in old - set(written):
        path.unlink(missing_ok=True)
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

    @cached_property
    def cell(self) -> tuple[int, int]:
        jobs = [cell.cell.job for cell in self.board.run.cells]
        return max(job.width for job in jobs), max(job.height for job in jobs)

    @cached_property
    def size(self) -> int:
        return min(max(min(self.cell) // 22, 15), 48)

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
        widest = max(self.plain.width(row.label) for row in self.board.rows)
        return min(max(widest, self.size * 3), self.size * 10)

    @cached_property
    def pages(self) -> tuple[Page, ...]:
        board, gap = self.board, max(self.size // 2, 8)
        shows_caption = any(face_caption(cell.result) for cell in board.run.cells)
        grid = Grid(
            cell=self.cell,
            columns=len(board.columns),
            groups=tuple(len(group.rows) for group in board.groups),
            side=self.side,
            caption=self.small.line + self.size // 3 if shows_caption else 0,
            gap=gap,
            margin=self.size * 2,
            slot=self.size * 10,
            content=self.size * 36,
        )
        texts = TextHeights(
            title=cache(lambda width: self.heading.line + len(self._facts(width)) * self.small.line + self.size),
            head=cache(self._head_height),
            band=cache(lambda group, width: len(self._band(group, width)) * self.plain.line + self.size),
        )
        return lay_out(grid, texts)

    def draw(self, number: int, page: Page) -> Image.Image:
        image = Image.new("RGB", (page.width, page.height), PAPER)
        canvas = ImageDraw.Draw(image)
        self._draw_title(canvas, page.title, number)
        for column, rect in page.heads:
            self._draw_head(canvas, rect, column)
        for group, rect in page.bands:
            canvas.rectangle((rect.x, rect.y, rect.right - 1, rect.y + max(self.size // 16, 1) - 1), fill=RULE)
            self._write(canvas, self.plain, (rect.x, rect.y + self.size // 2), self._band(group, rect.width), INK)
        for row, rect in page.sides:
            lines = self.plain.wrap(
                self.board.rows[row].label, rect.width, lines=max(rect.height // self.plain.line, 1)
            )
            self._write(canvas, self.plain, (rect.x, rect.y), lines, GREY)
        for row, column, rect in page.cells:
            self._draw_cell(image, canvas, rect, self.board.rows[row].cells[column].result)
        for row, column, rect in page.captions:
            self._draw_caption(canvas, rect, self.board.rows[row].cells[column].result)
        return image

    def infotext(self, number: int, page: Page) -> str:
        cells = [self.board.rows[row].cells[column] for row, column, _ in page.cells]
        return sheet_infotext(self.board.run, cells, pictures=self.pictures, page=number, pages=len(self.pages))

    def _facts(self, width: int) -> list[str]:
        picture, *faces = settings_words(self.board.run.cells)
        facts = [f"{summary(self.board)} · {picture}", *faces]
        return [line for fact in facts for line in self.small.wrap(fact, width)]

    def _band(self, group: int, width: int) -> list[str]:
        prompt = " ".join(self.board.groups[group].prompt.split())
        return self.plain.wrap(prompt, width, lines=_BAND_LINES) if prompt else []

    def _head(self, column: int, width: int) -> tuple[list[str], list[str]]:
        head = self.board.columns[column]
        return self.bold.wrap(head.label, width), [head.hash[:10]] if head.hash else []

    def _head_height(self, column: int, width: int) -> int:
        name, below = self._head(column, width)
        return len(name) * self.bold.line + len(below) * self.small.line

    def _draw_title(self, canvas: ImageDraw.ImageDraw, rect: Rect, number: int) -> None:
        title = "Before the face pass" if self.pictures == "before" else "Checkpoint comparison"
        self.heading.draw(canvas, (rect.x, rect.y), title, INK)
        if len(self.pages) > 1:
            text = f"page {number} of {len(self.pages)}"
            self.small.draw(canvas, (rect.right - self.small.width(text), rect.y), text, GREY)
        self._write(canvas, self.small, (rect.x, rect.y + self.heading.line), self._facts(rect.width), GREY)

    def _draw_head(self, canvas: ImageDraw.ImageDraw, rect: Rect, column: int) -> None:
        name, below = self._head(column, rect.width)
        top = rect.bottom - self._head_height(column, rect.width)
        self._write(canvas, self.bold, (rect.x, top), name, INK)
        self._write(canvas, self.small, (rect.x, top + len(name) * self.bold.line), below, GREY)

    def _draw_cell(self, image: Image.Image, canvas: ImageDraw.ImageDraw, rect: Rect, result: Result) -> None:
        try:
            picture = self._picture(result)
        except ImageError as error:
            self._draw_tile(canvas, rect, "Picture missing", str(error), bad=True)
            return
        if picture is None:
            failed = result.outcome is Outcome.FAILED
            said = result.error or "no reason was recorded"
            title = "Failed" if failed else "Not generated yet"
            self._draw_tile(canvas, rect, title, said if failed else "", bad=failed)
            return
        if picture.width > rect.width or picture.height > rect.height:
            picture.thumbnail((rect.width, rect.height), Image.Resampling.LANCZOS)
        image.paste(picture, (rect.x + (rect.width - picture.width) // 2, rect.y + (rect.height - picture.height) // 2))

    def _picture(self, result: Result) -> Image.Image | None:
        failed = result.outcome is Outcome.FAILED  # what there is of it was not meant to be last
        name = result.before if self.pictures == "before" else None if failed else result.image
        if not name:
            return None
        path = inner_file(self.board.run.folder, name)
        if path is None:
            raise ImageError(f"There is no file {name} in {self.board.run.folder}.")
        return load_rgb(path)

    def _draw_tile(self, canvas: ImageDraw.ImageDraw, rect: Rect, title: str, text: str, *, bad: bool) -> None:
        canvas.rectangle((rect.x, rect.y, rect.right - 1, rect.bottom - 1), fill=BAD_TILE if bad else TILE)
        inset = min(self.size, rect.width // 8)
        width, x, y = rect.width - 2 * inset, rect.x + inset, rect.y + inset
        head = self.bold.wrap(title, width, lines=2)
        room = max((rect.height - 2 * inset - len(head) * self.bold.line) // self.small.line, 0)
        self._write(canvas, self.bold, (x, y), head, BAD if bad else GREY)
        if text and room:
            lines = self.small.wrap(text, width, lines=room)
            self._write(canvas, self.small, (x, y + len(head) * self.bold.line), lines, INK)

    def _draw_caption(self, canvas: ImageDraw.ImageDraw, rect: Rect, result: Result) -> None:
        if rect.height:
            fill = GREY if result.outcome is Outcome.FACES else WARN
            line = self.small.wrap(face_caption(result), rect.width, lines=1)[0]
            self.small.draw(canvas, (rect.x, rect.y + self.size // 6), line, fill)

    @staticmethod
    def _write(
        canvas: ImageDraw.ImageDraw, letters: Lettering, xy: tuple[int, int], lines: list[str], fill: str
    ) -> None:
        for i, line in enumerate(lines):
            letters.draw(canvas, (xy[0], xy[1] + i * letters.line), line, fill)
