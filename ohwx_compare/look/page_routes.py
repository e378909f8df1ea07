"""The routes that only look: a run's page as it stands now, and its pictures."""

import os

from ohwx_compare.errors import NotHereError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.inner import PICTURE_TYPES, inside
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.look.page import page_data, render_page
from ohwx_compare.look.routes import PageAnswer, PageRequest, PageRoute
from ohwx_compare.words import quoted

__all__ = ["PAGE_ROUTES"]


def _page(asked: PageRequest) -> PageAnswer:
    """Made from the ledger: a folder's own page is never run."""
    return PageAnswer(render_page(page_data(open_run(asked.folder))).encode(), "text/html; charset=utf-8")


def _picture(asked: PageRequest) -> PageAnswer:
    path = inside(asked.folder, asked.path["path"])
    kind = PICTURE_TYPES.get(path.suffix.lower())
    if kind is None or not is_plain_file(path) or not os.access(path, os.R_OK):
        raise NotHereError(f"There is no picture {quoted(path.name)} here.")
    return PageAnswer(path, kind)


PAGE_ROUTES = (
    PageRoute("GET", "index.html", _page, is_heavy=True),
    PageRoute("GET", "{path:path}", _picture),
)
