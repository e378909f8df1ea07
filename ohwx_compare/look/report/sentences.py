"""The judgement in sentences, each computed from the numbers that stand in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ohwx_compare.judge import words
from ohwx_compare.judge.matching import LEAST_PAIRS
from ohwx_compare.judge.measure import LIKENESS, STYLE_KEPT
from ohwx_compare.judge.run.comparing import Comparison, MeasureComparison
from ohwx_compare.judge.run.judgement import Judged, Judgement, RunPoint
from ohwx_compare.judge.run.keeping import KeptAt
from ohwx_compare.judge.run.trained import JudgedSave
from ohwx_compare.judge.verdict import Word, verdict
from ohwx_compare.judge.votes.told import preference_words
from ohwx_compare.judge.words import Clause, line, listed, rounded, signed
from ohwx_compare.words import counted

__all__ = ["Said", "headlines", "is_aside", "kept_words", "opening", "report_findings", "said_limits", "side_findings"]

_SHOWN = 6  # checkpoints that a sentence names


@dataclass(frozen=True)
class Said:
    """A judgement's words, for whoever writes them down."""

    headlines: tuple[str, ...]
    findings: tuple[str, ...]
    kept: str
    beside: tuple[str, ...]
    missing: tuple[str, ...]
    limits: tuple[str, ...]

    @classmethod
    def of(cls, found: Judgement) -> "Said":
        """All sentences of a judgement."""
        return cls(
            headlines=tuple(headlines(found)), findings=tuple(report_findings(found)),
            kept=kept_words(found.keep, found),
            beside=tuple(side_findings(found)), missing=found.missing, limits=tuple(said_limits(found)),
        )  # fmt: skip


def opening(comparison: Comparison) -> str:
    """What is held against what: "With regularization images", "b against a"."""
    if comparison.factor == "regularization" and comparison.second.startswith("with "):
        return comparison.second[:1].upper() + comparison.second[1:]
    if comparison.course:
        return f"After {comparison.second}, against {comparison.first}"
    return f"{comparison.second} against {comparison.first}"


def headlines(found: Judgement) -> Iterator[str]:
    """The answer: one sentence for each comparison."""
    if not found.judged:
        yield "Nothing can be compared here."
    for judged in found.judged:
        asked = [each for each in judged.measures if not is_aside(found, each)]
        clauses = [each.clause for each in asked if each.clause]
        unknown = [each for each in asked if not each.clause]
        if clauses:
            yield words.one_sentence(opening(judged.comparison), clauses)
        else:
            why = "; ".join(f"{each.name}, {each.why}" for each in unknown) or "there is no measure"
            yield f"{opening(judged.comparison)}: nothing can be told ({why})."


def is_aside(found: Judgement, compared: MeasureComparison) -> bool:
    """Whether a measure is told beside the answer."""
    return found.tables[compared.name].scored.measure.words.is_aside


def report_findings(found: Judgement) -> Iterator[str]:
    """The clauses one by one with what belongs to each, and of how many trainings all this is."""
    for judged in found.judged:
        head = f"{opening(judged.comparison)}. " if len(found.judged) > 1 else ""
        for each in judged.measures:
            yield head + (line(each.clause) if each.clause else f"{each.name.capitalize()}: cannot tell, {each.why}.")
            if each.matched:
                yield _matched(each, found.band)
            if not is_aside(found, each) and (design := _design(each, found.band)):
                yield design
        yield _trainings(judged)
    if LIKENESS in found.tables and STYLE_KEPT not in found.tables:
        yield (
            "Nothing here measures whether the style asked for was kept, and a checkpoint that ignores styles scores "
            "more likeness by that alone: look at the pictures before you believe more likeness."
        )


def kept_words(kept: KeptAt | None, found: Judgement) -> str:
    """Which checkpoints to keep at one weight of style."""
    if kept is None:
        return "Which to keep cannot be told: there is too little to choose by."
    count = sum(point.save is not None for point in found.points)
    by = {0.0: "By likeness alone", 1.0: "By style alone"}.get(
        kept.style, f"With {kept.style:.0%} of the weight on style"
    )
    if len(kept.saves) == 1:
        return f"{by}, keep {kept.saves[0].label}: each of the others has one that is better. {_score(kept)}"
    which = f"{len(kept.saves)} of {counted(count, 'checkpoint')} cannot be told from the best: {_saves(kept.saves)}"
    earliest = f"the earliest {'is' if len(kept.earliest) == 1 else 'are'} {_saves(kept.earliest)}"
    return f"{by}, {which}; {earliest}. {_score(kept)}"


