"""What a person does with runs as a whole: rename, delete and take back, open, download, search."""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.run_folders import delete_run, deleted_runs, empty_bin, rename_run, restore_run
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import runs_folder
from ohwx_compare.hosts.webui.tab.files import HEADERS
from ohwx_compare.hosts.webui.tab.run_list import Runs, read_as_found
from ohwx_compare.look.run_zip import packed_run
from ohwx_compare.words import counted, quoted

__all__ = ["RunKeeping"]

_LONGEST = 1_000  # characters that are searched for


class RunKeeping:
    """Answers for the tab.

    turn: held while a run is moved, so that none is queued meanwhile; require_idle: raises ExperimentError for a run
    that is generated, waits for it, or is worked on; forget: what was known of a run under its name.
    """

    def __init__(
        self,
        runs: Runs,
        turn: threading.Lock,
        require_idle: Callable[[str], None],
        forget: Callable[[str], None],
    ):
        self._runs, self._turn, self._require_idle, self._forget = runs, turn, require_idle, forget

    def deleted(self) -> list[str]:
        """Names in the bin."""
        return [folder.name for folder in deleted_runs(runs_folder())]

    def rename(self, name: str, body: dict[str, Any]) -> dict[str, str]:
        """Call a run `{"name": ...}`; its name then as `id`. Raises NotHereError, ExperimentError, LedgerError."""
        wanted = body.get("name")
        if not isinstance(wanted, str):
            raise ExperimentError(f"`name` must be text, got {quoted(wanted)}.")
        with self._turn:
            folder = self._runs.path(name)
            self._require_idle(name)
            found = rename_run(folder, wanted.strip())
            self._forget(name)
        return {"id": found.name}

    def delete(self, name: str) -> dict[str, str]:
        """Put a run into the bin; its name there as `id`. Raises as `rename`."""
        with self._turn:
            folder = self._runs.path(name)
            self._require_idle(name)
            found = delete_run(folder)
            self._forget(name)
        return {"id": found.name}

    def restore(self, body: dict[str, Any]) -> dict[str, str]:
        """Take `{"name": ...}` out of the bin; its name then as `id`. Raises NotHereError, LedgerError."""
        with self._turn:
            found = restore_run(runs_folder(), str(body.get("name", "")))
            self._forget(found.name)
        return {"id": found.name}

    def empty(self) -> dict[str, str]:
        """Delete for good what is in the bin. Raises LedgerError."""
        with self._turn:
            gone = empty_bin(runs_folder())
        return {"said": f"{counted(gone, 'run')} deleted for good."}

    def open(self, name: str) -> dict[str, str]:
        """Show a run's folder as the webui shows its own. Raises NotHereError, ExperimentError where it does not."""
        folder, opener = self._runs.path(name), features.folder_opener()
        if opener is None:
            raise ExperimentError("This webui opens no folders.")
        opener(str(folder))
        return {}

    def packed(self, name: str) -> Response:
        """A run as a zip file. Raises NotHereError and LedgerError."""
        folder = self._runs.path(name)
        with read_as_found(folder):
            pieces = packed_run(folder)
        attached = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(folder.name, safe='')}.zip"}
        return StreamingResponse(pieces, media_type="application/zip", headers={**HEADERS, **attached})

    def search(self, body: dict[str, Any]) -> dict[str, list[str]]:
        """The runs that hold all of `{"words": ...}`, as `ids`: in name, prompts, checkpoints, values, tags, notes."""
        words = body.get("words", "")
        if not isinstance(words, str) or len(words) > _LONGEST:
            raise ExperimentError(f"`words` must be a text of at most {_LONGEST:,} characters.")
        return {"ids": self._runs.holding(words.casefold().split())}
