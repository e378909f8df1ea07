"""The X/Y/Z plot's keys of an infotext: which axes, which values.

Values are read as `scripts/xyz_grid.py` reads them (82a973c): CSV, then the ranges "1-5", "1-5 (+2)" and "1-10 [4]" on
axes of numbers, its surprises included ("5-1 (-1)" is 5, 4, 3 and "1-2 (+0.4)" ends at 2.2).
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ohwx_compare.core.infotext.pairs import Infotext, Pair, read_real, read_whole
from ohwx_compare.core.infotext.sampler_names import Version, read_version
from ohwx_compare.errors import InfotextError
from ohwx_compare.words import counted

__all__ = ["SCRIPT", "Xyz", "XyzAxis", "from_csv", "is_plot", "limit", "numbers", "to_csv", "with_xyz", "xyz"]

SCRIPT = "X/Y/Z plot"

_SEEDS = ("Seed", "Var. seed")
_WHOLE = frozenset({
    "Clip skip", "Hires steps", "Seed", "Steps", "UniPC Order", "Var. seed",
    "[ADetailer] Inpaint only masked padding 1st", "[ADetailer] Mask erosion / dilation 1st",
})  # fmt: skip
_REAL = frozenset({
    "Beta schedule alpha", "Beta schedule beta", "CFG Scale", "Cond. Image Mask Weight", "Denoising", "Eta",
    "Extra noise", "Image CFG Scale", "Initial noise multiplier", "Negative Guidance minimum sigma",
    "Refiner switch at", "Schedule max sigma", "Schedule min sigma", "Schedule rho", "Sigma Churn", "Sigma max",
    "Sigma min", "Sigma noise", "Token merging ratio", "Token merging ratio high-res", "Var. strength",
    "[ADetailer] CFG scale 1st", "[ADetailer] Inpaint denoising strength 1st",
    "[ADetailer] noise multiplier 1st",
})  # fmt: skip
_PATHS = frozenset({"Checkpoint name", "Refiner checkpoint", "VAE"})
_MOST_VALUES = 10_000
_SPACES_SINCE = (1, 10)  # before, a quote had to follow its comma at once


@dataclass(frozen=True)
class XyzAxis:
    """One axis: the script's own name for it, and its values as int, float or text.

    A checkpoint keeps the name the webui gave it, folders and " [hash]" included. "Prompt order" lists its parts; the
    webui draws all their permutations.
    """

    type: str
    values: tuple[int | float | str, ...]


@dataclass(frozen=True)
class Xyz:
    """The axes of one plot; None where the script said Nothing."""

    x: XyzAxis | None = None
    y: XyzAxis | None = None
    z: XyzAxis | None = None

    @property
    def axes(self) -> tuple[XyzAxis, ...]:
        """The axes in use, X first."""
        return tuple(axis for axis in (self.x, self.y, self.z) if axis)


def is_plot(infotext: Infotext) -> bool:
    """Whether its script is the X/Y/Z plot, which forge-classic alone spells "X/Y/Z Plot"."""
    is_classic = (infotext.get("Version") or "").strip() == "classic"
    return infotext.get("Script") in ((SCRIPT, "X/Y/Z Plot") if is_classic else (SCRIPT,))


def xyz(infotext: Infotext) -> Xyz | None:
    """The plot whose grid `infotext` belongs to, None without one. Raises InfotextError for values the webui refuses.

    For seeds the fixed ones count where the text has them, so that -1 becomes the seed that was used.
    """
    if not is_plot(infotext):
        return None
    return Xyz(*(_read_axis(infotext, letter) for letter in "XYZ"))


def with_xyz(infotext: Infotext, plot: Xyz) -> Infotext:
    """`infotext` with the keys of `plot`, so that the webui's X/Y/Z script can take them up."""
    infotext = infotext.with_value("Script", SCRIPT)
    for letter, axis in zip("XYZ", (plot.x, plot.y, plot.z), strict=True):
        if axis is None:
            continue
        texts = [_plain(value) for value in axis.values]
        infotext = infotext.with_value(f"{letter} Type", axis.type).with_value(f"{letter} Values", to_csv(texts))
        if axis.type in _SEEDS:
            infotext = infotext.with_value(f"Fixed {letter} Values", ", ".join(texts))
    return infotext


