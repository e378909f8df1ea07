"""Every picture of the demo, read back: whom it shows, in what style, and what the face pass changed.

The reader's own error is measured beside it, on true pictures, whose every word is known.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image

from ohwx_compare.core.experiment.outcome import Fate
from ohwx_compare.core.geometry import Box
from ohwx_compare.demo.sizes import PICTURE_SIDE, Sizes, Trained
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.rows import Run, RunCell
from ohwx_compare.toy.person import OHWX_MAN, Person, random_person, random_pose, random_scene
from ohwx_compare.toy.portrait import draw_portrait
from ohwx_compare.toy.reader import LIKENESS_FIELDS, Reader, Reading, is_visible, likeness
from ohwx_compare.toy.styles import STYLES

__all__ = ["BeforeRead", "FaceRead", "PictureRead", "Readings", "TruthRead", "read_run", "read_truths"]

_TOGETHER = 32  # pictures in memory


@dataclass(frozen=True, kw_only=True)
class FaceRead:
    """One redrawn face: for each trait that can be seen in its style, whether the reader sees another than asked."""

    height: float  # of its box, px
    before: Mapping[str, bool]
    after: Mapping[str, bool]


@dataclass(frozen=True, kw_only=True)
class BeforeRead:
    """A picture before its face pass."""

    likeness: float
    style_read: str


@dataclass(frozen=True, kw_only=True)
class PictureRead:
    """One picture of a comparison as the reader sees it; files are named from the demo's folder, "/" between."""

    trained: Trained
    style: str  # asked for
    seed: int
    image: str
    thumb: str
    before_thumb: str | None  # None without a face pass
    likeness: float  # to the subject, 0..1
    style_read: str
    face: FaceRead | None = None  # None where no face was redrawn
    before: BeforeRead | None = None  # None where the face pass changed nothing, or none was asked for


@dataclass(frozen=True, kw_only=True)
class TruthRead:
    """A true picture, drawn by the toy world, as the reader sees it."""

    is_subject: bool
    likeness: float  # to the subject
    style: str
    style_read: str
    wrong: Mapping[str, bool]  # of the traits that can be seen, read at the face's true place


@dataclass(frozen=True, kw_only=True)
class Readings:
    """All that was read."""

    subject: tuple[PictureRead, ...]
    drift: tuple[PictureRead, ...]
    small: tuple[PictureRead, ...]
    truths: tuple[TruthRead, ...]


def read_run(
    reader: Reader, run: Run, sizes: Sizes, styles: Sequence[str], advance: Callable[[int], None]
) -> tuple[PictureRead, ...]:
    """Read the last picture of every cell that has one.

    styles: one for each prompt of the run, in its order. advance: told how many cells are done.
    Raises ImageError for a picture that is gone.
    """
    trained = {one.file: one for one in sizes.trained()}
    prompts = next(axis.values for axis in run.experiment.axes if axis.kind == "prompt")
    asked = dict(zip((pair.prompt for pair in prompts), styles, strict=True))
    found: list[PictureRead] = []
    for start in range(0, len(run.cells), _TOGETHER):
        chunk = run.cells[start : start + _TOGETHER]
        cells = [cell for cell in chunk if cell.result.image]
        images = [load_rgb(run.folder / str(cell.result.image)) for cell in cells]
        faces = dict(_faces(reader, run, cells, images, asked))
        befores = dict(_befores(reader, run, cells))
        for cell, reading in zip(cells, reader.read(images), strict=True):
            job, result = cell.cell.job, cell.result
            found.append(
                PictureRead(
                    trained=trained[cell.cell.checkpoint.name],
                    style=asked[job.prompt],
                    seed=job.seed,
                    image=f"{run.folder.name}/{result.image}",
                    thumb=f"{run.folder.name}/{result.thumb}",
                    before_thumb=f"{run.folder.name}/{result.before_thumb}" if result.after else None,
                    likeness=likeness(reading, OHWX_MAN),
                    style_read=_best(reading["style"]),
                    face=faces.get(cell.cell.number),
                    before=befores.get(cell.cell.number),
                )
            )
        advance(len(chunk))
    return tuple(found)


def read_truths(reader: Reader, sizes: Sizes, advance: Callable[[int], None]) -> tuple[TruthRead, ...]:
    """Draw `sizes.truths` pictures of the subject and as many of other men, each in the next style, and read them."""
    random = Random("truths of the demo")
    people = [OHWX_MAN] * sizes.truths + [random_person(random, "man") for _ in range(sizes.truths)]
    styles = [STYLES[number % len(STYLES)] for number in range(len(people))]
    shown = [
        draw_portrait(person, random_scene(random), random_pose(random), style, size=PICTURE_SIDE, seed=10**6 + number)
        for number, (person, style) in enumerate(zip(people, styles, strict=True))
    ]
    images = [portrait.image for portrait in shown]
    faces = reader.read_faces(images, [portrait.face for portrait in shown])
    found = tuple(
        TruthRead(
            is_subject=person is OHWX_MAN,
            likeness=likeness(whole, OHWX_MAN),
            style=style,
            style_read=_best(whole["style"]),
            wrong=_wrong(face, person, style),
        )
        for person, style, whole, face in zip(people, styles, reader.read(images), faces, strict=True)
    )
    advance(len(found))
    return found


def _befores(reader: Reader, run: Run, cells: Sequence[RunCell]) -> Iterator[tuple[int, BeforeRead]]:
    """Cell number and reading of the pictures that a face pass changed, as they were before it."""
    befores = {cell.cell.number: cell.result.before for cell in cells if cell.result.before and cell.result.after}
    readings = reader.read([load_rgb(run.folder / before) for before in befores.values()])
    for number, reading in zip(befores, readings, strict=True):
        yield number, BeforeRead(likeness=likeness(reading, OHWX_MAN), style_read=_best(reading["style"]))


def _faces(
    reader: Reader, run: Run, cells: Sequence[RunCell], afters: Sequence[Image.Image], asked: Mapping[str, str]
) -> Iterator[tuple[int, FaceRead]]:
    """Cell number and face of the cells in which one face was redrawn."""
    for cell, after in zip(cells, afters, strict=True):
        redrawn = [face for face in cell.result.faces if face.fate is Fate.INPAINTED]
        if len(redrawn) == 1 and cell.result.before:
            box, before = Box(*redrawn[0].box), load_rgb(run.folder / cell.result.before)
            style = asked[cell.cell.job.prompt]
            wrong = [_wrong(reading, OHWX_MAN, style) for reading in reader.read_faces([before, after], [box, box])]
            yield cell.cell.number, FaceRead(height=box.height, before=wrong[0], after=wrong[1])


def _wrong(reading: Reading, person: Person, style: str) -> dict[str, bool]:
    own = vars(person) | {"style": style}
    return {name: _best(reading[name]) != own[name] for name in LIKENESS_FIELDS if is_visible(name, own)}


def _best(words: Mapping[str, float]) -> str:
    return max(words, key=words.__getitem__)
