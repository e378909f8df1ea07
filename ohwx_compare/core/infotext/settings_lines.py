"""Which lines of an infotext hold its settings, and the segments of that line.

The webui writes them as one last line. Pages and mails wrap it, values hold line breaks, and extensions and the webui's
own page add lines below. What stands on one line with the prompt cannot be told apart from it, and is named.
"""

import json
import re
from collections.abc import Iterator, Sequence

from ohwx_compare.errors import InfotextError

__all__ = ["is_negative", "segments", "settings_lines"]

_NEGATIVE = "negative prompt:"
_LEAST_PAIRS = 3  # fewer, and the webui takes the last line for prompt
_MOST_PAIRS = 10_000  # one with three face tabs has 100
_KEY = re.compile(r"\w[\w \-/]+")
_START = re.compile(r"\s*Steps: ?\d")
_GLUED = re.compile(r"Steps: ?\d")
_CONTINUED = re.compile(r"(?:^|, )(?:Sampler|CFG scale|Seed|Size|Model hash|Model|Version): ")
_QUOTE = re.compile(r'(?<!\\)"')
_SEGMENT = re.compile(
    r"([^,:]*)"
    r"(?:: ?("
    r' *"(?:\\.|[^"\\])*" *(?=,|\Z)'
    r"|(?<=Hashes: )\{[^{}]*\}(?=,|\Z)"  # Civitai's writer puts bare JSON under this key, not always whole
    r"|[^,]*))?"
    r"(?:, ?|\Z)"
)
_COMMA = re.compile(r" *(?:, ?|\Z)")
_JSON = json.JSONDecoder(parse_int=str)

_Part = tuple[str, str | None]  # key, and the text behind ": "


def is_negative(line: str) -> bool:
    """Whether a negative prompt begins with this line, as the webui writes it, whatever it is indented by."""
    return line.lstrip().startswith("Negative prompt:")


def settings_lines(lines: Sequence[str]) -> tuple[int, int, tuple[_Part, ...]]:
    """First line of the settings, the line behind their last, and their segments.

    Raises InfotextError where no line holds three pairs, and where the settings stand on the prompt's line.
    """
    started = next((at for at in reversed(range(len(lines))) if _START.match(lines[at])), None)
    if started is not None and not any(map(is_negative, lines[started + 1 :])):
        end = _end(lines, started)
        if found := _pairs(_joined(lines[started:end])):
            return started, end, found
    if found := _pairs(lines[-1]):
        _require_own_line(lines[-1], found)
        return len(lines) - 1, len(lines), found
    raise InfotextError(
        f"No generation parameters found: expected a last line like 'Steps: 20, Sampler: Euler a, Seed: 1, ...', "
        f"got {lines[-1][:80]!r}. Paste the whole text of the picture's PNG info."
    )


def segments(line: str) -> Iterator[_Part]:
    """Key and raw value of each part between commas; a quoted value and a bare JSON one are each one part."""
    at = 0
    for _ in range(_MOST_PAIRS + 1):
        found = _SEGMENT.match(line, at)
        if found is None or at == len(line):
            return
        raw, at = found[2], found.end()
        if raw is not None and raw.lstrip()[:1] in ("{", "[") and (closed := _closing(line, found.start(2))):
            raw, at = line[found.start(2) : closed[0]], closed[1]
        yield found[1].strip(), raw


def _closing(line: str, start: int) -> tuple[int, int] | None:
    """Where the bare JSON that starts at `start` ends, and where the next segment does start; None for other text."""
    start += len(line[start:]) - len(line[start:].lstrip()) if line[start] == " " else 0
    try:
        _, end = _JSON.raw_decode(line, start)
    except (ValueError, RecursionError):
        return None
    comma = _COMMA.match(line, end)
    return (end, comma.end()) if comma else None


def _pairs(line: str) -> tuple[_Part, ...]:
    """The segments of a line that holds enough pairs to be what the webui writes, else ()."""
    found = tuple((key, raw) for key, raw in segments(line) if raw or key)
    named = sum(1 for key, raw in found if raw is not None and _KEY.fullmatch(key))
    return found if named >= _LEAST_PAIRS and len(found) <= _MOST_PAIRS else ()


def _end(lines: Sequence[str], start: int) -> int:
    """The line behind the last one that belongs to the settings that start at `start`."""
    end, is_open = start + 1, _opens(lines[start])
    while end < len(lines):
        quoted = is_open and any('"' in line for line in lines[end:])
        if not (quoted or lines[end - 1].rstrip().endswith(",") or _CONTINUED.search(lines[end].lstrip())):
            break
        is_open, end = is_open != _opens(lines[end]), end + 1
    return end


def _joined(lines: Sequence[str]) -> str:
    """The lines as one; a line break stays where it lies in a quoted value."""
    text, is_open = lines[0].lstrip(), _opens(lines[0])
    parts = [text]
    for line in lines[1:]:
        parts += ("\n", line) if is_open else (" ", line.strip())
        is_open = is_open != _opens(line)
    return "".join(parts)


def _opens(line: str) -> bool:
    """Whether a quoted value begins in this line and does not end in it (or the other way round)."""
    return len(_QUOTE.findall(line)) % 2 == 1


def _require_own_line(line: str, found: Sequence[_Part]) -> None:
    """Raise InfotextError for settings that follow the prompt on its line."""
    keys = {key for key, raw in found if raw is not None}
    glued = _GLUED.search(line)
    has_prompt = any(key.lower().endswith(_NEGATIVE[:-1]) for key in keys) or found[0][1] is None
    if glued and ("Steps" not in keys or has_prompt):
        raise InfotextError(
            f"The settings do not stand on a line of their own: {line[glued.start() :][:20]!r} follows "
            f"{line[: glued.start()][-30:]!r}. Put line breaks before 'Negative prompt:' and before 'Steps:'."
        )
