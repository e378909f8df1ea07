"""The axes of a comparison: what may vary from cell to cell, and how a value is read, shown and applied.

One table of kinds owns all of it, so that an experiment, its JSON file, the panel and the X/Y/Z script's keys agree.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.experiment.face_kinds import FACE_KINDS, replace_in_faces
from ohwx_compare.core.experiment.kind import Applied, AxisKind, Form, number, set_field, text, whole
from ohwx_compare.core.experiment.network_kinds import NETWORK_KINDS
from ohwx_compare.core.experiment.prompt_order import PROMPT_ORDER
from ohwx_compare.core.experiment.sampling_kinds import SAMPLING_KINDS
from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.core.prompt.styles import Style, styled, substituted
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import is_unicode
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted, did_you_mean, quoted

__all__ = ["KINDS", "Axis", "CheckpointRef", "PromptPair", "require_parts", "split_hash", "why_not_drawn"]

_HASH = re.compile(r"([0-9a-fA-F]{10,64})\]")
_SUFFIX = re.compile(r"\.(safetensors|ckpt|pt)$", re.IGNORECASE)

_NOT_DRAWN = MappingProxyType({
    "Image CFG Scale": "means nothing to SDXL, as it is for InstructPix2Pix models: drop the axis",
    "Face restore": "is GFPGAN or CodeFormer, which is not supported: drop the axis and set a face pass",
    "FP8 mode": "stores weights in 8 bits, which is not supported: drop the axis, or generate it in the webui",
    "[ADetailer] ControlNet model 1st": "is not supported: drop the axis, or generate it in the webui",
})  # fmt: skip


def why_not_drawn(name: str) -> str | None:
    """What an axis of the X/Y/Z script that has no kind here is, as the end of a sentence; None for any other name."""
    return next((why for known, why in _NOT_DRAWN.items() if known.casefold() == name.casefold()), None)


def split_hash(text: str) -> tuple[str, str]:
    """The name and the hash (10 to 64 digits, lower case; "" without one) of `name [hash]`, no blanks around them."""
    text = text.strip()
    name, bracket, rest = text.rpartition("[")
    found = _HASH.fullmatch(rest) if bracket else None
    return (name.rstrip(), found[1].lower()) if found else (text, "")


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint as somebody named it: a name ("/" between folders) and, if known, its short sha256."""

    name: str
    short_hash: str | None = None  # 10 to 64 hex digits, lower case

    @classmethod
    def parse(cls, text: str) -> "CheckpointRef":
        r"""Read the webui's title, `dir\name.safetensors [f31347de70]`, hash or not. Raises ExperimentError."""
        name, short_hash = split_hash(text)
        name = name.replace("\\", "/").strip()
        if not name:
            raise ExperimentError(
                f"A checkpoint needs a name, got {quoted(text)}; write it as name.safetensors [hash]."
            )
        if not is_unicode(name) or set(name) & {"\n", "\0"}:
            raise ExperimentError(
                f"The checkpoint name {quoted(name)} is not one line of valid Unicode text; rename the file."
            )
        return cls(name, short_hash or None)

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


@dataclass(frozen=True)
class Axis:
    """Values of one kind, in the order of the grid, none twice. Raises ExperimentError."""

    kind: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if why := why_not_drawn(self.kind):
            raise ExperimentError(f"The axis {self.kind!r} {why}.")
        if self.kind not in KINDS:
            raise ExperimentError(f"Unknown axis {quoted(self.kind)}; {did_you_mean(self.kind, KINDS)}")
        if not self.values:
            raise ExperimentError(f"The axis {self.kind!r} has no values; list at least one or leave the axis out.")
        twice = [value for value, times in Counter(self.values).items() if times > 1]
        if twice:
            raise ExperimentError(
                f"The axis {self.kind!r} lists {quoted(KINDS[self.kind].show(twice[0]))} twice; list it once."
            )

    @cached_property
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
            raise ExperimentError(f"The values of the axis {kind!r} must be a list, got {quoted(values)}.")
        read = []
        for value in values:
            try:
                read.append(KINDS[kind].read(value))
            except (TypeError, ValueError, OverflowError) as error:
                raise ExperimentError(f"The axis {kind!r} cannot take {quoted(value)}: {error}.") from error
        return cls(kind, tuple(read))

    def to_json(self) -> dict[str, Any]:
        """`{"kind": ..., "values": [...]}`; `read` gives the same axis back."""
        return {"kind": self.kind, "values": [KINDS[self.kind].write(value) for value in self.values]}


def _prompt(value: Any) -> PromptPair:
    if isinstance(value, str):
        return PromptPair(value)
    if not isinstance(value, dict) or not {"prompt"} <= value.keys() <= {"prompt", "negative"}:
        raise ValueError('text or {"prompt": ..., "negative": ...} is needed')
    return PromptPair(text(value["prompt"]), text(value["negative"]) if "negative" in value else None)


def _write_prompt(pair: PromptPair) -> Any:
    return pair.prompt if pair.negative is None else {"prompt": pair.prompt, "negative": pair.negative}


