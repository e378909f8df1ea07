"""What people call the kinds of axes, in the order of application (`axes.py`). Light: a webui's start needs it."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["TITLES"]

TITLES: Mapping[str, str] = MappingProxyType({
    "checkpoint": "Checkpoint", "prompt": "Prompt", "prompt s/r": "Prompt S/R",
    "prompt s/r everywhere": "Prompt S/R, faces too", "prompt order": "Prompt order", "styles": "Styles",
    "seed": "Seed", "cfg": "CFG scale", "steps": "Steps", "sampler": "Sampler", "schedule": "Schedule",
    "size": "Size", "subseed": "Variation seed", "subseed strength": "Variation strength", "clip skip": "Clip skip",
    "rng": "Noise source", "eta": "Eta", "s churn": "Sigma churn", "s tmin": "Sigma tmin", "s tmax": "Sigma tmax",
    "s noise": "Sigma noise", "schedule min sigma": "Schedule min sigma", "schedule max sigma": "Schedule max sigma",
    "schedule rho": "Schedule rho", "beta alpha": "Beta schedule alpha", "beta beta": "Beta schedule beta",
    "discard penultimate": "Discard next-to-last sigma", "sgm noise": "SGM noise multiplier",
    "unipc order": "UniPC order", "ngms": "Negative guidance minimum sigma", "noise multiplier": "Noise multiplier",
    "extra noise": "Extra noise", "mask weight": "Conditional mask weight", "token merging": "Token merging",
    "token merging hires": "Token merging of hires fix", "hires upscaler": "Hires upscaler",
    "hires scale": "Hires scale", "hires steps": "Hires steps", "hires sampler": "Hires sampler",
    "hires schedule": "Hires schedule", "hires checkpoint": "Hires checkpoint", "denoise": "Denoise",
    "refiner": "Refiner", "refiner at": "Refiner switch at", "vae": "VAE", "lora": "LoRA",
    "lora weight": "LoRA weight", "face denoise": "Face denoise", "face steps": "Face steps",
    "face padding": "Face padding", "face only masked": "Face only masked", "face model": "Face detector",
    "face confidence": "Face confidence", "face top k": "Face top k", "face dilate": "Face mask dilation",
    "face blur": "Face mask blur", "face prompt": "Face prompt", "face negative": "Face negative prompt",
    "face prompt s/r": "Face prompt S/R", "face size": "Face size", "face cfg": "Face CFG",
    "face sampler": "Face sampler", "face schedule": "Face schedule", "face vae": "Face VAE",
    "face checkpoint": "Face checkpoint", "face exact masks": "Face masks in their place",
    "face noise multiplier": "Face noise multiplier", "face sort": "Face order",
    "face same seed": "Face seed of the picture", "face denoise power": "Face denoise power",
    "face match size": "Face size by its box", "face top k by": "Face top k by", "face min ratio": "Face min area",
    "face max ratio": "Face max area", "face merge": "Face mask merging", "face x offset": "Face mask x offset",
    "face y offset": "Face mask y offset", "face pass": "Face pass",
})  # fmt: skip
"""Kind -> title."""
