"""A chart of one measure as SVG: both arms over exposures with their intervals, beside levels to judge them by."""

from collections.abc import Mapping, Sequence
from html import escape

from ohwx_compare.demo.answer import Point

__all__ = ["chart"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT, _RIGHT = 340, 190, 26, 8, 30, 8  # user units
_ASIDE = 2.5  # how far the arms' marks stand apart, so that their intervals do not cover each other


def chart(name: str, title: str, arms: Mapping[str, Sequence[Point]], levels: Mapping[str, float]) -> str:
    """The measure `name` of every point, 0 to 1 upwards, and up to three named `levels`, as SVG."""
    most = max(point.trained.exposures for points in arms.values() for point in points)

    def x(exposures: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * exposures / most

    parts = [_line(x(0), y, x(most), y, "grid") + _text(_LEFT - 5, y + 4, f"{share:g}", "end")
             for share in (0, 0.5, 1) for y in [_y(share)]]  # fmt: skip
    parts += [_text(x(e), _HEIGHT - _FOOT + 15, str(e), "middle") for e in sorted({0, *_exposures(arms)})]
    parts.append(_text(x(most), _HEIGHT - 2, "exposures of each training image", "end"))
    places = zip(("start", "middle", "end"), (x(0), x(most / 2), x(most)), levels.items(), strict=False)
    for anchor, at, (words, level) in places:  # side by side, should levels be close to each other
        parts += [_line(x(0), _y(level), x(most), _y(level), "level"), _text(at, _y(level) - 3, words, anchor)]
    for side, (arm, points) in zip((-1, 1), arms.items(), strict=True):
        estimates = [(x(p.trained.exposures) + side * _ASIDE, p.values[name]) for p in points]
        path = " ".join(f"{at:.1f},{_y(estimate.value):.1f}" for at, estimate in estimates)
        marks = [_line(at, _y(each.low), at, _y(each.high), "interval") + _mark(at, _y(each.value), side)
                 for at, each in estimates]  # fmt: skip
        parts.append(f'<g class="{arm}"><polyline class="arm" points="{path}"/>{"".join(marks)}</g>')
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _exposures(arms: Mapping[str, Sequence[Point]]) -> set[int]:
    return {point.trained.exposures for points in arms.values() for point in points}


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _FOOT) * (1 - share)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _mark(x: float, y: float, side: int) -> str:
    if side < 0:
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return f'<rect class="mark" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
