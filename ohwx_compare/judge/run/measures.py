"""Which measures a run can be judged by, from what was given and what the recipe beside its checkpoints tells."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ohwx_compare.engine.detect import Detector
from ohwx_compare.engine.weights import load
from ohwx_compare.errors import CheckpointError, ImageError, MeasureError, PromptError
from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.json_file import read_object
from ohwx_compare.judge.class_drift import class_drift
from ohwx_compare.judge.clip_measures import ClipPhotographs, clip_style, clip_text
from ohwx_compare.judge.clip_sight import CLIP_MODEL, ClipSight, StyleDescriptors
from ohwx_compare.judge.diffusion_style import DiffusionStyle
from ohwx_compare.judge.diversity import Diversity
from ohwx_compare.judge.face_sight import face_sight
from ohwx_compare.judge.latent_likeness import LatentLikeness
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.measure import Asked, PictureMeasure
from ohwx_compare.judge.references import FaceSight, References, read_references
from ohwx_compare.judge.run.pictures import JudgedPicture, JudgedRun
from ohwx_compare.judge.seams import Seams
from ohwx_compare.judge.style_ends import StyleControl, StyleEnds
from ohwx_compare.judge.style_kept import StyleKept
from ohwx_compare.judge.vae_sight import VaeSight
from ohwx_compare.judge.weights import find_face_files

__all__ = ["Given", "Measures", "base_file", "folders_given", "given_by_recipe", "measures_for"]

_MOST_STRANGERS = 60  # photographs of others: the floor's mean needs no more


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a run is judged with."""

    photos: tuple[Path, ...] = ()  # folders of photographs of the person
    held_out: Path | None = None  # such as were not trained on
    negatives: tuple[Path, ...] = ()  # photographs of others: regularization images
    base: Path | None = None  # the checkpoint that the trainings began from
    weights: tuple[Path, ...] = ()  # folders in which the face network may lie
    face_net: Path | None = None  # an ArcFace-type network (.onnx) in place of dlib's
    clip: Path | None = None  # CLIP weights, an open_clip model (.safetensors): CLIP-I and CLIP-T
    csd: Path | None = None  # weights of contrastive style descriptors (.safetensors)
    clip_model: str = CLIP_MODEL  # which of open_clip's models they are of
    device: str = "cpu"
    second_opinion: bool = False  # on style, by the base's UNet, which takes `UNET_CALLS` a picture


@dataclass(frozen=True)
class Measures:
    """The measures, and what cannot be measured, a sentence each."""

    measures: tuple[PictureMeasure, ...]
    missing: tuple[str, ...] = ()


def folders_given(folder: Path | None) -> tuple[Path, ...]:
    """The folder that somebody named, or none, as `Given` has it."""
    return (folder,) if folder else ()


def given_by_recipe(run: JudgedRun, given: Given) -> Given:
    """`given`, completed by the first recipe that lies beside a checkpoint of the run and names what still is there."""
    folders = dict.fromkeys(column.path.parent for column in run.columns if column.path)
    for folder in folders:
        recipe = read_object(folder / "recipe.json") if is_plain_file(folder / "recipe.json") else {}
        base = Path(str(recipe.get("base") or folder / "none"))
        given = replace(
            given,
            photos=given.photos or _pictures_of(recipe, "train", is_reg=False),
            negatives=given.negatives or _pictures_of(recipe, "reg", is_reg=True),
            base=given.base or (base if base.exists() else None),
        )
    return given


def _pictures_of(recipe: Mapping[str, Any], field: str, *, is_reg: bool) -> tuple[Path, ...]:
    """The folder of a recipe's field, or those of its concepts of that kind, once each; as far as they are there."""
    listed = recipe.get("concepts")
    concepts = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    folders = [one.get("folder") for one in concepts if bool(one.get("reg")) is is_reg]
    named = dict.fromkeys(Path(str(folder)) for folder in (recipe.get(field), *folders) if folder)
    return tuple(path for path in named if path.exists())


def measures_for(
    run: JudgedRun,
    bases: Sequence[str],
    given: Given,
    detector: Callable[[], Detector],
    digest: Callable[[Path], str] = sha256,
) -> Measures:
    """Make the measures that can be made. `detector` is asked for where faces are looked for.

    bases: names of the columns that the base drew. digest: gives a checkpoint's sha256. Raises MeasureError
    and ImageError for photographs that cannot be used, and MeasureError where nothing can be measured.
    """
    controls = [each for each in run.pictures if each.checkpoint in bases and each.is_last]
    likeness = _likeness(given, [each.path for each in controls], detector)
    style = _style_kept(given, controls)
    made = (*likeness.measures, *style.measures)
    if not made:
        raise MeasureError(f"Nothing can be measured. {' '.join(likeness.missing)}")
    drift = (
        tuple(map(class_drift, likeness.measures)) if any(each.asked is Asked.CLASS for each in run.pictures) else ()
    )
    second = _second_opinion(given, controls, digest) if given.second_opinion else Measures(())
    clip = _clip(given, controls)
    seams = (Seams(),) if run.has_face_pass else ()
    return Measures(
        (*made, *drift, *second.measures, *clip.measures, Diversity(), *seams),
        (*likeness.missing, *style.missing, *second.missing, *clip.missing),
    )


