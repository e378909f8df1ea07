"""The report as a page, `judge.html`, and as Markdown, `judge.md`, in the folder that was judged.

The page is made like a run's: style, script and data inlined, pictures linked relatively, and a content security policy
that lets nothing else run. It needs no script to be read; the slider and the nine pictures do.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from os.path import relpath
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.judge.effects import Effect
from ohwx_compare.judge.measure import LIKENESS, STYLE_KEPT
from ohwx_compare.judge.run.judgement import Judged, Judgement, RunPoint
from ohwx_compare.judge.run.pictures import JudgedPicture
from ohwx_compare.judge.run.table import MeasureTable
from ohwx_compare.judge.words import chance, rounded, scope, spanned
from ohwx_compare.look.report.charts import Mark, forest, level_chart, scatter
from ohwx_compare.look.report.look_at import to_look_at
from ohwx_compare.look.report.numbers import checkpoint_hashes, judgement_json, shown_settings
from ohwx_compare.look.report.sentences import Said, kept_words, opening
from ohwx_compare.look.templating import asset, filled, source_hash

__all__ = ["render_judgement", "write_judgement"]

_MOST = 360  # pictures that nine are chosen from
_ENDS = 27  # pictures from either end of each measure: three times nine


def write_judgement(found: Judgement, markdown: str) -> tuple[Path, Path]:
    """Write both, each whole or not at all, and return their paths. Raises LedgerError where they cannot be written."""
    written = found.run.folder / "judge.md", found.run.folder / "judge.html"
    for path, text in zip(written, (markdown, render_judgement(found)), strict=True):
        try:
            write_text(path, text)
        except OSError as error:
            raise LedgerError(
                f"{path} cannot be written: {error.strerror or error}. Free some space, or close the file."
            ) from error
    return written


def render_judgement(found: Judgement) -> str:
    """The page."""
    style, script, said = (
        asset("palette.css") + asset("judge.css"),
        f'"use strict";\n{asset("judge.js")}',
        Said.of(found),
    )
    parts = {
        "STYLE_HASH": source_hash(style),
        "SCRIPT_HASH": source_hash(script),
        "STYLE": style,
        "SCRIPT": script,
        "FOLDER": escape(found.run.folder.resolve().name),
        "HEADLINES": "".join(f"<h1>{escape(each)}</h1>" for each in said.headlines),
        "KEPT": escape(said.kept),
        "CHART": _chart(found),
        "KEY": "".join(_key(found)),
        "FINDINGS": _items(said.findings),
        "CONTRASTS": _contrasts(found),
        "STYLES": "".join(_styles(found)),
        "CHECKPOINTS": _checkpoints(found),
        "BESIDE": _items(said.beside),
        "LOOK_AT": _look_at(found),
        "MISSING": _items(said.missing or ("Nothing.",)),
        "LIMITS": _items(said.limits),
        "MEASURES": _measures(found),
        "DATA": json.dumps(_data(found), separators=(",", ":")).replace("<", "\\u003c"),
    }
    return filled(asset("judge.html"), parts)


def _marks(found: Judgement) -> list[Mark]:
    side = {save.checkpoint: i for i, group in enumerate(found.trained.groups) for save in group.saves}
    return [Mark(point, side.get(point.name, -1)) for point in found.points]


def _chart(found: Judgement) -> str:
    marks = _marks(found)
    if {LIKENESS, STYLE_KEPT} <= found.tables.keys():
        return scatter(found, marks, LIKENESS, STYLE_KEPT)
    return level_chart(found, marks, next(iter(found.tables))) if found.tables else ""


def _key(found: Judgement) -> Iterator[str]:
    for side, group in enumerate(found.trained.groups):
        yield f'<span class="side-{side % 4}">{"●■◆◆"[side % 4]} {escape(group.name)}</span>'
    yield "<span>Outlined: to keep. Lines are 95 % intervals.</span>"


def _contrasts(found: Judgement) -> str:
    rows = [
        (escape(opening(judged.comparison)), escape(each.name), escape(contrast.name), _effect(contrast.effect),
         scope(contrast.effect), chance(contrast.effect.p), chance(contrast.p))
        for judged in found.judged for each in judged.measures for contrast in each.contrasts
    ]  # fmt: skip
    return _table(("comparison", "measure", "contrast", "effect", "", "by itself", "by Holm"), rows) if rows else ""


def _styles(found: Judgement) -> Iterator[str]:
    """A forest for each comparison and measure."""
    for judged in found.judged:
        sides = [[save.checkpoint for training in side for save in training] for side in _sides(judged)]
        for each in judged.measures:
            if each.clause:
                title = f"{each.name.capitalize()} by style: {opening(judged.comparison)}"
                yield f"<section><h2>{escape(title)}</h2><figure>{forest(found, each, sides)}</figure>"
                yield f'<p class="key">{_forest_key(found, judged, each.name)}</p></section>'


def _sides(judged: Judged) -> tuple[Any, Any]:
    return judged.comparison.pairs.first, judged.comparison.pairs.second


def _forest_key(found: Judgement, judged: Judged, measure: str) -> str:
    comparison = judged.comparison
    first = f'<span class="side-0">● {escape(comparison.first)}</span>'
    second = f'<span class="side-1">■ {escape(comparison.second)}</span>'
    ends = "<span>Bar: from the photographs (ceiling) to the base's own man (floor).</span>"
    return first + second + (ends if found.tables[measure].scales else "")


def _checkpoints(found: Judgement) -> str:
    names = list(found.tables)
    heads = ("checkpoint", "training", "shown", *names, "no face", "copies", "made worse", "seams", "wrong faces")
    return _table(heads, [_checkpoint(found, point, names) for point in found.points])


def _checkpoint(found: Judgement, point: RunPoint, names: Sequence[str]) -> tuple[str, ...]:
    save, counts = point.save, point.counts
    is_base = point.name in found.trained.bases
    shown = f"{save.number:g} {save.unit}s" if save and save.unit else ""
    levels = (_effect(level, "{:.2f}") if (level := point.levels.get(name)) else "" for name in names)
    faces = f"{counts.no_face.value:.0%}" if counts and counts.no_face else ""
    copies, worse = (str(n) if n else "" for n in ((counts.copies, counts.worse) if counts else (0, 0)))
    passed = point.passed
    seams, wrong = (str(len(own)) if own else "" for own in ((passed.seams, passed.wrong) if passed else ((), ())))
    training = "base" if is_base else save.training if save else ""
    short = (checkpoint_hashes(found)[point.name] or "")[:10]
    label = f'{escape(point.label)}<span class="n"><code>{escape(short)}</code></span>'
    return label, escape(training), shown, *levels, faces, copies, worse, seams, wrong


def _look_at(found: Judgement) -> str:
    """Links to single pictures, a part of the page that is folded up."""
    links = [f'<a href="{_link(found, each.path)}">{escape(why)}</a>' for each, why in to_look_at(found)]
    if not links:
        return ""
    items = "".join(f"<li>{link}</li>" for link in links)
    return f'<details><summary>Pictures to look at: {len(links):,}</summary><ul class="said">{items}</ul></details>'


def _measures(found: Judgement) -> str:
    rows = []
    for one in judgement_json(found)["measures"]:
        weights = f"<code>{one['sha256'][:16]}</code>" if one["sha256"] else "none"
        outcomes = ", ".join(f"{count:,} {escape(outcome)}" for outcome, count in one["outcomes"].items())
        settings = escape(shown_settings(one["settings"]))
        rows.append((escape(one["title"]), str(one["version"]), weights, escape(one["licence"]), outcomes, settings))
    return _table(("measure", "version", "weights", "licence", "pictures", "settings"), rows)


def _effect(effect: Effect, form: str = "{:+.2f}") -> str:
    value, low, high = spanned(effect, form)
    interval = "all alike" if effect.is_even else f"{low} to {high}"
    clear = ' class="clear"' if effect.is_clear and "+" in form else ""
    return f'<span{clear}>{value}</span><span class="n">{interval}</span>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _data(found: Judgement) -> dict[str, Any]:
    even = found.kept.index(found.keep) if found.keep else 0
    last = [each for each in found.run.pictures if each.is_last and each.checkpoint not in found.trained.bases]
    chosen = Random("nine pictures").sample(last, min(_MOST, len(last)))
    ends = [picture for table in found.tables.values() for picture in _ends(table, last)]
    return {
        "measures": list(found.tables),
        "drawn": len(chosen),
        "kept": [
            {"sentence": kept_words(each, found), "keep": [s.checkpoint for s in each.saves]} for each in found.kept
        ],
        "even": even,
        "pictures": [_picture(found, each) for each in dict.fromkeys([*chosen, *ends])],
    }


def _ends(table: MeasureTable, pictures: Iterable[JudgedPicture]) -> list[JudgedPicture]:
    """The pictures with the least and the most of a measure."""
    told = sorted((each for each in pictures if table.value(each) == table.value(each)), key=table.value)
    return [*told[:_ENDS], *told[-_ENDS:]]


def _picture(found: Judgement, picture: JudgedPicture) -> dict[str, Any]:
    label = next(column.label for column in found.run.columns if column.name == picture.checkpoint)
    values = [table.value(picture) for table in found.tables.values()]
    told = [
        f"{name} {rounded(value, '{:.2f}')}" for name, value in zip(found.tables, values, strict=True) if value == value
    ]
    words = " · ".join([label, picture.style, f"seed {picture.seed}", *told])
    image = _link(found, picture.path)
    thumb = _link(found, picture.thumb) if picture.thumb else image
    return {
        "image": image,
        "thumb": thumb,
        "words": words,
        "values": [value if value == value else None for value in values],
    }


def _link(found: Judgement, path: Path) -> str:
    return quote(Path(relpath(path, found.run.folder)).as_posix())
