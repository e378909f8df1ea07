"""Scoring a run's pictures: batch by batch, each batch kept when it is whole, nothing that is kept scored again.

Memory holds one batch for each of those who measure, whatever the run's size. A kill loses the batches in hand.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from PIL import Image

from ohwx_compare.core.events import Entered, Failed, Listener, Started, Step
from ohwx_compare.errors import ImageError
from ohwx_compare.files.images import is_one_colour, load_rgb
from ohwx_compare.files.ledger.measures import MeasureLedger, MeasureRow, ScoreRow
from ohwx_compare.judge.measure import MeasureContext, PictureMeasure, Score
from ohwx_compare.judge.run.measuring import BatchScores, Lacking, Scorers, scored_by, scored_here
from ohwx_compare.judge.run.pictures import JudgedPicture, JudgedRun

__all__ = ["NOT_A_NUMBER", "NOT_INPAINTED", "ONE_COLOUR", "UNREADABLE", "MeasureScores", "before_of", "score_run"]

NOT_INPAINTED = "not changed by a face pass"
NOT_A_NUMBER = "no number came out"
UNREADABLE = "cannot be read"
ONE_COLOUR = "of one colour"
"""The outcome of a black picture, which no measure is asked of."""

_TOGETHER = 16  # pictures in memory
_SAID = 20  # times that progress is told


@dataclass(frozen=True, eq=False)
class MeasureScores:
    """What one measure says of a run's pictures."""

    measure: PictureMeasure
    scores: Mapping[JudgedPicture, Score]  # every picture that it is asked of
    earlier: int = 0  # scores by other weights, photographs or settings, which are kept and not used


def score_run(
    run: JudgedRun,
    measures: Sequence[PictureMeasure],
    on_event: Listener = lambda event: None,
    is_stopping: Callable[[], bool] = lambda: False,
    *,
    adopt: bool = False,
    scorers: Scorers | None = None,
) -> tuple[MeasureScores, ...]:
    """Score what the run's ledger lacks, then give all scores, one for each measure.

    A picture that cannot be read has no score and is tried again the next time. adopt: take over a folder that was made
    elsewhere; without it ElsewhereError. scorers: who measure side by side in place of this process. Raises LedgerError
    where the folder cannot be written or is held by another process, HostError where none of the scorers is left;
    Interrupted between two batches where `is_stopping` says so, with all batches kept.
    """
    with MeasureLedger(run.folder, adopt=adopt) as ledger:
        for measure in measures:
            ledger.remember(_row_of(measure))
        work = _Work(measures, before_of(run), ledger)
        batches = list(work.batches(run.pictures))
        total = sum(map(len, batches))
        on_event(Started("scores", total, float(total)))
        done, said = 0, 0
        scored = (
            scored_by(scorers(measures, on_event), batches, work.load, is_stopping, on_event)
            if scorers and batches
            else scored_here(measures, batches, work.load, is_stopping)
        )
        for loaded, scores in scored:
            for failure in work.keep(loaded, scores):
                on_event(failure)
            batch = loaded.batch
            done += len(batch)
            on_event(Step(len(batch)))
            if done * _SAID // total > said:
                said = done * _SAID // total
                on_event(Entered(done, batch[0].style))
        earlier = [sum(one.name == each.name and one.key != each.key for one in ledger.measures()) for each in measures]
        return tuple(MeasureScores(measure, work.told(measure, run.pictures), count)
                     for measure, count in zip(measures, earlier, strict=True))  # fmt: skip


def before_of(run: JudgedRun) -> dict[JudgedPicture, JudgedPicture]:
    """The picture before its face pass of each that one made."""
    early = {(each.checkpoint, each.style, each.repeat): each for each in run.pictures if not each.is_last}
    made = ((each, early.get((each.checkpoint, each.style, each.repeat))) for each in run.pictures if each.is_last)
    return {each: before for each, before in made if before}


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A batch in memory; by the measures' keys what each is asked."""

    batch: Sequence[JudgedPicture]
    unreadable: Mapping[JudgedPicture, str]  # and why
    flat: dict[str, list[JudgedPicture]] = field(default_factory=dict)  # of one colour, which it is not asked
    of: dict[str, list[JudgedPicture]] = field(default_factory=dict)  # whose pictures `asked` holds
    asked: dict[str, Lacking] = field(default_factory=dict)


