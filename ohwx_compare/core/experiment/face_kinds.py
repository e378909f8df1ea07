"""The kinds of axes that vary the face pass: every setting of it that is supported, in all its tabs alike.

A picture before the face pass does not depend on them, so that the cells along such an axis share it. Names in the
X/Y/Z script: Bing-su/adetailer 25.3.0, `scripts/!adetailer.py:make_axis_on_xyz_grid`; there they mean the first tab.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ohwx_compare.core.experiment.kind import Applied, AxisKind, Form, number, switch, text, whole
from ohwx_compare.core.experiment.sampling_kinds import read_size
from ohwx_compare.core.experiment.titles import TITLES
from ohwx_compare.core.infotext.sampler_names import split_sampler
from ohwx_compare.core.prompt.styles import substituted
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import quoted

__all__ = ["FACE_KINDS", "replace_in_faces"]

_READERS = {Form.NAMES: text, Form.LINES: text, Form.WHOLE: whole, Form.REAL: number, Form.SWITCH: switch}


def _kind(field: str, form: Form, *, xyz: str | None = None, is_optional: bool = False) -> AxisKind:
    """A kind that sets one field of every tab."""

    def apply(job: Job, faces: tuple[FaceSettings, ...], value: Any, _: Any) -> Applied:
        return job, tuple(replace(tab, **{field: value}) for tab in faces)

    name = f"face {field.replace('_', ' ')}"
    return AxisKind(
        name=name,
        form=form,
        read=_or_none(_READERS[form]) if is_optional else _READERS[form],
        apply=apply,
        show=_shown(TITLES[name].lower() if form in (Form.WHOLE, Form.REAL) else ""),
        xyz=xyz and f"[ADetailer] {xyz} 1st",
        is_optional=is_optional,
        varies_faces=True,
    )


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _shown(what: str) -> Callable[[Any], str]:
    def show(value: Any) -> str:
        said = "as the picture" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        return f"{what} {said}".strip()

    return show


def _apply_pass(job: Job, faces: tuple[FaceSettings, ...], value: bool, _: Any) -> Applied:
    return job, faces if value else ()


def _apply_sampler(job: Job, faces: tuple[FaceSettings, ...], name: str | None, _: Any) -> Applied:
    if name is None:
        return job, tuple(replace(tab, sampler=None) for tab in faces)
    sampler, schedule = split_sampler(name, None, None)  # "Euler a Karras" names both
    named = None if schedule == "Automatic" else schedule
    return job, tuple(replace(tab, sampler=sampler, schedule=named or tab.schedule) for tab in faces)


def _apply_size(job: Job, faces: tuple[FaceSettings, ...], size: tuple[int, int] | None, _: Any) -> Applied:
    width, height = size or (None, None)
    return job, tuple(replace(tab, width=width, height=height) for tab in faces)


def _told(text: str, own: str) -> str:
    """A tab's prompt with the picture's `own` where it stands for that, as ADetailer searches it."""
    return "[SEP]".join(part.replace("[PROMPT]", own) if part.strip() else own for part in text.split("[SEP]"))


def replace_in_faces(job: Job, faces: tuple[FaceSettings, ...], new: str, old: str) -> tuple[FaceSettings, ...]:
    """The tabs with `new` in the place of `old`, also in what they take from the picture."""
    return tuple(
        replace(
            tab,
            prompt=substituted(_told(tab.prompt, job.prompt), old, new),
            negative=substituted(_told(tab.negative, job.negative), old, new),
        )
        for tab in faces
    )


def _search_and_replace(job: Job, faces: tuple[FaceSettings, ...], new: str, old: str) -> Applied:
    texts = [_told(*pair) for tab in faces for pair in ((tab.prompt, job.prompt), (tab.negative, job.negative))]
    if faces and not any(old in text for text in texts):
        raise ExperimentError(f"Face prompt S/R: {quoted(old)} is in no prompt of the face pass.")
    return job, replace_in_faces(job, faces, new, old)


def _read_size(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    return read_size(value)


def _write_size(size: tuple[int, int] | None) -> str | None:
    return size and "{}x{}".format(*size)


FACE_KINDS = (
    _kind("denoise", Form.REAL, xyz="Inpaint denoising strength"),
    _kind("steps", Form.WHOLE, is_optional=True),
    _kind("padding", Form.WHOLE, xyz="Inpaint only masked padding"),
    replace(
        _kind("only_masked", Form.SWITCH, xyz="Inpaint only masked"),
        show=lambda value: "face only masked" if value else "face in the whole picture",
    ),
    _kind("model", Form.NAMES, xyz="ADetailer model"),
    _kind("confidence", Form.REAL),
    _kind("top_k", Form.WHOLE),
    _kind("dilate", Form.WHOLE, xyz="Mask erosion / dilation"),
    _kind("blur", Form.WHOLE),
    _kind("prompt", Form.LINES, xyz="ADetailer prompt"),
    _kind("negative", Form.LINES, xyz="ADetailer negative prompt"),
    AxisKind(
        name="face prompt s/r",
        form=Form.NAMES,
        read=text,
        apply=_search_and_replace,
        show=str,
        xyz="[ADetailer] Prompt S/R (AD 1st)",
        varies_faces=True,
    ),
    AxisKind(
        name="face size",
        form=Form.NAMES,
        read=_read_size,
        apply=_apply_size,
        show=lambda size: f"face size {_write_size(size) or 'as the picture'}",
        write=_write_size,
        is_optional=True,
        varies_faces=True,
    ),
    _kind("cfg", Form.REAL, xyz="CFG scale", is_optional=True),
    replace(_kind("sampler", Form.NAMES, xyz="ADetailer sampler", is_optional=True), apply=_apply_sampler),
    _kind("schedule", Form.NAMES, xyz="ADetailer scheduler", is_optional=True),
    _kind("vae", Form.NAMES, is_optional=True),
    _kind("checkpoint", Form.NAMES, is_optional=True),
    replace(
        _kind("exact_masks", Form.SWITCH),
        show=lambda value: "face masks in their place" if value else "face masks as ADetailer's",
    ),
    _kind("noise_multiplier", Form.REAL, xyz="noise multiplier", is_optional=True),
    _kind("sort", Form.NAMES),
    replace(
        _kind("same_seed", Form.SWITCH),
        show=lambda value: "each face has the picture's seed" if value else "each face has a seed of its own",
    ),
    _kind("denoise_power", Form.REAL),
    _kind("match_size", Form.NAMES),
    _kind("top_k_by", Form.NAMES),
    _kind("min_ratio", Form.REAL),
    _kind("max_ratio", Form.REAL),
    _kind("merge", Form.NAMES),
    _kind("x_offset", Form.WHOLE),
    _kind("y_offset", Form.WHOLE),
    AxisKind(
        name="face pass",
        form=Form.SWITCH,
        read=switch,
        apply=_apply_pass,
        show=lambda value: "face pass" if value else "no face pass",
        varies_faces=True,
    ),
)  # applied in this order: a schedule after the sampler that may name one, the pass itself last
