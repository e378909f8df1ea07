"""Several face passes as one batch of the webui, which itself crops all pictures of a batch by one mask."""

from collections.abc import Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
from modules import processing
from PIL import Image

from ohwx_compare.hosts.webui import features

__all__ = ["can_be_together", "paste_crop", "together"]

_Pass: TypeAlias = processing.StableDiffusionProcessingImg2Img


def can_be_together(one: _Pass) -> bool:
    """Whether a pass, and with it others of its kind, can be one of a batch.

    Not with a black mask, which the webui ignores, nor where soft inpainting is on: it works on a batch's one mask.
    """
    if one.image_mask.getbbox() is None:
        return False
    for script in features.always_on(one.scripts):
        if Path(script.filename).stem == "soft_inpainting" and one.script_args[script.args_from]:
            return False
    return True


def together(passes: Sequence[_Pass]) -> _Pass:
    """One pass that draws all of `passes`, which differ in picture, mask and seed only; it returns the crops.

    Each is cropped, masked and encoded by the webui as if it were alone, and then all are sampled as one batch.
    """
    p = copy(passes[0])
    p.seed, p.batch_size = [one.seed for one in passes], len(passes)
    p.init = partial(_init, p, passes)
    return p


def paste_crop(one: _Pass, crop: Image.Image) -> Image.Image:
    """The picture of `one` with its inpainted crop in place, as the webui pastes it. RGB."""
    result: Any = processing.apply_overlay(crop, one.paste_to, one.overlay_images[0])
    return result[0] if isinstance(result, tuple) else result  # since 1.8 with the crop as it was drawn


def _init(p: _Pass, passes: Sequence[_Pass], prompts: Sequence[str], seeds: Sequence[int], _: Sequence[int]) -> None:
    """In the place of the webui's `init`."""
    for one, prompt, seed in zip(passes, prompts, seeds, strict=True):
        torch.manual_seed(seed)  # as for a pass alone: the VAE's encode draws from here
        one.init([prompt], [seed], [one.subseed])
    p.sampler, p.image_cfg_scale = passes[0].sampler, passes[0].image_cfg_scale
    for name, join in (("init_latent", torch.cat), ("image_conditioning", torch.cat), ("mask", torch.stack)):
        setattr(p, name, join([getattr(one, name) for one in passes]))
    p.nmask = torch.stack([one.nmask for one in passes])
