"""The infotexts of the pictures of a folder, as records and as a table."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TextIO

from ohwx_compare.core.infotext.origin import writer_of
from ohwx_compare.core.infotext.pairs import parse
from ohwx_compare.errors import ImageError, InfotextError
from ohwx_compare.files.gallery import befores
from ohwx_compare.files.generation import Generation
from ohwx_compare.files.infotexts import find_infotext

__all__ = ["Info", "columns", "infos", "write_csv", "write_table"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MOST_COLUMNS = 1_000  # real pictures have some 60 keys; rows times columns must stay a table
_WEBUI = re.compile(r"v?\d+\.\d")
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?")


@dataclass(frozen=True, kw_only=True)
class Info:
    """What one picture says of itself. Without infotext all is empty; `error` says what was not read."""

    file: str
    before: str | None = None  # the same picture before its face pass, where both were given
    after: str | None = None
    infotext: str | None = None
    prompt: str = ""
    negative: str = ""
    parameters: dict[str, str] = field(default_factory=dict)  # another program's too, by the webui's keys
    program: str = ""  # that wrote it, where that can be told
    raw: str | None = None  # another program's own text
    reason: str | None = None  # why there is no infotext
    error: str | None = None


def infos(found: Iterable[Path]) -> Iterator[Info]:
    """Read pictures one by one; their names say which of two is the same picture before its face pass."""
    found = list(found)
    before_of = befores(found)
    after_of = {before: after for after, before in before_of.items()}
    for path in found:
        info = Info(
            file=str(path),
            before=str(before_of[path]) if path in before_of else None,
            after=str(after_of[path]) if path in after_of else None,
        )
        text = None
        try:
            has = find_infotext(path)
            text = has.text
            parsed = parse(text) if text else None
        except ImageError as error:
            yield replace(info, error=str(error))
            continue
        except InfotextError as error:
            yield replace(info, infotext=text, error=f"{path}: {error}")
            continue
        if parsed is None:
            yield _told_elsewise(replace(info, reason=has.reason), has.told)
            continue
        values = {pair.key: pair.value for pair in parsed.pairs}
        yield replace(
            info, infotext=text, prompt=parsed.prompt, negative=parsed.negative, parameters=values,
            program=writer_of(parsed) or ("webui" if _WEBUI.match(values.get("Version", "")) else ""),
        )  # fmt: skip


def _told_elsewise(info: Info, told: Generation | None) -> Info:
    if told is None:
        return info
    return replace(
        info, prompt=told.prompt, negative=told.negative, parameters=dict(told.values), program=told.program,
        raw=told.raw,
    )  # fmt: skip


def columns(read: Iterable[Info]) -> list[str]:
    """Every key that any picture has, in the order of first occurrence; the first 1,000 of very many."""
    found = dict.fromkeys(key for info in read for key in info.parameters)
    return list(islice(found, _MOST_COLUMNS))


def write_csv(out: TextIO, read: Iterable[Info]) -> None:
    """One row for each picture: file, before, after, program, prompt, negative, a column for each key, error.

    See `write_table`.
    """
    read = list(read)
    keys = columns(read)
    own = ("file", "before", "after", "program", "prompt", "negative")
    rows = (
        [
            *(getattr(info, name) or "" for name in own),
            *(info.parameters.get(key, "") for key in keys),
            info.error or "",
        ]
        for info in read
    )
    write_table(out, [*own, *keys, "error"], rows)


def write_table(out: TextIO, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """CSV. A cell that a spreadsheet would take for a formula gets an apostrophe in front, which spreadsheets do not
    show (OWASP, CSV Injection); numbers stay numbers.
    """
    table = csv.writer(out, lineterminator="\n")
    for row in (head, *rows):
        table.writerow(map(_harmless, row))


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
