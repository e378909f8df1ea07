"""The face pass: find faces, mask them, inpaint each; ADetailer's order and rules over any `Host`.

Rules: Bing-su/adetailer 25.3.0, `scripts/!adetailer.py` (`pred_preprocessing`, `_get_prompt`,
`_postprocess_image_inner`) and `adetailer/common.py`. One fault of theirs is not repeated: when erosion drops a mask,
the masks and boxes after it no longer match.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from ohwx_compare.compare.face_fit import fitted_denoise, fitted_size
from ohwx_compare.compare.face_rounds import FaceArea, FaceTurn, rounds
from ohwx_compare.compare.host import Host
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.outcome import FaceRecord, Fate, Outcome
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import InpaintJob, Job, SoftInpaint
from ohwx_compare.errors import UnsupportedKeyError
from ohwx_compare.files import masks

if TYPE_CHECKING:  # loads torch, which a run over a distant host does without
    from ohwx_compare.engine.detect import Detection, Detector

__all__ = [
    "Detailed",
    "Selection",
    "detail",
    "detector_key",
    "face_job",
    "jobs_of",
    "reach",
    "require_built",
    "segment",
    "select",
]

_SKIP = re.compile(r"\s*\[SKIP\]\s*")


@dataclass(frozen=True, kw_only=True)
class Detailed:
    """A picture after its face pass, and what came of each face."""

    image: Image.Image  # RGB, the size of the picture before
    outcome: Outcome  # FACES, NO_FACE or NONE_KEPT
    faces: tuple[FaceRecord, ...]  # tab by tab: those with a mask in its order, then the filtered ones
    notes: tuple[str, ...]
    layer: Image.Image | None = None  # RGBA, of the last one that was inpainted softly


@dataclass(frozen=True)
class Selection:
    """One picture's faces in one tab."""

    masks: tuple[Image.Image, ...]  # "L", in the order they are redrawn
    members: tuple[tuple["Detection", ...], ...]  # the faces of each mask: one, or all of a merged one
    dropped: tuple[tuple["Detection", str], ...]  # with the reason


