"""The chosen cells of a run as a folder of their own: pictures, a contact sheet, a table, a page; or as one zip."""

import shutil
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import ExperimentError, ImageError, LedgerError
from ohwx_compare.files import atomic
from ohwx_compare.files.folder_infos import write_table
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.inner import inner_file, is_inner_folder
from ohwx_compare.files.ledger.marks import read_marks
from ohwx_compare.files.ledger.measures import read_scores
from ohwx_compare.files.ledger.rows import Result, Run, RunCell
from ohwx_compare.look.lettering import Lettering
from ohwx_compare.look.page import write_page
from ohwx_compare.words import on_one_line

__all__ = ["EXPORTS", "EXPORT_PARTS", "copy_pictures", "export_chosen", "new_export", "unwritten", "zipped"]

EXPORTS = "exports"
"""The folder of exports, in the run folder."""
EXPORT_PARTS = ("pictures", "sheet", "table", "page")
_SIDE, _GAP, _ACROSS = 256, 12, 6  # px of a picture on the contact sheet, between two; pictures in a row
_MOST_SHEET = 600  # pictures on one contact sheet


def export_chosen(run: Run, numbers: Sequence[int], parts: Sequence[str], note: str = "") -> Path:
    """Write the parts into a new folder below `exports/` of the run's folder, and return it.

    note: stands at the head of the page. Raises ExperimentError where nothing is chosen or no part is asked for,
    LedgerError where it cannot be written.
    """
    cells = [run.cells[number - 1] for number in numbers if run.cells[number - 1].result.image]
    if not cells or not set(parts) & set(EXPORT_PARTS):
        raise ExperimentError("Choose pictures that are there, and what is exported of them.")
    folder = new_export(run.folder)
    try:
        writers = {"pictures": _pictures, "sheet": _sheet, "table": _table}
        for part, write in writers.items():
            if part in parts:
                write(run, cells, folder)
        if "page" in parts:
            _page(run, cells, folder, note)
    except OSError as error:
        raise unwritten(folder, error) from error
    return folder


def new_export(run_folder: Path) -> Path:
    """A new folder below `exports/` of a run's folder. Raises LedgerError."""
    root = run_folder / EXPORTS
    try:
        root.mkdir(exist_ok=True)
        if not is_inner_folder(root):
            raise LedgerError(f"{root} is a link or a file, expected a folder; delete it.")
        return _new_folder(root)
    except OSError as error:
        raise unwritten(root, error) from error


def unwritten(folder: Path, error: OSError) -> LedgerError:
    """What is said where an export cannot be written."""
    return LedgerError(f"{folder} cannot be written to: {error.strerror or error}. Free some space.")


def zipped(folder: Path) -> Path:
    """The export as one file in its place. Pictures are packed already, so nothing is packed again. Raises OSError."""
    path = _packed(folder)
    with atomic.replacing(path) as beside, zipfile.ZipFile(beside, "x", zipfile.ZIP_STORED) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                packed.write(file, f"{folder.name}/{file.relative_to(folder).as_posix()}")
    shutil.rmtree(folder)
    return path


