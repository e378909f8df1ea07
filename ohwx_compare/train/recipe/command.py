"""Command lines of sd-scripts, as people post them: `accelerate launch ... sdxl_train.py --resolution 1024,1024 ...`.

Quotes are those of both systems; a backslash is a letter (Windows' paths), and at the end of a line it continues it,
as ^ and ` do.
"""

import re
from collections.abc import Iterable
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.kohya_keys import CHANGING, HONOURED, OTHER_FAMILIES, QUIET, SCRIPTS

__all__ = ["find_command", "read_command", "read_options"]

_WORD = re.compile(r"""(?:"[^"\n]*"|'[^'\n]*'|[^\s"'])+""")
_SCRIPT = re.compile(r"([A-Za-z0-9_]+)\.py$")
_KNOWN = sorted({*HONOURED, *QUIET, *CHANGING, *(mark for marks in OTHER_FAMILIES.values() for mark in marks)})


def find_command(text: str) -> list[str] | None:
    """The words of the first command in `text` that starts a training script; None where there is none."""
    joined = re.sub(r"[\\^`][ \t]*\r?\n", " ", text)
    for line in joined.splitlines():
        if line.lstrip().startswith(("#", "REM ", "rem ", "::")):
            continue
        words = _words(line)
        if any(_script(word) in SCRIPTS for word in words):
            return words
    return None


def read_command(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The script's name and its arguments; accelerate's own that matter are among them. Raises ExperimentError."""
    at = next(number for number, word in enumerate(words) if _script(word) in SCRIPTS)
    launch = _options(words[:at])
    own: dict[str, Any] = {key: launch[key] for key in ("num_processes", "num_machines", "multi_gpu") if key in launch}
    return _script(words[at]), {**own, **_options(words[at + 1 :])}


def read_options(text: str) -> dict[str, Any]:
    """Options such as `--v_parameterization --max_grad_norm=0`: a flag is True, several values are a list."""
    return _options(_words(text))


def _words(text: str) -> list[str]:
    words = _WORD.findall(text)
    if sum(map(len, words)) != len(re.sub(r"\s", "", text)) + sum(len(re.findall(r"\s", word)) for word in words):
        raise ExperimentError(f"A quote in this command is not closed: {text.strip()[:120]!r}.")
    return [re.sub(r"\"([^\"]*)\"|'([^']*)'", lambda found: found[1] or found[2] or "", word) for word in words]


def _script(word: str) -> str:
    found = _SCRIPT.search(word.replace("\\", "/"))
    return found[1] if found else ""


def _options(words: Iterable[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    values: list[str] | None = None
    for word in words:
        if word in ("&&", "||", ";", "|", "&") or word.startswith((">", "2>")):
            break
        if word.startswith("--"):
            key, given, value = word[2:].partition("=")
            values = [value] if given else []
            told[_full(key)] = values
        elif values is not None:
            values.append(word)
    return {key: True if not found else found[0] if len(found) == 1 else found for key, found in told.items()}


def _full(key: str) -> str:
    """The name that an abbreviated option stands for, as argparse completes it."""
    if key in _KNOWN:
        return key
    near = [name for name in _KNOWN if name.startswith(key)]
    return near[0] if len(near) == 1 else key
