"""Infotexts: the text the webui keeps in every picture, read into a `Job` and written from one.

The text itself is `pairs.py`; ADetailer's keys are `face_keys.py`, the X/Y/Z plot's `xyz.py`, and what our engine
refuses `supported.py`. All of it is reached from here.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ohwx_compare.core.infotext import face_keys
from ohwx_compare.core.infotext.hires_keys import FIRST_PASS, first_pass_size, hires_pairs, hires_settings
from ohwx_compare.core.infotext.origin import notes_of, writer_of
from ohwx_compare.core.infotext.pairs import (
    Infotext,
    Pair,
    parse,
    quote,
    read_real,
    read_whole,
    render,
    split,
    unquote,
)
from ohwx_compare.core.infotext.refiner_keys import refiner_pairs, refiner_settings
from ohwx_compare.core.infotext.sampler_names import read_version, split_sampler
from ohwx_compare.core.infotext.sampling_keys import UNTOLD, keys_of, sampling_pairs, sampling_settings
from ohwx_compare.core.infotext.soft_keys import SOFT, soft_inpaint, soft_pairs
from ohwx_compare.core.infotext.supported import INVERTED, require_drawn, require_supported, unsupported
from ohwx_compare.core.infotext.vae import OWN_VAE, vae_of
from ohwx_compare.core.infotext.xyz import Xyz, XyzAxis, with_xyz, xyz
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import InfotextError, UnsupportedKeyError
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import quoted

__all__ = [
    "EXTRA_KEY",
    "Infotext",
    "Pair",
    "Xyz",
    "XyzAxis",
    "decode_record",
    "extra",
    "faces",
    "from_job",
    "is_img2img",
    "is_inpaint",
    "model",
    "notes_of",
    "parse",
    "quote",
    "render",
    "require_drawn",
    "require_from_noise",
    "require_supported",
    "split",
    "to_inpaint_job",
    "to_job",
    "unquote",
    "unsupported",
    "with_settings",
    "with_xyz",
    "writer_of",
    "xyz",
]

EXTRA_KEY = "ohwx"
"""Under which our own facts stand, as JSON."""
_UNTOLD = "settings"  # in the extra key: those that no key of the webui's tells
_SORT = "face sort"  # in the extra key: ADetailer keeps it in its settings, not in the picture
_EXACT = "exact face masks"  # ADetailer knows none
_FACES = "face settings"  # others that ADetailer keeps in its settings: an object for each tab
_FACE_UNTOLD = ("same_seed", "denoise_power", "match_size")
_ZEROS = re.compile(r"\.0*\s*\Z")  # other programs write whole numbers as 20.0
_MASK_KEYS = ("Inpaint area", "Mask blur", "Mask mode", "Masked area padding", "Masked content", SOFT)


def to_job(infotext: Infotext) -> Job:
    """What the text asks for, besides the checkpoint. Raises InfotextError for a key that is missing or not a number.

    Without `RNG` the noise came from the GPU. Without `Version` a bare sampler name means what it means since 1.9. Clip
    skip is 1 and variations are off where the text has no key for them. `denoise` is None for txt2img.
    """
    sampler, schedule = split_sampler(
        _needed(infotext, "Sampler"), infotext.get("Schedule type"), read_version(infotext.get("Version"))
    )
    width, height = first_pass_size(infotext, _size(_needed(infotext, "Size")))
    return Job(
        prompt=infotext.prompt,
        negative=infotext.negative,
        seed=_whole(infotext, "Seed"),
        steps=_whole(infotext, "Steps"),
        sampler=sampler,
        schedule=schedule,
        cfg=_real(infotext, "CFG scale"),
        width=width,
        height=height,
        denoise=_real(infotext, "Denoising strength", 0.0) if is_img2img(infotext) else None,
        subseed=_whole(infotext, "Variation seed", 0),
        subseed_strength=_real(infotext, "Variation seed strength", 0.0),
        rng=(infotext.get("RNG") or "GPU").strip(),
        clip_skip=_whole(infotext, "Clip skip", 1),
        vae=vae_of(infotext),
        **hires_settings(infotext),
        **refiner_settings(infotext),
        **sampling_settings(infotext),
        **_untold(infotext),
    )


def to_inpaint_job(infotext: Infotext) -> InpaintJob:
    """The inpaint that the text asks for; only its mask and picture are missing. Raises InfotextError for another text.

    Without `Mask blur` there was none, without `Inpaint area` the whole picture was inpainted (webui 1.8 and later).
    """
    job = to_job(infotext)
    if job.denoise is None:
        raise InfotextError("This infotext belongs to a txt2img picture: it has no denoising strength to inpaint with.")
    return InpaintJob(
        job=job,
        mask_blur=_whole(infotext, "Mask blur", 0),
        only_masked=infotext.get("Inpaint area") == "Only masked",
        padding=_whole(infotext, "Masked area padding", 32),
        inverted=(infotext.get("Mask mode") or "").strip() == INVERTED,
        soft=soft_inpaint(infotext),
        content=(infotext.get("Masked content") or "original").strip(),
    )


def is_img2img(infotext: Infotext) -> bool:
    """Whether the picture was generated from another one (img2img or inpaint).

    `Denoising strength` says so, except with hires fix, where ADetailer before 24.4 let its own leak into the text, and
    for the 0 that txt2img over the API left in texts before 1.9.
    """
    text = infotext.get("Denoising strength")
    if text is None or any(pair.key.startswith(("Hires ", FIRST_PASS)) for pair in infotext.pairs):
        return False
    denoise = read_real(text, "Denoising strength")
    version = read_version(infotext.get("Version"))
    if denoise == 0 and version is not None and version < (1, 9):
        return False
    return not face_keys.is_denoise_leaked(infotext, denoise, face_keys.adetailer_faces(infotext))


def require_from_noise(infotext: Infotext) -> None:
    """Raise UnsupportedKeyError for a picture generated from another one, which no infotext holds."""
    if is_img2img(infotext):
        raise UnsupportedKeyError(
            "It is an img2img picture (it has a Denoising strength), and its infotext does not hold the picture it "
            "started from; ohwx replay takes that picture and generates it again."
        )


def is_inpaint(infotext: Infotext) -> bool:
    """Whether a mask was used. One without blur over the whole picture leaves no trace in the text."""
    return is_img2img(infotext) and any(infotext.get(key) is not None for key in _MASK_KEYS)


def faces(infotext: Infotext) -> tuple[FaceSettings, ...]:
    """The face pass, tab by tab, as `face_keys.faces`; our own texts also tell the order of the faces."""
    settings = face_keys.adetailer_faces(infotext)
    orders = extra(infotext).get(_SORT, [])
    if not isinstance(orders, list) or len(orders) not in (0, len(settings)):
        raise InfotextError(
            f"The key {EXTRA_KEY!r} lists {quoted(orders)} as {_SORT!r}, expected one for each tab ({len(settings)})."
        )
    untold = extra(infotext).get(_FACES, [])
    if not isinstance(untold, list) or not all(isinstance(tab, dict) for tab in untold):
        raise InfotextError(f"The key {EXTRA_KEY!r} has {quoted(untold)} as {_FACES!r}, expected an object a tab.")
    settings = tuple(map(_with_untold, settings, [*untold, *[{}] * len(settings)]))
    is_exact = bool(extra(infotext).get(_EXACT))
    sorts = map(str, orders) if orders else (tab.sort for tab in settings)
    return tuple(replace(tab, sort=sort, exact_masks=is_exact) for tab, sort in zip(settings, sorts, strict=True))


def _with_untold(tab: FaceSettings, told: Mapping[str, Any]) -> FaceSettings:
    told = {name: told[name] for name in _FACE_UNTOLD if name in told}
    if wrong := [name for name, value in told.items() if type(value) is not type(getattr(FaceSettings, name))]:
        raise InfotextError(f"The key {EXTRA_KEY!r} has {quoted(told)} as {_FACES!r}, where {wrong[0]!r} is damaged.")
    return replace(tab, **told)


def model(infotext: Infotext) -> tuple[str | None, str | None]:
    """Name (the file's, without suffix) and short hash of the checkpoint, None where the text has none."""
    name, short_hash = infotext.get("Model"), infotext.get("Model hash")
    return name and name.strip(), short_hash and short_hash.strip()


def extra(infotext: Infotext) -> dict[str, object]:
    """What our key `ohwx` holds, {} without it. Raises InfotextError if that is not a JSON object."""
    text = infotext.get(EXTRA_KEY)
    if text is None:
        return {}
    return decode_record(text, f"The key {EXTRA_KEY!r}")


def decode_record(text: str, where: str) -> dict[str, object]:
    """What this program keeps of a picture. Raises InfotextError, which names `where`, if that is no JSON object."""
    with suppress(ValueError):
        if isinstance(value := decode_json(text), dict):
            return value
    raise InfotextError(f"{where} holds {quoted(text)}, expected a JSON object.")


def from_job(
    job: Job | InpaintJob,
    *,
    model: str | None,
    model_hash: str | None,
    faces: Sequence[FaceSettings] = (),
    extra: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    version: str | None = None,
) -> Infotext:
    """The infotext that the webui 1.10.1 writes for `job`, its keys in its order.

    Numbers that are floats there are written so ("CFG scale: 9.0"), as over its API. `model` is the file's name
    without suffix, `model_hash` its sha256, of which ten digits are written. `extra` (JSON values) goes under the one
    key `ohwx`. `version` is written as given; a version below 1.9 would change the meaning of a bare sampler name.
    """
    drawn = job.job if isinstance(job, InpaintJob) else job
    sampling = sampling_pairs(drawn)
    named: list[tuple[str, object]] = [*_base(drawn, model, model_hash, sampling)]
    if isinstance(job, InpaintJob):
        named += _mask(job)
    named += hires_pairs(drawn).items()
    named += refiner_pairs(drawn).items()
    named += sampling.items()
    named += face_keys.pairs_of([_sized(tab, drawn) for tab in faces])
    rest = dict(extra)
    if any(tab.sort != "None" for tab in faces):
        rest[_SORT] = [tab.sort for tab in faces]
    if any(tab.exact_masks for tab in faces):
        rest[_EXACT] = True
    untold = [_changed(tab) for tab in faces]
    if any(untold):
        rest[_FACES] = untold
    rest |= _own_settings(drawn)
    if rest:
        named.append((EXTRA_KEY, json.dumps(rest, ensure_ascii=False)))
    if version is not None:
        named.append(("Version", version))
    infotext = Infotext(prompt=drawn.prompt, negative=drawn.negative)
    for key, value in named:
        infotext = infotext.with_value(key, value)
    return infotext


def _base(
    job: Job, model: str | None, model_hash: str | None, sampling: dict[str, object]
) -> Iterable[tuple[str, object]]:
    """What stands first; takes its own out of `sampling`."""
    yield "Steps", job.steps
    yield "Sampler", job.sampler
    yield "Schedule type", job.schedule
    yield "CFG scale", float(job.cfg)
    yield "Seed", job.seed
    yield "Size", f"{job.width}x{job.height}"
    if model_hash is not None:
        yield "Model hash", model_hash[:10]
    if model is not None:
        yield "Model", model
    if job.vae and job.vae not in OWN_VAE:
        yield "VAE", job.vae
    if job.subseed_strength:
        yield "Variation seed", job.subseed
        yield "Variation seed strength", float(job.subseed_strength)
    yield from _taken(sampling, "Seed resize from")
    if job.denoise is not None:
        yield "Denoising strength", float(job.denoise)
    if job.hires_upscaler is not None:
        yield "Denoising strength", float(job.hires_denoise)
    if job.clip_skip > 1:
        yield "Clip skip", job.clip_skip
    yield from _taken(sampling, "ENSD")
    if job.rng != "GPU":
        yield "RNG", job.rng
    yield from _taken(sampling, "Tiling")


def _taken(pairs: dict[str, object], key: str) -> Iterable[tuple[str, object]]:
    if key in pairs:
        yield key, pairs.pop(key)


def _own_settings(job: Job) -> dict[str, object]:
    """What our own key tells of how the picture was sampled."""
    untold = {name: getattr(job, name) for name in UNTOLD if getattr(job, name) != getattr(Job, name)}
    return {_UNTOLD: untold} if untold else {}


def with_settings(infotext: Infotext, settings: Mapping[str, Any]) -> Infotext:
    """`infotext` as it would tell `settings`, fields of a job that are told by keys of their own or by ours."""
    job = replace(Job(prompt="", seed=0, **_untold(infotext)), **settings)
    own = {name: value for name, value in extra(infotext).items() if name != _UNTOLD} | _own_settings(job)
    infotext = infotext.without(*keys_of(settings), EXTRA_KEY)
    for key, value in sampling_pairs(Job(prompt="", seed=0, **settings)).items():
        infotext = infotext.with_value(key, value)
    return infotext.with_value(EXTRA_KEY, json.dumps(own, ensure_ascii=False)) if own else infotext


def _changed(tab: FaceSettings) -> dict[str, Any]:
    """What no key of ADetailer's tells of a tab."""
    return {name: value for name in _FACE_UNTOLD if (value := getattr(tab, name)) != getattr(FaceSettings, name)}


def _untold(infotext: Infotext) -> dict[str, Any]:
    """Settings that only our own key tells."""
    said = extra(infotext).get(_UNTOLD, {})
    if not isinstance(said, dict) or not all(type(said[name]) is type(getattr(Job, name, None)) for name in said):
        raise InfotextError(f"The key {EXTRA_KEY!r} has {quoted(said)} as {_UNTOLD!r}, expected settings of a job.")
    return {name: said[name] for name in UNTOLD if name in said}


def _mask(job: InpaintJob) -> Iterable[tuple[str, object]]:
    yield from soft_pairs(job.soft).items()
    if job.inverted:
        yield "Mask mode", INVERTED
    if job.mask_blur:
        yield "Mask blur", job.mask_blur
    if job.only_masked:
        yield "Inpaint area", "Only masked"
        yield "Masked area padding", job.padding
    if job.content != "original":
        yield "Masked content", job.content


def _sized(tab: FaceSettings, job: Job) -> FaceSettings:
    if (tab.width is None) == (tab.height is None):
        return tab
    return replace(tab, width=tab.width or job.width, height=tab.height or job.height)


def _needed(infotext: Infotext, key: str) -> str:
    value = infotext.get(key)
    if value is None:
        raise InfotextError(f"The infotext has no {key!r}; paste the whole text: it may have been cut.")
    return value


def _whole(infotext: Infotext, key: str, default: int | None = None) -> int:
    if default is not None and infotext.get(key) is None:
        return default
    text = _needed(infotext, key)
    return read_whole(_ZEROS.sub("", text), key)


def _real(infotext: Infotext, key: str, default: float | None = None) -> float:
    if default is not None and infotext.get(key) is None:
        return default
    return read_real(_needed(infotext, key), key)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*([0-9]{1,6})x([0-9]{1,6})\s*", text)
    if not found or not int(found[1]) * int(found[2]):
        raise InfotextError(f"Size is {text[:40]!r}, expected width x height like 1024x1024.")
    return int(found[1]), int(found[2])
