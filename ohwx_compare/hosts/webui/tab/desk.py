"""What the tab can ask for: the list of runs, drafts and estimates, and runs to start, resume or end."""

import tempfile
import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modules import processing, shared

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.core.experiment.axes import KINDS
from ohwx_compare.core.experiment.groups import groups
from ohwx_compare.core.experiment.growing import grown
from ohwx_compare.core.experiment.key_text import completed
from ohwx_compare.core.prompt.style_families import STYLE_FAMILIES, chosen_styles
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ElsewhereError, ExperimentError, HostError, sentence_of
from ohwx_compare.files.infotexts import find_infotext
from ohwx_compare.files.ledger.reader import experiment_in
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import checkpoint_folders, checkpoints_here, detector_names, runs_folder
from ohwx_compare.hosts.webui.request.context import TabContext
from ohwx_compare.hosts.webui.request.given import style_library
from ohwx_compare.hosts.webui.request.known import require_known_names, require_vae
from ohwx_compare.hosts.webui.request.offered import known_values
from ohwx_compare.hosts.webui.request.progress import drawing_now
from ohwx_compare.hosts.webui.request.record import SavedRequest, read_saved_request, shown_of, write_request
from ohwx_compare.hosts.webui.request.request import Request, read_request
from ohwx_compare.hosts.webui.tab import drafts
from ohwx_compare.hosts.webui.tab.chores import Chores
from ohwx_compare.hosts.webui.tab.face_jobs import FaceJobs
from ohwx_compare.hosts.webui.tab.http import Allowance, Turn
from ohwx_compare.hosts.webui.tab.judge_jobs import JudgeJobs, called_job
from ohwx_compare.hosts.webui.tab.pictures_of import pictures_csv, pictures_of, thumbnail_of
from ohwx_compare.hosts.webui.tab.queue import Queue
from ohwx_compare.hosts.webui.tab.run_keeping import RunKeeping
from ohwx_compare.hosts.webui.tab.run_list import Runs, read_as_found
from ohwx_compare.hosts.webui.tab.run_pages import RunPages
from ohwx_compare.hosts.webui.tab.toy import put_toy
from ohwx_compare.words import quoted

__all__ = ["Desk"]

_KEPT = 10.0  # seconds for which folders of checkpoints and detectors are not walked again


