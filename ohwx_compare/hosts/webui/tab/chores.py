"""Work on runs that takes minutes and no GPU, so that a thread does it: adopting one, merging two."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ohwx_compare.compare.merge import merge_runs
from ohwx_compare.core.events import Adopting, Event, Listener, Started, Step
from ohwx_compare.errors import ExperimentError, OhwxError
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.hosts.webui.tab.run_list import read_as_found
from ohwx_compare.look.page import write_page
from ohwx_compare.look.sheet import write_sheets
from ohwx_compare.words import counted, quoted

__all__ = ["Chores"]


class Chores:
    """What each run's last such work comes to, by the run's name.

    Nothing is kept: the ledger says what was done, so work that is cut off is begun again.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._told: dict[str, dict[str, Any]] = {}

    def adopt(self, folder: Path) -> None:
        """Take over the run in `folder`, made elsewhere; one that is being adopted is left to that."""
        if not self.is_busy(folder.name):
            self._begin("adopting", [folder], partial(_adopt, folder))

    def merge(self, folder: Path, other: Path) -> None:
        """Merge the run `other` into that in `folder`, see `merge_runs`. Raises ExperimentError where one is busy."""
        if busy := [path.name for path in (folder, other) if self.is_busy(path.name)]:
            raise ExperimentError(f"{quoted(busy[0])} is being worked on; wait for it.")
        self._begin("merging", [folder, other], partial(_merge, folder, other))

    def of(self, name: str) -> dict[str, Any]:
        """What the run's row tells besides: how far it is; when it is done what came of it as `said`, or `error`."""
        return self._told.get(name, {})

    def all(self) -> dict[str, dict[str, Any]]:
        """`of` every run that there is something to tell of, as it is now."""
        with self._guard:
            return dict(self._told)

    def is_busy(self, name: str) -> bool:
        """Whether such work on the run goes on."""
        return bool(self.of(name).get("state"))

    def forget(self, name: str) -> None:
        """Tell no more of what came of the run's last work: it goes on."""
        with self._guard:
            if not self.is_busy(name):
                self._told.pop(name, None)

    def _begin(self, state: str, folders: Sequence[Path], work: Callable[[Listener], str]) -> None:
        names = [folder.name for folder in folders]
        with self._guard:
            for name in names:
                self._told[name] = {"state": state, "percent": 0.0, "now": ""}
        threading.Thread(target=self._do, args=(state, names, work), name=f"ohwx {state}", daemon=True).start()

    def _do(self, state: str, names: Sequence[str], work: Callable[[Listener], str]) -> None:
        first, *others = names
        try:
            with read_as_found(Path(first)):
                said = {"said": work(_Progress(partial(self._tell, first, state)))}
        except OhwxError as error:
            said = {"error": str(error)}
        with self._guard:
            self._told[first] = said
            for other in others:
                self._told.pop(other, None)

    def _tell(self, name: str, state: str, done: float, total: float, words: str) -> None:
        percent = round(100 * done / max(total, 1), 1)
        self._told[name] = {"state": state, "percent": percent, "now": words}


class _Progress:
    """A listener that tells done, total and words."""

    def __init__(self, tell: Callable[[float, float, str], None]):
        self._tell = tell
        self._done = self._total = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Adopting):
            self._tell(event.done, event.total, event.words)
        elif isinstance(event, Started):
            self._total = event.total
        elif isinstance(event, Step):
            self._done += event.count
            cells = counted(round(self._total), "cell")
            self._tell(self._done, self._total, f"merging: {self._done:.0f} of {cells} taken over")


def _adopt(folder: Path, tell: Listener) -> str:
    with Ledger(folder, adopt=True, tell=tell) as ledger:
        return ledger.adopted.words if ledger.adopted else ""


def _merge(folder: Path, other: Path, tell: Listener) -> str:
    merged, run = merge_runs(folder, other, tell), open_run(folder)
    write_sheets(run)
    write_page(run)
    return merged.words
