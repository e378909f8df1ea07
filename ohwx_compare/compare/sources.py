"""Which file each checkpoint of a run is, by what the ledger recorded and by what a worker knows."""

from ohwx_compare.compare.drawing import Worker
from ohwx_compare.compare.host import Checkpoint, Loaded
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.files.ledger.rows import CheckpointRow
from ohwx_compare.files.ledger.writer import Ledger

__all__ = ["Sources"]


class Sources:
    """The checkpoint files of one run."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._rows = ledger.checkpoints()

    def recorded(self, ref: CheckpointRef) -> str:
        """The sha256 that the ledger has; "" for none."""
        row = self._rows.get(str(ref))
        return row.sha256 if row else ""

    def seems(self, worker: Worker, ref: CheckpointRef, checkpoint: Checkpoint) -> str | None:
        """The sha256 that the file seems to have, at the cost of a look."""
        row = self._rows.get(str(ref))
        if seen := worker.glance(checkpoint):
            return seen.sha256
        is_row = row and row.path == str(checkpoint.path) and row.file.resembles(FileIdentity.of(checkpoint.path))
        return row.sha256 if row and is_row else None

    def proven(self, ref: CheckpointRef, checkpoint: Checkpoint) -> str | None:
        """The sha256 that the ledger has, where it is proven to be the file's."""
        row = self._rows.get(str(ref))
        return row.sha256 if row and row.file.proves(FileIdentity.of(checkpoint.path)) else None

    def sha256(self, worker: Worker, ref: CheckpointRef, checkpoint: Checkpoint) -> str:
        """The file's, as it is now. Raises CheckpointError where it cannot be read."""
        return self.proven(ref, checkpoint) or worker.sha256(checkpoint)

    def remember(self, ref: CheckpointRef, loaded: Loaded, before: FileIdentity) -> None:
        """Record the file that `loaded` was read from; `before` is its identity before that."""
        path = loaded.checkpoint.path
        now = FileIdentity.of(path)
        if now.size is None or now.modified_ns is None:  # gone again: nothing to compare a file with
            return
        row = CheckpointRow(
            ref=str(ref),
            path=str(path),
            sha256=loaded.sha256,
            size=now.size,
            modified_ns=now.modified_ns,
            identity=now.proof if now.proves(before) else (),
        )
        if row != self._rows.get(str(ref)):
            self._ledger.remember(row)
            self._rows[str(ref)] = row
