"""The axes of a comparison: what may vary from cell to cell, and how a value is read, shown and applied.

One table of kinds owns all of it, so that an experiment, its JSON file and the X/Y/Z script's keys agree.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.face import FaceSettings
from ohwx_compare.core.job import Job
from ohwx_compare.core.limits import is_unicode
from ohwx_compare.core.sampler_names import split_sampler
from ohwx_compare.errors import ExperimentError

__all__ = ["KINDS", "Axis", "CheckpointRef", "Kind", "PromptPair"]

_REF = re.compile(r"(?P<name>.*?)\s*(?:\[(?P<hash>[0-9a-fA-F]{10,64})\])?\s*")
_SUFFIX = re.compile(r"\.(safetensors|ckpt|pt)$", re.IGNORECASE)


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint as somebody named it: a name ("/" between folders) and, if known, its short sha256."""

    name: str
    short_hash: str | None = None  # 10 to 64 hex digits, lower case

    @classmethod
    def parse(cls, text: str) -> "CheckpointRef":
        r"""Read the webui's title, `dir\name.safetensors [f31347de70]`, hash or not. Raises ExperimentError."""
        found = _REF.fullmatch(text.strip())
        name = found["name"].replace("\\", "/").strip() if found else ""
        if not name:
            raise ExperimentError(f"A checkpoint needs a name, got {text!r}; write it as name.safetensors [hash].")
        if not is_unicode(name):
            raise ExperimentError(f"The checkpoint name {name!r} is no valid Unicode text; rename the file.")
        return cls(name, found["hash"] and found["hash"].lower())

    @property
    def stem(self) -> str:
        """The name without folders and without its suffix, as the webui writes it behind `Model`."""
        return _SUFFIX.sub("", self.name.rsplit("/", 1)[-1])

    def __str__(self) -> str:
        return f"{self.name} [{self.short_hash}]" if self.short_hash else self.name


@dataclass(frozen=True)
class PromptPair:
    """A prompt; `negative` None keeps the base job's."""

    prompt: str
    negative: str | None = None


Applied = tuple[Job, tuple[FaceSettings, ...]]


@dataclass(frozen=True)
class Kind:
    """What one axis may vary: how its values are read from JSON, written, shown and applied to a cell."""

    name: str
    read: Callable[[Any], Any]  # JSON value -> value; raises TypeError or ValueError
    apply: Callable[[Job, tuple[FaceSettings, ...], Any, Any], Applied]  # job, faces, value, the axis' first value
    show: Callable[[Any], str]
    write: Callable[[Any], Any] = lambda value: value  # value -> JSON value
    xyz: str | None = None  # the X/Y/Z script's name for it


@dataclass(frozen=True)
class Axis:
    """Values of one kind, in the order of the grid, none twice. Raises ExperimentError."""

    kind: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            near = get_close_matches(self.kind, KINDS, 1, 0.0)[0]
            raise ExperimentError(f"Unknown axis {self.kind!r}; did you mean {near!r}? Known: {', '.join(KINDS)}.")
        if not self.values:
            raise ExperimentError(f"The axis {self.kind!r} has no values; list at least one or leave the axis out.")
        twice = [value for i, value in enumerate(self.values) if value in self.values[:i]]
        if twice:
            raise ExperimentError(
                f"The axis {self.kind!r} lists {KINDS[self.kind].show(twice[0])} twice; list it once."
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """What a person reads beside each value; different for different values."""
        labels = tuple(map(KINDS[self.kind].show, self.values))
        if len(set(labels)) == len(labels):
            return labels
        return tuple(str(KINDS[self.kind].write(value)) for value in self.values)

    @classmethod
    def read(cls, kind: str, values: Any) -> "Axis":
        """Read values from JSON. Raises ExperimentError naming the value."""
        if kind not in KINDS:
            return cls(kind, ())
        if not isinstance(values, list):
            raise ExperimentError(f"The values of the axis {kind!r} must be a list, got {values!r}.")
        read = []
        for value in values:
            try:
                read.append(KINDS[kind].read(value))
            except (TypeError, ValueError, OverflowError) as error:
                raise ExperimentError(f"The axis {kind!r} cannot take {value!r}: {error}.") from error
        return cls(kind, tuple(read))

    def to_json(self) -> dict[str, Any]:
        """`{"kind": ..., "values": [...]}`; `read` gives the same axis back."""
        return {"kind": self.kind, "values": [KINDS[self.kind].write(value) for value in self.values]}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError("a whole number is needed")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError("a number is needed")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is needed")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is needed")
    return value


