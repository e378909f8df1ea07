"""The report's charts as SVG that takes its colours from the page: likeness against style, and each style by itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ohwx_compare.judge.effects import Effect
from ohwx_compare.judge.run.comparing import MeasureComparison
from ohwx_compare.judge.run.judgement import Judgement, RunPoint
from ohwx_compare.judge.run.table import MeasureTable
from ohwx_compare.judge.words import rounded

__all__ = ["Mark", "forest", "level_chart", "scatter", "short_styles"]

_WIDTH, _HEIGHT, _LEFT, _FOOT, _EDGE = 560, 360, 44, 40, 14  # user units
_ROW, _NAMES, _PANEL, _GAP = 22, 150, 170, 30
_SIDES = 4  # kinds of marks and colours; further trainings repeat them


@dataclass(frozen=True)
class Mark:
    """A checkpoint in a chart."""

    point: RunPoint
    side: int  # which recipe, from 0; -1 is the base


@dataclass(frozen=True)
class _Axis:
    """A scale from values to user units."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

    def steps(self) -> Iterator[float]:
        """Round values along it, about five."""
        rough = (self.high - self.low) / 5
        size = 10 ** np.floor(np.log10(rough))
        step = float(size * min(each for each in (1, 2, 5, 10) if each * size >= rough))
        yield from np.arange(np.ceil(self.low / step), np.floor(self.high / step) + 1) * step + 0.0  # no -0


def scatter(found: Judgement, marks: Sequence[Mark], across: str, up: str) -> str:
    """One measure against another: each checkpoint with both 95 % intervals, trainings joined by exposures."""
    told = [each for each in marks if each.point.levels.get(across) and each.point.levels.get(up)]
    x = _spanned([_level(each, across) for each in told], _LEFT, _WIDTH - _EDGE)
    y = _spanned([_level(each, up) for each in told], _HEIGHT - _FOOT, _EDGE)
    parts = [*_grid(x, y), *_joined(told, lambda e: (x.at(_level(e, across).value), y.at(_level(e, up).value)))]
    for each in told:
        a, b = _level(each, across), _level(each, up)
        here = x.at(a.value), y.at(b.value)
        cross = _line(x.at(a.low), here[1], x.at(a.high), here[1], "interval")
        cross += _line(here[0], y.at(b.low), here[0], y.at(b.high), "interval")
        said = f"{each.point.label}: {_said(a, across)}, {_said(b, up)}"
        parts.append(_marked(each, here, cross, said))
    words = found.tables
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, words[across].scored.measure.words.title, "middle"))
    parts.append(f'<g transform="translate(11 {_HEIGHT / 2:.0f}) rotate(-90)">'
                 f"{_text(0, 0, words[up].scored.measure.words.title, 'middle')}</g>")  # fmt: skip
    return _svg(_WIDTH, _HEIGHT, f"{up} against {across}", parts)


def level_chart(found: Judgement, marks: Sequence[Mark], measure: str) -> str:
    """One measure over the exposures, for a run that has no other to hold it against."""
    told = [each for each in marks if each.point.levels.get(measure) and each.point.save]
    x = _Axis(0.0, max([*map(_number, told), 1.0]), _LEFT, _WIDTH - _EDGE)
    y = _spanned([_level(each, measure) for each in told], _HEIGHT - _FOOT, _EDGE)
    parts = [*_grid(x, y), *_joined(told, lambda e: (x.at(_number(e)), y.at(_level(e, measure).value)))]
    for each in told:
        level, at = _level(each, measure), x.at(_number(each))
        interval = _line(at, y.at(level.low), at, y.at(level.high), "interval")
        parts.append(_marked(each, (at, y.at(level.value)), interval, f"{each.point.label}: {_said(level, measure)}"))
    units = {each.point.save.unit for each in told if each.point.save}
    unit = f"{units.pop() or 'save'}s" if len(units) == 1 else ""
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, unit, "middle"))
    return _svg(_WIDTH, _HEIGHT, found.tables[measure].scored.measure.words.title, parts)


def forest(found: Judgement, compared: MeasureComparison, sides: Sequence[Sequence[str]]) -> str:
    """A row for each style: floor, ceiling and both sides' mean distance; beside it the style's own effect.

    sides: the checkpoints of the first and of the second side. Without distances the levels stand in their place.
    """
    table = found.tables[compared.name]
    names = short_styles(table.styles)
    height = _ROW * (len(names) + 2) + 8
    effects = [each.effect for each in compared.styles if each.effect]
    reach = max([0.1, *(max(abs(each.low), abs(each.high)) for each in effects)])
    right = _Axis(-min(reach, 1.0), min(reach, 1.0), _NAMES + _PANEL + _GAP, _NAMES + 2 * _PANEL + _GAP)
    left = _levels_axis(table, sides)
    parts = [
        _text(_NAMES, _ROW - 8, "nearer to the person ←" if table.scales else "level", "start"),
        _text(right.at(0), _ROW - 8, "less ← effect → more", "middle"),
        _line(right.at(0), _ROW, right.at(0), height - _ROW, "zero"),
        f'<rect class="band" x="{right.at(-found.band):.1f}" y="{_ROW}" '
        f'width="{right.at(found.band) - right.at(-found.band):.1f}" height="{height - 2 * _ROW}"/>',
    ]
    for row, (style, own) in enumerate(zip(table.styles, compared.styles, strict=True)):
        y = _ROW * (row + 1.5)
        parts.append(_text(_NAMES - 8, y + 4, names[row], "end"))
        parts += _levels(table, style, sides, left, y)
        if own.effect:
            kind = "found" if own.is_found else "effect"
            parts.append(_line(right.at(own.effect.low), y, right.at(own.effect.high), y, f"interval {kind}"))
            parts.append(f'<circle class="mark {kind}" cx="{right.at(own.effect.value):.1f}" cy="{y:.1f}" r="3.5">'
                         f"<title>{escape(_said(own.effect, style))}</title></circle>")  # fmt: skip
        else:
            parts.append(_text(right.at(0), y + 4, "refused" if style in table.refused else "too few", "middle"))
    for value in right.steps():
        parts.append(_text(right.at(value), height - 6, rounded(value, "{:+.2g}"), "middle"))
    return _svg(_NAMES + 2 * _PANEL + _GAP + 20, height, f"{compared.name} by style", parts)


