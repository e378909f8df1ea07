"""The routes that only look: a run's page as it stands now, the parts of its data, and its pictures."""

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ohwx_compare.errors import NotHereError, OhwxError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.inner import PICTURE_TYPES, inside
from ohwx_compare.files.ledger.access import ledger_state
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Run, RunCell
from ohwx_compare.look.page import page_data, render_page
from ohwx_compare.look.page_cells import CHUNK, CellFacts, cell_chunk, cell_facts, text_chunk
from ohwx_compare.look.routes import Handled, PageAnswer, PageRequest, PageRoute, PageSession
from ohwx_compare.words import quoted

__all__ = ["PAGE_ROUTES", "read_ahead"]

_WANTED = re.compile("([0-9]{1,9})([ab])")  # the number of a cell; after or before the face pass
_MOST_PARTS = 25  # of one request, some 60 kB each
_MOST_THUMBS = 100  # of one request
_MOST_BYTES = 1 << 20  # of one of them


def _page(asked: PageRequest) -> PageAnswer:
    """Made from the ledger: a folder's own page is never run."""
    run, known = _read(asked)
    text = render_page(page_data(run, known=known), is_served=True)
    return PageAnswer(text.encode(), "text/html; charset=utf-8")


def _head(asked: PageRequest) -> Handled:
    run, known = _read(asked)
    return page_data(run, known=known)


def _cells(asked: PageRequest) -> Handled:
    run, known = _read(asked)
    return [cell_chunk(cells, known.scores) for cells in _chunks(run, asked.path["chunks"])]


def _texts(asked: PageRequest) -> Handled:
    return [list(text_chunk(cells)) for cells in _chunks(_read(asked)[0], asked.path["chunks"])]


def read_ahead(folder: Path, kept: PageSession) -> None:
    """Read the run before its page is asked for, where that takes long. Whatever is wrong is said when it is asked."""
    with suppress(OhwxError, OSError), kept.lock:
        _as_of(folder, ledger_state(folder))


def _read(asked: PageRequest) -> tuple[Run, CellFacts]:
    """The run as it is now. A page asks for many parts at once: it is read once for all of them."""
    with asked.lock:
        return _as_of(asked.folder, ledger_state(asked.folder))


@lru_cache(maxsize=1)
def _as_of(folder: Path, state: object) -> tuple[Run, CellFacts]:
    run = open_run(folder)
    return run, cell_facts(run)


def _chunks(run: Run, numbers: str) -> list[Sequence[RunCell]]:
    """The cells of each, numbers with points between. Raises NotHereError where the run does not have one of them."""
    named = numbers.split(".", _MOST_PARTS)
    if len(named) > _MOST_PARTS:
        raise NotHereError(f"Expected at most {_MOST_PARTS} numbers of chunks with points between.")
    return [_chunk(run, number) for number in named]


def _chunk(run: Run, number: str) -> Sequence[RunCell]:
    is_number = number.isascii() and number.isdigit() and len(number) < 6
    cells = run.cells[int(number) * CHUNK : (int(number) + 1) * CHUNK] if is_number else ()
    if not cells:
        raise NotHereError(f"The run has no chunk {quoted(number)}.")
    return cells


def _thumbs(asked: PageRequest) -> PageAnswer:
    """Many small pictures at once: a line of JSON, [[media type, size], ...], and their bytes one after the other.

    ["", 0] stands for what is not there, or is not small.
    """
    named = [_WANTED.fullmatch(name) for name in asked.path["wanted"].split(".", _MOST_THUMBS)]
    if len(named) > _MOST_THUMBS or None in named:
        raise NotHereError(f"Expected at most {_MOST_THUMBS} numbers of cells, each with a or b, points between.")
    cells = _read(asked)[0].cells
    found = [_small(asked.folder, _thumb_of(cells, int(name[1]), name[2])) for name in named if name]
    head = json.dumps([[kind, len(data)] for kind, data in found])
    data = b"".join([head.encode(), b"\n", *(data for _, data in found)])
    return PageAnswer(data, "application/octet-stream", {"Cache-Control": "no-store"})


def _thumb_of(cells: Sequence[RunCell], number: int, which: str) -> str | None:
    if not 1 <= number <= len(cells):
        return None
    result = cells[number - 1].result
    return result.before_thumb if which == "b" else result.thumb


def _small(folder: Path, name: str | None) -> tuple[str, bytes]:
    try:
        path = inside(folder, name or "")
        kind = PICTURE_TYPES.get(path.suffix.lower())
        if kind is None or not is_plain_file(path) or path.stat().st_size > _MOST_BYTES:
            return "", b""
        return kind, path.read_bytes()
    except (NotHereError, OSError):
        return "", b""


def _picture(asked: PageRequest) -> PageAnswer:
    path = inside(asked.folder, asked.path["path"])
    kind = PICTURE_TYPES.get(path.suffix.lower())
    if kind is None or not is_plain_file(path) or not os.access(path, os.R_OK):
        raise NotHereError(f"There is no picture {quoted(path.name)} here.")
    return PageAnswer(path, kind)


PAGE_ROUTES = (
    PageRoute("GET", "index.html", _page, is_heavy=True),
    PageRoute("GET", "page/head.json", _head, is_heavy=True),
    PageRoute("GET", "page/cells-{chunks}.json", _cells),
    PageRoute("GET", "page/texts-{chunks}.json", _texts),
    PageRoute("GET", "page/thumbs-{wanted}", _thumbs),
    PageRoute("GET", "{path:path}", _picture),
)
