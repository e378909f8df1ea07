"""What is counted beside the measures: faces not found, copies of photographs, faces that a face pass made worse.

And how far each measure agrees with the user's own votes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.judge.diversity import Diversity
from ohwx_compare.judge.intervals import Estimate, share_of
from ohwx_compare.judge.likeness import NO_FACE, Likeness
from ohwx_compare.judge.measure import MEASURED, Score
from ohwx_compare.judge.run.pictures import JudgedPicture
from ohwx_compare.judge.run.scoring import ONE_COLOUR, UNREADABLE
from ohwx_compare.judge.run.table import MeasureTable

__all__ = ["Agreement", "FaceCounts", "agreements", "face_counts", "lost_styles", "twin_count"]

_ALIKE = 0.5  # on a style's scale: nearer to the person than to a stranger
_LEAST_VOTES = 10
_FAILS = 0.6  # of the votes: a measure that surely agrees with fewer is warned of


@dataclass(frozen=True, kw_only=True)
class FaceCounts:
    """Of one checkpoint's pictures."""

    pictures: int
    no_face: Estimate | None  # the share of last pictures in which none was found
    no_face_before: Estimate | None  # before the face pass; None without one
    copies: int  # nearer to a photograph than any two photographs are to each other
    nearest: str  # the photograph that most of the copies are of
    worse: int  # nearer to the person before the face pass, nearer to a stranger after it
    passed: int  # pictures that a face pass changed and that can be judged before and after it
    unreadable: int


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How often a measure prefers what the user preferred."""

    measure: str
    question: str
    share: Estimate

    @property
    def is_failing(self) -> bool:
        """Whether it surely agrees with less than 60 % of the votes."""
        return self.share.high < _FAILS


def face_counts(table: MeasureTable, checkpoint: str) -> FaceCounts:
    """Count a checkpoint's pictures by the measure of likeness."""
    own = {each: score for each, score in table.scored.scores.items() if each.checkpoint == checkpoint}
    last = [each for each in own if each.is_last]
    early = {each.place[:2]: each for each in own if not each.is_last}
    measure = table.scored.measure
    below = measure.copy_below if isinstance(measure, Likeness) else 0.0
    near = [score.details for score in own.values() if float(score.details.get("nearest_distance", np.inf)) < below]
    names = [str(details["nearest"]) for details in near]
    pairs = [(table.value(early[each.place[:2]]), table.value(each)) for each in last if each.place[:2] in early]
    told = [pair for pair in pairs if not np.isnan(pair).any()]
    before = [early.get(each.place[:2], each) for each in last]
    return FaceCounts(
        pictures=len(last),
        no_face=_no_face(table, last),
        no_face_before=_no_face(table, before) if early else None,
        copies=len(near),
        nearest=max(set(names), key=names.count) if names else "",
        worse=sum(first >= _ALIKE > second for first, second in told),
        passed=len(told),
        unreadable=sum(score.outcome == UNREADABLE for score in own.values()),
    )


def lost_styles(table: MeasureTable, checkpoint: str) -> tuple[str, ...]:
    """Styles that fewer than half of the checkpoint's pictures show, by the measure of style."""
    values = table.of(checkpoint)
    with np.errstate(invalid="ignore"):
        return tuple(style for style, own in zip(table.styles, values, strict=True)
                     if not np.isnan(own).all() and np.nanmean(own) < _ALIKE)  # fmt: skip


def twin_count(table: MeasureTable, checkpoint: str) -> int:
    """Last pictures of a checkpoint that look like another seed's of their style, by the measure of diversity."""
    measure = table.scored.measure
    own: dict[tuple[str, tuple[str, ...]], list[Score]] = {}
    if not isinstance(measure, Diversity):
        return 0
    for each, score in table.scored.scores.items():
        if each.checkpoint == checkpoint and each.is_last and score.outcome == MEASURED:
            own.setdefault((each.style, each.variant), []).append(score)
    return sum(map(measure.twins, own.values()))


def agreements(votes: Iterable[VoteRow], tables: Mapping[str, MeasureTable]) -> tuple[Agreement, ...]:
    """Each measure against the votes of each question: of pairs that were decided and it can tell apart."""
    by_question: dict[str, list[VoteRow]] = {}
    for vote in votes:
        if vote.best is not None and not vote.is_repeat:
            by_question.setdefault(vote.question, []).append(vote)
    found = []
    for name, table in tables.items():
        pictures = {each.key: each for each in table.scored.scores}
        for question, own in by_question.items():
            hits = [hit for vote in own for hit in _agrees(vote, table, pictures)]
            if len(hits) >= _LEAST_VOTES:
                found.append(Agreement(measure=name, question=question, share=share_of(sum(hits), len(hits))))
    return tuple(found)


def _no_face(table: MeasureTable, pictures: Sequence[JudgedPicture]) -> Estimate | None:
    outcomes = [table.scored.scores[each].outcome for each in pictures]
    looked = [outcome for outcome in outcomes if outcome not in (ONE_COLOUR, UNREADABLE)]
    return share_of(looked.count(NO_FACE), len(looked)) if looked else None


def _agrees(vote: VoteRow, table: MeasureTable, pictures: Mapping[str, JudgedPicture]) -> list[bool]:
    """The best picture of a vote against each of the others: whether the measure says the same."""
    values = [table.value(pictures[key]) if key in pictures else np.nan for key in vote.shown]
    best = values[vote.best or 0]
    others = [value for place, value in enumerate(values) if place != vote.best]
    return [bool(best > value) for value in others if not np.isnan([best, value]).any() and best != value]
