"""The control: the checkpoint that trainings began from, asked for the class in place of the subject.

Its pictures show what each prompt gives without any training: the style as the base draws it, a man who is nobody.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.kind import Applied
from ohwx_compare.core.prompt.styles import substituted
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["Control"]

_NAMES = ("checkpoint", "class_token", "class")


@dataclass(frozen=True, kw_only=True)
class Control:
    """One checkpoint of an experiment whose prompts have `class_words` in place of `class_token`.

    Raises ExperimentError where that would leave nothing, or the subject.
    """

    checkpoint: CheckpointRef
    class_token: str  # token and class: "ohwx man"
    class_words: str  # "man"

    def __post_init__(self) -> None:
        if not self.class_token.strip() or not self.class_words.strip() or self.class_token in self.class_words:
            raise ExperimentError(
                f"The control has {quoted(self.class_words)} in place of {quoted(self.class_token)}, expected a class "
                "in place of token and class: 'man' in place of 'ohwx man'."
            )

    @classmethod
    def of(cls, checkpoint: CheckpointRef, class_token: str, class_words: str = "") -> "Control":
        """Without `class_words` it is all but the first word of `class_token`. Raises ExperimentError."""
        behind = class_token.strip().partition(" ")[2].strip()
        return cls(checkpoint=checkpoint, class_token=class_token.strip(), class_words=class_words.strip() or behind)

    @classmethod
    def read(cls, data: Any) -> "Control":
        """Read `{"checkpoint": ..., "class_token": ..., "class": ...}` from JSON; the class may be left out.

        Raises ExperimentError.
        """
        if not isinstance(data, dict):
            raise ExperimentError(f"`control` must be a JSON object or null, got {quoted(data)}.")
        for name, value in data.items():
            if name not in _NAMES:
                raise ExperimentError(f"`control` has no {quoted(name)}; {did_you_mean(name, _NAMES)}")
            if not isinstance(value, str):
                raise ExperimentError(f"control.{name} must be text, got {quoted(value)}.")
        if missing := [name for name in _NAMES[:2] if not data.get(name)]:
            raise ExperimentError(f"`control` lacks {', '.join(missing)}.")
        return cls.of(CheckpointRef.parse(data["checkpoint"]), data["class_token"], data.get("class", ""))

    def to_json(self) -> dict[str, str]:
        """JSON values; `read` gives the same control back."""
        return {"checkpoint": str(self.checkpoint), "class_token": self.class_token, "class": self.class_words}

    def applied(self, pictures: Iterable[Applied]) -> Iterator[Applied]:
        """The experiment's pictures as the control is asked for them, their face passes too."""

        @cache
        def said(text: str) -> str:
            return substituted(text, self.class_token, self.class_words)

        for job, faces in pictures:
            tabs = tuple(replace(tab, prompt=said(tab.prompt), negative=said(tab.negative)) for tab in faces)
            yield replace(job, prompt=said(job.prompt), negative=said(job.negative)), tabs
