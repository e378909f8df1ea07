"""Runs that are adopted now: each picture is compared, which takes minutes for a large run, so a thread does it."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

from ohwx_compare.core.events import Adopting, Event
from ohwx_compare.errors import OhwxError
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.hosts.webui.tab.run_list import read_as_found

__all__ = ["Adoptions"]


class Adoptions:
    """What each run's last adoption comes to, by the run's name. It takes no GPU, so it waits for no queue.

    Nothing is kept: the ledger is replaced at the end, so an adoption that is cut off is begun again.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._told: dict[str, dict[str, Any]] = {}

    def begin(self, folder: Path) -> None:
        """Take over the run in `folder`; one that is being adopted is left to that."""
        with self._guard:
            if self.of(folder.name).get("state"):
                return
            self._tell(folder.name, Adopting(0, 0))
        threading.Thread(target=self._adopt, args=(folder,), name="ohwx adopt", daemon=True).start()

    def of(self, name: str) -> dict[str, Any]:
        """What the run's row tells besides: how far it is; when it is adopted what came of it as `said`, or `error`."""
        return self._told.get(name, {})

    def forget(self, name: str) -> None:
        """Tell no more of what came of the run's last adoption: it goes on."""
        with self._guard:
            if not self.of(name).get("state"):
                self._told.pop(name, None)

    def _adopt(self, folder: Path) -> None:
        name = folder.name
        try:
            with read_as_found(folder), Ledger(folder, adopt=True, tell=partial(self._tell, name)) as ledger:
                said = ledger.adopted.words if ledger.adopted else ""
            self._told[name] = {"said": said}
        except OhwxError as error:
            self._told[name] = {"error": str(error)}

    def _tell(self, name: str, event: Event) -> None:
        if isinstance(event, Adopting):
            percent = round(100 * event.done / max(event.total, 1), 1)
            self._told[name] = {"state": "adopting", "percent": percent, "now": event.words}
