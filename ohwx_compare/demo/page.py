"""The answer as one `index.html` beside the run folders: words, numbers, pictures.

It opens from disk and has no script.
"""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from ohwx_compare.demo.answer import MEASURES, Answer
from ohwx_compare.demo.chart import chart
from ohwx_compare.demo.readings import FaceRead, PictureRead, Readings
from ohwx_compare.demo.sizes import ARMS, CLASS_PROMPT, PICTURE_SIDE, SMALL_SIDE, Trained, subject_prompt
from ohwx_compare.demo.words import findings, headline, limits, name_of, sentences
from ohwx_compare.files.atomic import write_text
from ohwx_compare.judge.effects import Effect
from ohwx_compare.judge.factorial import Contrast
from ohwx_compare.judge.many import Screened
from ohwx_compare.judge.matching import LEAST_PAIRS, StyleMatch
from ohwx_compare.judge.words import chance, scope, signed, spanned
from ohwx_compare.look.templating import asset, filled, source_hash

__all__ = ["write_answer"]

_PAIRS = 12  # faces shown before and after


def write_answer(folder: Path, found: Answer, readings: Readings) -> Path:
    """Write `index.html` into the demo's folder, whole or not at all, and return it. Raises OSError."""
    style = asset("palette.css") + _part("style.css")
    parts = {
        "STYLE_HASH": source_hash(style),
        "STYLE": style,
        "HEADLINE": escape(headline(found)),
        "SENTENCES": _items(chain(findings(found), sentences(found))),
        "MEASURES": "".join(_measures(found)),
        "STYLES": _styles(found),
        "CONTRASTS": _contrasts(found),
        "SEED": str(readings.subject[0].seed),
        "PICTURES": _pictures(readings),
        "FACES": _faces(found, readings),
        "LIMITS": _items(limits(found)),
    }
    path = folder / "index.html"
    write_text(path, filled(_part("index.html"), parts))
    return path


def _part(name: str) -> str:
    return (files("ohwx_compare.demo") / "assets" / name).read_text(encoding="utf-8")


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _measures(found: Answer) -> Iterator[str]:
    true = {"true pictures of him": found.reader.subject.value, "of other men": found.reader.others.value}
    levels = {"likeness": true, "style": {}, "drift": true}
    for name, measure in MEASURES.items():
        base = {"base": found.base.values[name].value}
        drawn = chart(name, measure.title, found.arms, levels[name] | base)
        yield f"<figure><figcaption>{escape(measure.title)}</figcaption>{drawn}{_numbers(found, name)}</figure>"


def _numbers(found: Answer, name: str) -> str:
    form, nothing = "{:.0%}" if MEASURES[name].is_share else "{:.2f}", "<td></td>"
    rows = [_row("base", _number(found.base.values[name], form), nothing, nothing)]
    for points in zip(*(found.arms[arm] for arm in ARMS), strict=True):
        exposures = points[0].trained.exposures
        numbers = (_number(point.values[name], form) for point in points)
        rows.append(_row(str(exposures), *numbers, _difference(found.differences[name].at[exposures])))
    rows.append(_row("all", nothing, nothing, _difference(found.differences[name].pooled)))
    return _table(("exposures", "without", "with", "difference"), rows)


def _row(head: str, *cells: str) -> str:
    return f"<tr><th>{head}</th>{''.join(cells)}</tr>"


def _number(effect: Effect, form: str) -> str:
    return f"<td>{_with_interval(effect, form)}</td>"


def _difference(difference: Effect | None, is_clear: bool | None = None) -> str:
    if difference is None:
        return "<td>too few</td>"
    kind = ' class="clear"' if (difference.is_clear if is_clear is None else is_clear) else ""
    return f"<td{kind}>{_with_interval(difference, '{:+.2f}')}</td>"


def _with_interval(effect: Effect, form: str) -> str:
    value, low, high = spanned(effect, form)
    interval = "all alike" if effect.is_even else f"{low} to {high}"
    return f'{value}<span class="n">{interval}</span><span class="n">n {effect.n}</span>'


def _styles(found: Answer) -> str:
    """Likeness style by style, raw and matched."""
    both = found.matched
    rows = [*map(_style, both.styles, found.screened)]
    rows.append(_row("all", _difference(both.raw), _difference(both.matched), f"<td>{both.pairs}</td>"))
    heads = ("style", "all pairs", "both kept the style", "such pairs")
    return _table(heads, rows)


