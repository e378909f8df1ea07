"""The face pass on pictures that exist already: what their infotexts ask for, and the new pictures.

The caller brings the host: our engine on the command line, the webui in its tab.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohwx_compare.compare.face_pass import Detailed, detail, require_built
from ohwx_compare.compare.host import Host, Loaded
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import checkpoint_of
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.infotext.infotext import Infotext
from ohwx_compare.core.infotext.others import with_help
from ohwx_compare.core.infotext.supported import unsupported_job
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.errors import InfotextError, UnsupportedKeyError
from ohwx_compare.files.images import load_rgb, write_result
from ohwx_compare.files.infotexts import find_infotext

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["ExistingPicture", "extended", "read_picture", "redraw", "require_native"]


@dataclass(frozen=True, kw_only=True)
class ExistingPicture:
    """A picture that gets a face pass."""

    path: Path
    text: Infotext
    job: Job
    faces: tuple[FaceSettings, ...]
    checkpoint: CheckpointRef
    notes: tuple[str, ...]


def read_picture(path: Path, settings: Sequence[FaceSettings] = (), checkpoint: str | None = None) -> ExistingPicture:
    """Read the settings of a picture's face pass.

    settings, checkpoint: instead of the infotext's; both, with a prompt, make up for a picture without infotext, whose
    faces are inpainted at 1024x1024 px with a seed of 1. Raises ImageError, and InfotextError for a picture that lacks
    one of them, a grid, or face settings that are not supported yet; hires fix and img2img do not matter, for the
    picture exists.
    """
    found = find_infotext(path)
    if found.text is None:
        parsed, notes = _given(settings, checkpoint, f"{path}: {found.reason}")
    else:
        parsed, notes = infotext.parse(found.text), ()
    if infotext.xyz(parsed):
        raise InfotextError(f"{path} is an X/Y/Z grid; give the single pictures.")
    faces = tuple(settings) or infotext.faces(parsed)
    notes = notes if faces else ("its infotext has no face settings: ADetailer's defaults were used",)
    faces = faces or (FaceSettings(),)
    job = replace(infotext.to_job(parsed), denoise=None)
    require_valid(job)
    for tab in faces:
        require_valid(tab)
    require_built(faces)
    ref = CheckpointRef.parse(checkpoint) if checkpoint else checkpoint_of(parsed)
    if ref is None:
        raise InfotextError(f"The infotext of {path} names no checkpoint; choose the one to use.")
    return ExistingPicture(path=path, text=parsed, job=job, faces=faces, checkpoint=ref, notes=notes)


def _given(settings: Sequence[FaceSettings], checkpoint: str | None, missing: str) -> tuple[Infotext, tuple[str, ...]]:
    """A text in place of the one that is missing, and a note. Raises InfotextError without prompt or checkpoint."""
    prompt = next((tab.prompt for tab in settings if tab.prompt), None)
    if not prompt or not checkpoint:
        raise InfotextError(f"{missing} Give a face prompt and a checkpoint, or choose a picture with one.")
    negative = next((tab.negative for tab in settings if tab.negative), "")
    job = Job(prompt=prompt, negative=negative, seed=1)
    text = infotext.from_job(job, model=CheckpointRef.parse(checkpoint).stem, model_hash=None)
    return text, ("it has no infotext: the face prompt was used, with seed 1",)


def require_native(picture: ExistingPicture) -> None:
    """Raise UnsupportedKeyError, naming all of it, for a picture whose face pass our own engine does not support."""
    refused = [
        what for what in infotext.unsupported(picture.text) if not what.startswith("Hires ") and "ADetailer" not in what
    ]
    refused = list(dict.fromkeys((*refused, *unsupported_job(picture.job, picture.faces))))
    if refused:
        raise UnsupportedKeyError(
            f"{picture.path.name} needs settings that this engine does not support yet: {with_help(refused)}."
        )


def extended(text: Infotext, job: Job, faces: Sequence[FaceSettings]) -> Infotext:
    """`text` with ADetailer's keys for `faces` in place of its own; our key is dropped, for it is another picture's."""
    kept = text.without("ohwx", *(pair.key for pair in text.pairs if pair.key.startswith("ADetailer ")))
    for pair in infotext.from_job(job, model=None, model_hash=None, faces=faces).pairs:
        if pair.key == "ohwx" or pair.key.startswith("ADetailer "):
            kept = kept.with_value(pair.key, pair.value)
    return kept


def redraw(
    host: Host, detector: "Callable[[str], Detector]", picture: ExistingPicture, loaded: Loaded, out: Path
) -> dict[str, Any]:
    """Run the face pass on `picture` with the loaded checkpoint; write it to `out`, its infotext kept and extended.

    detector: gives a tab's detector by name. Returns JSON values: file, from, checkpoint, outcome, faces, notes. Raises
    what the host raises, DetectorError and ImageError.
    """
    detectors = [detector(tab.model) for tab in picture.faces]
    drawn: Detailed = detail(host, detectors, picture.faces, [picture.job], [load_rgb(picture.path)])[0]
    name, short_hash = infotext.model(picture.text)
    is_own = loaded.sha256.startswith(short_hash.lower()) if short_hash else name == Path(loaded.checkpoint.name).stem
    other = None if is_own else Path(loaded.checkpoint.name).stem
    written = extended(picture.text, picture.job, [replace(tab, checkpoint=other) for tab in picture.faces])
    write_result(out, drawn.image, infotext.render(written))
    return {
        "file": str(out),
        "from": str(picture.path),
        "checkpoint": loaded.checkpoint.name,
        "outcome": drawn.outcome.value,
        "faces": [face.to_json() for face in drawn.faces],
        "notes": [*picture.notes, *drawn.notes],
    }
