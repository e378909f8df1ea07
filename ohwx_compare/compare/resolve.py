"""From the names in an experiment to files, before anything is generated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.request.named_values import CASCADE
from ohwx_compare.errors import CheckpointError, DetectorError, ExperimentError, UnknownCheckpointError
from ohwx_compare.files.finding import find, pick
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.words import counted

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector

__all__ = ["Resolve", "among", "in_folder", "resolve_all", "resolve_detectors", "standing_in"]

Resolve = Callable[[CheckpointRef], Checkpoint]


def in_folder(
    folder: Path, stand_ins: Mapping[str, str], hashes: Hashes | None = None, *, reads: bool = True
) -> Resolve:
    """Look references up below `folder`.

    stand_ins: {what the experiment calls it: file}. Left: the whole reference, its name, its file's name with or
        without suffix, or its hash, without regard to case. Right: a path, or whatever `files.finding.find` takes.
    hashes: what is known of the files. reads: a file is read whole where only that tells, once however many ask; else,
        of the right name, it is taken where its hash is not known.
    """
    hashes = hashes or Hashes()
    digest = cache(hashes) if reads else None

    def resolve(ref: CheckpointRef) -> Checkpoint:
        wanted = standing_in(ref, stand_ins)
        if wanted and Path(wanted).is_file():
            path = Path(wanted)
        else:
            path = find(wanted or str(ref), folder, digest=digest, seems=hashes.seems)
        inside = path.is_relative_to(folder)
        return Checkpoint(path.relative_to(folder).as_posix() if inside else path.name, path)

    return resolve


def standing_in(ref: CheckpointRef, stand_ins: Mapping[str, str]) -> str | None:
    """What stands for a reference, by `stand_ins` as `in_folder` takes them; None for nothing."""
    mapped = {name.replace("\\", "/").casefold(): file for name, file in stand_ins.items()}
    called = (str(ref), ref.name, ref.name.rsplit("/", 1)[-1], ref.stem, ref.short_hash or "")
    return next((mapped[name.casefold()] for name in called if name.casefold() in mapped), None)


def among(
    checkpoints: Sequence[Checkpoint],
    seems: Callable[[Path], str | None],
    digest: Callable[[Path], str] | None = None,
    where: str = "here",
) -> Resolve:
    """Look references up among `checkpoints`; the rest as in `files.finding.pick`, asked once of each file."""
    digest = cache(digest) if digest else None
    files = {checkpoint.name: checkpoint.path for checkpoint in checkpoints}

    def resolve(ref: CheckpointRef) -> Checkpoint:
        name = pick(str(ref), files, digest=digest, seems=seems, where=where)
        return Checkpoint(name, files[name])

    return resolve


def resolve_all(refs: Iterable[CheckpointRef], resolve: Resolve) -> dict[CheckpointRef, Checkpoint]:
    """The file of each reference.

    Raises UnknownCheckpointError naming all that are missing in one sentence, CheckpointError for files that are not
    what was asked for, ExperimentError where two references lead to one file.
    """
    found: dict[CheckpointRef, Checkpoint] = {}
    unknown: dict[CheckpointRef, UnknownCheckpointError] = {}
    wrong: list[CheckpointError] = []
    for ref in refs:
        try:
            found[ref] = resolve(ref)
        except UnknownCheckpointError as error:
            unknown[ref] = error
        except CheckpointError as error:
            wrong.append(error)
    if len(unknown) == 1 and not wrong:
        raise next(iter(unknown.values()))
    if unknown:
        names = ", ".join(map(str, unknown))
        raise UnknownCheckpointError(
            f"{counted(len(unknown), 'checkpoint')} cannot be found: {names}. Put them into the checkpoint folder, or "
            f"choose others.{''.join(f' {error}' for error in wrong)}"
        )
    if wrong:
        kinds = {type(error) for error in wrong}
        raise (kinds.pop() if len(kinds) == 1 else CheckpointError)(" ".join(map(str, wrong)))
    _all_different(found)
    return found


def resolve_detectors(
    names: Iterable[str], detectors: "Callable[[str], Detector]", folder: Path
) -> "dict[str, Detector]":
    """The detector of each name. In earlier versions OpenCV's stood in for a missing file; such a run keeps it.

    folder: the run's, new or to be resumed. Raises DetectorError for one that is not there.
    """
    found = {}
    for name in sorted(set(names)):
        try:
            found[name] = detectors(name)
        except DetectorError:
            if not _stood_in(folder, name):
                raise
            found[name] = detectors(CASCADE)
            found[name].note = f"{CASCADE} was used in place of {name}, as in this run's earlier cells"
    return found


def _stood_in(folder: Path, name: str) -> bool:
    """Whether the run's cells say that OpenCV's cascade was used because the file `name` was not there."""
    if not (folder / LEDGER_FILE).is_file():
        return False
    notes = (note for cell in open_run(folder).cells for note in cell.result.notes)
    return any(note.startswith(f"{name} was not found (looked in: ") for note in notes)


def _all_different(found: Mapping[CheckpointRef, Checkpoint]) -> None:
    owners: dict[Path, CheckpointRef] = {}
    for ref, checkpoint in found.items():
        owner = owners.setdefault(checkpoint.path.resolve(), ref)
        if owner != ref:
            raise ExperimentError(f"{owner} and {ref} are the same file, {checkpoint.path}; name it once.")
