"""Texts and pictures as people really have them, and what a reader should make of each; one table of all of them.

`python tests/wild/wild_cases.py` prints it, case by case, deviations last. cases.json holds the 270 cases, collected
from public reports, model pages and sample sets of other readers, their prompts shortened: `expected` in words and the
same as fields. outcome: "drawn", "refused" (by `refused`, its keys, or by an axis), "sentence" (`says`), "none" (no
infotext; `program` names whose metadata it is). unlike_webui: read better than the webui does.
"""

import json
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext import infotext as it
from ohwx_compare.errors import OhwxError, UnsupportedKeyError
from ohwx_compare.files.infotexts import find_infotext

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
HUGE = "big-grid-240MP.png"
HUGE_TEXT = (
    "photo of a fox x\nNegative prompt: blurry\nSteps: 4, Sampler: Euler a, Schedule type: Automatic, CFG scale: 5, "
    "Seed: 7, Size: 64x64, Model hash: 1234567890, Model: tiny_base, Script: X/Y/Z plot, X Type: Steps, "
    'X Values: "2,4", Version: v1.10.1'
)


def deviations(case: dict[str, Any], folder: Path) -> list[str]:
    """What our readers make of the case otherwise than its fields say, in words; folder: for the picture made here."""
    got = _read(case, folder)
    wrong = [
        f"{name}: {got.get(name)!r}, not {case.get(name)!r}"
        for name in ("outcome", "prompt", "negative", "axes", "refused", "program")
        if got.get(name) != case.get(name)
    ]
    words = got.get("words", "")
    wrong += [f"{case[name]!r} is not said: {words!r}" for name in ("says", "note") if case.get(name, "") not in words]
    return wrong + (["it guesses at a typo"] if "did you mean" in words else [])


def _read(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    text = case.get("text")
    if text is None:
        path = HERE / "pictures" / case["file"] if case["file"] != HUGE else _huge(folder / HUGE)
        try:
            found = find_infotext(path)
        except OhwxError as error:
            return {"outcome": "sentence", "words": str(error)}
        if found.text is None:
            named = re.match(r"It has (.*)'s metadata", found.reason)
            return {"outcome": "none", "words": found.reason} | ({"program": named[1]} if named else {})
        text = found.text
    try:
        parsed = it.parse(text)
    except OhwxError as error:
        return {"outcome": "sentence", "words": str(error)}
    got: dict[str, Any] = {"prompt": _plain(parsed.prompt), "negative": _plain(parsed.negative)}
    if writer := it.writer_of(parsed):
        got["program"] = writer
    return got | _drawn(parsed)


def _drawn(parsed: it.Infotext) -> dict[str, Any]:
    got: dict[str, Any] = {"words": " ".join(it.notes_of(parsed))}
    try:
        plot = it.xyz(parsed)
        if plot and plot.axes:
            got["axes"] = [[axis.type, list(axis.values)] for axis in plot.axes]
        if refused := it.unsupported(parsed):
            return got | {"outcome": "refused", "refused": [what.split(": ")[0] for what in refused]}
        Experiment.from_infotext(parsed)
    except OhwxError as error:
        refused_axis = isinstance(error, UnsupportedKeyError)
        return got | {"outcome": "refused" if refused_axis else "sentence", "words": f"{got['words']} {error}"}
    return got | {"outcome": "drawn"}


def _plain(text: str) -> str:
    """Without the blanks around lines, which the webui takes off."""
    return "\n".join(line.strip() for line in text.strip().split("\n"))


def _huge(path: Path) -> Path:
    """A grid of 240 million pixels that nobody decodes."""
    header = struct.pack(">IIBBBBB", 20_000, 12_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tEXt", b"parameters\0" + HUGE_TEXT.encode()), (b"IDAT", b""), (b"IEND", b"")]
    framed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))
    return path


def _table() -> None:
    import tempfile

    other = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            wrong = deviations(case, Path(folder))
            other += bool(wrong)
            what = ", ".join(case.get("refused", [])) or case.get("says") or case.get("program") or case.get("note", "")
            better = " (better than the webui)" if case.get("unlike_webui") else ""
            told = f"{case['file']:28} {case['outcome']:9} {what[:60]:60}{better}"
            sys.stdout.write("".join((told.rstrip(), *(f"\n    DEVIATES {one}" for one in wrong), "\n")))
    sys.stdout.write(f"\n{len(CASES)} cases, {other} deviate\n")


if __name__ == "__main__":
    _table()