def short_styles(styles: Sequence[str]) -> list[str]:
    """Styles without the words that all of them begin and end with, and not longer than fits."""
    split = [style.split() for style in styles]
    shortest = min(map(len, split), default=0)
    first = last = 0
    while len(styles) > 1 and first < shortest - 1 and len({words[first] for words in split}) == 1:
        first += 1
    while len(styles) > 1 and first + last < shortest - 1 and len({words[-1 - last] for words in split}) == 1:
        last += 1
    short = [" ".join(words[first : len(words) - last]).strip(",. ") for words in split]
    return [name if len(name) <= 24 else f"{name[:23]}…" for name in short]


def _level(mark: Mark, measure: str) -> Effect:
    level = mark.point.levels[measure]
    assert level is not None
    return level


def _number(mark: Mark) -> float:
    """Exposures, epochs or steps; 0 of the base."""
    return mark.point.save.number if mark.point.save else 0.0


def _said(effect: Effect, name: str) -> str:
    value, low, high = (rounded(each, "{:.2f}") for each in (effect.value, effect.low, effect.high))
    return f"{name} {value} ({low} to {high})"


def _spanned(effects: Sequence[Effect], start: float, end: float) -> _Axis:
    """From 0 to 1, wider where values lie outside."""
    low = min([0.0, *(each.low for each in effects)])
    high = max([1.0, *(each.high for each in effects)])
    return _Axis(max(low, -1.0), min(high, 2.0), start, end)


def _grid(x: _Axis, y: _Axis) -> Iterator[str]:
    for value in y.steps():
        yield _line(x.start, y.at(value), x.end, y.at(value), "grid")
        yield _text(x.start - 6, y.at(value) + 4, f"{value:.3g}", "end")
    for value in x.steps():
        yield _line(x.at(value), y.start, x.at(value), y.end, "grid")
        yield _text(x.at(value), y.start + 16, f"{value:.3g}", "middle")


def _joined(marks: Sequence[Mark], place: Callable[[Mark], tuple[float, float]]) -> Iterator[str]:
    """A line through the saves of each training."""
    by_training: dict[tuple[int, str], list[Mark]] = {}
    for each in marks:
        if each.point.save:
            by_training.setdefault((each.side, each.point.save.training), []).append(each)
    for (side, _), own in by_training.items():
        own.sort(key=_number)
        points = " ".join("{:.1f},{:.1f}".format(*place(each)) for each in own)
        yield f'<polyline class="course side-{side % _SIDES}" points="{points}"/>'


def _marked(mark: Mark, at: tuple[float, float], beside: str, said: str) -> str:
    x, y = at
    save = mark.point.save
    side = f"side-{mark.side % _SIDES}" if save else "base"
    shape = {
        0: f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="5"/>',
        1: f'<rect class="mark" x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"/>',
    }.get(mark.side, f'<path class="mark" d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"/>')
    number = "base" if save is None else f"{save.number:g}" if save.unit else ""
    name = f' data-checkpoint="{escape(mark.point.name)}"' if save else ""
    drawn = f"{beside}{shape}{_text(x + 8, y - 7, number, 'start')}"
    return f'<g class="{side}"{name}>{drawn}<title>{escape(said)}</title></g>'


def _levels_axis(table: MeasureTable, sides: Sequence[Sequence[str]]) -> _Axis:
    if not table.scales:
        return _Axis(0.0, 1.0, _NAMES, _NAMES + _PANEL)
    ends = [each for scale in table.scales.values() if not scale.refusal for each in (scale.floor, scale.ceiling)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = (high - low) / 8 or 0.1
    return _Axis(low - margin, high + margin, _NAMES, _NAMES + _PANEL)


def _levels(table: MeasureTable, style: str, sides: Sequence[Sequence[str]], axis: _Axis, y: float) -> Iterator[str]:
    scale = table.scales.get(style)
    if scale and not np.isnan([scale.floor, scale.ceiling]).any():
        kind = "scale refused" if scale.refusal else "scale"
        yield _line(axis.at(scale.ceiling), y, axis.at(scale.floor), y, kind)
        yield _line(axis.at(scale.ceiling), y - 6, axis.at(scale.ceiling), y + 6, "ceiling")
        yield _line(axis.at(scale.floor), y - 6, axis.at(scale.floor), y + 6, "floor")
    for side, checkpoints in enumerate(sides):
        level = _mean(table, style, checkpoints)
        if not np.isnan(level):
            x = axis.at(level)
            shape = (f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' if side == 0 else
                     f'<rect class="mark" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>')  # fmt: skip
            yield f'<g class="side-{side}">{shape}</g>'


def _mean(table: MeasureTable, style: str, checkpoints: Sequence[str]) -> float:
    """Mean raw score of the last pictures of a style: a distance where the measure is one of distances."""
    own = ((each, score.value) for each, score in table.scored.scores.items() if each.checkpoint in checkpoints)
    values = [value for each, value in own if each.style == style and each.is_last and value is not None]
    return float(np.mean(values)) if values else float("nan")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
