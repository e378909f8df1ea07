"""Run folders as a person keeps them: renamed, put into the bin beside them, and taken out again.

A folder is moved as a whole, whatever it holds, also one that was made elsewhere: nothing in it is read. One that is
being written to stays where it is. The bin lies among the runs, so nothing is copied; its name begins with a dot, which
no run's does.
"""

import os
import shutil
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

from ohwx_compare.errors import ExperimentError, LedgerError, NotHereError
from ohwx_compare.files import lock
from ohwx_compare.files.inner import is_inner_folder
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.words import quoted

__all__ = ["BIN", "bin_of", "delete_run", "deleted_runs", "empty_bin", "rename_run", "require_run_name", "restore_run"]

BIN = ".bin"
"""The folder of deleted runs, in the folder of runs."""
_LONGEST_NAME = 200  # bytes; file systems take 255


def require_run_name(name: str) -> str:
    """`name`. Raises ExperimentError for one that is more than one folder's, or that could not be asked for."""
    if not is_plain_name(name) or name.endswith(".") or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise ExperimentError(
            f"{quoted(name)} cannot be the name of a run folder; use letters, digits, spaces and -_()."
        )
    return name


def rename_run(folder: Path, name: str) -> Path:
    """Call the run folder `name`, and return where it is now.

    Raises ExperimentError for a name that it cannot have or that is taken, LedgerError where it cannot be moved.
    """
    target = folder.with_name(require_run_name(name))
    if os.path.lexists(target) and not (is_inner_folder(target) and target.samefile(folder)):
        raise ExperimentError(f"There is a {quoted(name)} already; choose another name.")
    _move(folder, target)
    return target


def delete_run(folder: Path) -> Path:
    """Put the run folder into the bin beside it, and return where it lies. Raises LedgerError."""
    bin_ = folder.parent / BIN
    try:
        bin_.mkdir(exist_ok=True)
    except OSError as error:
        raise LedgerError(f"{bin_} cannot be made: {error.strerror or error}.") from error
    if not is_inner_folder(bin_):
        raise LedgerError(f"{bin_} is a link or a file, expected a folder; delete it.")
    target = _free(bin_, folder.name)
    _move(folder, target)
    return target


def restore_run(runs: Path, name: str) -> Path:
    """Take `name` out of the bin of the folder of runs, and return where it is: under another name where its is taken.

    Raises NotHereError and LedgerError.
    """
    folder = runs / BIN / name
    if folder not in deleted_runs(runs):
        raise NotHereError(f"There is no deleted run {quoted(name)}.")
    target = _free(runs, name)
    _move(folder, target)
    return target


def bin_of(runs: Path) -> Path | None:
    """The bin of the folder of runs; None where nothing was deleted yet."""
    return runs / BIN if is_inner_folder(runs / BIN) else None


def deleted_runs(runs: Path) -> list[Path]:
    """What lies in the bin of the folder of runs, by name."""
    bin_ = bin_of(runs)
    return sorted(filter(is_inner_folder, bin_.iterdir())) if bin_ else []


def empty_bin(runs: Path) -> int:
    """Delete for good what lies in the bin, and return how many runs those were. No link is followed.

    Raises LedgerError where something cannot be deleted.
    """
    gone = deleted_runs(runs)
    for folder in gone:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise LedgerError(f"{folder} cannot be deleted: {error.strerror or error}.") from error
    return len(gone)


def _free(folder: Path, name: str) -> Path:
    """A name in `folder` that nobody has: `name`, else with a number."""
    names = (name if number == 1 else f"{name} {number}" for number in count(1))
    return next(path for one in names if not os.path.lexists(path := folder / one))


def _move(folder: Path, target: Path) -> None:
    """Rename a folder that nobody writes to.

    Its lock is held meanwhile. Windows moves no folder with an open file, so there the lock is let go, and whoever
    takes it in that moment keeps the folder where it is. Raises LedgerError.
    """
    try:
        with ExitStack() as held:
            try:
                held.enter_context(closing(lock.hold(folder)))
            except BlockingIOError as error:
                raise LedgerError(f"A program is writing to {folder}; wait for it, or interrupt it.") from error
            except OSError:  # nobody can hold a lock that cannot be made, or is none
                pass
            if os.name == "nt":
                held.close()
            os.rename(folder, target)  # noqa: PTH104  never onto another run: the name is free
    except OSError as error:
        raise LedgerError(
            f"{folder} cannot be moved: {error.strerror or error}. Close what has a file of it open, or make the "
            "place writable."
        ) from error
