"""Which checkpoint files belong together: the saves of one training run, or one folder's files."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ohwx_compare.words import counted

__all__ = ["CheckpointGroup", "SaveName", "groups", "save_name"]

# kohya writes -000030 after an epoch, -step00000901 after a step and no suffix at the end (sd-scripts,
# library/train_util.py: EPOCH_FILE_NAME, STEP_FILE_NAME, DEFAULT_LAST_OUTPUT_NAME); -e30, -ep30, _epoch_30 are common.
_SAVE = re.compile(
    r"(?P<run>.+?)[-_ ](?:(?P<epoch>\d{6}|e(?:p(?:och)?)?[-_]?\d{1,15})|steps?[-_]?(?P<step>\d{1,15}))", re.I
)
_SUFFIX = re.compile(r"\.(safetensors|ckpt|pt)$", re.IGNORECASE)


class CheckpointGroup(NamedTuple):
    """Checkpoints that are chosen together, the earliest save first and the final one last."""

    name: str  # "folder/run (5 checkpoints)", for people
    checkpoints: tuple[str, ...]  # names as given


class SaveName(NamedTuple):
    """What a checkpoint's name says of it."""

    run: str  # the training's name, with its folder
    unit: str  # "epoch", "step", or "" for a name without a number: the final save
    number: int  # of the unit, 0 without one


def save_name(name: str) -> SaveName:
    """Read a checkpoint's name ("/" between folders), with or without its suffix."""
    stem = _SUFFIX.sub("", name)
    save = _SAVE.fullmatch(stem)
    if save is None:
        return SaveName(stem, "", 0)
    number = int(save["step"] or re.sub(r"\D", "", save["epoch"]))
    return SaveName(save["run"], "step" if save["step"] else "epoch", number)


def groups(names: Iterable[str]) -> tuple[CheckpointGroup, ...]:
    """The groups of two or more among checkpoint names ("/" between folders), sorted by name.

    A run: names in one folder that differ only in the suffix of the epoch or step; the run's own name alone is its
    final save. A folder: all files directly in it, unless they are one run; files outside folders are not a group.
    """
    runs: dict[str, list[str]] = {}
    folders: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        runs.setdefault(_run(name), []).append(name)
        folder = name.rpartition("/")[0]
        if folder:
            folders.setdefault(folder + "/", []).append(name)
    by_run = _several(runs)
    of_folders = _several({name: files for name, files in folders.items() if len(set(map(_run, files))) > 1})
    return tuple(sorted((*by_run, *of_folders), key=lambda group: (group.name.casefold(), group.name)))


def _several(found: Mapping[str, list[str]]) -> list[CheckpointGroup]:
    return [
        CheckpointGroup(f"{name} ({counted(len(files), 'checkpoint')})", tuple(sorted(files, key=_order)))
        for name, files in found.items()
        if len(files) > 1
    ]


def _run(name: str) -> str:
    """The name of the run that saved a checkpoint, folder included."""
    return save_name(name).run


def _order(name: str) -> tuple[str, int, int, str]:
    """Run by run; epochs, then steps, each by number; the final save last."""
    save = save_name(name)
    return (save.run.casefold(), ("epoch", "step", "").index(save.unit), save.number, name)
