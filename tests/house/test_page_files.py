"""Caps and manners of what a browser is given: scripts, style sheets, pages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    [ROOT / "style.css", *ROOT.glob("javascript/*"), *ROOT.glob("tests/javascript/*.mjs")]
    + [path for room in ("look", "demo") for path in (ROOT / "ohwx_compare" / room / "assets").iterdir()]
)
SCRIPTS = [path for path in FILES if path.suffix in (".js", ".mjs")]
UNREAD = {path for path in FILES if path.suffix in (".css", ".ts") or path.is_relative_to(ROOT / "tests")}
BEGINS = {".mjs": "// ", ".js": "// ", ".ts": "// ", ".css": ("/* ", ":root"), ".html": "<!doctype html>"}
FUNCTION = re.compile(r"^(?P<indent> *)(?! |if |for |while |switch |\} |do |else)(.*\bfunction\b.*|.*=>|.*\)) \{$")
WORDS = re.compile(  # said otherwise in docs/terms.md
    r"\b(is no|answers? to|go(es)? on|in hand|draw(n|s|ing)?|one a line|tick|leave out)\b", re.IGNORECASE
)

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def bare(line: str) -> str:
    """A line of a script without its texts, patterns and comment."""
    texts = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`(?:\\.|[^`\\])*`|(?<=[(= ])/(?:\\.|[^/\\ ])+/\w*'
    return re.sub(r"^\s*\*.*$|\s*(//|/\*).*$", "", re.sub(texts, "''", line))


@each_file
def test_files_are_read_at_one_sitting(path):
    assert len(lines(path)) <= 400
    assert [number for number, line in enumerate(lines(path), 1) if len(line) > 120] == []
    assert lines(path)[0].startswith(BEGINS[path.suffix]), "what is it?"


@each_script
def test_a_line_is_one_statement(path):
    found = [line for line in lines(path) if re.search(r";\s*[^\s})]", bare(line)) and "for (" not in line]
    assert found == []


@each_script
def test_functions_of_the_page_do_one_thing(path):
    """Their own lines of code, without those of functions within."""
    text = [*lines(path), ""]
    own = dict.fromkeys(range(len(text)), 0)
    open_functions: list[tuple[int, str]] = []
    for number, line in enumerate(text):
        if open_functions and line.startswith(f"{open_functions[-1][1]}}}"):
            open_functions.pop()
        if open_functions and bare(line).strip():
            own[open_functions[-1][0]] += 1
        if found := FUNCTION.match(line):
            open_functions.append((number, found["indent"]))
    assert not open_functions
    assert {text[number]: count for number, count in own.items() if count >= 60} == {}


def words_of(path: Path) -> list[str]:
    """What a person may read: texts of a script that are more than one word, and what is not a tag in a page."""
    code = [line for line in lines(path) if not re.match(r"\s*(//|/?\*)", line)]
    if path.suffix == ".html":
        return re.findall(r">([^<]+)<", "\n".join(code)) + re.findall(r'"([^"]+)"', "\n".join(code))
    texts = [text for line in code for text in re.findall(r'"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`', line)]
    return [re.sub(r"\$\{[^}]*\}", "", text) for text in texts if " " in text]


@pytest.mark.parametrize("path", [path for path in FILES if path not in UNREAD], ids=lambda path: path.name)
def test_words_read_well_aloud(path):
    assert [words for words in words_of(path) if WORDS.search(words)] == []
