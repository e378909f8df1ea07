"""The face pass on existing pictures, by the webui: one job for each request, its pictures in a folder."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from modules import paths, shared

from ohwx_compare.compare.host import Interruption
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import ExperimentError, Interrupted, NotHereError, sentence_of
from ohwx_compare.files.inner import inside
from ohwx_compare.files.names import FreeNames
from ohwx_compare.hosts.webui.request.known import require_detectors
from ohwx_compare.hosts.webui.request.request import face_settings
from ohwx_compare.hosts.webui.tab.pictures_of import found_pictures
from ohwx_compare.hosts.webui.tab.queue import Queue
from ohwx_compare.words import counted, quoted

__all__ = ["FaceJobs"]


@dataclass
class _Job:
    name: str
    pictures: tuple[Path, ...]
    faces: tuple[FaceSettings, ...]
    checkpoint: str | None
    folder: Path
    state: str = "queued"  # queued, drawing, stopped, done, failed
    results: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


class FaceJobs:
    """The jobs of this start of the webui; their pictures stay in `outputs/ohwx/faces/`."""

    def __init__(self, queue: Queue):
        self._queue = queue
        self._jobs: dict[str, _Job] = {}
        self._guard = threading.Lock()  # many requests come at once, and each gets a name of its own

    @property
    def known(self) -> list[str]:
        """Names of the jobs, the newest last."""
        with self._guard:
            return list(self._jobs)

    def add(self, body: dict[str, Any], check: Callable[[], None]) -> dict[str, str]:
        """Queue `{"paths": [...], "faces": [...], "checkpoint": name or null}`; answers with the job's name.

        check: called for each file that is looked at; what it raises ends the search. Raises ImageError,
        ExperimentError, and DetectorError for a detector that is not there.
        """
        paths, checkpoint = body.get("paths"), body.get("checkpoint") or None
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise ExperimentError("`paths` must be a list of files and folders.")
        if not isinstance(checkpoint, str | None):
            raise ExperimentError(f"`checkpoint` must be a name or null, got {quoted(checkpoint)}.")
        tabs = face_settings(body.get("faces") or [])
        faces = Experiment.from_dict({"job": {"prompt": "", "seed": 0}, "faces": tabs}).faces
        require_detectors(tab.model for tab in faces)
        pictures = tuple(found_pictures(paths, check))
        with self._guard:
            wanted = f"{datetime.now():%Y-%m-%d %H-%M-%S}"
            names = (wanted if number == 1 else f"{wanted} {number}" for number in count(1))
            name = next(name for name in names if name not in self._jobs)
            job = self._jobs[name] = _Job(name, pictures, faces, checkpoint, _folder() / name)
        self._queue.add(f"faces {name}", lambda: self._draw(job), lambda error: _fail(job, error))
        return {"job": name}

    def job(self, name: str) -> dict[str, Any]:
        """`{"state", "done", "total", "results", "error"}`. Raises NotHereError."""
        job = self._known(name)
        told = {"state": job.state, "done": len(job.results), "total": len(job.pictures)}
        return {**told, "results": list(job.results), "error": job.error}

    def interrupt(self, name: str) -> dict[str, Any]:
        """End a job; the pictures that are done stay. Raises NotHereError."""
        job = self._known(name)
        if self._queue.drop(f"faces {name}"):
            job.state = "stopped"
        elif self._queue.in_hand == f"faces {name}":
            shared.state.interrupt()
        return self.job(name)

    def file(self, name: str, path: str) -> Path:
        """A picture that a job wrote, also before a restart. Raises NotHereError."""
        return inside(_folder(), f"{name}/{path}")

    def _known(self, name: str) -> _Job:
        if name not in self._jobs:
            raise NotHereError(f"There is no job {quoted(name)}; the webui was restarted since. Its pictures remain.")
        return self._jobs[name]

    def _draw(self, job: _Job) -> None:
        from ohwx_compare.compare.existing import read_picture, redraw
        from ohwx_compare.hosts.webui.generation.host import WebuiHost
        from ohwx_compare.hosts.webui.generation.passes import txt2img_processing
        from ohwx_compare.hosts.webui.request.comparison import find_webui_detector

        job.state = "drawing"
        shared.state.job_count = len(job.pictures)
        with closing(txt2img_processing()) as p, closing(WebuiHost(p, own_faces=True)) as host:
            detector, names = cache(find_webui_detector), FreeNames(job.folder, job.pictures)
            for number, path in enumerate(job.pictures, 1):
                shared.state.textinfo = f"{number} of {counted(len(job.pictures), 'picture')}: {path.name}"
                if host.interruption() in (Interruption.STOP, Interruption.FINISH_CELL):
                    job.state = "stopped"
                    return
                try:
                    picture = read_picture(path, job.faces, job.checkpoint)
                    loaded = host.use(host.resolve(picture.checkpoint))
                    out = names.take(path.stem, path)
                    job.results.append(_told(redraw(host, detector, picture, loaded, out), job))
                except Interrupted:
                    job.state = "stopped"
                    return
                except Exception as error:  # noqa: BLE001  the boundary of a picture: the others are inpainted
                    why = sentence_of(error)
                    job.results.append({"path": str(path), "outcome": "failed", "image": None, "error": why})
        job.state = "done"


def _told(drawn: dict[str, Any], job: _Job) -> dict[str, Any]:
    name = Path(drawn["file"]).name
    return {
        "path": drawn["from"],
        "outcome": drawn["outcome"],
        "image": f"ohwx/faces/{quote(job.name)}/{quote(name)}",
        "file": drawn["file"],
        "notes": drawn["notes"],
    }


def _fail(job: _Job, error: Exception) -> None:
    job.state = "failed"
    job.error = sentence_of(error)


def _folder() -> Path:
    return Path(paths.data_path) / "outputs" / "ohwx" / "faces"