def _apply_prompt(job: Job, faces: tuple[FaceSettings, ...], pair: PromptPair, _: Any) -> Applied:
    negative = job.negative if pair.negative is None else pair.negative
    return replace(job, prompt=pair.prompt, negative=negative), faces


def _replace_text(job: Job, faces: tuple[FaceSettings, ...], new: str, old: str) -> Applied:
    if old not in job.prompt and old not in job.negative:
        raise ExperimentError(f"Prompt S/R: {quoted(old)} is in neither the prompt nor the negative prompt.")
    prompt, negative = (substituted(text, old, new) for text in (job.prompt, job.negative))
    return replace(job, prompt=prompt, negative=negative), faces


def _replace_everywhere(job: Job, faces: tuple[FaceSettings, ...], new: str, old: str) -> Applied:
    changed, _ = _replace_text(job, faces, new, old)
    return changed, replace_in_faces(job, faces, new, old)


def _sampler(job: Job, faces: tuple[FaceSettings, ...], name: str, _: Any) -> Applied:
    sampler, schedule = split_sampler(name, job.schedule, None)  # "Euler a Karras" names both
    return replace(job, sampler=sampler, schedule=schedule), faces


def _styles(value: Any) -> tuple[Style, ...]:
    """Names as the X/Y/Z script takes them ("one,two", "None"), or a list of styles with their texts."""
    if isinstance(value, str):
        names = (name.strip() for name in value.split(","))
        return tuple(Style(name) for name in names if name and name != "None")
    if not isinstance(value, list) or not all(isinstance(style, dict) for style in value):
        raise TypeError("style names are needed")
    return tuple(Style(**{name: text(style[name]) for name in ("name", "prompt", "negative")}) for style in value)


def _write_styles(styles: tuple[Style, ...]) -> Any:
    if any(style.prompt is None for style in styles):
        return _names(styles)
    return [{"name": style.name, "prompt": style.prompt, "negative": style.negative} for style in styles]


def _names(styles: tuple[Style, ...]) -> str:
    return ",".join(style.name for style in styles) or "None"


def _apply_styles(job: Job, faces: tuple[FaceSettings, ...], styles: tuple[Style, ...], _: Any) -> Applied:
    return styled(job, styles), faces


_CHECKPOINT = AxisKind(
    name="checkpoint", form=Form.NAMES, read=CheckpointRef.parse,
    apply=lambda job, faces, *_: (job, faces), show=lambda ref: ref.stem, write=str, xyz="Checkpoint name",
)  # fmt: skip
_PROMPT = AxisKind(
    name="prompt", form=Form.LINES, read=_prompt, apply=_apply_prompt, show=lambda pair: pair.prompt,
    write=_write_prompt,
)  # fmt: skip
_STYLES = AxisKind(
    name="styles", form=Form.NAMES, read=_styles, apply=_apply_styles, write=_write_styles,
    show=lambda styles: " + ".join(style.name for style in styles) or "no style", xyz="Styles",
)  # fmt: skip

# The order is the order of application: search and replace works on the prompt that the prompt axis set, and styles are
# merged into what comes of both.
KINDS: Mapping[str, AxisKind] = MappingProxyType({
    kind.name: kind
    for kind in (
        _CHECKPOINT,
        _PROMPT,
        AxisKind(name="prompt s/r", form=Form.NAMES, read=text, apply=_replace_text, show=str,
             xyz="Prompt S/R"),
        AxisKind(name="prompt s/r everywhere", form=Form.NAMES, read=text,
             apply=_replace_everywhere, show=str, xyz="[ADetailer] Prompt S/R (AD 1st and main prompt)"),
        PROMPT_ORDER,
        _STYLES,
        AxisKind(name="seed", form=Form.WHOLE, read=whole, apply=set_field("seed"),
             show=lambda v: f"seed {v}", xyz="Seed"),
        AxisKind(name="cfg", form=Form.REAL, read=number, apply=set_field("cfg"),
             show=lambda v: f"CFG {v:g}", xyz="CFG Scale"),
        AxisKind(name="steps", form=Form.WHOLE, read=whole, apply=set_field("steps"),
             show=lambda v: counted(v, "step"), xyz="Steps"),
        AxisKind(name="sampler", form=Form.NAMES, read=text, apply=_sampler, show=str, xyz="Sampler"),
        AxisKind(name="schedule", form=Form.NAMES, read=text, apply=set_field("schedule"), show=str,
             xyz="Schedule type"),
        *SAMPLING_KINDS,
        *NETWORK_KINDS,
        *FACE_KINDS,
    )
})  # fmt: skip


def require_parts(axes: Iterable[Axis], jobs: Sequence[Job]) -> None:
    """Raise ExperimentError for an axis of hires fix or a refiner that none of `jobs` has."""
    for axis in axes:
        part = KINDS[axis.kind].part
        if part and not any(part.is_in(job) for job in jobs):
            raise ExperimentError(
                f"The axis {axis.kind!r} varies {part.value}, which no picture has; set it, or drop the axis."
            )
