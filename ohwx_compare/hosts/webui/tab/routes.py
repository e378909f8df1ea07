"""The routes under `/ohwx/` for the tab's page and the pictures of its runs.

GET tells of runs and trainings and gives their pictures, to nobody whom a browser calls another site. Whatever writes,
reads a folder that is named or takes long is a POST, from the webui's own page and with JSON alone; but a checkpoint's
hash, for which a program asks, is a GET. Either is behind the webui's login. Answers are JSON or pictures, errors
`{"error": sentence}`. No header ever allows another site in.
"""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from modules import script_callbacks
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

from ohwx_compare.errors import NotHereError, OhwxError, sentence_of
from ohwx_compare.files.json_file import json_text
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import as_shown
from ohwx_compare.hosts.webui.hashes import sha256_of_file
from ohwx_compare.hosts.webui.tab.experiment_routes import experiment_table
from ohwx_compare.hosts.webui.tab.files import HEADERS, answer_file
from ohwx_compare.hosts.webui.tab.http import Allowance, Handler, HttpRequest
from ohwx_compare.hosts.webui.tab.login import Login, is_other_site, is_own_page
from ohwx_compare.hosts.webui.tab.training_routes import training_table
from ohwx_compare.words import on_one_line

__all__ = ["guarded", "routes"]

_MOST_BYTES = 64 << 20  # of a picture
_MOST_JSON = 8 << 20
_SENTENCES = frozenset({"error", "note", "notes", "now", "problems", "reason", "said", "skipped"})  # where they stand
_ANY_TYPE = "/ohwx/api/read"  # takes a dropped picture as it is
_STYLES = re.compile(r"judge-styles-([0-9]{1,5})\.csv", re.ASCII)
_REPORT = {"judge.html": "text/html; charset=utf-8", "judge.md": "text/markdown; charset=utf-8"}


_CHECKPOINT: Any = (  # a run that is drawn over the webui's API asks it
    "GET",
    "/ohwx/api/checkpoints/{name:path}",
    lambda ask: {"sha256": sha256_of_file(ask.path["name"])},
)


def routes(app: Any) -> Router:
    """All of them, behind the login of the webui's FastAPI application."""
    made, guard = cache(_desk), threading.Lock()

    def desk() -> Any:
        with guard:  # the first requests come together
            return made()

    login = Login(app, features.api_passwords())
    router = Router()
    training = training_table(lambda: desk().draft({"texts": []})["request"])
    for method, path, answer in (*_table(desk), _CHECKPOINT, *training, *experiment_table()):
        router.add_route(path, guarded(answer, login), methods=[method])
    return router


def guarded(answer: Handler, login: Login) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint around `answer`: it checks login, own page and size, and answers each error as one sentence."""

    async def endpoint(request: Request) -> Response:
        if refused := _refusal(request, login):
            return refused
        most = _MOST_BYTES if _takes_any_type(request) else _MOST_JSON
        body = await _body(request, most)
        if body is None:
            return _error(413, f"The request is too large; expected at most {most >> 20} MB.")
        ask = HttpRequest(request.path_params, request.query_params, request.headers, body)
        async with _attended(request, ask.check):
            return await run_in_threadpool(_answered, answer, ask)

    return endpoint


def _desk() -> Any:
    """Made at the first request: the webui's start does not wait for what it needs."""
    from ohwx_compare.hosts.webui.tab.desk import Desk

    desk = Desk()
    script_callbacks.on_script_unloaded(desk.close)
    return desk