def _packed(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")  # the seconds of its name are no suffix


def _new_folder(root: Path) -> Path:
    stem = time.strftime("%Y-%m-%d %H.%M.%S")
    for name in (stem, *(f"{stem} {i}" for i in range(2, 100))):
        folder = root / name
        if not folder.exists() and not _packed(folder).exists():
            folder.mkdir()
            return folder
    raise LedgerError(f"{root} has too many exports of one second; try again.")


def _pictures(run: Run, cells: Sequence[RunCell], folder: Path) -> None:
    copy_pictures(run.folder, [cell.result.image for cell in cells], folder / "pictures")


def copy_pictures(source: Path, names: Iterable[str | None], folder: Path) -> None:
    """Copy pictures of a run's folder into a new folder, under their own names. Raises OSError."""
    folder.mkdir()
    for name in dict.fromkeys(name for name in names if name):
        _take(source, name, folder / Path(name).name)


def _take(source: Path, name: str | None, path: Path) -> None:
    """A copy, which may be edited, with its metadata; a picture that is gone is left out."""
    file = inner_file(source, name) if name else None
    if file is not None:
        atomic.write_bytes(path, file.read_bytes())


def _sheet(run: Run, cells: Sequence[RunCell], folder: Path) -> None:
    text, lines = Lettering(13), 3
    high = _SIDE + 18 * lines + _GAP
    for page, start in enumerate(range(0, len(cells), _MOST_SHEET), 1):
        these = cells[start : start + _MOST_SHEET]
        across = min(_ACROSS, len(these))
        size = (across * (_SIDE + _GAP) + _GAP, -(-len(these) // across) * high + _GAP)
        sheet = Image.new("RGB", size, "white")
        for i, cell in enumerate(these):
            x, y = _GAP + i % across * (_SIDE + _GAP), _GAP + i // across * high
            sheet.paste(_thumb(run.folder, cell.result), (x, y))
            for line, words in enumerate(text.wrap(on_one_line(cell.cell.label), _SIDE, lines=lines)):
                text.draw(sheet, (x, y + _SIDE + 2 + 18 * line), words, "#222222")
        path = folder / ("contact-sheet.png" if len(cells) <= _MOST_SHEET else f"contact-sheet-{page}.png")
        with atomic.replacing(path) as beside:
            sheet.save(beside, format="PNG")


def _thumb(folder: Path, result: Result) -> Image.Image:
    square = Image.new("RGB", (_SIDE, _SIDE), "#eeeeee")
    file = inner_file(folder, result.thumb or result.image or "")
    try:
        image = load_rgb(file) if file else square
    except ImageError:
        return square
    image.thumbnail((_SIDE, _SIDE))
    square.paste(image, ((_SIDE - image.width) // 2, (_SIDE - image.height) // 2))
    return square


def _table(run: Run, cells: Sequence[RunCell], folder: Path) -> None:
    kinds = [axis.kind for axis in run.experiment.axes]
    scores, marks = read_scores(run.folder), read_marks(run.folder)
    measures = sorted({name for told in scores.values() for name in told})
    own = ("prompt", "negative prompt", "star", "tags", "note", "confidence", "seconds")
    head = ["cell", *kinds, *own, *measures, "file"]

    def row(cell: RunCell) -> Iterator[str]:
        key = cell.result.key or cell.result.before_key or ""
        mark, job = marks.get(key), cell.cell.job
        yield str(cell.cell.number)
        yield from cell.cell.labels
        yield from (job.prompt, job.negative)
        yield from (str(mark.star), ", ".join(mark.tags), mark.note) if mark else ("", "", "")
        yield " ".join(f"{face.confidence:.3f}" for face in cell.result.faces)
        yield "" if cell.result.seconds is None else f"{cell.result.seconds:.2f}"
        yield from (f"{scores[key][name]:.6g}" if name in scores.get(key, {}) else "" for name in measures)
        yield cell.result.image or ""

    with atomic.replacing(folder / "chosen.csv") as beside, beside.open("w", encoding="utf-8-sig", newline="") as out:
        write_table(out, head, ([*row(cell)] for cell in cells))


def _page(run: Run, cells: Sequence[RunCell], folder: Path, note: str) -> None:
    """A page that shows the chosen alone and opens from any disk."""
    for name in ("images", "thumbs"):
        (folder / name).mkdir()
    for cell in cells:
        result = cell.result
        for path in (result.before, result.after, result.before_thumb, result.after_thumb):
            if path:
                _take(run.folder, path, folder / path)
    chosen = {cell.cell.number for cell in cells}
    pending = Result(outcome=Outcome.PENDING)
    kept = tuple(cell if cell.cell.number in chosen else replace(cell, result=pending) for cell in run.cells)
    write_page(replace(run, cells=kept), folder, only=chosen, note=note)
