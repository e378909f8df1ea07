"""What a checkpoint's face passes did beside likeness: seams, and faces inpainted that nobody asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from ohwx_compare.core.experiment.outcome import FaceRecord, Fate
from ohwx_compare.core.geometry import Box
from ohwx_compare.judge.measure import Score, boxes_in
from ohwx_compare.judge.run.pictures import JudgedPicture
from ohwx_compare.judge.run.table import MeasureTable
from ohwx_compare.judge.seams import Seams

__all__ = ["PassCounts", "pass_counts"]


@dataclass(frozen=True, kw_only=True)
class PassCounts:
    """Of one checkpoint's pictures."""

    looked: int  # pictures of a face pass that could be held against those before it
    seams: tuple[JudgedPicture, ...]  # in which the border of an inpainted face shows, the plainest first
    wrong: tuple[JudgedPicture, ...]  # in which another face than the wanted one was inpainted


def pass_counts(seams: MeasureTable, likeness: MeasureTable | None, checkpoint: str) -> PassCounts:
    """Count a checkpoint's pictures by the measure of seams.

    The wanted face is the one whose likeness counts in the picture before the pass, else the largest that the pass
    found. What was inpainted is what the pass says, else what differs from the picture before it. Where nothing tells
    which face is wanted, none is called wrong.
    """
    own = {each: score for each, score in seams.scored.scores.items() if each.checkpoint == checkpoint}
    told = {each: score for each, score in own.items() if score.value is not None}
    before = {each.place[:2]: each for each in (likeness.scored.scores if likeness else ())
              if each.checkpoint == checkpoint and not each.is_last}  # fmt: skip
    shown = [each for each, score in told.items() if score.value is not None and score.value >= Seams.SHOWS]
    wrong = []
    for each, score in told.items():
        early = before.get(each.place[:2])
        seen = likeness.scored.scores[early].details.get("box", "") if likeness and early else ""
        wanted = boxes_in(seen) or _largest(each.faces)
        if any(not _holds(box, *wanted) for box in _inpainted(each, score) if wanted):
            wrong.append(each)
    return PassCounts(
        looked=len(told), seams=tuple(sorted(shown, key=lambda each: -seams.value(each))), wrong=tuple(wrong)
    )


def _inpainted(picture: JudgedPicture, score: Score) -> tuple[Box, ...]:
    told = tuple(Box(*face.box) for face in picture.faces if face.fate is Fate.INPAINTED)
    return told or boxes_in(score.details.get("boxes", ""))


def _largest(faces: Sequence[FaceRecord]) -> tuple[Box, ...]:
    return tuple(sorted((Box(*face.box) for face in faces), key=lambda box: -box.area)[:1])


def _holds(box: Box, other: Box) -> bool:
    """Whether the middle of the other lies in the box."""
    x, y = (other.x1 + other.x2) / 2, (other.y1 + other.y2) / 2
    return box.x1 <= x <= box.x2 and box.y1 <= y <= box.y2
