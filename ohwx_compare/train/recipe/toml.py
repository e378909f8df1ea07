"""TOML, as far as trainers' configurations use it; Python 3.10 has no reader of its own.

Read are tables, lists of tables, dotted and quoted keys, text in all four quotes, numbers, true, false, and lists over
several lines. Inline tables and dates are refused. One pass over the text.
Source: https://toml.io/en/v1.0.0
"""

import re
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.numerals import decode_json, whole_number

__all__ = ["parse_toml"]

_DEEPEST = 20  # lists in lists
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_GAP = re.compile(r"[ \t]*")
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[\w-]+)[ \t]*""")
_TEXT = re.compile(
    r'''"""\n?(?P<long>(?:[^"\\]|\\.|"(?!""))*)"""|"(?P<short>(?:[^"\\\n]|\\.)*)"'''
    r"""|'''\n?(?P<raw>(?:[^']|'(?!''))*)'''|'(?P<plain>[^'\n]*)'""",
    re.DOTALL,
)
_ESCAPE = re.compile(r'\\[ \t]*\n\s*|\\U000([0-9a-fA-F]{5})|\\.|"', re.DOTALL)
_WORD = re.compile(r"[\w.+-]+")


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text as dicts. Raises ExperimentError that names the line."""
    return _Reader(text).document()


class _Reader:
    """A place in the text, moving forward."""

    def __init__(self, text: str):
        self.text, self.at = text.replace("\r\n", "\n"), 0

    def document(self) -> dict[str, Any]:
        """All of it."""
        root: dict[str, Any] = {}
        table = root
        while True:
            self.skip()
            if self.at >= len(self.text):
                return root
            if self.text.startswith("[", self.at):
                table = self.header(root)
            else:
                self.pair(table)
            self.end_line()

    def skip(self) -> None:
        """Past blanks, line ends and comments."""
        if found := _SPACE.match(self.text, self.at):
            self.at = found.end()

    def end_line(self) -> None:
        """Past the rest of the line, which must be blank or a comment."""
        found = _BLANK.match(self.text, self.at)
        if not found:
            raise self.wrong("more than one value")
        self.at = found.end()

    def header(self, root: dict[str, Any]) -> dict[str, Any]:
        """The table that `[name]` or `[[name]]` opens."""
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        *outer, last = self.names("]]" if many else "]")
        table = self.inside(root, outer)
        if many:
            held = table.setdefault(last, [])
            if not isinstance(held, list):
                raise self.wrong("a table and a list under one name")
            held.append({})
            return held[-1]
        return self.inside(table, [last])

    def inside(self, table: dict[str, Any], names: list[str]) -> dict[str, Any]:
        """The table under these names; of a list of tables the last one."""
        for name in names:
            held = table.setdefault(name, {})
            table = held[-1] if isinstance(held, list) and held else held
            if not isinstance(table, dict):
                raise self.wrong("a value and a table under one name")
        return table

    def names(self, end: str) -> list[str]:
        """A dotted name, up to and past `end`."""
        found: list[str] = []
        while True:
            part = _KEY.match(self.text, self.at)
            if not part:
                raise self.wrong("no name")
            name = part[1]
            found.append(self.escaped(name[1:-1]) if name[0] == '"' else name.strip("'"))
            self.at = part.end()
            if self.text.startswith(end, self.at):
                self.at += len(end)
                return found
            if not self.text.startswith(".", self.at):
                raise self.wrong(f"no {end!r}")
            self.at += 1

    def pair(self, table: dict[str, Any]) -> None:
        """`key = value`."""
        *outer, last = self.names("=")
        if found := _GAP.match(self.text, self.at):
            self.at = found.end()
        self.inside(table, outer)[last] = self.value()

    def value(self, depth: int = 0) -> Any:
        """Text, number, true, false, or a list of them."""
        if self.text.startswith("[", self.at) and depth < _DEEPEST:
            return self.items(depth + 1)
        if found := _TEXT.match(self.text, self.at):
            self.at = found.end()
            inside = found[found.lastgroup or "short"]
            return self.escaped(inside) if found.lastgroup in ("long", "short") else inside
        if found := _WORD.match(self.text, self.at):
            self.at = found.end()
            return self.word(found[0])
        raise self.wrong("no text, number, true, false or list of them")

    def items(self, depth: int) -> list[Any]:
        """A list, over as many lines as it likes."""
        self.at += 1
        held: list[Any] = []
        while True:
            self.skip()
            if self.text.startswith("]", self.at):
                self.at += 1
                return held
            held.append(self.value(depth))
            self.skip()
            if self.text.startswith(",", self.at):
                self.at += 1
            elif not self.text.startswith("]", self.at):
                raise self.wrong("no ',' or ']'")

    def word(self, word: str) -> Any:
        """true, false or a number."""
        if word in ("true", "false"):
            return word == "true"
        bare = word.replace("_", "")
        for kind in (whole_number, float):
            try:
                return kind(bare)
            except (ValueError, OverflowError):
                continue
        raise self.wrong("no text, number, true, false or list of them")

    def escaped(self, inside: str) -> str:
        """What stood between quotes, without its escapes."""
        quoted = _ESCAPE.sub(_in_json, inside)
        try:
            return decode_json(f'"{quoted}"', strict=False)
        except ValueError:
            raise self.wrong("an escape that TOML has not (write paths in single quotes, or with /)") from None

    def wrong(self, what: str) -> ExperimentError:
        """One sentence with the line."""
        at = min(self.at, len(self.text))
        start = self.text.rfind("\n", 0, at) + 1
        line = self.text[start:].split("\n", 1)[0].strip()[:120]
        return ExperimentError(f"Line {self.text.count(chr(10), 0, at) + 1} of the TOML holds {what}: {line!r}.")


def _in_json(found: re.Match[str]) -> str:
    """An escape of TOML's, or a quote that needs one, as JSON has it."""
    if found[0][1:].isspace():
        return ""
    if found[1]:
        return chr(int(found[1], 16))
    return '\\"' if found[0] == '"' else found[0]
