"""Who measures: this process, or several at once, each one batch after the other."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol, TypeVar

from PIL import Image

from ohwx_compare.core.events import Listener, Told
from ohwx_compare.errors import HostError, Interrupted, WorkerGoneError
from ohwx_compare.judge.measure import MeasureContext, PictureMeasure, Score

__all__ = ["BatchScores", "Lacking", "Scorer", "Scorers", "measured", "scored_by", "scored_here"]

_LOOK = 0.2  # s; Windows shows Ctrl-C only to who looks up from waiting


@dataclass(frozen=True, eq=False)
class Lacking:
    """Pictures of one style that a measure has not scored."""

    measure: str  # its key
    pictures: Sequence[Image.Image]  # RGB
    context: MeasureContext


BatchScores = Mapping[str, Sequence[Score]]
"""Of each measure, by its key, a score for each picture that it was asked of."""

Scorer = Callable[[Sequence[Lacking]], BatchScores]
"""Raises WorkerGoneError where it is another process, and gone."""

Scorers = Callable[[Sequence[PictureMeasure], Listener], Sequence[Scorer]]
"""Several who are given the measures; raises where none of them can take these."""


class _Batch(Protocol):
    @property
    def asked(self) -> Mapping[str, Lacking]: ...


_B = TypeVar("_B", bound=_Batch)
_T = TypeVar("_T")


def measured(measures: Sequence[PictureMeasure], asked: Iterable[Lacking]) -> BatchScores:
    """What the measures say."""
    by_key = {measure.key: measure for measure in measures}
    return {one.measure: by_key[one.measure].score(one.pictures, one.context) for one in asked}


def scored_here(
    measures: Sequence[PictureMeasure],
    batches: Iterable[_T],
    load: Callable[[_T], _B],
    is_stopping: Callable[[], bool],
) -> Iterator[tuple[_B, BatchScores]]:
    """Each batch, loaded, with its scores. Raises Interrupted between two where `is_stopping` says so."""
    for batch in batches:
        _require_running(is_stopping)
        loaded = load(batch)
        yield loaded, measured(measures, loaded.asked.values())


def scored_by(
    scorers: Sequence[Scorer],
    batches: Iterable[_T],
    load: Callable[[_T], _B],
    is_stopping: Callable[[], bool],
    tell: Listener,
) -> Iterator[tuple[_B, BatchScores]]:
    """The same by several, in whatever order they are done. What one that is gone leaves is given to the others.

    Raises HostError where none is left, and Interrupted after what is in hand where `is_stopping` says so.
    """

    def one(scorer: Scorer, batch: _T) -> tuple[_B, BatchScores]:
        loaded = load(batch)
        return loaded, scorer([*loaded.asked.values()])

    waiting, free = deque(batches), deque(scorers)
    running: dict[Future[tuple[_B, BatchScores]], tuple[Scorer, _T]] = {}
    with ThreadPoolExecutor(len(scorers), "measuring") as lanes:
        while waiting or running:
            while waiting and free and not is_stopping():
                given = free.popleft(), waiting.popleft()
                running[lanes.submit(one, *given)] = given
            if not running:
                _require_running(is_stopping)
                raise HostError("None of the workers is left. The scores so far are kept.")
            for future in wait(running, _LOOK, FIRST_COMPLETED).done:
                scorer, batch = running.pop(future)
                try:
                    yield future.result()
                    free.append(scorer)
                except WorkerGoneError as error:
                    waiting.appendleft(batch)
                    tell(Told(f"{error} Another one measures what it leaves."))


def _require_running(is_stopping: Callable[[], bool]) -> None:
    if is_stopping():
        raise Interrupted("Stopped; the scores so far are kept.")
