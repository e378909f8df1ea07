"""The webui's generation parameters as text: prompt, negative prompt, and one line of `Key: value, Key: value`.

Nothing is interpreted here: a pair keeps its value as it was written, so that an unchanged text is written back byte
for byte. Format: AUTOMATIC1111 stable-diffusion-webui 1.5 to 1.10, `modules/processing.py:create_infotext` and
`modules/infotext_utils.py`
(https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c04367123ae98bd9abdf80d9eda9b910e2/modules/infotext_utils.py).
"""

import json
import math
import re
from dataclasses import dataclass, field, replace

from ohwx_compare.core.infotext.settings_lines import is_negative, settings_lines
from ohwx_compare.errors import InfotextError
from ohwx_compare.numerals import decode_json, whole_number

__all__ = ["Infotext", "Pair", "parse", "quote", "read_real", "read_whole", "render", "split", "unquote"]

_NEGATIVE = "Negative prompt:"
_MARK = _NEGATIVE.casefold()
_WRAP = re.compile(r"(?:[\s\ufeff]*(?:```[^\n]*\n|parameters(?::[ \t]*\n?|[ \t]*\n)))*[\s\ufeff]*")
_ENDING = re.compile(r"(?<!\r)\r+\n")
_QUOTED = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)
_FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_RULE = re.compile(r"^[ \t]*-{3,}[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Pair:
    """One `Key: value`; `raw` is the text between `: ` and the next comma, None where the key stands alone.

    The webui prints a key alone when its value is the same text.
    """

    key: str
    raw: str | None = None

    @property
    def value(self) -> str:
        """The value as text, quotes and escapes undone."""
        return self.key if self.raw is None else unquote(self.raw)


@dataclass(frozen=True)
class Infotext:
    """Prompts and pairs in the order of the text; `tail` is what stands below the line of pairs."""

    prompt: str = ""
    negative: str = ""
    pairs: tuple[Pair, ...] = ()
    tail: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False)  # what was read in another way than the webui reads it

    def __str__(self) -> str:
        return render(self)

    def get(self, key: str) -> str | None:
        """The value under `key`, None without; the last one where a key came twice, as the webui reads it."""
        for pair in reversed(self.pairs):
            if pair.key == key:
                return pair.value
        return None

    def with_value(self, key: str, value: object) -> "Infotext":
        """This infotext with `str(value)` under `key`: in its old place, or before Version where it is new."""
        pair = _pair(key, value)
        if any(old.key == key for old in self.pairs):
            return replace(self, pairs=tuple(pair if old.key == key else old for old in self.pairs))
        keys = [old.key for old in self.pairs]
        at = min((keys.index(last) for last in ("Version", "User") if last in keys), default=len(keys))
        return replace(self, pairs=(*self.pairs[:at], pair, *self.pairs[at:]))

    def without(self, *keys: str) -> "Infotext":
        """This infotext with the pairs of these keys left out."""
        return replace(self, pairs=tuple(pair for pair in self.pairs if pair.key not in keys))


def _pair(key: str, value: object) -> Pair:
    text = str(value)
    return Pair(key) if text == key else Pair(key, quote(text))


def quote(value: str) -> str:
    """`value` as the webui writes it: a JSON string where it holds a comma, colon or newline, else as it is.

    A value that starts with a quotation mark is quoted too; the webui leaves it bare and then misreads it.
    """
    if any(mark in value for mark in ",:\n") or value.startswith('"'):
        return json.dumps(value, ensure_ascii=False)
    return value


def unquote(raw: str) -> str:
    """The value of `raw`; in a quoted one that is not JSON (escapes lost on a web page) backslashes are literal."""
    text = raw.strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return raw
    try:
        value: str = decode_json(text, strict=False)
    except ValueError:
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return value


