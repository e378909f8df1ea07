"""Which kernel computes a run's linear layers: by a rule where it begins, and the same wherever it goes on."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ohwx_compare.engine.linear import ONEDNN, TORCH, has_onednn, kernel_by_rule
from ohwx_compare.errors import HostError
from ohwx_compare.files.atomic import is_plain_file, write_text
from ohwx_compare.files.ledger.schema import LEDGER_FILE, unusable

__all__ = ["keep_linear", "linear_of_run"]

_KEPT = "linear.txt"  # beside a ledger whose pictures are by oneDNN; none is beside any other


def linear_of_run(folders: Sequence[Path], device: torch.device, asked: str | None = None) -> str:
    """The kernel for pictures that belong to `folders`: a run folder, new or not, then those that lend to it.

    The first one that is a run's keeps its own, as its pictures would be generated again by another. asked: "torch" or
    "onednn", which goes before. Raises HostError for "onednn" where there is none.
    """
    if asked == ONEDNN and not (has_onednn() and device.type == "cpu"):
        raise HostError(f"oneDNN cannot compute linear layers on {device} with this torch; choose torch's own.")
    begun = next((_kept_in(folder) for folder in folders if (folder / LEDGER_FILE).is_file()), None)
    return asked or begun or kernel_by_rule(device)


def keep_linear(folder: Path, kernel: str) -> None:
    """Have `folder`, whose ledger is open, go on with `kernel`. Raises LedgerError where it cannot be written."""
    path = folder / _KEPT
    try:
        if kernel == ONEDNN:
            write_text(path, kernel)
        elif path.exists():
            path.unlink()
    except OSError as error:
        raise unusable(folder, error) from error


def _kept_in(folder: Path) -> str:
    path = folder / _KEPT
    is_by_onednn = is_plain_file(path) and path.read_bytes()[: len(ONEDNN) + 1] == ONEDNN.encode()
    return ONEDNN if is_by_onednn and has_onednn() else TORCH
