"""The base's pictures between which a measure of style has its scale: its photographs at 0, its drawings at 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ohwx_compare.errors import MeasureError
from ohwx_compare.files.images import load_rgb, pixel_digest
from ohwx_compare.judge.style_kept import is_photo_style

__all__ = ["StyleControl", "StyleEnds", "loaded"]

_MOST = 4  # of the base's pictures of a style, that its scale rests on
_LEAST = 2


@dataclass(frozen=True)
class StyleControl:
    """A picture of the base: what it was asked for, and where it is."""

    path: Path
    prompt: str


@dataclass(frozen=True)
class StyleEnds:
    """Which of the base's pictures the scales rest on, at most four of a kind."""

    photos: Sequence[StyleControl]
    drawn: Mapping[str, Sequence[StyleControl]]  # by style, as the context names styles

    @classmethod
    def of(cls, controls: Mapping[str, Sequence[StyleControl]]) -> "StyleEnds":
        """From all of the base's pictures by style. Raises MeasureError where they are too few."""
        photos = [each for style, own in controls.items() if is_photo_style(style) for each in own]
        drawn = {s: own[:_MOST] for s, own in controls.items() if not is_photo_style(s) and len(own) >= _LEAST}
        if len(photos) < _LEAST or not drawn:
            raise MeasureError(
                f"Style needs {_LEAST} pictures or more of the base as photographs, and as many "
                "of a style; add the base as control, and a prompt for a photo."
            )
        return cls(photos[:_MOST], drawn)


def loaded(path: Path, digests: list[str]) -> Image.Image:
    """A picture, RGB; which it was is added to `digests`. Raises ImageError for one that cannot be read."""
    image = load_rgb(path)
    digests.append(f"{path.name} {pixel_digest(image)}")
    return image
