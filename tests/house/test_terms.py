"""One meaning for each word: the list of terms, and the words that we avoid for them.

To forbid one more word, add a line to `AVOIDED`: "docs" holds for the pages, "program" for what the program says
(errors, help, labels of the panel, the strings of the tabs and the page), "all" for both.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sources import nodes

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ohwx_compare"
TERMS = ROOT / "docs" / "terms.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
WRITTEN_BY_A_PROGRAM = {"command-line.md"}

AVOIDED = {  # what we do not say (a pattern, case does not matter): what we say, and where that holds
    r"go(es|ne)? on (with|where|from)": ("resume", "all"),
    r"hypernetworks?": ("LoRA, or name it", "all"),
    r"classification images?": ("regularization images", "all"),
    r"reg images?": ("regularization images", "all"),
    r"denoising(?! strength)": ("denoise", "all"),
    r"redraw(s|n|ing)?|redrew": ("inpaint", "all"),
    r"(?<!there )(is|are) no (?!longer)": ("is not a", "all"),
    r"finetun\w*": ("fine-tune", "all"),
    r"ckpts?": ("checkpoint", "all"),
    r"arms?": ("training", "all"),
    r"answers? to": ("a file for the name", "all"),
    r"drop down": ("dropdown", "all"),
    r"a1111": ("webui", "all"),
    r"e\.g\.|i\.e\.": ("for example, that is", "all"),
    r"please": ("say what to do", "program"),
    r"simply|easily": ("leave it out", "all"),
    r"whitespaces?": ("blank", "all"),
}  # fmt: skip
EXCEPTIONS = {  # titles and names of others, quoted
    "Ground Truth Regularization / Classification Images Effect",
    "ckpt-dir", ".ckpt",
}  # fmt: skip


def strings(node: ast.AST) -> Iterator[str]:
    """The texts in an expression, f-strings with their gaps."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def said_in_python(path: Path) -> Iterator[str]:
    """What a module can say: its errors, and keywords that a person reads."""
    shown = {"help", "description", "epilog", "label", "placeholder", "info", "title", "note"}
    for node in nodes(path):
        if isinstance(node, ast.Raise) and node.exc:
            yield from strings(node.exc)
        elif isinstance(node, ast.keyword) and node.arg in shown:
            yield from strings(node.value)


def said_in_javascript(path: Path) -> Iterator[str]:
    code = re.sub(r"(^|\s)//[^\n]*", "", path.read_text(encoding="utf-8"))
    yield from re.findall(r'"((?:[^"\\\n]|\\.)*)"', code)
    yield from re.findall(r"`((?:[^`\\]|\\.)*)`", code)


@cache
def said_by_the_program() -> tuple[tuple[str, str], ...]:
    """Name of the file and text."""
    return tuple(_said())


def _said() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from ((path.name, text) for text in said_in_python(path))
    for path in sorted([*(ROOT / "javascript").glob("*.mjs"), *(PACKAGE / "look" / "assets").glob("*.js")]):
        yield from ((path.name, text) for text in said_in_javascript(path))


def prose(page: Path) -> str:
    """A page without its code, its links' targets and what it quotes."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"`[^`\n]*`|\]\([^)]*\)|^\[\w+\]: .*$", " ", text, flags=re.MULTILINE)
    for quoted in EXCEPTIONS:
        text = text.replace(quoted, " ")
    return text


def found(pattern: str, text: str) -> str:
    hit = re.search(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, re.IGNORECASE)
    return text[max(hit.start() - 40, 0) : hit.end() + 40] if hit else ""


def terms() -> list[str]:
    rows = (line.split(" | ")[0].strip("| ") for line in TERMS.read_text(encoding="utf-8").splitlines() if "|" in line)
    return [term for term in rows if term not in ("term", "---|---") and not term.startswith("---")]


def test_each_term_stands_once_and_in_order():
    assert terms() == sorted(set(terms()), key=str.casefold)
    assert len(terms()) > 30


@pytest.mark.parametrize("pattern", AVOIDED)
def test_words_that_we_avoid(pattern):
    instead, where = AVOIDED[pattern]
    for page in PAGES:
        if where != "program" and page.name not in WRITTEN_BY_A_PROGRAM:
            assert not (hit := found(pattern, prose(page))), f"{page.name}: {hit!r}; say {instead}"
    for name, text in said_by_the_program() if where != "docs" else ():
        assert not (hit := found(pattern, text)), f"{name}: {hit!r}; say {instead}"


def test_a_word_is_found_where_it_is_said():
    """The search itself: it finds errors, help and JavaScript, and leaves code and other words alone."""
    speakers = {name for name, _ in said_by_the_program()}
    assert speakers >= {"native.py", "options.py", "panel.py", "ohwx_axes.mjs", "viewer.js"}
    assert found("arms?", "both arms differ")
    assert not found("arms?", "harmless farms")
