"""The pictures of a recipe, and where each is cropped."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ohwx_compare.core.buckets import BucketPlacement, Buckets
from ohwx_compare.errors import ExperimentError, GeometryError
from ohwx_compare.files.dataset import Dataset, DatasetPicture, PictureFolder, ReadingRules, read_dataset
from ohwx_compare.files.dataset_folders import read_folders
from ohwx_compare.train.recipe.concepts import Concept
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["buckets_of", "place_pictures", "read_recipe_pictures", "reading_rules"]


def reading_rules(recipe: Recipe) -> ReadingRules:
    """How the recipe's files are read, where a concept does not say otherwise."""
    return ReadingRules(
        captions=recipe.captions,
        caption_extensions=recipe.caption_extensions,
        background=None if recipe.compatible("alpha") else recipe.alpha,
        upright=not recipe.compatible("exif"),
        masks_beside=recipe.masks == "beside",
    )


def read_recipe_pictures(
    recipe: Recipe, concepts: Sequence[Concept], reading: ReadingRules, check: Callable[[], None]
) -> Dataset:
    """All usable pictures, with the words that stand around each caption. Raises ExperimentError."""
    if recipe.concepts:
        folders = [
            PictureFolder(
                path=Path(one.folder),
                reading=replace(reading, caption_extensions=one.caption_extensions or ()),
                repeats=one.repeats,
                words=one.words,
                reg=one.reg,
                concept=number,
            )
            for number, one in enumerate(concepts)
            if recipe.reg_ratio or not one.reg
        ]
        found = read_folders(folders, check)
    else:
        reg = Path(recipe.reg) if recipe.reg and recipe.reg_ratio else None
        found = read_dataset(Path(recipe.train or ""), reg, reading, recipe.repeats, check)
    if not any(one.caption_prefix or one.caption_suffix for one in concepts):
        return found
    return replace(
        found,
        train=tuple(_framed(one, concepts[one.concept]) for one in found.train),
        reg=tuple(_framed(one, concepts[one.concept]) for one in found.reg),
    )


def _framed(picture: DatasetPicture, concept: Concept) -> DatasetPicture:
    """With a blank between caption and what stands around it, as sd-scripts puts it."""
    words = (concept.caption_prefix, picture.caption, concept.caption_suffix)
    before, caption, after = words
    caption = f"{before} {caption}" if before else caption
    return replace(picture, caption=f"{caption} {after}" if after else caption)


def place_pictures(dataset: Dataset, concepts: Sequence[Concept]) -> tuple[Dataset, tuple[BucketPlacement, ...]]:
    """The pictures that fit a bucket of their concept, with their places. Raises ExperimentError where none does."""
    rules = [buckets_of(one) for one in concepts]
    fit: dict[bool, list[DatasetPicture]] = {False: [], True: []}
    places, skipped = [], list(dataset.skipped)
    for picture in dataset.train + dataset.reg:
        try:
            places.append(rules[picture.concept].place(picture.size))
        except GeometryError as error:
            skipped.append(f"{picture.path} is left out: {error}")
            continue
        fit[picture.reg].append(picture)
    if not fit[False] or (dataset.reg and not fit[True]):
        raise ExperimentError(f"No {'training' if not fit[False] else 'regularization'} image is usable: {skipped[-1]}")
    kept = Dataset(train=tuple(fit[False]), reg=tuple(fit[True]), skipped=tuple(skipped), notes=dataset.notes)
    return kept, tuple(places)


def buckets_of(concept: Concept) -> Buckets:
    """The rule that sorts a concept's pictures, as `concepts_of` gives it."""
    if concept.resolution is None:  # `concepts_of` has filled it in
        raise TypeError("The concept has no resolution.")
    return Buckets(
        resolution=concept.resolution,
        smallest=concept.bucket_min or 0,
        largest=concept.bucket_max or 0,
        step=concept.bucket_step or 0,
        no_upscale=bool(concept.bucket_no_upscale),
        only_resolution=not concept.buckets,
    )
