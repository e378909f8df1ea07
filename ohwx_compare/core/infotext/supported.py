"""Which infotexts our engine supports: a key that may change pixels is followed or refused by name, never ignored.

Keys come from every writer in the webui at 82a973c (`modules/processing.py`, `modules/sd_samplers_*.py`,
`modules/sd_hijack_clip.py`, `modules/sd_models.py`, builtin extensions). A key that is on no list here is refused too:
nobody knows what it does. What an earlier webui did without a key for it, `earlier.py` tells.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from ohwx_compare.core.infotext.face_keys import (
    adetailer_faces,
    is_built_key,
    is_denoise_leaked,
    is_passed_through,
)
from ohwx_compare.core.infotext.hires_keys import HIRES_KEYS, has_hires, hires_settings
from ohwx_compare.core.infotext.others import with_help
from ohwx_compare.core.infotext.pairs import Infotext, Pair
from ohwx_compare.core.infotext.refiner_keys import REFINER_KEYS
from ohwx_compare.core.infotext.sampler_names import (
    SAMPLERS,
    SCHEDULE_NAMES,
    read_version,
    split_sampler,
)
from ohwx_compare.core.infotext.sampling_keys import is_sampling_key
from ohwx_compare.core.infotext.soft_keys import SOFT_KEYS
from ohwx_compare.core.infotext.vae import HIRES_MODULE, names_vae, vae_of
from ohwx_compare.core.infotext.xyz import is_plot
from ohwx_compare.core.prompt.networks import other_tags
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.hires import DIFFUSION_UPSCALER
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import MOST_SEED
from ohwx_compare.core.request.named_values import GENERATORS, MASKED_CONTENTS, MEDIAPIPE
from ohwx_compare.errors import UnsupportedKeyError
from ohwx_compare.numerals import decode_json

__all__ = ["INVERTED", "require_drawn", "require_supported", "unsupported", "unsupported_job"]

_DRAWN = frozenset({
    "CFG scale", "Clip skip", "Denoising strength", "Inpaint area", "Mask blur", "Masked area padding", "Model",
    "Model hash", "RNG", "Sampler", "Schedule type", "Script", "Seed", "Size", "Steps", "Variation seed",
    "Variation seed strength", "VAE",
})  # fmt: skip
_HARMLESS = frozenset({
    "ADetailer Version", "App", "Backend", "Batch pos", "Batch size", "Civitai metadata", "Created Date",
    "Fixed X Values", "Fixed Y Values", "Fixed Z Values", "Hardware Info", "Hashes", "Image CFG scale",
    "Init image hash", "Lora hashes", "TI", "TI hashes",
    "Negative Template", "Raw negative prompt", "Raw prompt", "Style Selector Enabled",
    "Style Selector Randomize", "Style Selector Style",
    "Styles", "Template", "Time taken", "Token merging ratio",
    "Token merging ratio hr", "User", "Version", "Wildcard negative prompt", "Wildcard prompt", "X Type",
    "X Values", "Y Type", "Y Values", "Z Type", "Z Values", "ohwx",
})  # fmt: skip
_NEUTRAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {  # the value that does nothing
        "Cache FP16 weight for LoRA": ("False",),
        "Diffusion in Low Bits": (
            "Automatic",
            "Automatic (fp16 LoRA)",
        ),  # of Forge
        "FP8 weight": ("Disable",),
        "Operations": ("txt2img",),
        "Parser": ("a1111", "Full parser"),
        "Pipeline": ("StableDiffusionXLPipeline",),
        "VAE Decoder": ("Full",),
        "VAE Encoder": ("Full",),
    }
)
INVERTED = "Inpaint not masked"
_VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {  # all that are drawn
        "Mask mode": ("Inpaint masked", INVERTED),
        "Masked content": MASKED_CONTENTS,
    }
)
_MODULE = re.compile(r"Module \d+")  # of Forge
_BELOW = re.compile(  # what extensions write below the settings, and the webui's page shows there
    r"\s*(?:(?:Negative )?Template: ?|Time taken: ?|(?:\d+ min\. )?[\d.]+ sec\.|A: [\d.]+ [GM]i?B|Torch active|Sys VRAM"
    r"|Saved: |\Z)"
)
_AREA_SINCE = (1, 8)


def unsupported(infotext: Infotext) -> list[str]:
    """What of `infotext` our engine does not support, as "key: value" in the order of the text; [] for nothing.

    Raises InfotextError where a face key has a value it cannot have.
    """
    last = {pair.key: pair for pair in infotext.pairs}  # the last of a key counts, as in the webui
    refused = [_show(pair) for pair in infotext.pairs if last[pair.key] is pair and not _is_drawn(pair, infotext)]
    refused += _networks(infotext.prompt)
    if infotext.get("Mask blur") and not infotext.get("Inpaint area"):
        version = read_version(infotext.get("Version"))
        if version is not None and version < _AREA_SINCE:
            refused.append("Inpaint area (not written before webui 1.8)")
    tabs = adetailer_faces(infotext)
    if has_hires(infotext):
        refused += _hires(infotext, tabs)
    refused += _faces(tabs)
    refused += (f"line {line[:60]!r}" for line in infotext.tail.split("\n") if not _BELOW.match(line))
    return refused


def _hires(infotext: Infotext, tabs: Sequence[FaceSettings]) -> Iterator[str]:
    """What of a second pass is not drawn, or not told."""
    said = hires_settings(infotext)
    if said["hires_upscaler"] == DIFFUSION_UPSCALER:
        yield f"Hires upscaler: {DIFFUSION_UPSCALER}"
    if (sampler := said.get("hires_sampler")) and sampler not in SAMPLERS:
        yield f"Hires sampler: {sampler}"
    if (schedule := said.get("hires_schedule")) and schedule not in SCHEDULE_NAMES:
        yield f"Hires schedule type: {schedule}"
    yield from (f"{tag} in the hires prompt" for tag in other_tags(said["hires_prompt"]))
    if is_denoise_leaked(infotext, said["hires_denoise"], tabs):
        yield "Denoising strength (ADetailer before 24.4 wrote the face pass's over that of hires fix)"


def require_supported(infotext: Infotext) -> None:
    """Raise UnsupportedKeyError naming everything that `unsupported` finds."""
    _refuse("This picture", unsupported(infotext))


def unsupported_job(job: Job, tabs: Sequence[FaceSettings]) -> list[str]:
    """What of a picture's settings our engine does not support, as "setting: value"; [] for nothing."""
    refused = [] if job.denoise is None else [f"denoise: {job.denoise:g} (no picture to start from)"]
    if job.sampler not in SAMPLERS:
        refused.append(f"sampler: {job.sampler}")
    if job.schedule not in SCHEDULE_NAMES:
        refused.append(f"schedule: {job.schedule}")
    for name in ("hires_upscaler", "img2img_upscaler"):
        if getattr(job, name) == DIFFUSION_UPSCALER:
            refused.append(f"{name}: {DIFFUSION_UPSCALER}")
    if job.rng not in GENERATORS:
        refused.append(f"rng: {job.rng}")
    if job.hires_sampler not in (None, *SAMPLERS):
        refused.append(f"hires_sampler: {job.hires_sampler}")
    if job.hires_schedule not in (None, *SCHEDULE_NAMES):
        refused.append(f"hires_schedule: {job.hires_schedule}")
    return [*refused, *_networks(job.prompt), *_networks(job.hires_prompt), *_faces(tabs)]


