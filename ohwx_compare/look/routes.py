"""What a run's page asks of whoever serves it, in words that know no HTTP: a request, an answer, a route.

A route is a method, an address within the run, and a function that answers. To add some: write a module with a tuple
of `PageRoute` and name it in `look/route_table.py`. The server of `ohwx view` (`look/server.py`) and the webui's tab
serve whatever stands there; the page asks for it by its relative address: `fetch("votes/next")`. `{name}` in an address
stands for one part of it (`asked.path["name"]`), `{name:path}` for the rest.

An answer is JSON (return a dict or a list), a `PageAnswer` with bytes of any kind, or an OhwxError: 404 for
NotHereError, else 400, with its sentence as `{"error": ...}`. GET changes nothing. A POST is asked by the page itself
and carries JSON (`asked.json()`): both hosts see to that, as they do to who may ask at all. What a module has to
remember from one request to the next lies in `asked.session`, one dictionary for each run and start of the server,
under `asked.lock`.
"""

import threading
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import quoted

__all__ = ["PAGE_HEADERS", "Handled", "PageAnswer", "PageRequest", "PageRoute", "PageSession"]

PAGE_HEADERS: Mapping[str, str] = MappingProxyType({
    "Cache-Control": "private, no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
})  # fmt: skip
"""On every answer of a route."""


@dataclass
class PageSession:
    """What one start of a server keeps for one run."""

    values: MutableMapping[str, Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """What a route is asked."""

    folder: Path  # of the run; it may have been made elsewhere
    path: Mapping[str, str]  # what stood in the address for {name}
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    kept: PageSession = field(default_factory=PageSession)
    models: Path | None = None  # the webui's folder of checkpoints, None where none is known
    photos: Path | None = None  # a folder of the person's photographs, None where none was named
    allow: Callable[[Path], None] = lambda path: None  # raises ExperimentError for a folder that the host hides

    @property
    def session(self) -> MutableMapping[str, Any]:
        """What modules keep from one request to the next, each under a name of its own."""
        return self.kept.values

    @property
    def lock(self) -> threading.RLock:
        """Held while the session is read and written: requests come at the same time."""
        return self.kept.lock

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ExperimentError."""
        try:
            body = decode_json(self.body)
        except ValueError as error:  # of decoding too
            raise ExperimentError(f"The request is not JSON: {error}.") from error
        if not isinstance(body, dict):
            raise ExperimentError(f"The request must be an object, got {quoted(body)}.")
        return body


@dataclass(frozen=True)
class PageAnswer:
    """What is sent: bytes of a kind, or a file of the run."""

    data: bytes | Path
    kind: str  # a media type
    headers: Mapping[str, str] = field(default_factory=dict)


Handled = PageAnswer | dict[str, Any] | list[Any]


@dataclass(frozen=True)
class PageRoute:
    """One address of a run's page."""

    method: str  # GET or POST
    path: str  # relative to the page, "data/cells-{chunk}.json"
    answer: Callable[[PageRequest], Handled]
    is_heavy: bool = False  # takes much memory for a large run: the webui answers one at a time