@dataclass
class _Picture:
    """A picture on its way through the tabs."""

    image: Image.Image
    job: Job
    within: Image.Image | None = None  # "L": faces beside its white are left alone
    soft: SoftInpaint | None = None  # how its faces are blended
    layer: Image.Image | None = None
    records: list[FaceRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def require_built(tabs: Sequence[FaceSettings]) -> None:
    """Raise UnsupportedKeyError, naming it, for a setting that changes pixels and is not supported yet."""
    for number, tab in enumerate(tabs, 1):
        asked = {
            "face restoration": tab.restore_face,
            "YOLO-World's classes": "-world" in tab.model,
        }
        named = [name for name, is_asked in asked.items() if is_asked]
        if named:
            raise UnsupportedKeyError(
                f"Face tab {number} asks for {', '.join(named)}, which is not supported yet; switch it off."
            )


def detail(
    host: Host,
    detectors: Sequence["Detector"],
    tabs: Sequence[FaceSettings],
    jobs: Sequence[Job],
    images: Sequence[Image.Image],
    *,
    within: Image.Image | None = None,
    soft: SoftInpaint | None = None,
) -> list[Detailed]:
    """Run all tabs over pictures of one size: the next faces of all of them go to the host together.

    detectors: one for each tab.
    jobs: what generated each picture; a face takes from it what its tab leaves open. Face j has seed + j and
        subseed + j, counted anew in each tab, which works on the result of the tab before.
    images: RGB. within: "L", their size: faces whose mask does not touch its white are left alone, as in an inpaint of
        the whole picture. soft: faces are blended so, as the picture that they are in.
    Raises what host and detectors raise.
    """
    pictures = [_Picture(image, job, within, soft) for job, image in zip(jobs, images, strict=True)]
    for number, (tab, detector) in enumerate(zip(tabs, detectors, strict=True)):
        _run_tab(host, detector, number, tab, pictures)
    return [_finish(picture) for picture in pictures]


def reach(asked: InpaintJob, mask: Image.Image) -> Image.Image | None:
    """Within what of the picture that an inpaint drew its faces lie ("L"); None for a crop, all of which is inpainted.

    `get_image_mask` and `inpaint_mask_filter` of ADetailer.
    """
    if asked.only_masked:
        return None
    white = ImageOps.invert(mask) if asked.inverted else mask
    width, height = asked.job.width, asked.job.height
    return masks.stretch(masks.fitted(white, (width, height), asked.job.resize_mode), (width // 8 * 8, height // 8 * 8))


def detector_key(detector: "Detector") -> str:
    """What of a detector a picture depends on: its file, and whose masks it gives, which were once exact ones."""
    return f"{detector.sha256} stretched" if detector.kind == "yolov8-seg" else detector.sha256


def select(
    detections: Sequence["Detection"], tab: FaceSettings, size: tuple[int, int], within: Image.Image | None = None
) -> Selection:
    """Filter, order and mask one picture's detections; a mask keeps its faces through every step.

    size: (width, height) px of the picture. within: as for `detail`.
    """
    kept, dropped = list(detections), []
    for keep in (_by_ratio, _by_top_k):
        kept, out = keep(kept, tab, size)
        dropped += out
    kept = _sorted(kept, tab.sort, size)
    shaped = [(_mask(face, tab, size), face) for face in kept]
    if tab.dilate:
        dropped += [
            (face, f"nothing left of its mask at dilate {tab.dilate}") for m, face in shaped if masks.is_black(m)
        ]
        shaped = [(mask, face) for mask, face in shaped if not masks.is_black(mask)]
    groups: list[tuple[Image.Image, tuple[Detection, ...]]] = [(mask, (face,)) for mask, face in shaped]
    if tab.merge != "None" and shaped:
        union = masks.merge([mask for mask, _ in shaped], invert=tab.merge == "Merge and Invert")
        groups = [(union, tuple(face for _, face in shaped))]
    is_in = [within is None or masks.touches(mask, within) for mask, _ in groups]
    beside = [faces for (_, faces), touched in zip(groups, is_in, strict=True) if not touched]
    dropped += [(face, "beside the mask of the inpaint") for faces in beside for face in faces]
    groups = [group for group, touched in zip(groups, is_in, strict=True) if touched]
    return Selection(tuple(mask for mask, _ in groups), tuple(faces for _, faces in groups), tuple(dropped))


def segment(text: str, index: int, own: str) -> str:
    """The part of a tab's prompt that face `index` gets: parts are separated by [SEP], the last one is for the rest.

    own: the picture's prompt, which a blank part and [PROMPT] stand for.
    """
    parts = text.split("[SEP]")  # blanks around a [SEP] belong to it, those at the ends of the text do not
    at = min(index, len(parts) - 1)
    part = parts[at] if at == 0 else parts[at].lstrip()
    part = part if at == len(parts) - 1 else part.rstrip()
    return part.replace("[PROMPT]", own) if part else own


def _run_tab(host: Host, detector: "Detector", number: int, tab: FaceSettings, pictures: Sequence[_Picture]) -> None:
    found = detector.detect([picture.image for picture in pictures], tab.confidence)
    chosen = [select(faces, tab, p.image.size, p.within) for faces, p in zip(found, pictures, strict=True)]
    asked = [
        [_fitted(face_job(p.job, tab, i), tab, members[0], p) for i, members in enumerate(s.members)]
        for p, s in zip(pictures, chosen, strict=True)
    ]
    faces = [
        [FaceArea(job, mask) for job, mask in zip(jobs, s.masks, strict=True) if not _is_skip(job)]
        for jobs, s in zip(asked, chosen, strict=True)
    ]
    for turns in rounds(faces):
        _inpaint(host, pictures, faces, turns)
    for picture, selection, jobs in zip(pictures, chosen, asked, strict=True):
        for index, (job, members) in enumerate(zip(jobs, selection.members, strict=True)):
            picture.records += [_record(face, number, detector, **_came_of(job, index)) for face in members]
    for picture, selection in zip(pictures, chosen, strict=True):
        for face, reason in selection.dropped:
            picture.records.append(_record(face, number, detector, fate=Fate.FILTERED, reason=reason))
        if detector.note:
            picture.notes.append(detector.note)


def _inpaint(
    host: Host, pictures: Sequence[_Picture], faces: Sequence[Sequence[FaceArea]], turns: Sequence[FaceTurn]
) -> None:
    """Inpaint the faces of one round; what each changed goes into its picture."""
    mine = [faces[turn.picture][turn.face] for turn in turns]
    images = [pictures[turn.picture].image for turn in turns]
    drawn = host.inpaint([face.job for face in mine], images, [face.mask for face in mine])
    for turn, face, image, result in zip(turns, mine, images, drawn, strict=True):
        picture = pictures[turn.picture]
        picture.image = result.image if picture.image is image else face.placed(result.image, picture.image)
        picture.layer = result.layer
        picture.notes += result.notes


def _is_skip(asked: InpaintJob) -> bool:
    return _SKIP.fullmatch(asked.job.prompt) is not None


_OWN = (  # where a tab has none: the job's
    "width", "height", "steps", "cfg", "sampler", "schedule", "clip_skip", "vae", "checkpoint",
)  # fmt: skip


def face_job(job: Job, tab: FaceSettings, index: int) -> InpaintJob:
    """The job that inpaints face `index` (from 0) of the picture that `job` generated, in one tab, whatever its box."""
    further = 0 if tab.same_seed else index
    own = replace(
        job,
        prompt=segment(tab.prompt, index, job.prompt),
        negative=segment(tab.negative, index, job.negative),
        seed=job.seed + further,
        subseed=job.subseed + further,
        denoise=tab.denoise,
        hires_upscaler=None,
        refiner=None,
        resize_mode="stretch",
        overlay=True,
        noise_multiplier=1.0 if tab.noise_multiplier is None else tab.noise_multiplier,
        **{name: value for name in _OWN if (value := getattr(tab, name)) is not None},
    )
    return InpaintJob(job=own, mask_blur=tab.blur, only_masked=tab.only_masked, padding=tab.padding)


def _fitted(asked: InpaintJob, tab: FaceSettings, face: "Detection", picture: _Picture) -> InpaintJob:
    """With what its picture and the face's box change; of merged ones, that of the first."""
    width, height = fitted_size((asked.job.width, asked.job.height), tab, face.box)
    denoise = fitted_denoise(tab, face.box, picture.image.size)
    return replace(asked, job=replace(asked.job, width=width, height=height, denoise=denoise), soft=picture.soft)


def jobs_of(cells: Iterable[Cell]) -> tuple[Job, ...]:
    """All that a host will be asked for, as far as it is known: each picture, and the first face of each tab."""
    pictures = dict.fromkeys((cell.job, cell.faces) for cell in cells)
    faces = (face_job(job, tab, 0).job for job, tabs in pictures for tab in tabs)
    return tuple(dict.fromkeys((*(job for job, _ in pictures), *faces)))


def _came_of(asked: InpaintJob, index: int) -> dict[str, Any]:
    if _is_skip(asked):
        return {"fate": Fate.SKIPPED, "reason": "its prompt says [SKIP]", "mask": index}
    return {"fate": Fate.INPAINTED, "mask": index, "prompt": asked.job.prompt, "seed": asked.job.seed}


def _record(face: "Detection", tab: int, detector: "Detector", **more: Any) -> FaceRecord:
    corners = (face.box.x1, face.box.y1, face.box.x2, face.box.y2)
    x1, y1, x2, y2 = (round(float(edge), 2) for edge in corners)
    confidence = round(float(face.confidence), 4)
    return FaceRecord(tab=tab, box=(x1, y1, x2, y2), confidence=confidence, detector=detector.name, **more)


def _finish(picture: _Picture) -> Detailed:
    fates = {record.fate for record in picture.records}
    outcome = Outcome.FACES if Fate.INPAINTED in fates else Outcome.NONE_KEPT if fates else Outcome.NO_FACE
    notes = tuple(dict.fromkeys(picture.notes))
    records = tuple(picture.records)
    return Detailed(image=picture.image, outcome=outcome, faces=records, notes=notes, layer=picture.layer)


_Kept = tuple[list["Detection"], list[tuple["Detection", str]]]


def _by_ratio(faces: list["Detection"], tab: FaceSettings, size: tuple[int, int]) -> _Kept:
    def is_in(face: "Detection") -> bool:
        return tab.min_ratio <= masks.box_ratio(size, face.box) <= tab.max_ratio

    reason = f"outside {tab.min_ratio:g} to {tab.max_ratio:g} of the picture"
    return [face for face in faces if is_in(face)], [(face, reason) for face in faces if not is_in(face)]


def _by_top_k(faces: list["Detection"], tab: FaceSettings, _: tuple[int, int]) -> _Kept:
    if not tab.top_k:
        return faces, []
    measure: Callable[[Detection], float] = (
        (lambda face: face.confidence) if tab.top_k_by == "Confidence" else (lambda face: face.box.area)
    )
    # Reversed ascending order, as there: of two equals the later one comes first.
    order = sorted(range(len(faces)), key=lambda i: (measure(faces[i]), i), reverse=True)
    reason = f"not among the top {tab.top_k} by {tab.top_k_by.lower()}"
    return [faces[i] for i in order[: tab.top_k]], [(faces[i], reason) for i in order[tab.top_k :]]


def _sorted(faces: list["Detection"], sort: str, size: tuple[int, int]) -> list["Detection"]:
    def from_centre(face: "Detection") -> float:
        x, y = (face.box.x1 + face.box.x2) / 2, (face.box.y1 + face.box.y2) / 2
        return math.hypot(x - size[0] / 2, y - size[1] / 2)

    measures = {
        "Left to right": lambda face: face.box.x1,
        "Center to edge": from_centre,
        "Large to small": lambda face: -face.box.area,
    }
    return sorted(faces, key=measures[sort]) if sort in measures else faces


def _mask(face: "Detection", tab: FaceSettings, size: tuple[int, int]) -> Image.Image:
    shape = face.mask if tab.exact_masks else face.stretched
    if shape is None:
        mask = masks.box_mask(size, face.box)
    else:
        mask = Image.fromarray(np.where(shape, 255, 0).astype(np.uint8) if tab.exact_masks else shape)
    return masks.dilate(masks.offset(mask, tab.x_offset, tab.y_offset), tab.dilate)