def require_drawn(asked: Iterable[tuple[Job, Sequence[FaceSettings]]]) -> None:
    """Raise UnsupportedKeyError naming everything that `unsupported_job` finds in any of `asked`."""
    found = (what for job, tabs in asked for what in unsupported_job(job, tabs))
    _refuse("The experiment", list(dict.fromkeys(found)))


def _refuse(what: str, refused: Sequence[str]) -> None:
    if refused:
        raise UnsupportedKeyError(
            f"{what} needs settings that this engine does not support yet: {with_help(refused)}; or take them out, "
            "which gives another picture."
        )


def _show(pair: Pair) -> str:
    if pair.raw is None:
        return f"{pair.key} (without value; was the text cut?)"
    shown = f"{pair.key}: {pair.value.strip()[:60]}"
    if pair.key == "Seed":
        return f"{shown} (the webui's page holds fixed seeds of up to {MOST_SEED})"
    if _MODULE.fullmatch(pair.key.removeprefix("Hires ")):
        return f"{shown} (a VAE or text encoder)"
    return shown


def _is_drawn(pair: Pair, infotext: Infotext) -> bool:
    key, value = pair.key, pair.value.strip()
    if pair.raw is None:
        return False
    if key in ("Sampler", "Schedule type"):
        return _is_drawn_sampler(key, infotext)
    if key == "Seed":
        return not value.lstrip("-").isdecimal() or (value != "-1" and abs(int(value[:30])) <= MOST_SEED)
    if key == "VAE hash":  # alone it says that there was one, and not which
        return vae_of(infotext) is not None or infotext.get("VAE") is not None
    if key == "Civitai resources":
        return _are_checkpoints(value)
    if key == "RNG":
        return value in GENERATORS
    if key == "Script":
        return is_plot(infotext)
    if is_sampling_key(key) or key in SOFT_KEYS or key in REFINER_KEYS:
        return True
    if key in HIRES_KEYS:
        return has_hires(infotext)
    if _MODULE.fullmatch(key):
        return names_vae(infotext)
    if key == HIRES_MODULE:
        return has_hires(infotext) and names_vae(infotext, "Hires ")
    fine = (*_NEUTRAL.get(key, ()), *_VALUES.get(key, ()))
    is_face = is_built_key(key) or is_passed_through(key, infotext)
    return key in _DRAWN or key in _HARMLESS or value in fine or is_face