def render(infotext: Infotext) -> str:
    """The text of `infotext`, as the webui writes it: no outer whitespace, no empty negative prompt."""
    negative = infotext.negative.rstrip("\r")  # else it would become part of the line's end
    negative = f"\n{_NEGATIVE} {negative}" if negative else ""
    line = ", ".join(pair.key if pair.raw is None else f"{pair.key}: {pair.raw}" for pair in infotext.pairs)
    tail = f"\n{infotext.tail}" if infotext.tail else ""
    return _newlines(f"{infotext.prompt}{negative}\n{line}{tail}").strip()


def parse(text: str) -> Infotext:
    """Read generation parameters; a `parameters:` title, a fence of backticks and quotation marks are taken off.

    Prompts keep their inner and trailing whitespace. Raises InfotextError where no line holds three pairs, and where
    the settings stand on the prompt's line.
    """
    lines = _unwrap(text).split("\n")
    start, end, found = settings_lines(lines)
    prompt, negative, notes = _prompts(lines[:start])
    return Infotext(
        prompt=prompt,
        negative=negative,
        pairs=tuple(Pair(_plain(key), raw) for key, raw in found),
        tail="\n".join(lines[end:]),
        notes=notes,
    )


def split(text: str) -> tuple[str, ...]:
    """The infotexts in a document, each fit for `parse`: those in fences, else those between lines of `---`.

    Raises InfotextError where there is none.
    """
    text = _newlines(text)
    fenced = tuple(part for part in _FENCED.findall(text) if _parses(part))
    if fenced:
        return fenced
    parts = tuple(part for part in _RULE.split(text) if part.strip())
    if len(parts) > 1 and all(_parses(part) for part in parts):
        return parts
    parse(text)
    return (text,)


def read_whole(text: str, key: str) -> int:
    """The whole number in `text`, blanks after its sign allowed; else InfotextError naming `key`."""
    try:
        return whole_number("".join(text.split()))
    except ValueError as error:
        raise InfotextError(f"{key} is {text[:40]!r}, expected a whole number.") from error


def read_real(text: str, key: str) -> float:
    """The finite number in `text`, else InfotextError naming `key`."""
    try:
        value = float("".join(text.split()))
    except ValueError as error:
        raise InfotextError(f"{key} is {text[:40]!r}, expected a number.") from error
    if not math.isfinite(value):
        raise InfotextError(f"{key} is {text[:40]!r}, expected a finite number.")
    return value


def _parses(text: str) -> bool:
    try:
        parse(text)
    except InfotextError:
        return False
    return True


def _newlines(text: str) -> str:
    return _ENDING.sub("\n", text) if "\r" in text else text


def _unwrap(text: str) -> str:
    text = _newlines(text)
    if all(_QUOTED.match(line) for line in text.split("\n") if line.strip()):
        text = _QUOTED.sub("", text)
    body = _WRAP.sub("", text, count=1)  # matches at the start, if only nothing
    is_fenced = "```" in text[: len(text) - len(body)]
    body = body.rstrip()
    return body.removesuffix("```").rstrip() if is_fenced else body


def _prompts(lines: list[str]) -> tuple[str, str, tuple[str, ...]]:
    """Prompt, negative prompt, and a note where the webui would have read its mark as prompt."""
    notes: tuple[str, ...] = ()
    first = next((at for at, line in enumerate(lines) if is_negative(line)), None)
    if first is None:
        first = next((at for at, line in enumerate(lines) if line.lstrip().casefold().startswith(_MARK)), None)
        if first is None:
            return "\n".join(lines), "", ()
        mark = lines[first].strip()[: len(_MARK)]
        notes = (f"It has {mark!r}, which the webui reads as prompt; here it is negative.",)
    start, *more = lines[first:]
    negative = "\n".join((_unmarked(start), *(_unmarked(line) if is_negative(line) else line for line in more)))
    return "\n".join(lines[:first]), negative, notes


def _unmarked(line: str) -> str:
    """A line without the mark of a negative prompt at its start."""
    return line.lstrip()[len(_NEGATIVE) :].removeprefix(" ")


def _plain(key: str) -> str:
    """A key with single blanks: web pages double them, or make them hard."""
    return " ".join(key.split())