def _style(style: StyleMatch, screened: Screened | None) -> str:
    is_found = bool(screened and screened.is_found)
    pairs = f"{style.pairs}" + (f", fewer than {LEAST_PAIRS}" if style.pairs < LEAST_PAIRS else "")
    return _row(style.style, _difference(style.raw, is_found), _difference(style.matched, False), f"<td>{pairs}</td>")


def _contrasts(found: Answer) -> str:
    rows = [
        _row(escape(MEASURES[name].title) if place == 0 else "", f"<td>{contrast.name}</td>", *_contrast(contrast))
        for name, difference in found.differences.items()
        for place, contrast in enumerate(difference.contrasts)
    ]
    return _table(("measure", "contrast", "effect", "", "by itself", "by Holm"), rows)


def _contrast(contrast: Contrast) -> tuple[str, ...]:
    effect = contrast.effect
    told = (scope(effect), chance(effect.p), chance(contrast.p))
    return _difference(effect, contrast.p <= 0.05), *(f"<td>{each}</td>" for each in told)


def _table(heads: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    return f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _pictures(readings: Readings) -> str:
    """A band a prompt: the base, then each arm's saves in a row, with the first seed."""
    bands = {
        subject_prompt(style): [p for p in readings.subject if p.style == style]
        for style in dict.fromkeys(p.style for p in readings.subject)
    }
    exposures = sorted({p.trained.exposures for p in readings.subject if p.trained.arm})
    body = []
    for prompt, shown in (bands | {CLASS_PROMPT: list(readings.drift)}).items():
        at = {p.trained: p for p in shown if p.seed == shown[0].seed}
        body.append(f'<tr><th class="band" colspan="{2 + len(exposures)}">{escape(prompt)}</th></tr>')
        base = f'<td rowspan="{len(ARMS)}">{_picture(_of(at, None, 0))}</td>'
        for arm in ARMS:
            cells = "".join(f"<td>{_picture(_of(at, arm, each))}</td>" for each in exposures)
            body.append(f'<tr><th class="{arm}">{name_of(arm)}</th>{base}{cells}</tr>')
            base = ""
    heads = "".join(f"<th>{each}</th>" for each in exposures)
    head = f"<thead><tr><th>exposures</th><th>base</th>{heads}</tr></thead>"
    return f'<table class="grid-of">{head}<tbody>{"".join(body)}</tbody></table>'


def _of(at: Mapping[Trained, PictureRead], arm: str | None, exposures: int) -> PictureRead:
    return next(p for one, p in at.items() if (one.arm, one.exposures) == (arm, exposures))


def _picture(picture: PictureRead) -> str:
    other = f" <b>{picture.style_read}</b>" if picture.style_read != picture.style else ""
    return f"{_image(picture, picture.thumb)}<small>{picture.likeness:.2f}{other}</small>"


def _image(picture: PictureRead, thumb: str) -> str:
    return f'<a href="{quote(picture.image)}"><img src="{quote(thumb)}" alt=""></a>'


def _faces(found: Answer, readings: Readings) -> str:
    faces = found.faces
    if faces is None:
        return ""
    rows = [
        _row(name, f"<td>{before:.0%}</td>", f"<td>{after:.0%}</td>", f"<td>{n}</td>")
        for name, (before, after, n) in faces.traits.items()
    ]
    redrawn = [(picture, picture.face) for picture in readings.small if picture.face]
    shown = redrawn[:: -(-len(redrawn) // _PAIRS)]
    return f"""<section>
  <h2>What the face pass does to small faces</h2>
  <p>The last saves drew pictures of {SMALL_SIDE} px, too few for a face; the face pass draws it again at
  {PICTURE_SIDE} px. In {faces.faces} of them a face was found, {faces.height:.0f} px high in the median. Of the traits
  that can be seen in the style, {faces.before:.0%} are wrong inside its box before the pass and {faces.after:.0%} after
  it ({signed(faces.change, percent=True)}, {scope(faces.change)}).
  <a href="faces/index.html">All of these pictures</a></p>
  {_table(("wrong", "before", "after", "faces"), rows)}
  <p>{len(shown)} of them, evenly through, before and after:</p>
  <div class="pairs">{"".join(_pair(*each) for each in shown)}</div>
</section>"""


def _pair(picture: PictureRead, face: FaceRead) -> str:
    images = _image(picture, picture.before_thumb or picture.thumb) + _image(picture, picture.thumb)
    counts = f"{sum(face.before.values())} → {sum(face.after.values())} of {len(face.before)} wrong"
    return f"<figure><div>{images}</div><small>{face.height:.0f} px: {counts}</small></figure>"
