"""JSON that every reader takes: what is not a finite number becomes null.

Python writes NaN and Infinity, which RFC 8259 has no words for: a browser then reads nothing of the whole text.
"""

import json
import math
from typing import Any

__all__ = ["to_json"]


def to_json(value: Any, **options: Any) -> str:
    """`value` as JSON; options: of `json.dumps`. Letters beyond ASCII are written as they are."""
    options = {"ensure_ascii": False, **options}
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, **options)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
