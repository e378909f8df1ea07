"""The webui's generation parameters as text: prompt, negative prompt, and one line of `Key: value, Key: value`.

Nothing is interpreted here: a pair keeps its value as it was written, so that an unchanged text is written back byte
for byte. Format: AUTOMATIC1111 stable-diffusion-webui 1.5 to 1.10, `modules/processing.py:create_infotext` and
`modules/infotext_utils.py`
(https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c04367123ae98bd9abdf80d9eda9b910e2/modules/infotext_utils.py).
"""

import json
import math
import re
from dataclasses import dataclass, replace
from itertools import islice

from ohwx_compare.errors import InfotextError

__all__ = ["Infotext", "Pair", "parse", "quote", "read_real", "read_whole", "render", "split", "unquote"]

_NEGATIVE = "Negative prompt:"
_LEAST_PAIRS = 3  # fewer, and the webui takes the last line for prompt
_MOST_PAIRS = 10_000  # one with three face tabs has 100
_KEY = re.compile(r"\w[\w \-/]+")
_SEGMENT = re.compile(
    r"([^,:]*)"
    r"(?:: ?("
    r' *"(?:\\.|[^"\\])*" *(?=,|\Z)'
    r"|(?<=Hashes: )\{[^{}]*\}(?=,|\Z)"  # Civitai's writer puts bare JSON under this key
    r"|[^,]*))?"
    r"(?:, ?|\Z)"
)
_WRAP = re.compile(r"(?:[\s\ufeff]*(?:```[^\n]*\n|parameters(?::[ \t]*\n?|[ \t]*\n)))*[\s\ufeff]*")
_ENDING = re.compile(r"(?<!\r)\r+\n")
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
        value: str = json.loads(text, strict=False)
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
    """Read generation parameters; a `parameters:` title and a fence of backticks around them are taken off.

    Prompts keep their inner and trailing whitespace. Raises InfotextError where no line holds three pairs.
    """
    lines = _unwrap(text).split("\n")
    at, pairs = _pairs_line(lines)
    head = lines[:at]
    first = next((i for i, line in enumerate(head) if line.startswith(_NEGATIVE)), at)
    negative = "\n".join(head[first:])[len(_NEGATIVE) :]
    return Infotext(
        prompt="\n".join(head[:first]),
        negative=negative.removeprefix(" "),
        pairs=pairs,
        tail="\n".join(lines[at + 1 :]),
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
        return int("".join(text.split()))
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
    body = _WRAP.sub("", text, count=1)  # matches at the start, if only nothing
    is_fenced = "```" in text[: len(text) - len(body)]
    body = body.rstrip()
    return body.removesuffix("```").rstrip() if is_fenced else body


def _pairs_line(lines: list[str]) -> tuple[int, tuple[Pair, ...]]:
    """Number of the line of pairs, and the pairs."""
    if pairs := _pairs(lines[-1]):
        return len(lines) - 1, pairs
    for at in reversed(range(len(lines) - 1)):  # some extensions write their own lines below
        if lines[at].startswith("Steps: ") and (pairs := _pairs(lines[at])):
            return at, pairs
    raise InfotextError(
        f"No generation parameters found: expected a last line like 'Steps: 20, Sampler: Euler a, Seed: 1, ...', "
        f"got {lines[-1][:80]!r}. Paste the whole text of the picture's PNG info."
    )


def _pairs(line: str) -> tuple[Pair, ...]:
    """The pairs of a line that holds enough of them to be what the webui writes, else ()."""
    found = (segment.groups() for segment in islice(_SEGMENT.finditer(line), _MOST_PAIRS + 1))
    pairs = tuple(Pair(key.strip(), raw) for key, raw in found if raw or key.strip())
    named = sum(1 for pair in pairs if pair.raw is not None and _KEY.fullmatch(pair.key))
    return pairs if named >= _LEAST_PAIRS and len(pairs) <= _MOST_PAIRS else ()