class Desk:
    """The tab's server side; one for each start of the webui's server, and again after "Reload UI"."""

    def __init__(self) -> None:
        self.queue = Queue()
        self.runs = Runs(runs_folder)
        self.faces = FaceJobs(self.queue)
        self.chores = Chores()
        self.judging = JudgeJobs(self.queue, self.runs)
        self.pages = RunPages(self.runs.path, lambda: next(iter(checkpoint_folders()), None))
        self._reading = Turn()  # of folders that are named
        self._asking, self._listing = threading.Lock(), threading.Lock()
        self.keeping = RunKeeping(self.runs, self._asking, self._require_idle, self._forget)
        self._folders: _Listed | None = None

    def close(self) -> None:
        """Start nothing more."""
        self.queue.close()

    def state(self) -> dict[str, Any]:
        """All that the tab shows before anything is selected, and the runs without their experiments."""
        names = [checkpoint.name for checkpoint in self.checkpoints()]
        found, told = groups(names), self.chores.all()
        return {
            "checkpoints": names,
            "groups": [{"name": group.name, "checkpoints": list(group.checkpoints)} for group in found],
            **self._listed().lists,
            "samplers": list(known_values("sampler")),
            "schedules": list(known_values("schedule")),
            "kinds": [
                {"name": kind.name, "title": kind.title, "form": kind.form.name.lower(), "hint": kind.form.value}
                for kind in KINDS.values()
            ],
            "face": asdict(drafts.ARTICLE),
            "adetailer": features.has_adetailer(),
            "freeze": features.refusal(),
            "runs": [{**row, **told.get(row["id"], {})} for row in self.runs.all(self.queue.states)],
            "deleted": self.keeping.deleted(),
            "opens": features.folder_opener() is not None,
            "queue": self.queue.waiting,
            "jobs": self.faces.known,
        }

    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoint files, at most a few seconds old."""
        return self._listed().checkpoints

    def run(self, name: str) -> dict[str, Any]:
        """One run with its experiment and request. Raises NotHereError."""
        told = self.chores.of(name)  # before the folder is read: work that ends meanwhile is told by the next look
        return {**self.runs.one(name, self.queue.states), **told}

    def read(self, data: bytes, kind: str) -> dict[str, str]:
        """The infotext of a dropped picture, or the text itself. Raises OhwxError."""
        if kind.startswith("text/"):
            return {"infotext": data.decode("utf-8-sig", "replace")}
        with tempfile.TemporaryDirectory() as folder:
            dropped = Path(folder) / "dropped picture"
            dropped.write_bytes(data)
            found = find_infotext(dropped)
        if not found.text:
            raise ExperimentError(found.reason)
        return {"infotext": found.text}

    def draft(self, body: dict[str, Any]) -> dict[str, Any]:
        """See `drafts.draft`; the body is `{"texts": [...]}`."""
        return drafts.draft_request(drafts.texts_in_request(body), self.checkpoints(), _default_job())

    def estimate(self, body: dict[str, Any]) -> dict[str, Any]:
        """See `drafts.estimate`; the body is `{"request": {...}}`."""
        return drafts.estimate_request(_request(body), self.checkpoints())

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        """Queue the run that the body's `request` asks for; the same again resumes it in its folder."""
        from ohwx_compare.hosts.webui.request.comparison import run_folder

        request = _request(body)
        _require_able()
        folder = run_folder(request)
        require_vae()
        require_known_names(request.experiment, stood_in=(folder / LEDGER_FILE).is_file())
        return self._queue(request, folder)

    def resume(self, name: str) -> dict[str, Any]:
        """Resume a run: what it lacks is generated, what failed is tried again."""
        _require_able()
        seen = self.runs.seen(name)
        if seen.asked is None and seen.run is None:
            raise ExperimentError(f"{name} cannot be read: {seen.error}")
        if seen.is_elsewhere:
            raise ElsewhereError(f"{name} was made elsewhere, or by an earlier version; press Adopt first.")
        with read_as_found(seen.folder):
            request = _request({"request": {**completed(self.runs.asked_of(seen)), "name": name}})
        return self._queue(request, seen.folder)

    def merge(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Merge the run `{"other": name}` into this one, see `Chores`. Raises NotHereError, ExperimentError."""
        folder, other = self.runs.path(name), self.runs.path(str(body.get("other", "")))
        with self._asking:
            for each in (folder, other):
                self._require_idle(each.name)
            self.chores.merge(folder, other)
        return self.run(name)

    def growth_cost(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """What `grow` would cost, as `estimate` tells it."""
        return drafts.estimate_request(self._grown(name, body)[0], self.checkpoints())

    def grow(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Queue a run with more values on its axes, `{"more": {kind: values}}`: what is there is not generated again.

        Raises NotHereError, ElsewhereError, ExperimentError.
        """
        _require_able()
        request, folder = self._grown(name, body)
        require_vae()
        require_known_names(request.experiment, stood_in=True)
        self._require_idle(name)
        return self._queue(request, folder)

    def _grown(self, name: str, body: dict[str, Any]) -> tuple[Request, Path]:
        more = body.get("more")
        if not isinstance(more, dict):
            raise ExperimentError(f"`more` must be an object of kinds and values, got {quoted(more)}.")
        seen = self.runs.seen(name)
        if seen.is_elsewhere:
            raise ElsewhereError(f"{name} was made elsewhere, or by an earlier version; press Adopt first.")
        with read_as_found(seen.folder):
            experiment = grown(experiment_in(seen.folder), {k: v for k, v in more.items() if v}, style_library())
        return Request(experiment=experiment, name=name, **shown_of(seen.asked)), seen.folder

    def _require_idle(self, name: str) -> None:
        busy = {name, called_job(name)} & self.queue.states.keys()
        if busy or _draws(name) or self.chores.is_busy(name):
            raise ExperimentError(f"{name} is being generated or worked on; wait for it, or interrupt it.")

    def _forget(self, name: str) -> None:
        """What is known of a run whose folder was moved."""
        self.runs.lose(name, None)
        self.chores.forget(name)
        self.judging.forget(name)
        self.pages.forget(name)

    def adopt(self, name: str) -> dict[str, Any]:
        """Begin to take over a run that was made elsewhere, see `Chores`."""
        self.chores.adopt(self.runs.path(name))
        return self.run(name)

    def interrupt(self, name: str) -> dict[str, Any]:
        """End the current run as the webui's own Interrupt does; take one that waits out of the queue."""
        self.runs.path(name)
        if not self.queue.drop(name) and (_draws(name) or self.queue.in_hand == name):
            press_interrupt()
        return self.run(name)

    def skip(self, name: str) -> dict[str, Any]:
        """Skip the current cell, as the webui's own Skip does. Raises ExperimentError for another run."""
        self.runs.path(name)
        if not _draws(name):
            raise ExperimentError(f"{name} is not running now, so there is nothing to skip.")
        shared.state.skip()
        return self.run(name)

    def pnginfo(self, body: dict[str, Any], check: Allowance) -> dict[str, Any]:
        """See `pictures_of`; the body is `{"folder": path}`."""
        with self._reading.taken(check):
            return pictures_of(str(body.get("folder", "")), check)

    def csv(self, body: dict[str, Any], check: Allowance) -> str:
        """See `pictures_csv`; the body is `{"folder": path}`."""
        with self._reading.taken(check):
            return pictures_csv(str(body.get("folder", "")), check)

    def thumbnail(self, body: dict[str, Any]) -> bytes:
        """See `thumbnail_of`; the body is `{"path": path}`."""
        return thumbnail_of(str(body.get("path", "")))

    def add_faces(self, body: dict[str, Any], check: Allowance) -> dict[str, str]:
        """See `FaceJobs.add`."""
        _require_able()
        with self._reading.taken(check):
            return self.faces.add(body, check)

    def put_toy(self) -> dict[str, str]:
        """See `toy.put_toy`; its sentence as `said`."""
        said = put_toy()
        self._folders = None
        return {"said": said}

    def _queue(self, request: Request, folder: Path) -> dict[str, Any]:
        with self._asking:  # the same may be asked for twice at once
            name = folder.name
            if not (_draws(name) or name in self.queue.states):
                self._begin(request, folder)
        return self.run(name)

    def _begin(self, request: Request, folder: Path) -> None:
        if request.experiment.job.denoise is not None:
            raise ExperimentError("This run was started in img2img; press Generate there again to resume it.")
        before = read_saved_request(folder)
        if before and before.besides:
            raise ExperimentError(
                f"This run was started with {before.besides}; press Generate in txt2img again to resume it."
            )
        with read_as_found(folder), Ledger(folder) as ledger:
            ledger.plan(request.experiment)
        write_request(folder, SavedRequest.now(request, folder, "tab"))
        self.chores.forget(folder.name)

        def failed(error: Exception) -> None:
            self.runs.lose(folder.name, sentence_of(error))
            now = read_saved_request(folder) or before or SavedRequest.now(request, folder, "tab")
            write_request(folder, replace(now, error=sentence_of(error)))

        self.runs.lose(folder.name, None)
        self.queue.add(folder.name, lambda: _draw(request, folder.name), failed)

    def _listed(self) -> "_Listed":
        with self._listing:
            if self._folders is None or time.monotonic() - self._folders.when > _KEPT:
                self._folders = _Listed(time.monotonic(), checkpoints_here(), _lists())
            return self._folders


@dataclass(frozen=True)
class _Listed:
    """What the folders held when they were walked last."""

    when: float  # of the monotonic clock
    checkpoints: list[Checkpoint]
    lists: dict[str, Any]


def _lists() -> dict[str, Any]:
    library = style_library().values()
    sizes = {family: len(chosen_styles(library, family, portraits=True)) for family in STYLE_FAMILIES}
    return {
        "detectors": detector_names(),
        "styles": list(known_values("styles")),
        "families": [{"name": family, "count": count} for family, count in sizes.items() if count],
        "vaes": list(known_values("vae")),
        "loras": [name for name in known_values("lora") if name != "None"],
        "upscalers": list(known_values("hires upscaler")),
    }


def press_interrupt() -> None:
    """As the webui's button: from 1.8 the first press finishes the current picture where the settings say so."""
    state = shared.state
    if features.finishes_first() and not state.stopping_generation and state.job_count > 1:
        state.stop_generating()
    else:
        state.interrupt()


def _draws(name: str) -> bool:
    now = drawing_now()
    return now is not None and now["run"] == name


def _draw(request: Request, name: str) -> None:
    from ohwx_compare.hosts.webui.generation.passes import txt2img_processing
    from ohwx_compare.hosts.webui.request.comparison import compare

    with closing(txt2img_processing(request.experiment.job)) as p:
        compare(p, replace(request, name=name), by="tab")


def _request(body: dict[str, Any]) -> Request:
    """What `{"request": {...}}` asks for; a seed of -1, or none, becomes a random one. Raises ExperimentError."""
    asked = body.get("request")
    if not isinstance(asked, dict):
        raise ExperimentError("`request` must be a JSON object.")
    job = asked.get("job") or {}
    if not isinstance(job, dict):
        raise ExperimentError(f"`job` must be a JSON object, got {quoted(job)}.")
    if job.get("seed") in (None, -1):
        job = {**job, "seed": int(processing.get_fixed_seed(-1))}
    given = TabContext(
        known_styles=style_library(),
        has_comments=features.has_prompt_comments(),
        is_before_schedules=features.schedules() is None,
    )
    return read_request([{**asked, "job": job}], _default_job(), given=given)


def _default_job() -> Job:
    """The picture of a request that says nothing: the webui's settings, a seed of its own."""
    return Job(
        prompt="",
        seed=int(processing.get_fixed_seed(-1)),
        rng=features.noise_source(),
        clip_skip=features.clip_skip(),
    )


def _require_able() -> None:
    """Raise HostError where this webui can generate nothing for us."""
    if why := features.refusal():
        raise HostError(why)
