"""What a picture's metadata says of how it was generated, whichever program wrote it, by the webui's names of keys.

Sources: the pictures themselves, as ComfyUI, InvokeAI (three forms), NovelAI, Fooocus, SwarmUI, Draw Things, Easy
Diffusion and NMKD write them. Values are as the program says them: its names of samplers are not translated.
"""

import html
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from ohwx_compare.files.comfy_graph import graph_values
from ohwx_compare.files.programs import program_of
from ohwx_compare.numerals import decode_json

__all__ = ["Generation", "generation_of"]

_LONGEST = 5_000_000  # characters of JSON that is read
_LONGEST_VALUE = 100_000
_Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What was told of a picture; "" and {} for what was not."""

    program: str
    prompt: str = ""
    negative: str = ""
    values: Mapping[str, str] = field(default_factory=dict)  # by the webui's keys
    raw: str = ""  # the text itself


def generation_of(texts: Mapping[str, str]) -> Generation | None:
    """What another program than the webui says in `texts`, a picture's by their keys; None where none of them did."""
    program = program_of(texts)
    reader = _READERS.get(program or "")
    if program is None or reader is None:
        return None
    prompt, negative, values = reader(texts)
    kept = {key: value[:_LONGEST_VALUE] for key, value in values.items() if value}
    raw = max((text for text in texts.values()), key=_weight, default="")
    return Generation(program=program, prompt=prompt.strip(), negative=negative.strip(), values=kept, raw=raw)


_Read = tuple[str, str, dict[str, str]]


def _weight(text: str) -> tuple[bool, int]:
    """Of several texts that is the raw one which is JSON, and the longest."""
    return text.lstrip().startswith(("{", "[")), len(text)


def _comfyui(texts: Mapping[str, str]) -> _Read:
    for key, text in texts.items():
        found = _object(text[text.find("{") :] if key not in ("workflow",) else "")
        graph = found.get("prompt", found)
        if isinstance(graph, dict) and any(isinstance(n, dict) and "class_type" in n for n in graph.values()):
            return graph_values(graph)
    return "", "", {}


def _invokeai(texts: Mapping[str, str]) -> _Read:
    if "invokeai_metadata" in texts:
        data = _object(texts["invokeai_metadata"])
        model = data.get("model")
        loras = [(_inner(one, "model", "lora"), one.get("weight")) for one in _objects(data.get("loras"))]
        return _said(data.get("positive_prompt")), _said(data.get("negative_prompt")), {
            **_picked(data, _INVOKE), "Size": _size(data),
            "Model": _said(_any(model, "name", "model_name")) if isinstance(model, dict) else _said(model),
            "Model hash": _said(_any(model, "hash")) if isinstance(model, dict) else "",
            "LoRAs": ", ".join(f"{_said(_any(each, 'name', 'model_name'))}:{_said(weight)}" for each, weight in loras),
        }  # fmt: skip
    if "sd-metadata" in texts:
        data = _object(texts["sd-metadata"])
        image = _dict(data.get("image"))
        asked = image.get("prompt")
        told = (
            ", ".join(_said(each.get("prompt")) for each in _objects(asked))
            if isinstance(asked, list)
            else _said(asked)
        )
        prompt, negative = _apart(told)
        values = {**_picked(image, _INVOKE), "Sampler": _said(image.get("sampler")), "Size": _size(image)}
        model = _said(data.get("model_weights")) or _said(data.get("model"))
        return prompt, negative, {**values, "Model": model, "Model hash": _said(data.get("model_hash"))}
    return _dream(texts.get("Dream", ""))


def _dream(text: str) -> _Read:
    """A command line: "prompt [negative]" -s 50 -S 1 -W 512 -H 512 -C 7.5 -A k_lms."""
    try:
        words = shlex.split(text[:_LONGEST_VALUE])
    except ValueError:
        return "", "", {}
    told = dict(pairwise(words))
    prompt, negative = _apart(words[0] if words else "")
    names = {"Steps": "-s", "Seed": "-S", "CFG scale": "-C", "Sampler": "-A", "Denoising strength": "-f"}
    size = f"{told['-W']}x{told['-H']}" if {"-W", "-H"} <= told.keys() else ""
    return prompt, negative, {**{key: told.get(flag, "") for key, flag in names.items()}, "Size": size}


