"""`ohwx view`: a run's page over HTTP on this machine, for its user and nobody else.

The server listens on 127.0.0.1 alone, on a free port. Other programs and users of the machine can reach that too, and
so can any site in the user's browser: so whoever asks must know a token that is made at the start. The first address
carries it; it becomes a cookie that no script reads and no other site sends. Host must be this very address, so that no
name that a stranger's DNS points here is served. A POST must come from the page's own origin with JSON.

What is answered stands in one table, `look/route_table.py`; `look/routes.py` says how a route is added.
"""

import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ohwx_compare.errors import NotHereError, OhwxError, sentence_of
from ohwx_compare.files.json_file import json_text
from ohwx_compare.look.page_routes import read_ahead
from ohwx_compare.look.route_table import routed
from ohwx_compare.look.routes import PAGE_HEADERS, PageAnswer, PageRequest, PageSession
from ohwx_compare.words import on_one_line

__all__ = ["PageServer"]

_ADDRESS = "127.0.0.1"
_MOST_BYTES = 8 << 20  # of a request
_IDLE = 60  # seconds until a connection that asks nothing is closed
_TOKEN_HEADER = "X-Ohwx-Token"


class PageServer(ThreadingHTTPServer):
    """Serves one run folder until it is told to stop: `with PageServer(folder) as server: server.serve_forever()`.

    port: 0 takes a free one. models: a webui's folder of checkpoints, for what copies one there. photos: a folder of
    the person's photographs, for votes. Raises OSError where the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows it would share the port with whoever has it

    def __init__(self, folder: Path, *, port: int = 0, models: Path | None = None, photos: Path | None = None):
        self.folder, self.models, self.photos = folder, models, photos
        self.token = secrets.token_urlsafe(24)
        self.kept = PageSession()
        super().__init__((_ADDRESS, port), _Answering)
        threading.Thread(target=read_ahead, args=(folder, self.kept), daemon=True).start()  # while the browser starts

    @property
    def address(self) -> str:
        """The address of the page without the token, "http://127.0.0.1:PORT/"."""
        return f"http://{_ADDRESS}:{self.server_port}/"

    @property
    def url(self) -> str:
        """The address that a browser is given first."""
        return f"{self.address}?token={self.token}"

    @property
    def cookie(self) -> str:
        """Its name: browsers send the cookies of one port to all others of the machine."""
        return f"ohwx-view-{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A browser leaves its connections as it likes; what fails in an answer is told to it there."""


class _Answering(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    disable_nagle_algorithm = True  # head and body are two packets: the second would wait 40 ms for an answer
    server: PageServer

    def log_message(self, *_: object) -> None:
        """Say nothing: a terminal is no log."""

    def do_GET(self) -> None:
        """Look."""
        self._handle(b"")

    def do_POST(self) -> None:
        """Do something that the page asks for."""
        size = self.headers.get("Content-Length", "")
        if not (size.isascii() and size.isdigit() and len(size) < 12) or self.headers.get("Transfer-Encoding"):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "The request must tell its length.")
        elif int(size) > _MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Expected at most {_MOST_BYTES >> 20} MB.")
        else:
            self._handle(self.rfile.read(int(size)))

    def _handle(self, body: bytes) -> None:
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query))
        if refused := self._refusal(query):
            self._refuse(*refused)
        elif "token" in query and self.command == "GET":
            self._welcome(split.path)
        else:
            self._answer(unquote(split.path).lstrip("/") or "index.html", query, body)

    def _refusal(self, query: Mapping[str, str]) -> tuple[HTTPStatus, str] | None:
        hosts = {f"{name}:{self.server.server_port}" for name in (_ADDRESS, "localhost")}
        if self.headers.get("Host", "").lower() not in hosts:
            return HTTPStatus.MISDIRECTED_REQUEST, "This server answers at its own address only."
        if not self._knows_token(query):
            return HTTPStatus.FORBIDDEN, "Open the address that `ohwx view` printed: it carries the token."
        if self.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            return HTTPStatus.FORBIDDEN, "Only this page may ask: another site does."
        if self.command != "POST":
            return None
        origin = urlsplit(self.headers.get("Origin", "")).netloc.lower()
        if origin != self.headers["Host"].lower():
            return HTTPStatus.FORBIDDEN, "Only this page may do this: the request comes from elsewhere."
        if self.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with the Content-Type application/json."
        return None

    def _knows_token(self, query: Mapping[str, str]) -> bool:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            cookie = None
        said = (cookie.value if cookie else "", self.headers.get(_TOKEN_HEADER, ""), query.get("token", ""))
        return any(secrets.compare_digest(each.encode(), self.server.token.encode()) for each in said)

    def _welcome(self, path: str) -> None:
        """The token leaves the address: it shall be in no history and no link."""
        self.send_response(HTTPStatus.SEE_OTHER)
        kept = f"{self.server.cookie}={self.server.token}; Path=/; HttpOnly; SameSite=Strict"
        self._head({"Location": "/" + path.lstrip("/"), "Set-Cookie": kept, "Content-Length": "0"})

    def _answer(self, path: str, query: Mapping[str, str], body: bytes) -> None:
        server = self.server
        try:
            route, named = routed(self.command, path)
            asked = PageRequest(
                folder=server.folder,
                path=named,
                query=query,
                body=body,
                kept=server.kept,
                models=server.models,
                photos=server.photos,
            )
            found = route.answer(asked)
            self._send(found if isinstance(found, PageAnswer) else PageAnswer(_json_bytes(found), "application/json"))
        except (ConnectionError, TimeoutError):  # whoever asked has left
            self.close_connection = True
        except NotHereError as error:
            self._refuse(HTTPStatus.NOT_FOUND, str(error))
        except OhwxError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # noqa: BLE001  the boundary of a route
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, sentence_of(error))

    def _send(self, answer: PageAnswer) -> None:
        if isinstance(answer.data, Path):
            self._send_file(answer.data, answer)
            return
        self._send_bytes(HTTPStatus.OK, answer.data, {"Content-Type": answer.kind, **answer.headers})

    def _send_bytes(self, status: HTTPStatus, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self._head({**headers, "Content-Length": str(len(data))})
        self.wfile.write(data)

    def _send_file(self, path: Path, answer: PageAnswer) -> None:
        with path.open("rb") as file:
            told = os.fstat(file.fileno())
            tag = f'"{told.st_mtime_ns:x}-{told.st_size:x}"'
            is_known = tag in self.headers.get("If-None-Match", "")
            self.send_response(HTTPStatus.NOT_MODIFIED if is_known else HTTPStatus.OK)
            size = {} if is_known else {"Content-Length": str(told.st_size)}
            self._head({"Content-Type": answer.kind, "ETag": tag, **size, **answer.headers})
            if not is_known:
                shutil.copyfileobj(file, self.wfile)

    def _head(self, headers: Mapping[str, str]) -> None:
        for name, value in {**PAGE_HEADERS, "X-Frame-Options": "DENY", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """The body may be unread: the connection ends."""
        self.close_connection = True
        with suppress(ConnectionError, TimeoutError):
            told = {"Content-Type": "application/json", "Connection": "close"}
            self._send_bytes(status, _json_bytes({"error": on_one_line(sentence)}), told)


def _json_bytes(value: Any) -> bytes:
    return json_text(value).encode("utf-8", "backslashreplace")