def _are_checkpoints(resources: str) -> bool:
    """Whether Civitai's list of what made a picture names checkpoints alone; its LoRAs stand in no prompt."""
    try:
        found = decode_json(resources)
    except ValueError:
        return False
    return isinstance(found, list) and all(isinstance(one, dict) and one.get("type") == "checkpoint" for one in found)


def _sampler(infotext: Infotext) -> tuple[str, str]:
    version = read_version(infotext.get("Version"))
    return split_sampler(infotext.get("Sampler") or "", infotext.get("Schedule type"), version)


def _is_drawn_sampler(key: str, infotext: Infotext) -> bool:
    sampler, schedule = _sampler(infotext)
    if key == "Sampler":
        own_schedule = infotext.get("Schedule type") is None
        return sampler in SAMPLERS and not (own_schedule and schedule not in SCHEDULE_NAMES)
    return schedule in SCHEDULE_NAMES


def _networks(prompt: str) -> Iterator[str]:
    return (f"{tag} in the prompt" for tag in other_tags(prompt))


def _faces(tabs: Sequence[FaceSettings]) -> Iterator[str]:
    return (f"{what} (ADetailer, tab {number})" for number, tab in enumerate(tabs, 1) for what in _face(tab))


def _face(tab: FaceSettings) -> Iterator[str]:
    if tab.model.lower().startswith("mediapipe") and tab.model not in MEDIAPIPE:
        yield f"model: {tab.model}"
    if "-world" in tab.model:  # in every other detector ADetailer ignores classes
        yield f"model classes: {tab.classes or tab.model}"
    if tab.restore_face:
        yield "restore face"
    if tab.sampler is not None and tab.sampler not in SAMPLERS:
        yield f"sampler: {tab.sampler}"
    if tab.schedule is not None and tab.schedule not in SCHEDULE_NAMES:
        yield f"scheduler: {tab.schedule}"
    yield from _networks(tab.prompt)
