"""The routes of whole experiments: method, path and who answers, for `routes.routes`."""

from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from ohwx_compare.errors import ExperimentError
from ohwx_compare.hosts.webui.folders import as_shown
from ohwx_compare.hosts.webui.tab.files import HEADERS
from ohwx_compare.hosts.webui.tab.http import Handler, HttpRequest
from ohwx_compare.words import quoted

if TYPE_CHECKING:
    from ohwx_compare.hosts.webui.tab.experiment_jobs import ExperimentJobs

__all__ = ["experiment_table"]

_ANSWER = "judge.html"


def experiment_table() -> list[tuple[str, str, Handler]]:
    """Method, path and answer of each route."""

    @cache
    def jobs() -> "ExperimentJobs":
        from ohwx_compare.hosts.webui.tab.experiment_jobs import ExperimentJobs  # not before somebody looks

        return ExperimentJobs()

    def page(ask: HttpRequest) -> Any:
        if ask.path["path"] != _ANSWER:
            return jobs().page("GET", ask)
        text = as_shown(jobs().report(ask.path["experiment"], ask.path["run"]))
        return Response(
            text.encode("utf-8", "replace"), headers={**HEADERS, "Content-Type": "text/html; charset=utf-8"}
        )

    one, pages = "/ohwx/api/experiments/{name}", "/ohwx/experiments/{experiment}/{run}/{path:path}"
    return [
        ("GET", "/ohwx/api/experiments", lambda ask: jobs().all()),
        ("POST", "/ohwx/api/experiments/plan", lambda ask: jobs().plan(*_texts(ask), ask.check)),
        ("POST", "/ohwx/api/experiments", lambda ask: jobs().start(*_texts(ask), ask.check)),
        ("GET", one, lambda ask: jobs().one(ask.path["name"])),
        ("POST", f"{one}/start", lambda ask: jobs().resume(ask.path["name"], ask.check)),
        ("POST", f"{one}/stop", lambda ask: jobs().stop(ask.path["name"])),
        ("POST", f"{one}/answer", lambda ask: jobs().answer(ask.path["name"])),
        ("GET", pages, page),
        ("POST", pages, lambda ask: jobs().page("POST", ask)),
    ]


def _texts(ask: HttpRequest) -> tuple[str, str]:
    """What is pasted, and a name."""
    text, name = ask.json().get("text"), ask.json().get("name", "")
    if not isinstance(text, str) or not text.strip():
        raise ExperimentError("Paste an experiment's JSON, or the whole path of its file, first.")
    if not isinstance(name, str):
        raise ExperimentError(f"`name` must be a text, got {quoted(name)}.")
    return text, name
