"""Small JSON files of folders that may come from a stranger: read within bounds, and never a reason to stop."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohwx_compare.files.atomic import is_plain_file
from ohwx_compare.numerals import decode_json

__all__ = ["json_text", "parse_json", "read_object"]

_LARGEST = 4_000_000  # bytes


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; {} where there is none, or no regular file of at most 4 MB."""
    try:
        if not is_plain_file(path) or path.stat().st_size > _LARGEST:
            return {}
        data = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def json_text(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON that every reader takes: a number that is not finite is null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=indent)


def parse_json(text: str | bytes) -> Any:
    """JSON as its standard has it: NaN, Infinity and 1e999, which Python reads, become None. Raises ValueError."""
    return decode_json(text, parse_constant=lambda name: None, parse_float=_finite_float)


def _finite_float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
