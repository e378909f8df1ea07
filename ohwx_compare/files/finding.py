"""Finding a checkpoint file by what an infotext or a user calls it: name or hash."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

from ohwx_compare.core.experiment.axes import split_hash
from ohwx_compare.errors import CheckpointError, UnknownCheckpointError, WrongCheckpointError
from ohwx_compare.files.checkpoint import sha256, short_hash
from ohwx_compare.files.listing import CHECKPOINT_SUFFIX, list_checkpoints
from ohwx_compare.files.told_hashes import told_first
from ohwx_compare.words import quoted

__all__ = ["find", "pick"]

Seems = Callable[[Path], str | None]  # the sha256 that a file seems to have; None where nothing tells

_OLD_HASH = re.compile(r"([0-9a-f]{8})(?: \[\1\])?", re.IGNORECASE)  # of webuis before January 2023


def _unseen(path: Path) -> None:
    """What a file seems to be, where nothing tells."""


def find(
    reference: str, folder: Path, *, digest: Callable[[Path], str] | None = sha256, seems: Seems = _unseen
) -> Path:
    """The file in `folder` that `reference` means; see `pick`, which has its rules, arguments and errors.

    The order in which unknown files are read is told by what a webui noted of them.
    """
    ordered = told_first(list_checkpoints(folder), folder, _split(reference)[1])
    names = {name: folder / name for name in ordered}
    return names[pick(reference, names, digest=digest, seems=seems, where=str(folder))]


def pick(
    reference: str,
    files: Mapping[str, Path],
    *,
    digest: Callable[[Path], str] | None,
    seems: Seems = _unseen,
    where: str = "here",
) -> str:
    r"""The name in `files` (relative names with "/") that `reference` means.

    reference: as the webui writes it: "model\name.safetensors [4610bf5599]", "name.safetensors", "name", a hash.
        Tried in turn: the whole name, the file name, the name without suffix, the hash; case and slashes do not matter.
    digest: gives a file's sha256, which may mean reading it whole; None: no file is read, and one of the right name
        whose hash is not known is taken.
    seems: gives the sha256 that a file seems to have, without reading it whole; asked first.
    where: the files are, in words.
    Raises UnknownCheckpointError where no file fits, WrongCheckpointError where only the hash differs, CheckpointError
    where several files fit.
    """
    name, wanted = _split(reference)
    found = _by_name(name, list(files))
    if wanted:
        found = _of_hash(wanted, found, files, digest, seems) if found else _any_of_hash(wanted, files, digest, seems)
        if not found and (named := _by_name(name, list(files))):
            hashes = {candidate: (digest or seems)(files[candidate]) or "" for candidate in named}
            got = ", ".join(f"{candidate} [{short_hash(value)}]" for candidate, value in hashes.items())
            raise WrongCheckpointError(
                f"{quoted(reference)} has another hash than the file here, {got}. "
                f"Put the right file there, or name the checkpoint without its hash."
            )
    if not found:
        raise UnknownCheckpointError(_unknown(reference, name, list(files), where))
    if len(found) > 1:
        raise CheckpointError(f"{quoted(reference)} could be {' or '.join(found)}; add its folder to the name.")
    return found[0]


def _of_hash(
    wanted: str, names: list[str], files: Mapping[str, Path], digest: Callable[[Path], str] | None, seems: Seems
) -> list[str]:
    """Those of `names`, which fit by name, that have the hash, or may have it where none may be read."""
    seen = {name: seems(files[name]) for name in names}
    if found := [name for name, value in seen.items() if value and value.startswith(wanted)]:
        return found
    if digest is None:
        return [name for name, value in seen.items() if value is None]
    return [name for name in names if digest(files[name]).startswith(wanted)]


def _any_of_hash(
    wanted: str, files: Mapping[str, Path], digest: Callable[[Path], str] | None, seems: Seems
) -> list[str]:
    """The first file that has the hash, under whatever name: among those known first, then file by file."""
    for known in (seems, digest):
        if known and (name := next((n for n, path in files.items() if (known(path) or "").startswith(wanted)), None)):
            return [name]
    return []


def _split(reference: str) -> tuple[str, str]:
    """Name and hash (lower case, either may be empty) of what the webui writes."""
    text = reference.strip()
    name, digits = split_hash(text)
    if digits:
        return name, digits
    return text, text.lower() if re.fullmatch(r"[0-9a-fA-F]{10}|[0-9a-fA-F]{64}", text) else ""


def _by_name(name: str, names: list[str]) -> list[str]:
    """The names that fit `name` by the first of four rules that any name fits."""
    path = name.replace("\\", "/").strip("/").casefold()
    base = path.rpartition("/")[2]
    stem = re.sub(r"\.(safetensors|ckpt)$", "", base)
    rules = (
        lambda known: known == name,  # "A" and "a" may be two files
        lambda known: path in (known.casefold(), known.casefold().removesuffix(CHECKPOINT_SUFFIX)),
        lambda known: known.casefold().rpartition("/")[2] == base,
        lambda known: known.casefold().rpartition("/")[2].removesuffix(CHECKPOINT_SUFFIX) == stem,
    )
    for rule in rules:
        if path and (found := [known for known in names if rule(known)]):
            return found
    return []


def _unknown(reference: str, name: str, names: list[str], where: str) -> str:
    if not names:
        holds = "there is no" if where == "here" else f"{where} holds no"
        return f"There is no checkpoint {quoted(reference)}: {holds} {CHECKPOINT_SUFFIX} file."
    if old := _OLD_HASH.fullmatch(reference):
        return f"{quoted(old[1])} is a checkpoint's old short hash, which finds no file here. Name the checkpoint."
    stems = {Path(known).stem.casefold(): known for known in names}
    wanted = re.sub(r"\.(safetensors|ckpt)$", "", name.replace("\\", "/").rpartition("/")[2].casefold())
    near = [stems[stem] for stem in get_close_matches(wanted[:100], stems, n=3, cutoff=0.4)] or names[:3]
    return (
        f"There is no checkpoint named {quoted(reference)} {where if where == 'here' else f'in {where}'}; "
        f"the nearest names are {', '.join(near)}. "
        f"Put it there, or choose another checkpoint."
    )