def _novelai(texts: Mapping[str, str]) -> _Read:
    whole = next((found for text in texts.values() if "Comment" in (found := _object(text))), {})
    told = {**texts, **{key: value for key, value in whole.items() if isinstance(value, str)}}
    data = _object(told.get("Comment", "")) or next((d for t in texts.values() if "uc" in (d := _object(t))), {})
    prompt = _caption(data, "v4_prompt") or _said(data.get("prompt")) or told.get("Description", "")
    negative = _caption(data, "v4_negative_prompt") or _said(data.get("uc"))
    values = {**_picked(data, _NOVEL), "Size": _size(data), "Model": told.get("Source", "")}
    return prompt, negative, values


def _caption(data: _Data, name: str) -> str:
    return _said(_dict(_dict(data.get(name)).get("caption")).get("base_caption"))


def _fooocus(texts: Mapping[str, str]) -> _Read:
    found = next((d for text in texts.values() if (d := _object(text))), {})
    data = {re.sub(r"\W+", "_", key.strip().lower()): value for key, value in found.items()}
    numbers = re.findall(r"\d+", _said(data.get("resolution")))
    loras = [_said(value) for key, value in data.items() if re.fullmatch(r"lora_combined_\d+", key)]
    if isinstance(data.get("loras"), list):
        loras += [":".join(map(_said, one[:2])) for one in data["loras"] if isinstance(one, list)]
    return _said(data.get("prompt")), _said(data.get("negative_prompt")), {
        **_picked(data, _FOOOCUS),
        "Size": "x".join(numbers[:2]) if len(numbers) > 1 else _size(data),
        "Styles": _listed(data.get("styles")),
        "LoRAs": ", ".join(loras),
    }  # fmt: skip


def _swarmui(texts: Mapping[str, str]) -> _Read:
    whole = next((d for text in texts.values() if "sui_image_params" in (d := _object(text))), {})
    data = _dict(whole.get("sui_image_params"))
    weights = _listed(data.get("loraweights")).split(", ")
    names = [name for name in _listed(data.get("loras")).split(", ") if name]
    loras = [f"{name}:{weight}" for name, weight in zip(names, [*weights, *["1"] * len(names)], strict=False)]
    values = {**_picked(data, _SWARM), "Size": _size(data), "LoRAs": ", ".join(loras)}
    return _said(data.get("prompt")), _said(data.get("negativeprompt")), values


def _draw_things(texts: Mapping[str, str]) -> _Read:
    for text in texts.values():
        data = _object(text) if "c" in _object(text) else _in_xmp(text)
        if data:
            inner = _dict(data.get("v2"))
            loras = [f"{_said(each.get('model') or each.get('file'))}:{_said(each.get('weight'))}"
                     for each in _objects(data.get("lora") or inner.get("loras"))]  # fmt: skip
            size = _said(data.get("size")) or _size(inner)
            values = {**_picked(inner, _DRAW_INNER), **_filled(_picked(data, _DRAW)), "Size": size}
            return _said(data.get("c")), _said(data.get("uc")), {**values, "LoRAs": ", ".join(loras)}
    return "", "", {}


def _in_xmp(text: str) -> _Data:
    """The JSON that stands as exif:UserComment in XMP, by itself or in a list of languages."""
    found = re.search(r"<exif:UserComment\b[^>]*>(.{0,5000000}?)</exif:UserComment>", text, re.DOTALL)
    inside = found[1] if found else ""
    start, end = inside.find("{"), inside.rfind("}")
    return _object(html.unescape(inside[start : end + 1])) if 0 <= start < end else {}


def _easy_diffusion(texts: Mapping[str, str]) -> _Read:
    inner = next((d for text in texts.values() if "use_stable_diffusion_model" in (d := _object(text))), None)
    data: _Data = texts if inner is None else inner
    values = {**_picked(data, _EASY), "Size": _size(data)}
    model = re.sub(r"^.*[/\\]", "", _said(data.get("use_stable_diffusion_model")))
    return _said(data.get("prompt")), _said(data.get("negative_prompt")), {**values, "Model": model}


