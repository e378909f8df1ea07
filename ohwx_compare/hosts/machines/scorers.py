"""Workers that measure pictures; this process alone holds the ledger of scores."""

from collections.abc import Sequence

from ohwx_compare import __version__
from ohwx_compare.compare.station import Ask
from ohwx_compare.core.events import Listener, Told
from ohwx_compare.errors import HostError, OhwxError
from ohwx_compare.judge.measure import PictureMeasure
from ohwx_compare.judge.run.measuring import BatchScores, Lacking
from ohwx_compare.judge.run.travel import packed_measures

__all__ = ["DistantScorer", "taught"]


class DistantScorer:
    """It satisfies `judge.run.measuring.Scorer` by asking a `JudgingStation`."""

    def __init__(self, name: str, ask: Ask):
        self.name, self._ask = name, ask

    def learn(self, measures: bytes) -> None:
        """See `JudgingStation.learn`. Raises WorkerGoneError too."""
        self._ask("learn", measures, __version__)

    def __call__(self, asked: Sequence[Lacking]) -> BatchScores:
        """What it says. Raises WorkerGoneError."""
        return self._ask("score", asked)


def taught(scorers: Sequence[DistantScorer], measures: Sequence[PictureMeasure], tell: Listener) -> list[DistantScorer]:
    """Those that have learned the measures; one that cannot is left out with a sentence.

    Raises MeasureError for measures that cannot be sent, and what the first one raised where nobody is left.
    """
    content, ready, errors = packed_measures(measures), list[DistantScorer](), list[OhwxError]()
    for scorer in scorers:
        try:
            scorer.learn(content)
        except OhwxError as error:
            errors.append(error)
            tell(Told(f"{scorer.name} does not measure: {error}"))
        else:
            ready.append(scorer)
    if not ready:
        raise errors[0] if errors else HostError("There is no worker to measure.")
    return ready
