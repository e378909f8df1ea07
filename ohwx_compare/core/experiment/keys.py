"""The keys of a cell's pictures: sha256 of all that their pixels depend on, and of nothing else.

*Before* the face pass: job, the host's fingerprint, the checkpoint's sha256. *After* it: the key before, the face
settings, the detectors' sha256, and what the host says of the faces' own prompts, if anything. Both with `PIXELS`.
Settings are written as `core/experiment/key_text.py` says, today's form first; a picture that carries the key of an
earlier form is the same picture.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.key_text import Forms, canonical, told, told_each
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job

__all__ = ["PIXELS", "PictureKeys", "after_key", "before_key"]

PIXELS = 1
"""Raised by one when, and only when, the same request gives other pixels than before: it makes older pictures stale."""


def before_key(job: Job, fingerprint: Mapping[str, Any], checkpoint_sha256: str) -> str:
    """Key (64 hex digits) of the picture before the face pass.

    `fingerprint` is `Host.fingerprint(job)`. Left out because they move no pixel: clip skip (SDXL ignores it; a host
    that does not puts it into the fingerprint) and the subseed while its strength is 0.
    """
    return _before(checkpoint_sha256, canonical(fingerprint), _job_texts(job)[0])


def after_key(before: str, faces: Sequence[FaceSettings], detectors: Sequence[str]) -> str:
    """Key of the picture after the face pass; `detectors` holds each tab's detector sha256, in order."""
    return _after(before, canonical(list(detectors)), _face_texts(faces)[0])


class PictureKeys:
    """The keys of many cells' pictures; each distinct job and face pass is written out once.

    fingerprint: the host's; it answers the same for the same job as long as these keys are used.
    detectors: sha256 of every detector that a cell names.
    """

    def __init__(self, fingerprint: Callable[[Job], Mapping[str, Any]], detectors: Mapping[str, str]):
        self._fingerprint, self._detectors = fingerprint, detectors
        self._jobs: dict[Job, tuple[str, Forms]] = {}  # the host's part and the job's
        self._faces: dict[tuple[Any, ...], tuple[str, Forms]] = {}  # detectors' and host's part, settings'
        self._host: tuple[Mapping[str, Any], str] = ({}, "{}")  # the last fingerprint: most jobs have the same

    def of(self, cell: Cell, checkpoint_sha256: str) -> tuple[Forms, Forms]:
        """The keys of the picture before the face pass and of the last one; those are equal without a face pass."""
        if cell.job not in self._jobs:
            self._jobs[cell.job] = (self._host_text(cell.job), _job_texts(cell.job))
        host, jobs = self._jobs[cell.job]
        befores = tuple(_before(checkpoint_sha256, host, job) for job in jobs)
        if not cell.faces:
            return befores, befores
        pass_ = (cell.faces, cell.job.clip_l_skip, cell.job.vae)
        if pass_ not in self._faces:
            named = canonical([self._detectors[tab.model] for tab in cell.faces])
            self._faces[pass_] = (named + self._own_of(cell), _face_texts(cell.faces, cell.job.clip_l_skip))
        detectors, faces = self._faces[pass_]
        return befores, tuple(_after(before, detectors, text) for before, text in zip(befores, faces, strict=False))

    def _own_of(self, cell: Cell) -> str:
        """What the host says of the faces' own prompts (their LoRAs) and of no other; "" for nothing."""
        plain = self._fingerprint(replace(cell.job, prompt="", negative=""))
        own = []
        for tab in cell.faces:
            vae = tab.vae or cell.job.vae
            named = replace(cell.job, prompt=tab.prompt, negative=tab.negative, vae=vae, checkpoint=tab.checkpoint)
            said = self._fingerprint(named)
            own.append({name: value for name, value in said.items() if plain.get(name) != value})
        return f',"faces\' host":{canonical(own)}' if any(own) else ""

    def _host_text(self, job: Job) -> str:
        said = self._fingerprint(job)
        if said != self._host[0]:
            self._host = (said, canonical(said))
        return self._host[1]


def _before(checkpoint: str, host: str, job: str) -> str:
    return _digest(f'{{"checkpoint":"{checkpoint}","host":{host},"job":{job},"pixels":{PIXELS}}}')


def _after(before: str, detectors: str, faces: str) -> str:
    return _digest(f'{{"before":"{before}","detectors":{detectors},"faces":{faces},"pixels":{PIXELS}}}')


def _job_texts(job: Job) -> Forms:
    still = set() if job.clip_l_skip else {"clip_skip"}
    still |= {"subseed", "subseed_strength"} if job.subseed_strength == 0 else set()
    return tuple(canonical({name: said[name] for name in said.keys() - still}) for said in told(job))


def _face_texts(faces: Sequence[FaceSettings], skips: bool = False) -> Forms:
    """`skips`: whether the job has CLIP-L skip layers, so that their number counts."""
    return tuple(map(canonical, told_each([tab if skips else replace(tab, clip_skip=None) for tab in faces])))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
