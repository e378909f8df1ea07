"""What an experiment will cost, where there are earlier runs: its plan's counts, and the time by their pace.

Nothing is generated, loaded or read whole; only ledgers and samples of files are read. What the run's own folder holds
counts as finished, whatever the host would say now.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ohwx_compare.compare.cost.earlier import pace, seconds_at
from ohwx_compare.compare.cost.plan import ComparisonPlan, keys_in, plan, shelved
from ohwx_compare.compare.resolve import Resolve
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import OhwxError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Run

__all__ = ["Forecast", "forecast"]

_DAMAGED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_RUNS = 3  # the newest ones, for the time


@dataclass(frozen=True)
class Forecast:
    """A plan and its time."""

    plan: ComparisonPlan
    seconds: float | None  # None where nothing tells it

    def to_json(self) -> dict[str, Any]:
        """The plan's counts, and `seconds`, as JSON values."""
        return {**self.plan.to_json(), "seconds": None if self.seconds is None else round(self.seconds, 1)}


def forecast(
    experiment: Experiment,
    resolve: Resolve,
    *,
    batch: int,
    own: Path | None,
    runs: Path,
    hashes: Hashes | None = None,
) -> Forecast:
    """Plan `experiment` without what its folder `own` holds; its time, without loads, at the pace of the newest `runs`.

    resolve: must not read files. runs: the folder of run folders. hashes: what is known of checkpoint files.
    Raises what `plan` raises.
    """
    run = _opened(own) if own else None
    try:
        held: dict[str, Any] = {"there": shelved(run, (), hashes), "keys": keys_in(run)} if run else {}
        planned = plan(experiment, resolve, batch=batch, **held)
    except _DAMAGED:
        planned = plan(experiment, resolve, batch=batch)  # nothing of what the folder holds can be counted on
    measured = _pace_of_newest(runs)
    return Forecast(planned, seconds_at(measured, planned) if measured else None)


def _pace_of_newest(folder: Path) -> float | None:
    """Seconds for one step of one px; None before the first run."""
    times = {path.parent: path.stat().st_mtime_ns for path in folder.glob("*/run.sqlite") if is_plain_file(path)}
    newest = sorted(times.items(), key=lambda item: item[1], reverse=True)[:_RUNS]
    return _pace(tuple(newest))


@lru_cache(maxsize=8)
def _pace(newest: tuple[tuple[Path, int], ...]) -> float | None:
    """newest: run folders, and when their ledgers changed."""
    return pace(run for folder, _ in newest if (run := _opened(folder)))


def _opened(folder: Path) -> Run | None:
    """A run folder as read; None where there is none, or none that this version reads: it may be a stranger's."""
    try:
        run = open_run(folder)
        pace([run])  # its numbers can be counted with
    except (OhwxError, *_DAMAGED):
        return None
    return run
