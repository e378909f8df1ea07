"""A refusal names who wrote the keys that are not followed, and what helps."""

import pytest

from ohwx_compare.core.infotext import infotext as it
from ohwx_compare.errors import UnsupportedKeyError

BASE = "a\nNegative prompt: b\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"
HELPED = {
    "FreeU Stages: x, FreeU Version: 2": "(FreeU: the webui draws it with that extension)",
    "Hypertile U-Net: True": "(HyperTile: the webui draws it)",
    "PAG Active: True, pagi_scale: 3": "perturbed attention guidance",
    "SEG Active: True": "smoothed energy guidance",
    "Dynamic thresholding enabled: True, Mimic scale: 7": "(Dynamic Thresholding: the webui draws it",
    "dynthres_enabled: True": "(Dynamic Thresholding: the webui draws it",
    "RP Active: True": "(Regional Prompter: the webui draws it",
    "ControlNet 0: x": "(ControlNet: the webui draws it",
    "ADetailer model: a.pt, ADetailer ControlNet model: x": "(ControlNet: the webui draws it",
    "layerdiffusion_enabled: True": "(LayerDiffuse: the webui draws it",
    "Face restoration: GFPGAN": "let ADetailer's keys or `ohwx face` redraw faces",
    "ADetailer model: a.pt, ADetailer restore face: True": "let ADetailer's keys or `ohwx face` redraw faces",
    "Ultimate SD upscale tile_width: 512": "replay the picture that it enlarged",
    "SD upscale overlap: 64": "replay the picture that it enlarged",
    "Final denoising strength: 0.5, Denoising curve: Lazy": "replay one loop as img2img of the picture",
    "Tiled Diffusion: x, multidiffusion_enabled: True": "(Tiled Diffusion: the webui draws it",
    "Postprocess upscale by: 4": "take the keys out to get it as it was before",
    "GFPGAN visibility: 0.5, CodeFormer weight: 0, Max side length: 9": "take the keys out to get it as it was before",
    "VAE hash: 63aeecb90f": "name its file in the key VAE",
    "Hires upscale: 2, Hires Module 1: clip_l": "name the VAE in the key VAE for both passes",
    "Refine: True, Sampler sigma: karras, Operations: img2img": "(SD.Next: SD.Next draws it)",
    "Hypernet: x": "SDXL has none: take it out",
    "AddNet Enabled: True": "name its LoRA in the prompt as <lora:name:weight>",
    "Script: Prompt matrix": "(the script 'Prompt matrix': the webui draws it",
    "Hires upscale: 2, Hires upscaler: LDSR": "LDSR (a diffusion model: the webui draws it, or name another upscaler",
    "Hires steps: 10": "its size as 'Hires upscale' or 'Hires resize'",
    "Schedule type: Laplace": "write one of the webui 1.10's names",
    "Denoising strength: 0.5, Mask blur: 4, Version: v1.7.0": "add 'Inpaint area: Only masked'",
    "Whatever: 1": "not a key of the webui's",
}


@pytest.mark.parametrize("more", HELPED)
def test_a_refusal_names_who_wrote_the_keys_and_what_helps(more):
    text = it.parse(f"{BASE}, {more}")
    with pytest.raises(UnsupportedKeyError) as refused:
        it.require_supported(text)
    said = str(refused.value)
    assert HELPED[more] in said
    assert all(key in said for key in it.unsupported(text))
    assert said.count(". ") == 0
    assert said.endswith("which gives another picture.")