def _read_axis(infotext: Infotext, letter: str) -> XyzAxis | None:
    kind = infotext.get(f"{letter} Type")
    if kind is None or kind == "Nothing":
        return None
    fixed = infotext.get(f"Fixed {letter} Values") if kind in _SEEDS else None
    if fixed is not None:
        return XyzAxis(kind, tuple(read_whole(text, kind) for text in fixed.split(",") if text.strip()))
    values = next(
        (pair for pair in reversed(infotext.pairs) if pair.key == f"{letter} Values"), Pair(f"{letter} Values", "")
    )
    texts = from_csv(_path_text(values) if kind in _PATHS else values.value, read_version(infotext.get("Version")))
    if kind in _WHOLE:
        return XyzAxis(kind, numbers(texts, kind, whole=True))
    if kind in _REAL:
        return XyzAxis(kind, numbers(texts, kind, whole=False))
    return XyzAxis(kind, tuple(text for text in texts if text) if kind in _PATHS else texts)


def _path_text(pair: Pair) -> str:
    """A value that holds paths. The webui writes a JSON string; one that lost its escapes is none, or has a tab."""
    raw = (pair.raw or "").strip()
    if "\t" in pair.value or "\b" in pair.value or "\f" in pair.value or "\r" in pair.value:  # no path has them
        return re.sub(r'\\(["\\])', r"\1", raw[1:-1])
    return pair.value


def from_csv(text: str, version: Version | None = None) -> tuple[str, ...]:
    """The values of a comma-separated text, "" too. Raises InfotextError for one that is not."""
    modern = version is None or version >= _SPACES_SINCE
    try:
        rows = list(csv.reader(io.StringIO(text), skipinitialspace=modern))
    except csv.Error as error:
        raise InfotextError(f"The X/Y/Z values {text[:80]!r} are not a comma-separated list: {error}.") from error
    return tuple(value.strip() for row in rows for value in row)


def to_csv(texts: Iterable[str]) -> str:
    """Texts as one comma-separated line; `from_csv` gives them back, but for whitespace around them.

    Before Python 3.11 the csv module refuses NUL, which is left out there.
    """
    out, texts = io.StringIO(), list(texts)
    try:
        csv.writer(out).writerow(texts)
    except csv.Error:
        csv.writer(out).writerow(text.replace("\0", "") for text in texts)
    return out.getvalue().strip()


def _plain(value: float | str) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# Between two numbers blanks may be matched in one way only: else many of them cost their square.
_INT, _FLOAT = r"(?:[+-]\s*)?\d+", r"(?:[+-]\s*)?\d+(?:\.\d*)?"


def _range_pattern(number: str, sized: str) -> re.Pattern[str]:
    step, count = rf"\(\s*([+-]{sized})\s*\)", r"\[\s*(\d+)\s*\]"
    return re.compile(rf"\s*({number})\s*-\s*({number})\s*(?:(?:{step}|{count})\s*)?")


_WHOLE_RANGE = _range_pattern(_INT, r"\d+")
_REAL_RANGE = _range_pattern(_FLOAT, r"\d+(?:\.\d*)?")


def numbers(texts: Iterable[str], kind: str, *, whole: bool) -> tuple[int | float, ...]:
    """The numbers of texts, ranges written out. Raises InfotextError naming `kind`."""
    values: list[int | float] = []
    read = read_whole if whole else read_real
    for text in filter(None, texts):
        found = (_WHOLE_RANGE if whole else _REAL_RANGE).fullmatch(text)
        if not found:
            values.append(read(text, kind))
            continue
        start, end = read(found[1], kind), read(found[2], kind)
        try:
            if found[4] is not None:
                spread = _spread(start, end, read_whole(found[4], kind))
                values += (int(value) for value in spread) if whole else spread
            else:
                step = read(found[3] or "1", kind)
                values += _steps(start, end, step, end + (1 if whole else step))
        except OverflowError as error:
            raise InfotextError(f"The X/Y/Z range {text[:40]!r} is too large; give smaller numbers.") from error
        limit(len(values))
    return tuple(values)


def _spread(start: float, end: float, count: int) -> Iterator[float]:
    """`count` values evenly from start to end, both ends included, as numpy's linspace."""
    limit(count)
    width = (end - start) / (count - 1) if count > 1 else 0.0
    return (end if 0 < i == count - 1 else start + i * width for i in range(count))


def _steps(start: float, end: float, step: float, stop: float) -> Iterator[float]:
    """Values from start in steps, below stop, as range and numpy's arange."""
    if step == 0:
        raise InfotextError(f"The X/Y/Z range {start}-{end} has a step of 0; give another step.")
    whole = isinstance(step, int)
    count = max(0, int(-((start - stop) // step)) if whole else math.ceil((stop - start) / step))
    limit(count)
    step = step if whole else (start + step) - start  # arange's own rounding
    return (start + i * step for i in range(count))


def limit(count: int) -> None:
    """Raise InfotextError for more values than an axis may have."""
    if count > _MOST_VALUES:
        raise InfotextError(
            f"An X/Y/Z range has {counted(count, 'value')}, expected at most {_MOST_VALUES}; give a larger step."
        )
