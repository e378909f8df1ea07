"""Who writes the keys that our engine does not follow, and what helps whoever meets one.

Keys as extensions, forks and other programs write them: their sources, and texts that people have published.
"""

import re
from collections.abc import Iterable

from ohwx_compare.words import quoted

__all__ = ["with_help"]

_EXTENSION = "the webui draws it with that extension"
_FORK = "that fork draws it"
_UNKNOWN = ("", "not a key of the webui's, so nobody here knows what it does: draw it where it was made")
_OTHER_MODEL = "it belongs to another kind of model than SDXL"
_HELP = tuple(
    (re.compile(pattern), who, advice)
    for pattern, who, advice in (
        (r"(?:Hires |hires_|img2img_)upscaler: LDSR", "a diffusion model",
         "the webui draws it, or name another upscaler"),
        (r"FreeU\b.*|freeu_.*", "FreeU", _EXTENSION),
        (r"(?i)hypertile.*", "HyperTile", "the webui draws it"),
        (r"PAG\b.*|pagi?_.*", "perturbed attention guidance (PAG)", _EXTENSION),
        (r"SEG\b.*", "smoothed energy guidance (SEG)", _EXTENSION),
        (r"SAG\b.*|sag_.*", "self-attention guidance (SAG)", _EXTENSION),
        (r"CFG Rescale.*|rescaleCFG.*", "CFG Rescale", _EXTENSION),
        (r"CADS\b.*", "CADS", _EXTENSION),
        (r"NegPiP.*", "NegPiP", _EXTENSION),
        (r"DD_.*|Detail Daemon.*", "Detail Daemon", _EXTENSION),
        (r"Dynamic thresholding.*|dynthres_.*|Mimic .*|Threshold percentile|CFG (?:mode|scale minimum|scheduler).*"
         r"|Separate Feature Channels|Scaling Startpoint|Variability Measure|Interpolate Phi",
         "Dynamic Thresholding", _EXTENSION),
        (r"RP [A-Z].*|RP threshold", "Regional Prompter", _EXTENSION),
        (r"forge_couple.*", "Forge Couple", _EXTENSION),
        (r"Latent Couple.*", "Latent Couple", _EXTENSION),
        (r"Cutoff .*", "Cutoff", _EXTENSION),
        (r"(?:ADetailer )?ControlNet.*", "ControlNet", _EXTENSION),
        (r"layerdiffusion_.*", "LayerDiffuse", _EXTENSION),
        (r"Tiled Diffusion.*|multidiffusion_.*|NoiseInv.*", "Tiled Diffusion", _EXTENSION),
        (r"kohya_hrfix_.*|Kohya Hires.*", "Kohya HRFix", _EXTENSION),
        (r"stylealign_.*", "StyleAlign", _EXTENSION),
        (r"latent_modifier_.*", "Latent Modifier", _EXTENSION),
        (r"AddNet .*", "Additional Networks", "name its LoRA in the prompt as <lora:name:weight>"),
        (r"<loractl.*|<lbw.*", "LoRA Control", "name the LoRA as <lora:name:weight>, or " + _EXTENSION),
        (r"Ultimate SD upscale.*", "Ultimate SD upscale", "replay the picture that it enlarged, then enlarge it there"),
        (r"SD [Uu]pscale.*", "SD upscale", "replay the picture that it enlarged, then enlarge it in the webui"),
        (r"Final denoising strength|Denoising (?:curve|change factor)|Loopback", "Loopback",
         "replay one loop as img2img of the picture that it began with"),
        (r"Decode .*|Randomness|Sigma Adjustment", "img2img alternative test", "the webui draws it"),
        (r"Postprocess .*|(?:GFPGAN|CodeFormer) (?:visibility|weight)|Max side length", "the webui's Extras",
         "they came after the picture: take the keys out to get it as it was before"),
        (r"Face restoration|restore face.*", "GFPGAN or CodeFormer",
         "take it out and let ADetailer's keys or `ohwx face` redraw faces"),
        (r"Hypernet.*|<hypernet.*", "a hypernetwork", "SDXL has none: take it out"),
        (r"FP8 weight|Cache FP16 weight.*", "weights in 8 bits", "the webui draws it"),
        (r"VAE (?:En|De)coder", "a small VAE", "the webui draws it, or take the key out for the whole VAE"),
        (r"Conditional mask weight", "an inpainting checkpoint", "the webui draws it: no SDXL file here has a mask"),
        (r"Hires Module \d", "Forge", "name the VAE in the key VAE for both passes, or draw it in Forge"),
        (r"(?:Hires )?Distilled CFG Scale|Shift|sd3_shift|Module \d", "Forge", f"{_FORK}, or {_OTHER_MODEL}"),
        (r"SkipEarly|CG .*|MaHiRo|mahiro.*|eps_scaling_factor|Epsilon Scaling.*|advanced_sampling.*|apg_.*",
         "a fork of Forge", _FORK),
        (r"Operations|Pipeline|Parser|Refine|Second pass|HiRes mode|Hires (?:force|size|scale|mode|strength|CFG scale)"
         r"|CFG (?:rescale|end|start)|Sampler .+|Resize (?:mode|scale)|Init image size|LoRA networks",
         "SD.Next", "SD.Next draws it"),
        (r"Sharpness|ADM Guidance|Performance|Fooocus.*|Metadata Scheme", "Fooocus", "Fooocus draws it"),
        (r"sv_.*|Edit .*", "a page for pictures", "it draws it"),
        (r"Civitai resources", "Civitai", "name its LoRAs in the prompt as <lora:name:weight> and take the key out"),
        (r"Inpaint area", "", "add 'Inpaint area: Only masked' or 'Inpaint area: Whole picture'"),
        (r"Denoising strength", "", "write hires fix's own there, where you know it"),
        (r"Sampler|Schedule type|sampler|scheduler", "", "write one of the webui 1.10's names"),
        (r"Hires .+", "hires fix", "write the webui 1.10's names, and its size as 'Hires upscale' or 'Hires resize'"),
        (r"RNG|rng", "", "write CPU, GPU or NV"),
        (r"VAE hash", "", "name its file in the key VAE"),
        (r"Mask mode|Masked content", "", "write one of the webui's words"),
        (r"Seed", "", "write the seed that it was drawn with"),
        (r"model(?: classes)?", "ADetailer", "the webui draws it, or name a YOLOv8 detector"),
        (r"line .*", "", "take the line out, or bring it into the form of the others"),
    )
)  # fmt: skip


def with_help(refused: Iterable[str]) -> str:
    """What is refused ("key: value"), together by who wrote it, with what helps; one part of a sentence."""
    groups: dict[tuple[str, str], list[str]] = {}
    for what in refused:
        groups.setdefault(_helped(what), []).append(what)
    return "; ".join(_said(*whose, whats) for whose, whats in groups.items())


def _helped(what: str) -> tuple[str, str]:
    key = what.partition(":")[0].partition(" (")[0]
    if key == "Script":
        script = quoted(what.partition(": ")[2])
        return f"the script {script}", "the webui draws it, or replay one of its pictures without the key"
    known = (one for one in _HELP if one[0].fullmatch(what) or one[0].fullmatch(key))
    return next(((who, advice) for _, who, advice in known), _UNKNOWN)


def _said(who: str, advice: str, whats: list[str]) -> str:
    return f"{', '.join(whats)} ({': '.join(filter(None, (who, advice)))})"
