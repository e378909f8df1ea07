"""The routes of the tab "ohwx train": method, path and who answers, for `routes.routes`."""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from modules import script_callbacks
from starlette.responses import Response

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.inner import inside
from ohwx_compare.hosts.webui.tab.files import answer_file
from ohwx_compare.hosts.webui.tab.http import Handler, HttpRequest
from ohwx_compare.words import quoted

if TYPE_CHECKING:
    from ohwx_compare.hosts.webui.tab.training import Training

__all__ = ["training_table"]

_DIGITS = 15  # of a place in a file
_ACTS = ("pause", "resume", "save", "start", "stop")


def training_table(blank: Callable[[], dict[str, Any]]) -> list[tuple[str, str, Handler]]:
    """Method, path and answer of each route. blank: the request of an empty draft, to be filled with checkpoints."""

    @cache
    def training() -> "Training":
        from ohwx_compare.hosts.webui.tab.training import Training  # the trainer's rooms: not before somebody looks

        made = Training()
        script_callbacks.on_script_unloaded(made.datasets.close)
        return made

    def read(ask: HttpRequest) -> dict[str, Any]:
        after = ask.query.get("after", "0")
        if not after.isdecimal() or len(after) > _DIGITS:
            raise ExperimentError(f"`after` must be a number of bytes, got {quoted(after)}.")
        return training().follow(ask.path["run"], int(after))

    def sample(ask: HttpRequest) -> Response:
        path = inside(training().folder(ask.path["run"]), f"samples/{ask.path['path']}")
        return answer_file(path, ask.headers.get("if-none-match"))

    def act(ask: HttpRequest, word: str) -> dict[str, Any]:
        return training().act(ask.path["run"], word, ask.check)

    def compare(ask: HttpRequest) -> dict[str, Any]:
        others = ask.json().get("with", [])
        if not (isinstance(others, list) and all(isinstance(name, str) for name in others)):
            raise ExperimentError(f"`with` must be a list of trainings, got {quoted(others)}.")
        return {"request": training().request([ask.path["run"], *others], blank())}

    def pasted(ask: HttpRequest) -> dict[str, Any]:
        text, without = ask.json().get("text"), ask.json().get("without", [])
        if not isinstance(text, str) or not text.strip():
            raise ExperimentError("Paste the settings first.")
        if not (isinstance(without, list) and all(isinstance(name, str) for name in without)):
            raise ExperimentError(f"`without` must be a list of settings, got {quoted(without)}.")
        return training().read(text, without)

    run = "/ohwx/api/train/runs/{run}"
    return [
        ("GET", "/ohwx/api/train", lambda ask: training().state()),
        ("GET", run, read),
        ("GET", "/ohwx/train/{run}/samples/{path:path}", sample),
        *_dataset_table(training),
        ("POST", "/ohwx/api/train/read", pasted),
        ("POST", "/ohwx/api/train/plan", lambda ask: training().plan(_recipe(ask), ask.check)),
        ("POST", "/ohwx/api/train/runs", lambda ask: training().start(_recipe(ask), ask.check)),
        ("POST", f"{run}/compare", compare),
        *(("POST", f"{run}/{word}", partial(act, word=word)) for word in _ACTS),
    ]


def _dataset_table(training: Callable[[], "Training"]) -> list[tuple[str, str, Handler]]:
    """Looks at sets of pictures."""

    def look(ask: HttpRequest) -> dict[str, Any]:
        folder, detector = ask.json().get("folder"), ask.json().get("detector", "")
        if not isinstance(folder, str) or not folder.strip():
            raise ExperimentError("Enter the folder of the pictures first.")
        if not isinstance(detector, str):
            raise ExperimentError(f"`detector` must be a name, got {quoted(detector)}.")
        return training().look(folder, _recipe(ask), detector, crops=bool(ask.json().get("crops")))

    def sheet(ask: HttpRequest) -> Response:
        path = training().datasets.sheet(ask.path["job"], ask.path["path"])
        return answer_file(path, ask.headers.get("if-none-match"))

    dataset = "/ohwx/api/datasets/{job}"
    return [
        ("POST", "/ohwx/api/datasets", look),
        ("GET", dataset, lambda ask: training().datasets.job(ask.path["job"])),
        ("POST", f"{dataset}/stop", lambda ask: training().datasets.stop(ask.path["job"])),
        ("GET", "/ohwx/datasets/{job}/{path:path}", sheet),
    ]


def _recipe(ask: HttpRequest) -> dict[str, Any]:
    recipe = ask.json().get("recipe")
    if not isinstance(recipe, dict):
        raise ExperimentError("`recipe` must be a JSON object.")
    return recipe
