"""The pictures that are judged, of a run folder or of any folder whose pictures carry infotexts, each with its place.

A style is a value of the run's axis of styles, else a prompt. Whatever else varies beside the checkpoint (seed, CFG, a
second prompt of one style, ...) makes repeats, and pictures of one style and one repeat are compared with each other.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.outcome import FaceRecord, Outcome
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.folder_infos import Info, infos
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.ledger.rows import Run, RunCell
from ohwx_compare.judge.measure import Asked
from ohwx_compare.numerals import whole_number
from ohwx_compare.words import counted

__all__ = [
    "JudgedColumn",
    "JudgedPicture",
    "JudgedRun",
    "judged_columns",
    "judged_folder",
    "judged_run",
    "with_class_token",
]

_AXES_OF_PROMPT = ("styles", "prompt", "prompt s/r")  # the first that varies gives the styles
_OF_PICTURE = ("Seed", "Model", "Model hash", "Version", "Size", "VAE", "VAE hash")  # vary without making a repeat


@dataclass(frozen=True, kw_only=True)
class JudgedPicture:
    """One picture and its place. A cell with a face pass gives two, unless the pass left its picture alone."""

    key: str  # what scores hang on
    path: Path
    thumb: Path | None = None
    checkpoint: str  # the name of its column
    style: str
    seed: int
    prompt: str
    repeat: tuple[str, ...]  # of its style: the seed, and whatever else varies
    variant: tuple[str, ...] = ()  # whatever else varies
    is_last: bool = True  # False: as it was before its face pass
    is_control: bool = False  # the base's, asked for the class in place of the subject
    asked: Asked = Asked.SUBJECT
    outcome: str = ""  # of its face pass, in words
    faces: tuple[FaceRecord, ...] = field(default=(), compare=False, repr=False)  # that its pass found, where told

    @property
    def place(self) -> tuple[str, tuple[str, ...], bool]:
        """What it shares with the pictures that it is compared with."""
        return self.style, self.repeat, self.is_last


@dataclass(frozen=True, kw_only=True)
class JudgedColumn:
    """A checkpoint as the run names it."""

    name: str
    label: str  # as people read it
    sha256: str | None = None  # of its file, or the digits of it that are known
    path: Path | None = None  # of its file, when the pictures were drawn
    is_control: bool = False


@dataclass(frozen=True, kw_only=True)
class JudgedRun:
    """All that there is to judge."""

    folder: Path
    columns: tuple[JudgedColumn, ...]
    pictures: tuple[JudgedPicture, ...]
    missing: tuple[str, ...] = ()  # what is not there, a sentence each
    class_token: str = ""  # token and class in the prompts, "ohwx man"; "" unknown
    failures: Mapping[str, int] = field(default_factory=dict)  # by column: cells without a picture

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """In the run's order."""
        return tuple(dict.fromkeys(each.style for each in self.pictures))

    @property
    def has_face_pass(self) -> bool:
        """Whether there are pictures before and after one."""
        return any(not each.is_last for each in self.pictures)


def judged_run(run: Run, class_token: str = "") -> JudgedRun:
    """The pictures of a run folder, finished or not.

    class_token: "ohwx man", where the run does not tell: prompts without its first word ask for the class.
    """
    control = run.experiment.control
    words = class_token or (control.class_token if control else "")
    axes = run.experiment.axes
    by = next((i for kind in _AXES_OF_PROMPT for i, axis in enumerate(axes) if _gives_styles(axis, kind)), None)
    labels = [axis.labels for axis in axes]
    found: list[JudgedPicture] = []
    for cell in run.cells:
        at = cell.cell.coordinates
        style = labels[by][at[by]] if by is not None else cell.cell.job.prompt
        own = {axis.kind: labels[i][at[i]] for i, axis in enumerate(axes) if i != by and axis.kind != "checkpoint"}
        variant = tuple(label for kind, label in own.items() if kind != "seed")
        found += _of_cell(run.folder, cell, style, tuple(own.values()) or (f"seed {cell.cell.job.seed}",), variant)
    return JudgedRun(
        folder=run.folder,
        columns=tuple(judged_columns(run)),
        pictures=_with_asked(found, words),
        missing=tuple(_lost(run)),
        class_token=words,
        failures=Counter(str(c.cell.checkpoint) for c in run.cells if _is_lost(c)),
    )