def _table(desk: Callable[[], Any]) -> list[tuple[str, str, Handler]]:
    def run_file(ask: HttpRequest) -> Any:
        name, path = ask.path["run"], ask.path["path"]
        if path in _REPORT:
            report = desk().judging.report(name, is_page=path.endswith("html"))
            return _respond(as_shown(report), _REPORT[path])
        if found := _STYLES.fullmatch(path):
            attached = {"Content-Disposition": 'attachment; filename="styles.csv"'}
            kind = "text/csv; charset=utf-8"
            return Response(
                desk().judging.styles(name, int(found[1])), media_type=kind, headers={**HEADERS, **attached}
            )
        return desk().pages.answer("GET", ask)

    def face_file(ask: HttpRequest) -> Response:
        return answer_file(desk().faces.file(ask.path["job"], ask.path["path"]), ask.headers.get("if-none-match"))

    def csv(ask: HttpRequest) -> Response:
        return _respond(desk().csv(ask.json(), ask.check), "text/csv; charset=utf-8")

    def read(ask: HttpRequest) -> dict[str, Any]:
        return desk().read(ask.body, ask.headers.get("content-type", ""))

    return [
        ("GET", "/ohwx/api/state", lambda ask: desk().state()),
        ("GET", "/ohwx/api/runs/{run}", lambda ask: desk().run(ask.path["run"])),
        ("GET", "/ohwx/runs/{run}/{path:path}", run_file),
        ("POST", "/ohwx/runs/{run}/{path:path}", lambda ask: desk().pages.answer("POST", ask)),
        ("GET", "/ohwx/api/jobs/{job}", lambda ask: desk().faces.job(ask.path["job"])),
        ("GET", "/ohwx/faces/{job}/{path:path}", face_file),
        ("POST", "/ohwx/api/pnginfo.csv", csv),
        ("POST", "/ohwx/api/pnginfo.jpg", lambda ask: _respond(desk().thumbnail(ask.json()), "image/jpeg")),
        ("POST", _ANY_TYPE, read),
        ("POST", "/ohwx/api/draft", lambda ask: desk().draft(ask.json())),
        ("POST", "/ohwx/api/estimate", lambda ask: desk().estimate(ask.json())),
        ("POST", "/ohwx/api/runs", lambda ask: desk().add(ask.json())),
        ("POST", "/ohwx/api/runs/{run}/resume", lambda ask: desk().resume(ask.path["run"])),
        ("POST", "/ohwx/api/runs/{run}/adopt", lambda ask: desk().adopt(ask.path["run"])),
        ("POST", "/ohwx/api/runs/{run}/grow", lambda ask: desk().grow(ask.path["run"], ask.json())),
        ("POST", "/ohwx/api/runs/{run}/growth", lambda ask: desk().growth_cost(ask.path["run"], ask.json())),
        ("POST", "/ohwx/api/runs/{run}/merge", lambda ask: desk().merge(ask.path["run"], ask.json())),
        ("POST", "/ohwx/api/runs/{run}/rename", lambda ask: desk().keeping.rename(ask.path["run"], ask.json())),
        ("POST", "/ohwx/api/runs/{run}/delete", lambda ask: desk().keeping.delete(ask.path["run"])),
        ("POST", "/ohwx/api/runs/{run}/open", lambda ask: desk().keeping.open(ask.path["run"])),
        ("GET", "/ohwx/api/runs/{run}/zip", lambda ask: desk().keeping.packed(ask.path["run"])),
        ("POST", "/ohwx/api/search", lambda ask: desk().keeping.search(ask.json())),
        ("POST", "/ohwx/api/bin/restore", lambda ask: desk().keeping.restore(ask.json())),
        ("POST", "/ohwx/api/bin/empty", lambda ask: desk().keeping.empty()),
        ("POST", "/ohwx/api/runs/{run}/interrupt", lambda ask: desk().interrupt(ask.path["run"])),
        ("POST", "/ohwx/api/runs/{run}/skip", lambda ask: desk().skip(ask.path["run"])),
        ("POST", "/ohwx/api/faces", lambda ask: desk().add_faces(ask.json(), ask.check)),
        ("POST", "/ohwx/api/jobs/{job}/interrupt", lambda ask: desk().faces.interrupt(ask.path["job"])),
        ("GET", "/ohwx/api/judge", lambda ask: desk().judging.weights()),
        ("POST", "/ohwx/api/judge/weights", lambda ask: desk().judging.fetch()),
        ("GET", "/ohwx/api/runs/{run}/judge", lambda ask: desk().judging.job(ask.path["run"])),
        ("POST", "/ohwx/api/runs/{run}/judge", lambda ask: desk().judging.add(ask.path["run"], ask.json())),
        ("POST", "/ohwx/api/runs/{run}/judge/interrupt", lambda ask: desk().judging.interrupt(ask.path["run"])),
        ("POST", "/ohwx/api/toy", lambda ask: desk().put_toy()),
        ("POST", "/ohwx/api/pnginfo", lambda ask: desk().pnginfo(ask.json(), ask.check)),
    ]


def _refusal(request: Request, login: Login) -> Response | None:
    if is_other_site(request.headers):
        return _error(403, "Only the webui's own page may ask for this: another site does.")
    if not login.admits(request):
        asks = {"WWW-Authenticate": 'Basic realm="ohwx compare"'} if login.asks_password else {}
        return _error(401, "Log in to the webui first, then load this page again.", asks)
    if request.method != "POST":
        return None
    if not is_own_page(request.headers):
        return _error(403, "Only the webui's own page may do this: the request's Origin is not the host it goes to.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not _takes_any_type(request):
        return _error(415, "Send JSON, with the Content-Type application/json.")
    return None


def _takes_any_type(request: Request) -> bool:
    return request.url.path.rpartition("/ohwx/")[2] == _ANY_TYPE.removeprefix("/ohwx/")


async def _body(request: Request, most: int) -> bytes | None:
    """None for one of more than `most` bytes, before it is in memory."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)


@asynccontextmanager
async def _attended(request: Request, check: Allowance) -> AsyncIterator[None]:
    """Tell `check` when whoever asked has left meanwhile: the page drops what it asked for and has changed since."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        check.leave()

    watching = asyncio.ensure_future(watch())
    try:
        yield
    finally:
        watching.cancel()


def _answered(answer: Handler, ask: HttpRequest) -> Response:
    try:
        found = answer(ask)
        return found if isinstance(found, Response) else _json(200, found)
    except NotHereError as error:
        return _error(404, str(error))
    except OhwxError as error:
        return _error(400, str(error))
    except Exception as error:  # noqa: BLE001  the boundary of a route: the webui's log has the rest
        features.report("ohwx compare: a request failed")
        return _error(500, f"{sentence_of(error)}. The webui's log says where.")


def _json(status: int, data: Any, headers: Mapping[str, str] = HEADERS) -> Response:
    text = json_text(_shown(data)).encode("utf-8", "backslashreplace")  # half a surrogate pair out of a file name
    return Response(text, status_code=status, media_type="application/json", headers=dict(headers))


def _shown(data: Any, name: str = "", deep: int = 5) -> Any:
    """`data` with sentences that name no place on the webui's machine; none of ours stands deeper."""
    if deep and isinstance(data, dict):
        return {key: _shown(value, key, deep - 1) for key, value in data.items()}
    if deep and isinstance(data, list | tuple):
        return [_shown(value, name, deep - 1) for value in data]
    return as_shown(data) if name in _SENTENCES and isinstance(data, str) else data


def _error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return _json(status, {"error": on_one_line(sentence)}, {**HEADERS, **(headers or {})})


def _respond(content: str | bytes, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return Response(data, headers={**HEADERS, "Content-Type": kind, **(headers or {})})
