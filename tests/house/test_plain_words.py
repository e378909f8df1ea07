"""What a program can hold of plain words: in every string of the package but docstrings, and in what is counted."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sources import nodes

from ohwx_compare.cli.main import parsers

PACKAGE = Path(__file__).parents[2] / "ohwx_compare"
AVOIDED = {  # a pattern: what to say
    r"(?<![Tt]here )\b(is|are) no (?!longer)[a-z]": "is not a ...",
    r"\b[Gg]o(es)? on\b|\bgone on\b": "resume, or continue",
    r"\banswers? to\b": "there is no checkpoint named ...",
    r"\bnot drawn\b": "not generated, or not supported",
    r"\b(anew|in hand)\b": "again, current",
    r"\bfrom \d up\b": "at least ...",
    r"\b1 (cell|picture|checkpoint|face|step|value|tab|text|tensor)s\b": "ohwx_compare.words.counted",
}  # fmt: skip
ALLOWED = {  # a file, and its text or what stands before the noun
    ("core/experiment/outcome.py", "not drawn yet"),  # stored in ledgers and pictures, shown as `Outcome.words` says
    ("files/dataset.py", "what"),  # "training" or "regularization"
    ("demo/words.py", "_saves(kept.saves)"),  # a list of numbers
    ("judge/words.py", "second"),  # at least three
    ("judge/factorial.py", "arms"),  # the name of a factor
}  # fmt: skip
COUNTED = (
    "cell picture checkpoint face step value tab text infotext tensor image load file run epoch process batch block "
    "exposure time seed prompt number character style job axis training"
)
PLURALS = "|".join({"axis": "axes"}.get(noun, noun + ("es" if noun[-1] in "sh" else "s")) for noun in COUNTED.split())
AFTER_A_NUMBER = re.compile(
    rf"^ (?:(?!(?:has|have|of|on|no|in|and|or|as|the|all|its|is|are|axis) )[\w/.-]+ ){{0,2}}(?:{PLURALS})\b"
)


@cache
def sayings() -> tuple[tuple[str, int, ast.expr], ...]:
    """File, line and node of every string and f-string that is not a docstring."""
    return tuple(found for path in sorted(PACKAGE.rglob("*.py")) for found in sayings_of(path))


def sayings_of(path: Path) -> Iterator[tuple[str, int, ast.expr]]:
    silent = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    for node in nodes(path):
        if isinstance(node, ast.JoinedStr):
            silent.update(map(id, node.values))
        is_text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        if is_text and id(node) not in silent:
            yield path.relative_to(PACKAGE).as_posix(), node.lineno, node


def text_of(node: ast.expr) -> str:
    """An f-string's gaps are "…"."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in parts)


def uncounted(node: ast.expr) -> list[str]:
    """What stands before a plural without `counted`; a CONSTANT, a quoted word or a figure with decimals may."""
    pairs = zip(node.values, node.values[1:], strict=False) if isinstance(node, ast.JoinedStr) else ()
    gaps = (
        gap
        for gap, after in pairs
        if isinstance(gap, ast.FormattedValue) and isinstance(after, ast.Constant) and AFTER_A_NUMBER.match(after.value)
        if gap.conversion == -1 and not re.search("[f%]'?$", ast.unparse(gap.format_spec) if gap.format_spec else "")
    )
    return [name for name in (ast.unparse(gap.value) for gap in gaps) if not name.isupper()]


@pytest.mark.parametrize("pattern", AVOIDED)
def test_strings_are_plain(pattern):
    found = ((file, line, text_of(node)) for file, line, node in sayings())
    rude = [
        (file, line, text) for file, line, text in found if re.search(pattern, text) and (file, text) not in ALLOWED
    ]
    assert rude == [], f"say {AVOIDED[pattern]}"


def test_what_is_counted_has_its_singular():
    found = ((file, line, name) for file, line, node in sayings() for name in uncounted(node))
    assert [(file, line, name) for file, line, name in found if (file, name) not in ALLOWED] == []


def test_only_the_command_line_names_its_flags():
    flags = {flag for parser in parsers().values() for action in parser._actions for flag in action.option_strings}
    named = re.compile(rf" ({'|'.join(flag for flag in sorted(flags) if flag.startswith('--'))})\b")
    said = ((file, line, text_of(node)) for file, line, node in sayings() if not file.startswith("cli/"))
    assert [(file, line, text) for file, line, text in said if named.search(text)] == []


def test_the_search_finds_what_it_should():
    def tried(code: str) -> list[str]:
        return uncounted(ast.parse(code, mode="eval").body)

    assert tried('f"{n} cells left"')
    assert tried('f"holds {len(lost)} drawn cells"')
    assert not tried('f"{_MOST} cells"')
    assert not tried("f\"{counted(n, 'cell')} left\"")
    assert not tried('f"{size} px of all cells"')
