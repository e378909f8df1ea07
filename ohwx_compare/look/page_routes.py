"""The routes that only look: a run's page as it stands now, the parts of its data, and its pictures."""

import os

from ohwx_compare.errors import NotHereError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.inner import PICTURE_TYPES, inside
from ohwx_compare.files.ledger.reader import open_run, read_cells
from ohwx_compare.files.ledger.rows import RunCell
from ohwx_compare.look.page import page_data, render_page
from ohwx_compare.look.page_cells import CHUNK, cell_chunk, scores_in, text_chunk
from ohwx_compare.look.routes import Handled, PageAnswer, PageRequest, PageRoute
from ohwx_compare.words import quoted

__all__ = ["PAGE_ROUTES"]


def _page(asked: PageRequest) -> PageAnswer:
    """Made from the ledger: a folder's own page is never run."""
    text = render_page(page_data(open_run(asked.folder)), is_served=True)
    return PageAnswer(text.encode(), "text/html; charset=utf-8")


def _head(asked: PageRequest) -> Handled:
    return page_data(open_run(asked.folder))


def _cells(asked: PageRequest) -> Handled:
    return cell_chunk(_chunk(asked), scores_in(asked.folder))


def _texts(asked: PageRequest) -> Handled:
    return list(text_chunk(_chunk(asked)))


def _chunk(asked: PageRequest) -> tuple[RunCell, ...]:
    """Raises NotHereError for a chunk that the run does not have."""
    number = asked.path["chunk"]
    is_number = number.isascii() and number.isdigit() and len(number) < 6
    cells = read_cells(asked.folder, int(number) * CHUNK, (int(number) + 1) * CHUNK) if is_number else ()
    if not cells:
        raise NotHereError(f"The run has no chunk {quoted(number)}.")
    return cells


def _picture(asked: PageRequest) -> PageAnswer:
    path = inside(asked.folder, asked.path["path"])
    kind = PICTURE_TYPES.get(path.suffix.lower())
    if kind is None or not is_plain_file(path) or not os.access(path, os.R_OK):
        raise NotHereError(f"There is no picture {quoted(path.name)} here.")
    return PageAnswer(path, kind)


PAGE_ROUTES = (
    PageRoute("GET", "index.html", _page, is_heavy=True),
    PageRoute("GET", "page/head.json", _head, is_heavy=True),
    PageRoute("GET", "page/cells-{chunk}.json", _cells),
    PageRoute("GET", "page/texts-{chunk}.json", _texts),
    PageRoute("GET", "{path:path}", _picture),
)
