"""Pages made of a template whose parts stand between `@@`, with all that they need inlined."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from importlib.resources import files

__all__ = ["asset", "filled", "source_hash"]


def asset(name: str) -> str:
    """A part of our pages, by its file's name; "palette.css" begins the style of each."""
    return (files("ohwx_compare.look") / "assets" / name).read_text(encoding="utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with `parts` in place of `@@NAME@@`. Raises KeyError for one that is not among them."""
    pieces = template.split("@@")
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def source_hash(text: str) -> str:
    """How a content security policy names an inlined part: https://www.w3.org/TR/CSP3/#framework-directive-source-list."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
