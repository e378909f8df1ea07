"""Style kept: whether a picture is drawn in the style asked for, or is a photograph in spite of it.

Held against pictures of the base checkpoint (the control column): how the VAE's encoder sees them in that style, and
how as photographs. A linear discriminant stands between the two (Fisher 1936), with the spread within styles that all
of the base's styles share, shrunk towards a diagonal since there are fewer pictures than numbers (Friedman 1989).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ohwx_compare.errors import MeasureError
from ohwx_compare.files.images import load_rgb, pixel_digest
from ohwx_compare.judge.families import family_of
from ohwx_compare.judge.measure import Asked, MeasureContext, MeasureWords, Score, measure_key
from ohwx_compare.judge.vae_sight import VaeSight

__all__ = ["PHOTOGRAPH", "StyleKept", "StyleLooks", "is_photo_style", "style_looks"]

PHOTOGRAPH = "a photograph"
"""The outcome of a picture that was asked for as a photograph: it has no style to keep."""

_SHRUNK = 0.3  # chosen on drawn people of the toy world; see docs/likeness.md
_LEAST = 2  # pictures of the base, of a style and of photographs


@dataclass(frozen=True, eq=False)
class StyleLooks:
    """How the base draws its styles: what `StyleKept` holds pictures against. Rows are `VaeSight.texture`'s."""

    means: Mapping[str, NDArray[np.float64]]  # (F,) by style, photographs under ""
    spread: NDArray[np.float64]  # (F,) standard deviation within styles
    within: NDArray[np.float64]  # (F, F) shrunk covariance within styles, in units of `spread`

    def margins(self, textures: NDArray[np.float64], style: str) -> NDArray[np.float64]:
        """(N,): along the discriminant, -1 at the base's photographs and 1 at its pictures of `style`, on average."""
        drawn, photo = self.means[style] / self.spread, self.means[""] / self.spread
        direction = np.linalg.solve(self.within, drawn - photo)
        half = (drawn - photo) @ direction / 2
        return np.asarray((textures / self.spread - (drawn + photo) / 2) @ direction / half, np.float64)


def style_looks(textures: Mapping[str, NDArray[np.float64]]) -> StyleLooks:
    """From (N, F) of the base's pictures by style, those as photographs under "".

    Styles of fewer than two pictures are left out. Raises MeasureError without photographs or any other style.
    """
    kept = {style: rows for style, rows in textures.items() if len(rows) >= _LEAST}
    if "" not in kept or len(kept) == 1:
        raise MeasureError(
            f"Style kept needs {_LEAST} pictures or more of the base as photographs, and as many of a style; add the "
            "base as control, and a prompt for a photo."
        )
    means = {style: rows.mean(0) for style, rows in kept.items()}
    apart = np.concatenate([rows - means[style] for style, rows in kept.items()])
    freedom = len(apart) - len(kept)
    spread = np.sqrt((apart**2).sum(0) / freedom) + 1e-9
    units = apart / spread
    within = (1 - _SHRUNK) * (units.T @ units) / freedom
    within[np.diag_indices_from(within)] += _SHRUNK
    return StyleLooks(means, spread, within)


class StyleKept:
    """The measure: from 0.5 on a picture is nearer to the base's pictures of the style than to its photographs."""

    name = "style kept"
    words = MeasureWords(
        title="Drawn in the style asked for", subject="style", more="more of the style", less="less of the style"
    )
    asked = Asked.SUBJECT
    takes_before = False
    version = 2
    licence = "that of your checkpoint"
    needs: tuple[str, ...] = (
        "the base as control",
        "a photo style among the base's pictures",
        "the base checkpoint's VAE",
    )

    def __init__(self, sight: VaeSight, controls: Mapping[str, Sequence[Path]]) -> None:
        """controls: the base's pictures by style, as the context names styles, one in memory at a time.

        Raises MeasureError where they are too few, ImageError for one that cannot be read.
        """
        self._sight, self.sha256 = sight, sight.sha256
        textures: dict[str, list[NDArray[np.float64]]] = {}
        digests: list[str] = []
        for style, paths in controls.items():
            if paths:
                textures.setdefault(_called(style), []).append(sight.texture(_loaded(paths, _called(style), digests)))
        self._looks = style_looks({style: np.concatenate(rows) for style, rows in textures.items()})
        drawn = hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
        self.settings: Mapping[str, object] = {"vae": sight.sha256, "controls": drawn}
        self.key = measure_key(self.name, self.version, **self.settings)

    def score(self, pictures: Sequence[Image.Image], context: MeasureContext) -> list[Score]:
        """See `PictureMeasure.score`."""
        style = _called(context.style)
        if not style:
            return [Score(None, PHOTOGRAPH)] * len(pictures)
        if style not in self._looks.means:
            return [Score(None, "the base has no two pictures of this style")] * len(pictures)
        margins = self._looks.margins(self._sight.texture(pictures), style)
        return [Score(float(value)) for value in np.clip((1 + margins) / 2, 0, 1)]


def is_photo_style(style: str) -> bool:
    """Whether a style's name or prompt asks for a photograph."""
    family = family_of(style)
    return family is not None and family.name == "photo"


def _called(style: str) -> str:
    """A style's name here; "" for all that ask for a photograph."""
    return "" if is_photo_style(style) else style


def _loaded(paths: Iterable[Path], style: str, digests: list[str]) -> Iterator[Image.Image]:
    """Each picture; which they were is added to `digests`."""
    for path in paths:
        image = load_rgb(path)
        digests.append(f"{style} {pixel_digest(image)}")
        yield image