def base_file(run: JudgedRun, bases: Sequence[str], given: Given) -> Given:
    """`given` with the file of the base's column, where none is named and it still lies there."""
    files = (column.path for column in run.columns if column.name in bases and column.path and column.path.is_file())
    return replace(given, base=given.base or next(files, None))


def _likeness(given: Given, controls: Sequence[Path], detector: Callable[[], Detector]) -> Measures:
    """By the face network; without it by the base's VAE, where there are pictures of others."""
    if not given.photos:
        return Measures(
            (), ("No photographs of the person were given, and no recipe beside the checkpoints names any.",)
        )
    try:
        files = find_face_files(given.weights)
    except MeasureError as error:
        if given.face_net:  # which wants dlib's landmarks; what was named is never replaced by a fallback
            raise
        return _fallback(given, controls, detector, str(error))
    found = detector()
    sight = face_sight(files, found, face_net=given.face_net, device=given.device)
    mine = read_references(given.photos, sight)
    held_out = read_references([given.held_out], sight) if given.held_out else None
    strangers = _strangers(given.negatives, sight) if given.negatives else None
    measure = Likeness(sight, mine, held_out=held_out, strangers=strangers)
    return Measures((measure,), (*_note(found), *_notes(mine, held_out)))


def _fallback(given: Given, controls: Sequence[Path], detector: Callable[[], Detector], why: str) -> Measures:
    others = pictures(given.negatives)[:_MOST_STRANGERS] if given.negatives else list(controls[:_MOST_STRANGERS])
    if given.base is None or not given.photos or not others:
        return Measures((), (why,))
    found = detector()
    try:
        measure = LatentLikeness(VaeSight.load(given.base, given.device), found, pictures(given.photos), others)
    except (MeasureError, CheckpointError) as error:
        return Measures((), (why, str(error)))
    return Measures((measure,), (f"Likeness is by the base's VAE alone, a fallback. {why}", *_note(found)))


def _style_kept(given: Given, controls: Sequence[JudgedPicture]) -> Measures:
    """By the base's own pictures of each style."""
    if not controls:
        return Measures((), ("Style kept is not judged: the run has no pictures of the base; add it as control.",))
    if given.base is None:
        return Measures((), ("Style kept is not judged: the base's file is not there any more; name it.",))
    by_style: dict[str, list[Path]] = {}
    for each in controls:
        by_style.setdefault(each.style, []).append(each.path)
    try:
        return Measures((StyleKept(VaeSight.load(given.base, given.device), by_style),))
    except (MeasureError, CheckpointError, ImageError) as error:
        return Measures((), (f"Style kept is not judged: {error}",))


def _second_opinion(given: Given, controls: Sequence[JudgedPicture], digest: Callable[[Path], str]) -> Measures:
    """On style, by the base's own pictures and its UNet."""
    if given.base is None:
        return Measures((), ("There is no second opinion on style: the base's file is not there; name it.",))
    try:
        ends = _ends(controls)  # before seven gigabytes are read
        return Measures((DiffusionStyle(load(given.base, device=given.device), digest(given.base), ends),))
    except (MeasureError, CheckpointError, ImageError, PromptError) as error:
        return Measures((), (f"There is no second opinion on style: {error}",))


def _clip(given: Given, controls: Sequence[JudgedPicture]) -> Measures:
    """By the user's own weights of CLIP and of style descriptors. Raises MeasureError for weights that are neither."""
    made: list[PictureMeasure] = []
    missing: list[str] = []
    if given.clip:
        sight = ClipSight.load(given.clip, given.clip_model, given.device)
        if given.photos:
            made.append(ClipPhotographs(sight, pictures(given.photos)))
        else:
            missing.append("CLIP-I is not judged: no photographs of the person were given.")
        try:
            made.append(clip_text(sight, _ends(controls)))
        except (MeasureError, ImageError) as error:
            missing.append(f"CLIP-T is not judged: {error}")
    if given.csd:
        descriptors = StyleDescriptors.load(given.csd, given.clip_model, given.device)
        try:
            made.append(clip_style(descriptors, _ends(controls)))
        except (MeasureError, ImageError) as error:
            missing.append(f"CSD is not judged: {error}")
    return Measures(tuple(made), tuple(missing))


def _ends(controls: Sequence[JudgedPicture]) -> StyleEnds:
    by_style: dict[str, list[StyleControl]] = {}
    for each in controls:
        by_style.setdefault(each.style, []).append(StyleControl(each.path, each.prompt))
    return StyleEnds.of(by_style)


def _note(detector: Detector) -> Iterator[str]:
    if detector.note:
        yield f"{detector.note[:1].upper()}{detector.note[1:]}."


def _strangers(folders: Sequence[Path], sight: FaceSight) -> References | None:
    """Photographs of others, evenly from the folders; None where no face is in them."""
    found = pictures(folders)
    step = -(-len(found) // _MOST_STRANGERS)
    try:
        return read_references(found[::step], sight, of_one=False)
    except MeasureError:
        return None


def _notes(mine: References, held_out: References | None) -> Iterator[str]:
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
