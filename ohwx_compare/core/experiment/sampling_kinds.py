"""The kinds of axes for how a picture is sampled: its size, noise, levels, second pass and refiner.

Names in the X/Y/Z script: `axis_options` in `scripts/xyz_grid.py` of the webui at 82a973c. Left out are those that
`plotted` refuses by name: Image CFG Scale, Face restore, FP8 mode.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ohwx_compare.core.experiment.kind import (
    Applied,
    AxisKind,
    Form,
    PicturePart,
    number,
    set_field,
    switch,
    text,
    whole,
)
from ohwx_compare.core.experiment.titles import TITLES
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import MOST_SEED
from ohwx_compare.core.request.named_values import GENERATORS

__all__ = ["SAMPLING_KINDS", "read_size"]

_HIRES, _REFINER, _REDRAWN, _VARIATION = PicturePart
_READERS = {Form.NAMES: text, Form.WHOLE: whole, Form.REAL: number, Form.SWITCH: switch}
_SIZE = re.compile(r"\s*(\d{1,5})\s*x\s*(\d{1,5})\s*")


def _kind(
    field: str, form: Form, xyz: str | None = None, part: PicturePart | None = None, *, name: str = ""
) -> AxisKind:
    """A kind that sets one field of the job; of a part of the picture, where it has that."""
    set_it, name = set_field(field), name or field.replace("_", " ")

    def apply(job: Job, faces: tuple[FaceSettings, ...], value: Any, first: Any) -> Applied:
        return (job, faces) if part and not part.is_in(job) else set_it(job, faces, value, first)

    return AxisKind(
        name=name, form=form, read=_READERS[form], apply=apply,
        show=_shown(TITLES[name], form), xyz=xyz, part=part, fields=(field,),
    )  # fmt: skip


def _shown(title: str, form: Form) -> Callable[[Any], str]:
    if form is Form.NAMES:
        return str
    if form is Form.SWITCH:
        return lambda value: f"{title.lower()} {'on' if value else 'off'}"
    return lambda value: f"{title.lower()} {value:g}"


def read_size(value: Any) -> tuple[int, int]:
    """Width and height, px, of "768x1024". Raises TypeError or ValueError."""
    found = _SIZE.fullmatch(text(value))
    if not found:
        raise ValueError("a size like 768x1024 is needed")
    return int(found[1]), int(found[2])


def _within(low: int, high: int) -> Callable[[Any], int]:
    """Reads whole numbers of a range."""

    def read(value: Any) -> int:
        if not low <= (found := whole(value)) <= high:
            raise ValueError(f"{low} to {high} is needed")
        return found

    return read


def _noise_source(value: Any) -> str:
    if value not in GENERATORS:
        raise ValueError(f"one of {', '.join(GENERATORS)} is needed")
    return str(value)


def _write_size(size: tuple[int, int]) -> str:
    return "{}x{}".format(*size)


def _size(job: Job, faces: tuple[FaceSettings, ...], size: tuple[int, int], _: Any) -> Applied:
    return replace(job, width=size[0], height=size[1]), faces


def _eta(job: Job, faces: tuple[FaceSettings, ...], eta: float, _: Any) -> Applied:
    """DDIM has a setting of its own; the webui's field means that of the sampler."""
    return (replace(job, eta_ddim=eta) if job.sampler.startswith("DDIM") else replace(job, eta=eta)), faces


def _unipc_order(job: Job, faces: tuple[FaceSettings, ...], order: int, _: Any) -> Applied:
    return replace(job, unipc_order=max(min(order, job.steps - 1), 1)), faces


def _denoise(job: Job, faces: tuple[FaceSettings, ...], value: float, _: Any) -> Applied:
    if job.denoise is not None:
        return replace(job, denoise=value), faces
    return (replace(job, hires_denoise=value) if job.hires_upscaler is not None else job), faces


def _refiner(job: Job, faces: tuple[FaceSettings, ...], name: str, _: Any) -> Applied:
    return replace(job, refiner=None if name in ("None", "none", "") else name), faces


# in the order of application: what turns a part of the picture on stands before what varies it
SAMPLING_KINDS = (
    AxisKind(name="size", form=Form.NAMES, read=read_size, apply=_size, write=_write_size,
             show=_write_size, xyz="Size", fields=("width", "height")),
    replace(_kind("subseed", Form.WHOLE, "Var. seed", _VARIATION), read=_within(0, MOST_SEED)),
    _kind("subseed_strength", Form.REAL, "Var. strength", _VARIATION),
    replace(_kind("clip_skip", Form.WHOLE, "Clip skip"), read=_within(1, 12)),
    replace(_kind("rng", Form.NAMES, "RNG source"), read=_noise_source),
    AxisKind(name="eta", form=Form.REAL, read=number, apply=_eta, show=lambda v: f"eta {v:g}", xyz="Eta",
             fields=("eta", "eta_ddim")),
    _kind("s_churn", Form.REAL, "Sigma Churn"),
    _kind("s_tmin", Form.REAL, "Sigma min"),
    _kind("s_tmax", Form.REAL, "Sigma max"),
    _kind("s_noise", Form.REAL, "Sigma noise"),
    _kind("sigma_min", Form.REAL, "Schedule min sigma", name="schedule min sigma"),
    _kind("sigma_max", Form.REAL, "Schedule max sigma", name="schedule max sigma"),
    _kind("rho", Form.REAL, "Schedule rho", name="schedule rho"),
    _kind("beta_alpha", Form.REAL, "Beta schedule alpha"),
    _kind("beta_beta", Form.REAL, "Beta schedule beta"),
    _kind("discard_penultimate", Form.SWITCH, "Always discard next-to-last sigma"),
    _kind("sgm_noise", Form.SWITCH, "SGM noise multiplier"),
    AxisKind(name="unipc order", form=Form.WHOLE, read=whole, apply=_unipc_order,
             show=lambda v: f"UniPC order {v}", xyz="UniPC Order", fields=("unipc_order",)),
    _kind("ngms", Form.REAL, "Negative Guidance minimum sigma"),
    _kind("noise_multiplier", Form.REAL, "Initial noise multiplier"),
    _kind("extra_noise", Form.REAL, "Extra noise"),
    _kind("mask_weight", Form.REAL, "Cond. Image Mask Weight"),
    _kind("token_merging", Form.REAL, "Token merging ratio"),
    _kind("token_merging_hires", Form.REAL, "Token merging ratio high-res", _HIRES),
    AxisKind(name="hires upscaler", form=Form.NAMES, read=text, show=str, xyz="Hires upscaler",
             apply=set_field("hires_upscaler"), part=_HIRES, fields=("hires_upscaler",)),
    _kind("hires_scale", Form.REAL, part=_HIRES),
    _kind("hires_steps", Form.WHOLE, "Hires steps", _HIRES),
    _kind("hires_sampler", Form.NAMES, "Hires sampler", _HIRES),
    _kind("hires_schedule", Form.NAMES, part=_HIRES),
    _kind("hires_checkpoint", Form.NAMES, part=_HIRES),
    AxisKind(name="denoise", form=Form.REAL, read=number, apply=_denoise,
             show=lambda v: f"denoise {v:g}", xyz="Denoising", part=_REDRAWN,
             fields=("denoise", "hires_denoise")),
    AxisKind(name="refiner", form=Form.NAMES, read=text, apply=_refiner, part=_REFINER,
             show=lambda name: "no refiner" if name in ("None", "none", "") else name, xyz="Refiner checkpoint",
             fields=("refiner",)),
    _kind("refiner_at", Form.REAL, "Refiner switch at", _REFINER),
)  # fmt: skip
