"""The report as Markdown: the sentence first, then what it rests on."""

from collections.abc import Iterator, Sequence

from ohwx_compare.judge.run.judgement import Judgement
from ohwx_compare.judge.words import rounded
from ohwx_compare.look.report.look_at import relative_path, to_look_at
from ohwx_compare.look.report.numbers import judgement_json, shown_settings
from ohwx_compare.look.report.sentences import Said

__all__ = ["judgement_markdown"]


def judgement_markdown(found: Judgement) -> str:
    """All sentences, and tables of checkpoints, styles and measures."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Judgement) -> Iterator[str]:
    said, numbers = Said.of(found), judgement_json(found)
    for headline in said.headlines:
        yield f"# {headline}\n"
    yield f"**Keep.** {said.kept}\n"
    yield from _list(said.findings)
    yield from _list(said.beside)
    yield "## Checkpoints\n"
    names = list(found.tables)
    rows = [
        [one["label"], (one["sha256"] or "")[:10], "base" if one["is_base"] else one["training"] or "",
         _shown(one["number"], one["unit"]),
         *(_with_interval(one["levels"][name]) for name in names)]
        for one in numbers["checkpoints"]
    ]  # fmt: skip
    yield from _table(["checkpoint", "hash", "training", "shown", *names], rows)
    yield "## Styles\n"
    yield from _styles(numbers["styles"])
    if pictures := list(to_look_at(found)):
        yield "## Pictures to look at\n"
        yield from _list([f"`{relative_path(found, each)}`: {why}" for each, why in pictures])
    yield "## What could not be judged\n"
    yield from _list(said.missing or ("Nothing.",))
    yield "## How the numbers come about\n"
    yield from _list(said.limits)
    weights = [
        [one["title"], str(one["version"]), one["sha256"] or "none", one["licence"], shown_settings(one["settings"])]
        for one in numbers["measures"]
    ]
    yield from _table(["measure", "version", "sha256 of the weights", "licence", "settings"], weights)


def _styles(styles: Sequence[dict[str, object]]) -> Iterator[str]:
    """Floor and ceiling, and each measure's own effect of the first comparison."""
    names = list(dict.fromkeys(name for one in styles for name in _effects(one)))
    rows = []
    for one in styles:
        effects = _effects(one)
        told = [_with_interval(effects[name][0]) if name in effects else "" for name in names]
        refused = "refused" if one.get("refused") else ""
        rows.append([str(one["style"]), _plain(one.get("ceiling")), _plain(one.get("floor")), refused, *told])
    yield from _table(["style", "ceiling", "floor", "", *names], rows)


def _effects(style: dict[str, object]) -> dict[str, list[dict[str, float | None]]]:
    found = style["effects"]
    return found if isinstance(found, dict) else {}


def _shown(number: float | None, unit: str | None) -> str:
    return f"{number:g} {unit}s" if number is not None and unit else ""


def _plain(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else ""


def _with_interval(effect: dict[str, float | None]) -> str:
    value, low, high = (effect[name] for name in ("estimate", "low", "high"))
    if value is None or low is None or high is None:
        return ""
    return f"{rounded(value, '{:.2f}')} ({rounded(low, '{:.2f}')} to {rounded(high, '{:.2f}')})"


def _list(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"- {line}" for line in lines)
    if lines:
        yield ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (
        f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |" for row in rows
    )
    yield ""
