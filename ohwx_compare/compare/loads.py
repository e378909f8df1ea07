"""Which checkpoints a run will have to load, judged by the pictures that are there when it begins.

A picture's key says which file generated it; which file a name of the experiment stands for is certain only once that
file is read. Until then the ledger is believed for a name whose file looks as it did. Any other name may be any file
that generated something here and is not known by another name. As a rule all checkpoints ask for the same pictures, so
these are looked up once for each file that generated any, and the look-ups grow with the cells.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ohwx_compare.compare.shelf import Shelf
from ohwx_compare.compare.work import KeysOf
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.ledger.rows import CheckpointRow

__all__ = ["Loads", "is_there", "looks_unchanged"]

_Asked = tuple[Job, tuple[FaceSettings, ...]]


def is_there(cells: Iterable[Cell], sha256: str, keys: KeysOf, shelf: Shelf) -> bool:
    """Whether no picture of `cells`, with the checkpoint file of this sha256, need be generated."""
    pairs = (keys(cell, sha256) for cell in cells)
    return all(shelf.has(key) for pair in pairs for key in dict.fromkeys((pair.before, pair.last)))


def looks_unchanged(row: CheckpointRow) -> bool:
    """Whether the file of this record has the size and time that it had: enough for a forecast, no proof."""
    try:
        stat = Path(row.path).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (row.size, row.modified_ns)


class Loads:
    """A forecast: what a checkpoint lacks is looked up again when its turn comes."""

    def __init__(
        self,
        groups: Mapping[CheckpointRef, Sequence[Cell]],
        known: Mapping[CheckpointRef, str],
        keys: KeysOf,
        shelf: Shelf,
    ):
        """groups: the cells of each checkpoint. known: the sha256 of those whose file looks as the ledger says."""
        self._known, self._keys, self._shelf = dict(known), keys, shelf
        generators = shelf.generators()
        self._unnamed = generators.keys() - known.values()
        whole: dict[tuple[_Asked, ...], set[str]] = {}  # files that generated all of it, by what is asked for
        self._whole: dict[CheckpointRef, set[str]] = {}
        for ref, cells in groups.items():
            asked = tuple((cell.job, cell.faces) for cell in cells)
            if asked not in whole:
                most = len({cell.job for cell in cells}) + len({pair for pair in asked if pair[1]})  # pictures
                enough = [sha256 for sha256, count in generators.items() if count >= most]
                whole[asked] = {sha256 for sha256 in enough if is_there(cells, sha256, keys, shelf)}
            self._whole[ref] = whole[asked]
        self._open: dict[_Asked, bool] = {}

    def may_be_spared(self, ref: CheckpointRef) -> bool:
        """Whether all its pictures may be there: then its file is hashed before it is loaded."""
        whole = self._whole[ref]
        return self._known[ref] in whole if ref in self._known else not whole.isdisjoint(self._unnamed)

    def is_open(self, cell: Cell) -> bool:
        """Whether `cell` seems to lack a picture."""
        if cell.checkpoint in self._known:
            return not is_there((cell,), self._known[cell.checkpoint], self._keys, self._shelf)
        asked = (cell.job, cell.faces)
        if asked not in self._open:
            self._open[asked] = not any(is_there((cell,), sha256, self._keys, self._shelf) for sha256 in self._unnamed)
        return self._open[asked]

    def settle(self, ref: CheckpointRef, sha256: str) -> None:
        """Now it is known which file this checkpoint is."""
        self._known[ref] = sha256
        self._unnamed.discard(sha256)
