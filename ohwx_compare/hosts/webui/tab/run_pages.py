"""Runs' pages under `/ohwx/runs/{run}/`: whatever stands in `look/route_table.py`, as the webui serves it."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.responses import Response

from ohwx_compare.hosts.webui.folders import as_shown, require_shown
from ohwx_compare.hosts.webui.tab.files import HEADERS, answer_file
from ohwx_compare.hosts.webui.tab.http import HttpRequest, Turn
from ohwx_compare.hosts.webui.tab.run_list import read_as_found
from ohwx_compare.look.route_table import routed
from ohwx_compare.look.routes import PageAnswer, PageRequest, PageRoute, PageSession

__all__ = ["RunPages"]


class RunPages:
    """Answers for every run of the tab.

    folder_of: a run's folder by its name, raises NotHereError; models: the webui's folder of checkpoints.
    """

    def __init__(self, folder_of: Callable[[str], Path], models: Callable[[], Path | None]):
        self._folder_of, self._models = folder_of, models
        self._sessions: dict[str, PageSession] = {}
        self._guard, self._turn = threading.Lock(), Turn()

    def answer(self, method: str, ask: HttpRequest) -> Any:
        """What the page of `run` gets at `path`. Raises NotHereError and what the route raises."""
        name = ask.path["run"]
        folder = self._folder_of(name)
        route, named = routed(method, ask.path["path"])
        asked = PageRequest(
            folder=folder,
            path=named,
            query=ask.query,
            body=ask.body,
            kept=self._session(name),
            models=self._models(),
            allow=require_shown,
        )
        with read_as_found(folder):
            found = self._asked(route, asked)
        return _response(found, ask.headers.get("if-none-match")) if isinstance(found, PageAnswer) else found

    def forget(self, name: str) -> None:
        """Drop what its page kept: the run's folder was moved."""
        with self._guard:
            self._sessions.pop(name, None)

    def _asked(self, route: PageRoute, asked: PageRequest) -> Any:
        if not route.is_heavy:
            return route.answer(asked)
        with self._turn.taken(lambda: None):
            return route.answer(asked)

    def _session(self, name: str) -> PageSession:
        with self._guard:
            return self._sessions.setdefault(name, PageSession())


def _response(found: PageAnswer, known: str | None) -> Response:
    if isinstance(found.data, Path):
        return answer_file(found.data, known, found.kind, found.headers)
    is_text = found.kind.startswith(("text/", "application/json"))
    data = as_shown(found.data.decode("utf-8", "replace")).encode() if is_text else found.data
    return Response(data, headers={**HEADERS, "Content-Type": found.kind, **found.headers})