def _prompt(value: Any) -> PromptPair:
    if isinstance(value, str):
        return PromptPair(value)
    if not isinstance(value, dict) or not {"prompt"} <= value.keys() <= {"prompt", "negative"}:
        raise ValueError('a text or {"prompt": ..., "negative": ...} is needed')
    return PromptPair(_text(value["prompt"]), _text(value["negative"]) if "negative" in value else None)


def _write_prompt(pair: PromptPair) -> Any:
    return pair.prompt if pair.negative is None else {"prompt": pair.prompt, "negative": pair.negative}


def _apply_prompt(job: Job, faces: tuple[FaceSettings, ...], pair: PromptPair, _: Any) -> Applied:
    negative = job.negative if pair.negative is None else pair.negative
    return replace(job, prompt=pair.prompt, negative=negative), faces


def _replace_text(job: Job, faces: tuple[FaceSettings, ...], new: str, old: str) -> Applied:
    if old not in job.prompt and old not in job.negative:
        raise ExperimentError(f"Prompt S/R: {old!r} stands neither in the prompt nor in the negative prompt.")
    return replace(job, prompt=job.prompt.replace(old, new), negative=job.negative.replace(old, new)), faces


def _sampler(job: Job, faces: tuple[FaceSettings, ...], name: str, _: Any) -> Applied:
    sampler, schedule = split_sampler(name, job.schedule, None)  # "Euler a Karras" names both
    return replace(job, sampler=sampler, schedule=schedule), faces


def _set(field: str) -> Callable[[Job, tuple[FaceSettings, ...], Any, Any], Applied]:
    return lambda job, faces, value, _: (replace(job, **{field: value}), faces)


def _face_denoise(job: Job, faces: tuple[FaceSettings, ...], value: float, _: Any) -> Applied:
    return job, tuple(replace(tab, denoise=value) for tab in faces)


def _face_pass(job: Job, faces: tuple[FaceSettings, ...], value: bool, _: Any) -> Applied:
    return job, faces if value else ()


# The order is the order of application: search and replace works on the prompt that the prompt axis set.
KINDS: Mapping[str, Kind] = MappingProxyType({
    kind.name: kind
    for kind in (
        Kind("checkpoint", CheckpointRef.parse, lambda job, faces, *_: (job, faces), lambda ref: ref.stem, str,
             "Checkpoint name"),
        Kind("prompt", _prompt, _apply_prompt, lambda pair: pair.prompt, _write_prompt),
        Kind("prompt s/r", _text, _replace_text, str, xyz="Prompt S/R"),
        Kind("seed", _whole, _set("seed"), lambda v: f"seed {v}", xyz="Seed"),
        Kind("cfg", _number, _set("cfg"), lambda v: f"CFG {v:g}", xyz="CFG Scale"),
        Kind("steps", _whole, _set("steps"), lambda v: f"{v} steps", xyz="Steps"),
        Kind("sampler", _text, _sampler, str, xyz="Sampler"),
        Kind("schedule", _text, _set("schedule"), str, xyz="Schedule type"),
        Kind("face denoise", _number, _face_denoise, lambda v: f"face denoise {v:g}"),
        Kind("face pass", _switch, _face_pass, lambda v: "face pass" if v else "no face pass"),
    )
})  # fmt: skip