def side_findings(found: Judgement) -> Iterator[str]:
    """Faces that are missing, copies, what the face pass did, styles that are lost, and the user's own votes."""
    points = [point for point in found.points if point.save]
    faceless = [(p, c.no_face) for p in points if (c := p.counts) and c.no_face and c.no_face.value > 0]
    if faceless:
        shares = [f"{share.value:.0%} of {share.n} in {point.label}" for point, share in faceless]
        yield f"No face was found in {_first(shares)}. Such pictures have no likeness; they do not count as 0."
    for point in points:
        if (counts := point.counts) and counts.copies:
            yield (
                f"{counted(counts.copies, 'picture')} of {point.label} {'is' if counts.copies == 1 else 'are'} nearer "
                f"to one photograph than any two photographs are to each other, most often {counts.nearest}: look "
                "whether the training learned it by heart."
            )
    if worse := [(point, c) for point in points if (c := point.counts) and c.worse]:
        told = [f"{c.worse} of {c.passed} in {point.label}" for point, c in worse]
        yield f"The face pass turned the person's face into a stranger's in {_first(told)}."
    passed = [(point, point.passed) for point in points if point.passed]
    if seams := [f"{len(p.seams)} of {p.looked} in {point.label}" for point, p in passed if p.seams]:
        yield f"The border of an inpainted face shows in {_first(seams)}."
    if wrong := [f"{len(p.wrong)} of {p.looked} in {point.label}" for point, p in passed if p.wrong]:
        yield f"The face pass inpainted another face than the largest in {_first(wrong)}."
    if twins := [point for point in points if point.twins]:
        told = [f"{point.twins} of {point.label}" for point in twins]
        yield f"Pictures that look the same as another seed's of their style: {_first(told)}."
    if lost := [point for point in points if point.lost]:
        yield f"Fewer than half of the pictures show the style asked for: {_first(list(map(_lost, lost)))}."
    for voted in found.tallies:
        yield f"Your own votes. {preference_words(voted)}"
    for each in found.agreements:
        warning = " Do not trust it here: it fails your own votes." if each.is_failing else ""
        yield (
            f"{each.measure.capitalize()} agrees with {each.share.value:.0%} of your {each.share.n} votes on “"
            f"{each.question}” ({each.share.low:.0%} to {each.share.high:.0%}).{warning}"
        )


def said_limits(found: Judgement) -> Iterator[str]:
    """How the numbers came to be and what they cannot tell."""
    yield (
        "Seeds of one style are not independent witnesses, so each style is one value, the mean over its repeats, and "
        "the 95 % interval is Student's over the styles; of fewer than six styles it is of these styles only. "
        f"More or less is said where it leaves 0 out, the same where the 90 % interval lies within ±{found.band:g}, "
        "cannot tell where neither does."
    )
    if any(table.scales for table in found.tables.values()):
        yield (
            "Likeness has a scale of its own in each style: 0 is the base's own man of that style, 1 the photographs "
            "of the person through a filter that imitates the style. Where the two cannot be told apart, nothing is "
            "said of likeness. A filter keeps the face's shape, so it is not what a painter would do."
        )
    yield (
        "Checkpoints that chance alone tells from the best are not kept out: one is out where another is better by "
        "their own differences of styles, at 5 % shared among all others. The score of a chosen one comes from styles "
        "that had no say in the choice."
    )


def _matched(each: MeasureComparison, band: float) -> str:
    both, subject = each.matched, "likeness where both kept the style asked for"
    assert both is not None
    raw = f"{signed(both.raw)} over all pairs"
    if both.matched is None:
        return f"{subject.capitalize()}: cannot tell, no style has {LEAST_PAIRS} such pairs; {raw}."
    clause = Clause(subject=subject, more="", less="", effect=both.matched, verdict=verdict(both.matched, band))
    missing = f"; {counted(len(both.missing), 'style')} with fewer than {LEAST_PAIRS} left out" if both.missing else ""
    return (
        f"{line(clause)} {both.pairs} such pairs{missing}; {raw}. A picture that ignores its style is a photograph, "
        "and so more alike; these pairs leave that out, and speak of themselves alone."
    )


def _design(each: MeasureComparison, band: float) -> str:
    """What would tell, where nothing is told."""
    if each.clause is None or each.clause.verdict.word is not Word.CANNOT_TELL or not each.designs:
        return ""
    four = [design for design in each.designs if design.seeds >= 4] or list(each.designs)
    best = four[0]
    return (
        f"A difference of {band:g} in {each.clause.subject} is found in four of five repeats with "
        f"{counted(best.styles, 'style')} of {counted(best.seeds, 'seed')} ({counted(best.cells, 'picture')} of each "
        "checkpoint)."
    )


def _trainings(judged: Judged) -> str:
    if judged.comparison.course:
        return (
            "One training: this is about its checkpoints and their pictures. What the same recipe gives with another "
            "training seed, it cannot say."
        )
    first, second = judged.comparison.trainings
    if first == second == 1:
        return (
            "One training of each: this is about these two trainings and their pictures. What the same recipes give "
            "with another training seed, it cannot say."
        )
    return words.trainings(first, second)


def _saves(saves: Sequence[JudgedSave]) -> str:
    return listed([save.label for save in saves])


def _score(kept: KeptAt) -> str:
    return f"One chosen in this way scores {rounded(kept.score, '{:.2f}')} on styles that had no say in the choice."


def _lost(point: RunPoint) -> str:
    return f"{point.label} in {_first([repr(style) for style in point.lost])}"


def _first(items: Sequence[str]) -> str:
    rest = [f"{len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return listed([*items[:_SHOWN], *rest])