def judged_folder(folder: Path, digest: Callable[[Path], str] = sha256, class_token: str = "") -> JudgedRun:
    """The pictures of any folder by their infotexts, whoever drew them; `digest` gives a file's sha256.

    Raises ImageError where there is no picture, MeasureError where none says its checkpoint, prompt and seed.
    """
    found, silent = [], 0
    for info in infos(pictures([folder])):
        if _tells(info):
            found.append(info)
        else:
            silent += 1
    if not found:
        raise MeasureError(
            f"{folder} has {counted(silent, 'picture')}, none with a model and a seed in its infotext; choose a run "
            "folder, or pictures as the webui saves them."
        )
    varied = [key for key in dict.fromkeys(key for info in found for key in info.parameters) if _varies(found, key)]
    shown = [_of_info(info, varied, digest) for info in found]
    hashes = {_model(info): info.parameters.get("Model hash") for info in found}
    missing = [f"{counted(silent, 'picture')} without a model or a seed in the infotext left out."] if silent else []
    return JudgedRun(
        folder=folder,
        columns=tuple(JudgedColumn(name=name, label=name, sha256=short) for name, short in sorted(hashes.items())),
        pictures=_with_asked(_first_of_each(shown), class_token),
        missing=tuple(missing),
        class_token=class_token,
    )


def with_class_token(run: JudgedRun, class_token: str) -> JudgedRun:
    """The run with what a record tells of its prompts, where nobody said it before."""
    if run.class_token or not class_token:
        return run
    return replace(run, class_token=class_token, pictures=_with_asked(run.pictures, class_token))


def _gives_styles(axis: Axis, kind: str) -> bool:
    return axis.kind == kind and len(axis.values) > 1


def _of_cell(
    folder: Path, cell: RunCell, style: str, repeat: tuple[str, ...], variant: tuple[str, ...]
) -> Iterator[JudgedPicture]:
    result, job = cell.result, cell.cell.job
    if _is_lost(cell) or not result.image or not result.key or not result.before_key:
        return
    last = JudgedPicture(
        key=result.key, path=folder / result.image, thumb=folder / result.thumb if result.thumb else None,
        checkpoint=str(cell.cell.checkpoint), style=style, seed=job.seed, prompt=job.prompt, repeat=repeat,
        variant=variant, is_control=cell.cell.is_control, outcome=result.outcome.words,
        faces=result.faces,
    )  # fmt: skip
    yield last
    if result.before and result.after:
        thumb = folder / result.before_thumb if result.before_thumb else None
        yield replace(last, key=result.before_key, path=folder / result.before, thumb=thumb, is_last=False)


def _is_lost(cell: RunCell) -> bool:
    return cell.result.outcome in (Outcome.FAILED, Outcome.PENDING)


def _lost(run: Run) -> Iterator[str]:
    for outcome in (Outcome.FAILED, Outcome.PENDING):
        if lost := [cell for cell in run.cells if cell.result.outcome is outcome]:
            yield f"{counted(len(lost), 'cell')} of {len(run.cells):,} {outcome.words}."


def judged_columns(run: Run) -> Iterator[JudgedColumn]:
    """The checkpoints of a run, in the order of its grid."""
    rows = {row.ref: row for row in run.checkpoints}
    control = run.experiment.control
    for ref in run.experiment.checkpoints:
        row, is_control = rows.get(str(ref)), control is not None and control.checkpoint == ref
        yield JudgedColumn(
            name=str(ref),
            label=ref.stem,
            sha256=row.sha256 if row else ref.short_hash,
            path=Path(row.path) if row else None,
            is_control=is_control,
        )


def _with_asked(found: Sequence[JudgedPicture], class_token: str) -> tuple[JudgedPicture, ...]:
    """Of the class are the places whose prompts lack the token, but for the control's, which lack it everywhere.

    A token that no prompt has is another's: then all pictures are the subject's.
    """
    token = (class_token.split() or [""])[0]
    of_class = {each.place for each in found if token not in each.prompt and not each.is_control}
    if all(each.place in of_class or each.is_control for each in found):
        return tuple(found)
    return tuple(replace(each, asked=Asked.CLASS) if each.place in of_class else each for each in found)


def _model(info: Info) -> str:
    return info.parameters.get("Model") or info.parameters.get("Model hash") or ""


def _tells(info: Info) -> bool:
    """Whether it says which checkpoint drew it from which seed, and is no grid."""
    said = info.parameters
    return bool(_model(info)) and said.get("Seed", "").isdecimal() and "X Type" not in said


def _varies(found: Sequence[Info], key: str) -> bool:
    return key not in _OF_PICTURE and len({info.parameters.get(key) for info in found}) > 1


def _of_info(info: Info, varied: Sequence[str], digest: Callable[[Path], str]) -> JudgedPicture:
    path, seed = Path(info.file), whole_number(info.parameters["Seed"])
    others = tuple(f"{key}: {info.parameters[key]}" for key in varied if key in info.parameters)
    return JudgedPicture(
        key=digest(path), path=path, checkpoint=_model(info), style=info.prompt, seed=seed, prompt=info.prompt,
        repeat=(f"seed {seed}", *others), variant=others, is_last=info.after is None,
    )  # fmt: skip


def _first_of_each(shown: Sequence[JudgedPicture]) -> list[JudgedPicture]:
    """A picture that was drawn twice counts once."""
    first = {(each.checkpoint, each.place): each for each in reversed(shown)}
    return [each for each in shown if first[each.checkpoint, each.place] is each]
