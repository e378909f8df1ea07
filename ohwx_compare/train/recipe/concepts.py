"""Concepts: folders of pictures of which each has settings of its own; without any, `train` and `reg` are one of each.

What a concept does not say is the recipe's. Concepts of one `group` are one dataset of sd-scripts': they share no batch
with those of another, and a group's regularization images balance that group's training images.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any

from ohwx_compare.core.request.limits import is_unicode
from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.fields import Fields
from ohwx_compare.train.recipe.presets import FREE_SIDES
from ohwx_compare.train.recipe.typed import typed
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["Concept", "concept_folders", "concepts_of", "require_concepts", "varies"]

_MOST_REPEATS = 100_000
_MOST_GROUPS = 1000
_TAGS = 10_000  # parts of a caption that stay in front
_LEAST_SIDE = 64  # px
_MOST_SIDE = 16_384


@dataclass(frozen=True, kw_only=True)
class Concept:
    """One folder of pictures, or the folders of `train` and `reg` together. None: as the recipe has it."""

    folder: str = ""  # the pictures lie right in it
    words: str = ""  # the caption of a picture without a caption file
    repeats: int = 1
    reg: bool = False
    group: int = 0
    resolution: tuple[int, int] | None = None  # width, height px
    buckets: bool | None = None
    bucket_no_upscale: bool | None = None
    bucket_min: int | None = None  # px
    bucket_max: int | None = None
    bucket_step: int | None = None
    caption_extensions: tuple[str, ...] | None = None
    flip: bool | None = None
    caption_dropout: float | None = None
    shuffle: bool | None = None
    keep_tokens: int | None = None
    keep_tokens_separator: str | None = None
    tag_dropout: float | None = None
    caption_prefix: str | None = None
    caption_suffix: str | None = None

    @property
    def varies(self) -> bool:
        """Whether a picture's caption differs from time to time, but for being left out."""
        return bool(self.shuffle or self.tag_dropout)


_OWN = frozenset({"folder", "words", "repeats", "reg", "group"})
_KINDS = {each.name: each.type for each in fields(Concept)}


def concepts_of(recipe: Fields) -> tuple[Concept, ...]:
    """The recipe's concepts, nothing of them None but separators; one for all pictures where it names none."""
    asked = [_read(data) for data in recipe.concepts] or [Concept()]
    ours = {name: getattr(recipe, name) for name in _KINDS if name not in _OWN}
    return tuple(
        replace(one, **{name: value for name, value in ours.items() if getattr(one, name) is None}) for one in asked
    )


def varies(recipe: Fields) -> bool:
    """Whether any caption differs from time to time, so that it cannot be encoded before the first step."""
    return any(one.varies for one in concepts_of(recipe))


def concept_folders(concepts: Any) -> Iterable[dict[str, Any]]:
    """The concepts of a recipe's JSON that name a folder, as they stand, whatever else they hold."""
    listed = concepts if isinstance(concepts, list | tuple) else ()
    return (one for one in listed if isinstance(one, dict) and isinstance(one.get("folder"), str) and one["folder"])


def require_concepts(recipe: Fields) -> None:
    """Raise ExperimentError for concepts that cannot be read, or that say other than the rest of the recipe."""
    if not recipe.concepts:
        if recipe.train is None:
            raise ExperimentError("The recipe lacks train.")
        return
    for name in ("train", "reg", "repeats"):
        if getattr(recipe, name) is not None:
            raise ExperimentError(
                f"{name} is {quoted(getattr(recipe, name))} beside concepts, which say it of each folder; drop one."
            )
    found = concepts_of(recipe)
    for one in found:
        _require_values(one)
        _require_sides(one, is_free=FREE_SIDES in recipe.compat)
    if all(one.reg for one in found):
        raise ExperimentError("All concepts are regularization images; at least one must be trained on.")


def _read(data: Any) -> Concept:
    known = dict(_KINDS)
    for name in data:
        if name not in known:
            raise ExperimentError(f"A concept has no {quoted(name)}; {did_you_mean(name, known)}")
    if not data.get("folder"):
        raise ExperimentError(f"A concept lacks its folder: {quoted(data)}.")
    return Concept(**{name: typed(name, value, known[name]) for name, value in data.items()})


def _require_values(one: Concept) -> None:
    texts = (one.folder, one.words, one.caption_prefix or "", one.caption_suffix or "")
    for text in texts:
        if not is_unicode(text) or "\0" in text:
            raise ExperimentError(f"A concept holds {quoted(text)}, which no file can hold.")
    within = {
        "repeats": (1, _MOST_REPEATS), "group": (0, _MOST_GROUPS), "caption_dropout": (0, 1), "tag_dropout": (0, 1),
        "keep_tokens": (0, _TAGS),
    }  # fmt: skip
    for name, (least, most) in within.items():
        value = getattr(one, name)
        if not isfinite(value) or not least <= value <= most:
            raise ExperimentError(f"{one.folder}: {name} is {quoted(value)}, expected {least} to {most:,}.")


def _require_sides(one: Concept, *, is_free: bool) -> None:
    width, height = one.resolution or (0, 0)
    smallest, largest, step = one.bucket_min or 0, one.bucket_max or 0, one.bucket_step or 0
    for side in (width, height):
        if not _LEAST_SIDE <= side <= _MOST_SIDE or (side % 64 and not (is_free and one.buckets)):
            raise ExperimentError(
                f"{one.folder}: resolution is {width} x {height}, expected multiples of 64 up to {_MOST_SIDE}."
            )
    if step < 32 or step % 32:
        raise ExperimentError(f"{one.folder}: bucket_step is {step}, expected a multiple of 32.")
    sides = [step, smallest, *sorted((width, height)), largest]
    if one.buckets and not one.bucket_no_upscale and sides != sorted(sides):
        raise ExperimentError(
            f"{one.folder}: buckets go from {smallest} to {largest} px, which must enclose the resolution {width} x "
            f"{height}; change bucket_min or bucket_max."
        )
