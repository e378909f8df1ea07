"""From what is pasted or dropped into the tab to a request, and what it would cost."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.core.experiment import draft as core_draft
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext.infotext import parse, split
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import CheckpointError, InfotextError, UnknownCheckpointError, WrongCheckpointError
from ohwx_compare.hosts.webui.request.cost import estimate_of, known_file
from ohwx_compare.hosts.webui.request.given import style_library
from ohwx_compare.hosts.webui.request.record import request_json
from ohwx_compare.hosts.webui.request.request import Request

__all__ = ["ARTICLE", "draft_request", "estimate_request"]

ARTICLE = FaceSettings(top_k=1, denoise=0.5, steps=80)
"""The face pass that a comparison starts with: one face, inpainted in detail."""


def draft_request(texts: Sequence[str], checkpoints: Sequence[Checkpoint], default: Job) -> dict[str, Any]:
    """`{"request", "notes", "missing"}` of pasted texts, each of which may hold several infotexts.

    default: the picture of a draft from nothing. Raises InfotextError where nothing can be read, ExperimentError for
    values that no host accepts.
    """
    if not any(text.strip() for text in texts):
        request = request_json(Experiment(job=default, faces=(ARTICLE,)), "")
        return {"request": request, "notes": [], "missing": []}
    found = core_draft.draft_experiment(
        [parse(part.strip()) for text in texts for part in _split(text)], style_library()
    )
    experiment, notes, missing, control = found.experiment, list(found.notes), [], found.experiment.control
    refs = {}
    for ref in experiment.checkpoints:
        name, note = _known(ref, checkpoints)
        refs[ref] = CheckpointRef(name) if name else ref
        notes += [note] if note else []
        missing += [] if name else [str(ref)]
    if refs:
        experiment = experiment.with_control(None).with_checkpoints(dict.fromkeys(refs.values()))
    if control:
        experiment = experiment.with_control(replace(control, checkpoint=refs[control.checkpoint]))
    return {"request": request_json(experiment, ""), "notes": notes, "missing": missing}


def estimate_request(request: Request, checkpoints: Sequence[Checkpoint]) -> dict[str, Any]:
    """A plan's counts and its time, see `Forecast.to_json`; nothing is read but ledgers and samples of files."""
    return estimate_of(request, checkpoints, batch=1).to_json()


def _split(text: str) -> list[str]:
    return [part for part in split(text) if part.strip()] if text.strip() else []


def _known(ref: CheckpointRef, checkpoints: Sequence[Checkpoint]) -> tuple[str | None, str | None]:
    """The file that `ref` means, and a warning about it: one of its name stands in for one of its hash."""
    resolve = known_file(checkpoints)
    try:
        return resolve(ref).name, None
    except WrongCheckpointError as error:
        other = str(error)
    except CheckpointError as error:
        return None, None if isinstance(error, UnknownCheckpointError) else str(error)
    for instead, note in ((ref.short_hash or "", None), (ref.name, other)):
        with suppress(CheckpointError):
            return resolve(CheckpointRef(instead)).name, note
    return None, other


def texts_in_request(body: dict[str, Any]) -> list[str]:
    """The texts of a request. Raises InfotextError."""
    texts = body.get("texts", [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InfotextError("`texts` must be a list of infotexts.")
    return texts
