"""What is wrong with pictures and with their set, from their facts alone.

Shot scales follow the figure: a face's box is about three quarters of a head, and a body seven and a half heads. So how
far the picture goes on below the chin, in heights of the face, says where it ends: at the shoulders, the waist, the
knees or the ground.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ohwx_compare.core.buckets import BucketPlacement, Buckets
from ohwx_compare.core.geometry import Box
from ohwx_compare.doctor.facts import PictureFacts
from ohwx_compare.errors import GeometryError
from ohwx_compare.words import counted

__all__ = [
    "PROBLEMS",
    "SHOTS",
    "PictureFindings",
    "diagnose",
    "duplicates",
    "findings_of",
    "kept_window",
    "placed",
    "shot_scale",
]

PROBLEMS: Mapping[str, str] = {  # in the order of a report
    "unread": "cannot be read",
    "small": "is smaller than the smallest bucket",
    "faces cut": "loses a part of a face to the crop",
    "faces touched": "has a face at the edge of the crop",
    "no face": "shows no face that was found",
    "several faces": "shows more than one face",
    "small faces": "has a face of fewer than 100 px as it is trained",
    "enlarged": "is enlarged to fill its bucket",
    "cut away": "loses more than a fifth to the crop",
    "blurred": "is blurred",
    "duplicates": "is nearly the same as another",
    "long captions": "has a caption of more than 75 tokens",
}
SHOTS = ("head", "bust", "half", "full")
_ENDS = (1.0, 3.0, 7.0)  # heights of the face below the chin up to which a shot is head, bust, half
_TOUCH = 0.06  # of the face's height: nearer to the edge is touching
_CUT = 0.01  # of the face's area
_BLURRED = 0.62
_LEAST_FACE = 100  # px
_MOST_AWAY = 0.2
_TOKENS = 75
_ALIKE = 0.965  # correlation of two pictures in small
_SAME_COLOURS = 0.8  # of two shares of colours
_REPEATS = 0.4  # share of a set


@dataclass(frozen=True)
class PictureFindings:
    """What was found of one picture."""

    problems: tuple[str, ...]  # names of PROBLEMS
    shot: str = ""  # one of SHOTS; "" without a face
    bucket: tuple[int, int] = (0, 0)
    away: float = 0.0  # share of the picture that the crop takes away
    face: int = 0  # px, height of the largest face as it is trained
    enlargement: float = 1.0


def findings_of(facts: PictureFacts, placement: BucketPlacement | None) -> PictureFindings:
    """What is wrong with one picture that goes to `placement`; None where it fits no bucket."""
    if facts.error:
        return PictureFindings(("unread",))
    problems = [] if len(facts.faces) == 1 else ["several faces" if facts.faces else "no face"]
    shot = shot_scale(facts.faces[0], facts.size[1]) if facts.faces else ""
    if facts.blur > _BLURRED:
        problems.append("blurred")
    if facts.tokens > _TOKENS:
        problems.append("long captions")
    if placement is None:
        return PictureFindings((*problems, "small"), shot)
    scale = placement.resized[0] / placement.original[0]
    kept = placement.bucket[0] * placement.bucket[1] / (placement.resized[0] * placement.resized[1])
    height = round(facts.faces[0].height * scale) if facts.faces else 0
    found = {
        "faces cut": any(_lost(face, placement) > _CUT for face in facts.faces),
        "small faces": bool(facts.faces) and height < _LEAST_FACE,
        "enlarged": scale > 1.001,
        "cut away": 1 - kept > _MOST_AWAY,
    }
    found["faces touched"] = not found["faces cut"] and any(_touches(face, placement) for face in facts.faces)
    problems += [name for name, is_so in found.items() if is_so]
    return PictureFindings(tuple(problems), shot, placement.bucket, round(1 - kept, 4), height, round(scale, 3))


def shot_scale(face: Box, height: int) -> str:
    """How much of a person a picture of this height (px) shows: one of SHOTS."""
    below = (height - face.y2) / max(face.height, 1e-6)
    return next((shot for shot, end in zip(SHOTS, _ENDS, strict=False) if below < end), SHOTS[-1])


def duplicates(smalls: Sequence[np.ndarray | None]) -> list[int]:
    """Which pictures in small are nearly the same as an earlier or later one, mirrored or not."""
    places = [i for i, small in enumerate(smalls) if small is not None]
    if not places:
        return []
    all_of_them = np.stack([small for small in smalls if small is not None]).astype(np.float32)
    side = int(all_of_them.shape[1] ** 0.5)
    mirrored = all_of_them.reshape(-1, side, side)[:, :, ::-1].reshape(len(places), -1)
    straight, turned = _normal(all_of_them), _normal(mirrored)
    found = set()
    for at in range(len(places)):
        alike = np.maximum(straight[at + 1 :] @ straight[at], turned[at + 1 :] @ straight[at]) > _ALIKE
        found |= {at, *(at + 1 + np.flatnonzero(alike)).tolist()} if alike.any() else set()
    return sorted(places[at] for at in found)


def diagnose(every: Iterable[PictureFacts], findings: Iterable[PictureFindings]) -> list[str]:
    """What a set lacks or repeats, as sentences."""
    facts = [one for one in every if not one.error]
    shots = Counter(finding.shot for finding in findings if finding.shot)
    said = []
    if shots and (missing := [shot for shot in SHOTS if not shots[shot]]):
        said.append(f"No picture shows the person as: {', '.join(missing)}.")
    for what, colours in (
        ("background", [one.background for one in facts]),
        ("clothing", [one.clothes for one in facts]),
    ):
        known = [colour for colour in colours if colour is not None]
        most = _most_alike(known)
        if len(known) > 2 and most > max(2, _REPEATS * len(known)):
            said.append(f"{most} of {counted(len(known), 'picture')} have much the same {what}.")
    return said


def _lost(face: Box, placement: BucketPlacement) -> float:
    """The share of a face that the crop takes away."""
    left, top, right, bottom = kept_window(placement)
    width = max(0.0, min(face.x2, right) - max(face.x1, left))
    height = max(0.0, min(face.y2, bottom) - max(face.y1, top))
    return 1 - width * height / max(face.area, 1e-6)


def _touches(face: Box, placement: BucketPlacement) -> bool:
    left, top, right, bottom = kept_window(placement)
    nearest = min(face.x1 - left, face.y1 - top, right - face.x2, bottom - face.y2)
    return nearest < _TOUCH * face.height


def kept_window(placement: BucketPlacement) -> tuple[float, float, float, float]:
    """What the crop keeps, in px of the picture."""
    across, down = (a / b for a, b in zip(placement.original, placement.resized, strict=True))
    left, top = placement.crop
    width, height = placement.bucket
    return left * across, top * down, (left + width) * across, (top + height) * down


def _normal(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)


def _most_alike(colours: Sequence[np.ndarray]) -> int:
    """How many are much like one of them, at most."""
    if not colours:
        return 0
    shares = np.stack(colours).astype(np.float32) / 255
    return max(int((np.minimum(shares, one).sum(1) > _SAME_COLOURS).sum()) for one in shares)


def placed(buckets: Buckets, size: tuple[int, int]) -> BucketPlacement | None:
    """Where a picture goes; None where it fits no bucket."""
    try:
        return buckets.place(size)
    except GeometryError:
        return None
