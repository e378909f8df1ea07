"""A run's judgement: all numbers that a report shows, computed from scores alone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ohwx_compare.errors import ExperimentError, MeasureError
from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.judge.diversity import DIVERSITY
from ohwx_compare.judge.effects import Effect, effect
from ohwx_compare.judge.measure import LIKENESS, STYLE_KEPT
from ohwx_compare.judge.run.comparing import Comparison, MeasureComparison, compare_measures, comparisons_of
from ohwx_compare.judge.run.counting import Agreement, FaceCounts, agreements, face_counts, lost_styles, twin_count
from ohwx_compare.judge.run.keeping import EVEN, KeptAt, keep_sets
from ohwx_compare.judge.run.passing import PassCounts, pass_counts
from ohwx_compare.judge.run.pictures import JudgedRun
from ohwx_compare.judge.run.pools import pools_of
from ohwx_compare.judge.run.scoring import MeasureScores
from ohwx_compare.judge.run.table import MeasureTable, measure_table
from ohwx_compare.judge.run.trained import JudgedSave, TrainedSaves
from ohwx_compare.judge.seams import SEAMS
from ohwx_compare.judge.verdict import BAND
from ohwx_compare.judge.votes.tally import Tally, tally
from ohwx_compare.words import counted

__all__ = ["Judged", "Judgement", "RunPoint", "judge_scores", "require_comparable"]


@dataclass(frozen=True, kw_only=True)
class RunPoint:
    """One checkpoint in numbers."""

    name: str  # of its column
    label: str
    save: JudgedSave | None  # None: the base
    levels: Mapping[str, Effect | None]  # by measure
    counts: FaceCounts | None  # None without a measure of likeness
    lost: tuple[str, ...] = ()  # styles that it does not draw any more
    twins: int = 0  # pictures that look like another seed's of their style
    passed: PassCounts | None = None  # None without a face pass


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One comparison and what each measure says of it."""

    comparison: Comparison
    measures: tuple[MeasureComparison, ...]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """All of it."""

    run: JudgedRun
    trained: TrainedSaves
    band: float
    tables: Mapping[str, MeasureTable]  # by measure
    points: tuple[RunPoint, ...]  # in the run's order
    judged: tuple[Judged, ...]
    kept: tuple[KeptAt, ...]  # by weight of style
    tallies: tuple[Tally, ...]  # the user's own votes, by what was voted on and question
    agreements: tuple[Agreement, ...]
    missing: tuple[str, ...]  # what could not be judged or is not there, a sentence each

    @property
    def keep(self) -> KeptAt | None:
        """The keep set where style counts as much as likeness, or the only one there is."""
        return min(self.kept, key=lambda each: abs(each.style - EVEN), default=None)


def require_comparable(run: JudgedRun, trained: TrainedSaves) -> None:
    """Raise MeasureError for a run in which there is nothing to compare, before anything is measured."""
    saves = [save for group in trained.groups for save in group.saves]
    if len(saves) < 2:
        what = "the base alone" if not saves else saves[0].label
        raise MeasureError(
            f"{run.folder} has pictures of {what}, expected at least two trained checkpoints to choose from; compare "
            "more of them in one run."
        )
    if not run.pictures:
        raise MeasureError(f"{run.folder} has no picture yet, expected finished cells; resume the run first.")


def judge_scores(
    run: JudgedRun,
    trained: TrainedSaves,
    scored: Sequence[MeasureScores],
    *,
    band: float = BAND,
    votes: Sequence[VoteRow] = (),
    missing: Sequence[str] = (),
) -> Judgement:
    """The judgement of a run whose pictures are scored.

    band: differences up to it do not matter. missing: measures that could not be made, a sentence each.
    """
    tables = {each.measure.name: measure_table(each, trained.bases) for each in scored}
    comparisons, notes = comparisons_of(trained.groups)
    judged = tuple(
        Judged(
            comparison=each, measures=compare_measures(each, tables, band, has_face_pass=run.has_face_pass)
        )
        for each in comparisons
    )  # fmt: skip
    saves = [save for group in trained.groups for save in group.saves]
    return Judgement(
        run=run,
        trained=trained,
        band=band,
        tables=tables,
        points=tuple(_points(run, saves, tables)),
        judged=judged,
        kept=keep_sets(saves, tables),
        tallies=tuple(_tallies(run, trained, votes)),
        agreements=agreements(votes, tables),
        missing=(*run.missing, *missing, *_missing(tables), *trained.notes, *notes),
    )


def _tallies(run: JudgedRun, trained: TrainedSaves, votes: Sequence[VoteRow]) -> Iterator[Tally]:
    asked = dict.fromkeys(vote.question for vote in votes)
    for pool in pools_of(run, trained) if votes else ():
        for question in asked:
            if found := tally(pool, question, votes):
                yield found


def _points(run: JudgedRun, saves: Sequence[JudgedSave], tables: Mapping[str, MeasureTable]) -> Iterator[RunPoint]:
    by_name = {save.checkpoint: save for save in saves}
    likeness, style, diversity, seams = (tables.get(name) for name in (LIKENESS, STYLE_KEPT, DIVERSITY, SEAMS))
    for column in run.columns:
        yield RunPoint(
            name=column.name,
            label=column.label,
            save=by_name.get(column.name),
            levels={name: _level(table, column.name) for name, table in tables.items()},
            counts=face_counts(likeness, column.name) if likeness else None,
            lost=lost_styles(style, column.name) if style else (),
            twins=twin_count(diversity, column.name) if diversity else 0,
            passed=pass_counts(seams, likeness, column.name) if seams else None,
        )


def _level(table: MeasureTable, checkpoint: str) -> Effect | None:
    with suppress(ExperimentError):
        found = effect(table.of(checkpoint))
        if table.scored.measure.words.is_share:
            return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))
        return found
    return None


def _missing(tables: Mapping[str, MeasureTable]) -> Iterator[str]:
    for table in tables.values():
        subject = table.scored.measure.words.subject
        for style, why in table.refused.items():
            yield f"{subject.capitalize()} in {style!r} is not judged: {why}."
        if table.scored.earlier:
            kinds = counted(table.scored.earlier, "set")
            yield (
                f"{kinds} of earlier scores of {subject} rest on other weights, photographs or settings; they are kept "
                "and not used."
            )
        if table.by_strangers:
            yield (
                f"The floor of {subject} is photographs of others through a filter, because the run has no picture of "
                "the base; add the base as control for the floor that it draws itself."
            )