def _nmkd(texts: Mapping[str, str]) -> _Read:
    data = _object(texts.get("NMKDiffusion", ""))
    size = _dict(data.get("resolution"))
    named = _size({"width": size.get("Width"), "height": size.get("Height")}) or _size(
        {"width": data.get("w"), "height": data.get("h")}
    )
    negative = _said(data.get("promptNeg")) or _said(data.get("negativePrompt"))
    return _said(data.get("prompt")), negative, {**_picked(data, _NMKD), "Size": named}


_INVOKE = {"Steps": "steps", "CFG scale": "cfg_scale", "Seed": "seed", "Sampler": "scheduler",
           "Denoising strength": "strength", "Clip skip": "clip_skip", "RNG": "rand_device"}  # fmt: skip
_NOVEL = {"Steps": "steps", "CFG scale": "scale", "Seed": "seed", "Sampler": "sampler",
          "Schedule type": "noise_schedule", "Denoising strength": "strength"}  # fmt: skip
_FOOOCUS = {"Steps": "steps", "CFG scale": "guidance_scale", "Seed": "seed", "Sampler": "sampler",
            "Schedule type": "scheduler", "Model": "base_model", "Model hash": "base_model_hash", "VAE": "vae",
            "Clip skip": "clip_skip", "Performance": "performance", "Refiner": "refiner_model",
            "Version": "version"}  # fmt: skip
_SWARM = {"Steps": "steps", "CFG scale": "cfgscale", "Seed": "seed", "Sampler": "sampler", "Model": "model",
          "Schedule type": "scheduler", "Denoising strength": "initimagecreativity", "VAE": "vae",
          "Version": "swarm_version"}  # fmt: skip
_DRAW = {"Steps": "steps", "CFG scale": "scale", "Seed": "seed", "Sampler": "sampler", "Model": "model",
         "Denoising strength": "strength"}  # fmt: skip
_DRAW_INNER = {
    "Steps": "steps",
    "CFG scale": "guidanceScale",
    "Seed": "seed",
    "Model": "model",
    "Clip skip": "clipSkip",
}
_EASY = {"Steps": "num_inference_steps", "CFG scale": "guidance_scale", "Seed": "seed", "Sampler": "sampler_name",
         "Clip skip": "clip_skip", "VAE": "use_vae_model", "Denoising strength": "prompt_strength",
         "LoRAs": "use_lora_model"}  # fmt: skip
_NMKD = {"Steps": "steps", "CFG scale": "scaleTxt", "Seed": "seed", "Sampler": "sampler", "Model": "model",
         "Denoising strength": "initStrength"}  # fmt: skip
_READERS: Mapping[str, Callable[[Mapping[str, str]], _Read]] = MappingProxyType({
    "ComfyUI": _comfyui, "InvokeAI": _invokeai, "NovelAI": _novelai, "Fooocus": _fooocus, "SwarmUI": _swarmui,
    "Draw Things": _draw_things, "Easy Diffusion": _easy_diffusion, "NMKD": _nmkd,
})  # fmt: skip


def _object(text: str) -> dict[str, Any]:
    """The JSON object that `text` is; {} for anything else."""
    start = text.strip()
    if not start.startswith("{") or len(start) > _LONGEST:
        return {}
    try:
        found = decode_json(start, parse_constant=lambda name: None)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _picked(data: _Data, names: Mapping[str, str]) -> dict[str, str]:
    return {key: _said(data.get(name)) for key, name in names.items()}


def _said(value: object) -> str:
    """A text or a number as text; "" for anything else."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _listed(value: object) -> str:
    return ", ".join(map(_said, value)) if isinstance(value, list) else _said(value)


def _size(data: _Data) -> str:
    width, height = _said(data.get("width")), _said(data.get("height"))
    return f"{width}x{height}" if width and height else ""


def _apart(prompt: str) -> tuple[str, str]:
    """Prompt and what stands in brackets in it, InvokeAI's negative prompt before 3.0."""
    return re.sub(r"\[[^\[\]]*\]", "", prompt).strip(), ", ".join(re.findall(r"\[([^\[\]]*)\]", prompt))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _any(value: object, *names: str) -> object:
    found = _dict(value)
    return next((found[name] for name in names if name in found), None)


def _inner(value: _Data, *names: str) -> dict[str, Any]:
    return next((value[name] for name in names if isinstance(value.get(name), dict)), {})


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}
