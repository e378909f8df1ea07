"""The keys by which an infotext tells hires fix.

Source: `StableDiffusionProcessingTxt2Img` in `modules/processing.py` of the webui at 82a973c, and for texts of before
1.0 `restore_old_hires_fix_params` in its `modules/infotext_utils.py`.
"""

import math
import re
from typing import Any

from ohwx_compare.core.infotext.pairs import Infotext, read_real, read_whole
from ohwx_compare.core.infotext.sampler_names import read_version, split_sampler
from ohwx_compare.core.infotext.vae import HIRES_MODULE, hires_vae_of
from ohwx_compare.core.request.hires import second_pass
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import InfotextError

__all__ = ["FIRST_PASS", "HIRES_KEYS", "first_pass_size", "has_hires", "hires_pairs", "hires_settings"]

FIRST_PASS = "First pass size"
"""Before webui 1.0, where `Size` was the second pass's."""

HIRES_KEYS = frozenset({
    "Hires upscale", "Hires resize", "Hires steps", "Hires upscaler", "Hires sampler", "Hires schedule type",
    "Hires prompt", "Hires negative prompt", "Hires CFG Scale", "Hires checkpoint", FIRST_PASS,
})  # fmt: skip
_SIZE = re.compile(r"\s*(\d{1,5})x(\d{1,5})\s*")
_ZEROS = re.compile(r"\.0*\s*\Z")
_SAME = ("", "Use same sampler", "Use same scheduler")


def has_hires(infotext: Infotext) -> bool:
    """Whether the picture had a second pass."""
    return any(infotext.get(key) is not None for key in ("Hires upscale", "Hires resize", FIRST_PASS))


def first_pass_size(infotext: Infotext, size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the first pass; `size` is what the text says under that. Raises InfotextError.

    Of a text of before webui 1.0, in which 0 is what is next to 512x512 in steps of 64 px.
    """
    if (text := infotext.get(FIRST_PASS)) is None:
        return size
    width, height = _size(text, FIRST_PASS)
    if width and height:
        return width, height
    share = math.sqrt(512 * 512 / (size[0] * size[1]))
    return math.ceil(share * size[0] / 64) * 64, math.ceil(share * size[1] / 64) * 64


def hires_settings(infotext: Infotext) -> dict[str, Any]:
    """Fields of `Job` and what the text says of them; {} without hires fix. Raises InfotextError.

    A text without an upscaler was drawn with Latent, the webui's default.
    """
    if not has_hires(infotext):
        return {}
    said: dict[str, Any] = {
        "hires_upscaler": (infotext.get("Hires upscaler") or "Latent").strip(),
        "hires_denoise": read_real(infotext.get("Denoising strength") or "0.7", "Denoising strength"),
        "hires_prompt": infotext.get("Hires prompt") or "",
        "hires_negative": infotext.get("Hires negative prompt") or "",
    }
    if (checkpoint := (infotext.get("Hires checkpoint") or "").strip()) not in ("", "Use same checkpoint"):
        said["hires_checkpoint"] = checkpoint
    if (vae := hires_vae_of(infotext)) is not None:
        said["hires_vae"] = vae
    if (scale := infotext.get("Hires upscale")) is not None:
        said["hires_scale"] = read_real(scale, "Hires upscale")
    if (size := infotext.get("Hires resize")) is not None:
        said["hires_width"], said["hires_height"] = _size(size, "Hires resize")
    if infotext.get(FIRST_PASS) is not None:
        said["hires_width"], said["hires_height"] = _size(infotext.get("Size") or "", "Size")
    if (cfg := infotext.get("Hires CFG Scale")) is not None:
        said["hires_cfg"] = read_real(cfg, "Hires CFG Scale")
    if (steps := infotext.get("Hires steps")) is not None:
        said["hires_steps"] = read_whole(_ZEROS.sub("", steps), "Hires steps")
    return said | _sampler(infotext)


def _size(text: str, key: str) -> tuple[int, int]:
    if not (found := _SIZE.fullmatch(text)):
        raise InfotextError(f"{key} is {text[:40]!r}, expected width x height like 1536x1536.")
    return int(found[1]), int(found[2])


def _sampler(infotext: Infotext) -> dict[str, str]:
    """Sampler and schedule of the second pass, where they are not the first's."""
    named = (infotext.get("Hires sampler") or "").strip()
    schedule = (infotext.get("Hires schedule type") or "").strip()
    said = {} if schedule in _SAME else {"hires_schedule": schedule}
    if named in _SAME:
        return said
    sampler, own = split_sampler(named, None, read_version(infotext.get("Version")))
    if own != "Automatic":
        said.setdefault("hires_schedule", own)
    return {"hires_sampler": sampler, **said}


def hires_pairs(job: Job) -> dict[str, object]:
    """Keys and values of a job's second pass, in the order in which the webui writes them."""
    if job.hires_upscaler is None:
        return {}
    second = second_pass(job)
    pairs: dict[str, object] = {"Denoising strength": float(job.hires_denoise)}
    if job.hires_checkpoint:
        pairs["Hires checkpoint"] = job.hires_checkpoint
    if job.hires_vae:
        pairs[HIRES_MODULE] = "Built-in" if job.hires_vae == "None" else job.hires_vae
    for key, value, own in (
        ("Hires sampler", second.sampler, job.sampler),
        ("Hires schedule type", second.schedule, job.schedule),
        ("Hires prompt", second.prompt, job.prompt),
        ("Hires negative prompt", second.negative, job.negative),
    ):
        if value != own:
            pairs[key] = value
    if job.hires_width or job.hires_height:
        pairs["Hires resize"] = f"{job.hires_width}x{job.hires_height}"
    else:
        pairs["Hires upscale"] = job.hires_scale
    if job.hires_cfg is not None:
        pairs["Hires CFG Scale"] = float(job.hires_cfg)
    if job.hires_steps:
        pairs["Hires steps"] = job.hires_steps
    return pairs | {"Hires upscaler": job.hires_upscaler}
