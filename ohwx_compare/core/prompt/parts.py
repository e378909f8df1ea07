"""The outermost layer of a prompt: comments, extra network tags, and the parts joined by AND.

Within a part come its schedule (`editing.py`), emphasis (`emphasis.py`) and chunks (`chunks.py`). As in
https://github.com/AUTOMATIC1111/stable-diffusion-webui/tree/82a973c/modules: prompt_parser.py, extra_networks.py and
processing_scripts/comments.py.
"""

import re
from typing import NamedTuple

__all__ = ["Part", "parts", "strip_comments", "strip_tags"]

_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"[+-]?(?:\d+\.?|\d*\.\d+)")
_TAG = re.compile(r"<(\w+):([^>]+)>")


class Part(NamedTuple):
    """One of the prompts joined by AND, and the weight of its guidance."""

    text: str
    weight: float


def strip_comments(prompt: str) -> str:
    """`prompt` without what stands between "#" and the end of a line, which the webui removes since 1.8."""
    prompt = re.sub(r"(?:\A|\n)#[^\n]*\n?", "\n", prompt)  # a whole line
    return re.sub(r"#[^\n]*\n?", "\n", prompt)


def strip_tags(prompt: str) -> tuple[str, tuple[str, ...]]:
    """`prompt` without extra network tags like <lora:name:1>, and those tags."""
    end = prompt.rfind(">") + 1  # behind it each "<" would be followed to the end in vain
    tags = tuple(match[0] for match in _TAG.finditer(prompt, 0, end))
    return _TAG.sub("", prompt[:end]) + prompt[end:], tags


def _part(text: str) -> Part:
    text = text.rstrip()
    before, colon, weight = text.rpartition(":")
    if colon and _WEIGHT.fullmatch(weight.lstrip()):
        return Part(before.rstrip(), float(weight))
    return Part(text, 1.0)


def parts(prompt: str) -> tuple[Part, ...]:
    """The prompts joined by AND, at least one; each may end in ":weight" (default 1.0), without trailing space."""
    return tuple(_part(text) for text in _AND.split(prompt))
