"""Which measures a run can be judged by, from what was given and what the recipe beside its checkpoints tells."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ohwx_compare.engine.detect import Detector
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.errors import MeasureError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.json_file import read_object
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.measure import PictureMeasure
from ohwx_compare.judge.references import FaceSight, References, read_references
from ohwx_compare.judge.run.pictures import JudgedRun
from ohwx_compare.judge.weights import find_face_files

__all__ = ["Given", "Measures", "given_by_recipe", "measures_for"]

_MOST_STRANGERS = 60  # photographs of others: the floor's mean needs no more


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a run is judged with."""

    photos: Path | None = None  # photographs of the person
    held_out: Path | None = None  # such as were not trained on
    negatives: Path | None = None  # photographs of others: regularization images
    base: Path | None = None  # the checkpoint that the trainings began from
    weights: tuple[Path, ...] = ()  # folders in which the face network may lie
    device: str = "cpu"


@dataclass(frozen=True)
class Measures:
    """The measures, and what cannot be measured, a sentence each."""

    measures: tuple[PictureMeasure, ...]
    missing: tuple[str, ...] = ()


def given_by_recipe(run: JudgedRun, given: Given) -> Given:
    """`given`, completed by the first recipe that lies beside a checkpoint of the run and names what still is there."""
    folders = dict.fromkeys(column.path.parent for column in run.columns if column.path)
    for folder in folders:
        recipe = read_object(folder / "recipe.json") if is_plain_file(folder / "recipe.json") else {}
        told = {key: Path(str(value)) for key, value in recipe.items() if key in ("train", "reg", "base") and value}
        there = {key: path for key, path in told.items() if path.exists()}
        given = replace(
            given,
            photos=given.photos or there.get("train"),
            negatives=given.negatives or there.get("reg"),
            base=given.base or there.get("base"),
        )
    return given


def measures_for(given: Given, detector: Callable[[], Detector]) -> Measures:
    """Make the measures that can be made. `detector` is asked for where faces are looked for.

    Raises MeasureError and ImageError for photographs that cannot be used, and MeasureError where nothing can be
    measured.
    """
    missing: list[str] = []
    try:
        files = find_face_files(given.weights)
    except MeasureError as error:
        raise MeasureError(f"Nothing can be measured. {error}") from error
    if given.photos is None:
        raise MeasureError(
            "No photographs of the person were given, and no recipe beside the checkpoints names any; give a folder of "
            "them."
        )
    found = detector()
    missing += [f"{found.note[:1].upper()}{found.note[1:]}."] if found.note else []
    sight = FaceSight(found, FaceReader.load(*files, device=given.device))
    mine = read_references([given.photos], sight)
    held_out = read_references([given.held_out], sight) if given.held_out else None
    strangers = _strangers(given.negatives, sight) if given.negatives else None
    missing += _notes(given, mine, held_out)
    return Measures((Likeness(sight, mine, held_out=held_out, strangers=strangers),), tuple(missing))


def _strangers(folder: Path, sight: FaceSight) -> References | None:
    """Photographs of others, evenly from the folder; None where no face is in them."""
    found = pictures([folder])
    step = -(-len(found) // _MOST_STRANGERS)
    try:
        return read_references(found[::step], sight, of_one=False)
    except MeasureError:
        return None


def _notes(given: Given, mine: References, held_out: References | None) -> Iterator[str]:
    yield from (f"Photographs: {note}" for note in mine.notes)
    if held_out:
        yield from (f"Held-out photographs: {note}" for note in held_out.notes)
        known = {face.pixels for face in mine.faces}
        if same := [face.name for face in held_out.faces if face.pixels in known]:
            yield f"{', '.join(same[:5])} is among both kinds of photographs, which makes the ceiling too near."
    else:
        yield (
            "All photographs were trained on or may have been, so the ceiling holds each of them against the others; "
            "photographs that were held out would be a fairer one."
        )
