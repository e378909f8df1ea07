"""Prompt schedules: [a:b:0.5] changes a to b, [a::8] drops a, [:b:0.25] or [b:0.25] adds b, [a|b] takes turns.

A number with a point is a fraction of all steps, else it counts steps. Constructs nest in each other and in emphasis
brackets. A bracket that closes nothing well-formed is text, and so is every bracket around it; a "|" outside [a|b], or
a backslash that escapes nothing, makes the whole prompt text. That is what the webui's grammar comes to; where stray
brackets leave it ambiguous, the webui's reading depends on its process's hash seed, and ours keeps
the schedule:
https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/modules/prompt_parser.py
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

__all__ = ["EditedPrompt", "edits"]

_TOKEN = re.compile(r"(?:[^\\\[\]():|]|\\.)+|[\[\]():|]")
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")


class EditedPrompt(NamedTuple):
    """A text and the last step, from 1, that it is meant for."""

    until: int
    text: str


@dataclass(frozen=True)
class _Change:
    before: "list[_Node]"
    after: "list[_Node]"
    when: int  # the last step of `before`


@dataclass(frozen=True)
class _Turns:
    options: "list[list[_Node]]"


_Node: TypeAlias = "str | _Change | _Turns | list[_Node]"


class _NotASchedule(Exception):  # noqa: N818  not an error: the prompt is plain text then
    pass


class _Bracket:
    """An open bracket and what stands in it so far: parts between separators, each a list of text and nodes."""

    def __init__(self, opener: str):
        self.opener = opener
        self.parts: list[list[_Node]] = [[]]
        self.separators: list[str] = []

    def literal(self) -> list[_Node]:
        """Bracket and contents as text around the nodes."""
        if "|" in self.separators:
            raise _NotASchedule
        items: list[_Node] = [self.opener, *self.parts[0]]
        for separator, part in zip(self.separators, self.parts[1:], strict=True):
            items += [separator, *part]
        return items

    def node(self, closer: str, clock: "_Clock") -> _Change | _Turns | list[_Node] | None:
        """What the bracket and its closer mean, or None."""
        pair, kinds = self.opener + closer, "".join(self.separators)
        if (kinds == "" and pair in ("()", "[]")) or (kinds == ":" and pair == "()"):
            return [*self.literal(), closer]
        if pair == "[]" and set(kinds) == {"|"}:
            return _Turns(self.parts)
        if pair == "[]" and kinds in (":", "::") and (when := clock.when(self.parts[-1])) is not None:
            return _Change(self.parts[0] if kinds == "::" else [], self.parts[-2], when)
        return None


@dataclass(frozen=True)
class _Clock:
    """What the numbers of a schedule count."""

    steps: int
    after: int | None  # the steps of the pass before
    is_old: bool

    def when(self, part: list[_Node]) -> int | None:
        """The last step before a change, of the text behind the last colon; None where that is no number."""
        number = _NUMBER.fullmatch(part[0]) if len(part) == 1 and isinstance(part[0], str) else None
        if number is None:
            return None
        value = float(number[1])
        if self.is_old:
            value = value * self.steps if value < 1 else value
        elif "." in number[1]:
            value = (value - (self.after is not None)) * self.steps
        else:
            value -= self.after or 0
        return int(min(max(value, 0.0), self.steps))


def _parse(text: str, clock: _Clock) -> tuple[list[_Node], set[int]]:
    """Nodes of the prompt and the steps at which something may change."""
    items: list[_Node] = []
    changes: set[int] = set()
    brackets: list[_Bracket] = []
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() != position:
            raise _NotASchedule
        position, token = match.end(), match[0]
        if token in ("(", "["):
            brackets.append(_Bracket(token))
        elif token in (")", "]"):
            node = brackets[-1].node(token, clock) if brackets else None
            if node is None:  # then no bracket still open can be well-formed
                for bracket in brackets:
                    items += bracket.literal()
                brackets.clear()
                items.append(token)
                continue
            brackets.pop()
            (brackets[-1].parts[-1] if brackets else items).append(node)
            if isinstance(node, _Turns):
                changes.update(range(1, clock.steps + 1))
            elif isinstance(node, _Change) and node.when >= 1:
                changes.add(node.when)
        elif token in (":", "|") and brackets:
            brackets[-1].separators.append(token)
            brackets[-1].parts.append([])
        elif token == "|":
            raise _NotASchedule
        else:
            (brackets[-1].parts[-1] if brackets else items).append(token)
    if position != len(text):
        raise _NotASchedule
    for bracket in brackets:
        items += bracket.literal()
    return items, changes


def _text_at(step: int, items: list[_Node]) -> str:
    texts: list[str] = []
    todo: list[_Node] = [items]  # a stack of our own: prompts may nest deeper than Python's
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            texts.append(node)
        elif isinstance(node, _Change):
            todo.append(node.before if step <= node.when else node.after)
        elif isinstance(node, _Turns):
            todo.append(node.options[(step - 1) % len(node.options)])
        else:
            todo.extend(reversed(node))
    return "".join(texts)


def edits(text: str, steps: int, after: int | None = None, *, is_old: bool = False) -> tuple[EditedPrompt, ...]:
    """The texts of one prompt over `steps` (>= 1) steps: `until` rises and ends at `steps`; neighbours may be equal.

    after: the steps of the pass before, in the second one of hires fix: its numbers go on where that one's ended, so a
    fraction from 1 to 2 and a whole number beyond `after` mean this pass.
    is_old: as the webui before 1.6: a number below 1 is the fraction, with a point or without, and the second pass goes
    by the first one's steps.
    """
    clock = _Clock(after or steps, None, is_old=True) if is_old else _Clock(steps, after, is_old=False)
    steps = clock.steps
    try:
        items, changes = _parse(text, clock)
    except _NotASchedule:
        return (EditedPrompt(steps, text),)
    return tuple(EditedPrompt(step, _text_at(step, items)) for step in sorted(changes | {steps}))