class _Work:
    """What is to be scored of a run, what a batch is asked, and what was said of it."""

    def __init__(
        self,
        measures: Sequence[PictureMeasure],
        befores: Mapping[JudgedPicture, JudgedPicture],
        ledger: MeasureLedger,
    ) -> None:
        self._measures, self._befores, self._ledger = measures, befores, ledger
        self._known = {measure.key: ledger.scores(measure.key) for measure in measures}
        self._unreadable: set[str] = set()

    def batches(self, pictures: Sequence[JudgedPicture]) -> Iterator[list[JudgedPicture]]:
        """Pictures that any measure lacks, of one style each, none twice."""
        by_style: dict[str, dict[str, JudgedPicture]] = {}
        for each in pictures:
            if any(self._lacks(measure, each) for measure in self._measures):
                by_style.setdefault(each.style, {}).setdefault(f"{each.key} {self._against(each)}", each)
        for style in by_style.values():
            own = list(style.values())
            for start in range(0, len(own), _TOGETHER):
                yield own[start : start + _TOGETHER]

    def load(self, batch: Sequence[JudgedPicture]) -> "_Loaded":
        """Read a batch, and ask of each measure what it lacks; any thread may."""
        images: dict[JudgedPicture, Image.Image] = {}
        unreadable: dict[JudgedPicture, str] = {}
        for each in batch:
            try:
                images[each] = load_rgb(each.path)
            except ImageError as error:
                unreadable[each] = str(error)
        against, flat = self._loaded(batch), {each for each, image in images.items() if is_one_colour(image)}
        loaded = _Loaded(batch=batch, unreadable=unreadable)
        for measure in self._measures:
            lacking = [each for each in images if self._lacks(measure, each)]
            loaded.flat[measure.key] = [each for each in lacking if each in flat]
            lacking = [each for each in lacking if each not in flat]
            if measure.takes_before:
                lacking = [each for each in lacking if each in against]
            if lacking:
                context = MeasureContext(
                    style=batch[0].style,
                    seeds=tuple(each.seed for each in lacking),
                    befores=[against[each] for each in lacking] if measure.takes_before else (),
                )
                loaded.asked[measure.key] = Lacking(measure.key, [images[each] for each in lacking], context)
                loaded.of[measure.key] = lacking
        return loaded

    def keep(self, loaded: "_Loaded", scores: BatchScores) -> Iterator[Failed]:
        """Keep what the measures said, by their keys; what cannot be read."""
        for picture, why in loaded.unreadable.items():
            self._unreadable.add(picture.key)
            yield Failed(0, picture.path.name, why)
        for measure in self._measures:
            self._keep(measure, [(each, Score(None, ONE_COLOUR)) for each in loaded.flat[measure.key]])
            self._keep(measure, zip(loaded.of.get(measure.key, ()), scores.get(measure.key, ()), strict=True))

    def told(self, measure: PictureMeasure, pictures: Sequence[JudgedPicture]) -> dict[JudgedPicture, Score]:
        """Every picture that the measure is asked of, with its score or why it has none."""
        known = self._known[measure.key]
        found: dict[JudgedPicture, Score] = {}
        for each in pictures:
            if each.asked is measure.asked and (each.is_last or not measure.takes_before):
                row = known.get((each.key, self._before_key(measure, each)))
                why = UNREADABLE if each.key in self._unreadable else NOT_INPAINTED
                found[each] = Score(row.value, row.outcome, row.details) if row else Score(None, why)
        return found

    def _keep(self, measure: PictureMeasure, scored: Iterable[tuple[JudgedPicture, Score]]) -> None:
        rows = [
            ScoreRow(
                picture=each.key, control=self._before_key(measure, each), value=score.value, outcome=score.outcome,
                details=score.details,
            )
            for each, score in ((each, _numbered(score)) for each, score in scored)
        ]  # fmt: skip
        if not rows:
            return
        self._ledger.add(measure.key, rows)
        self._known[measure.key].update({(row.picture, row.control): row for row in rows})

    def _lacks(self, measure: PictureMeasure, picture: JudgedPicture) -> bool:
        if picture.asked is not measure.asked or (measure.takes_before and picture not in self._befores):
            return False
        return (picture.key, self._before_key(measure, picture)) not in self._known[measure.key]

    def _loaded(self, batch: Sequence[JudgedPicture]) -> dict[JudgedPicture, Image.Image]:
        """The pictures before, where any measure takes them; one that cannot be read is as if it were not there."""
        if not any(measure.takes_before for measure in self._measures):
            return {}
        found = {}
        for each in batch:
            if before := self._befores.get(each):
                try:
                    found[each] = load_rgb(before.path)
                except ImageError:
                    continue
        return found

    def _before_key(self, measure: PictureMeasure, picture: JudgedPicture) -> str:
        return self._against(picture) if measure.takes_before else ""

    def _against(self, picture: JudgedPicture) -> str:
        return self._befores[picture].key if picture in self._befores else ""


def _numbered(score: Score) -> Score:
    """NaN and infinity are no numbers to compare with."""
    return score if score.value is None or isfinite(score.value) else Score(None, NOT_A_NUMBER)


def _row_of(measure: PictureMeasure) -> MeasureRow:
    return MeasureRow(
        key=measure.key, name=measure.name, version=measure.version, sha256=measure.sha256, licence=measure.licence,
        settings=dict(measure.settings),
    )  # fmt: skip
