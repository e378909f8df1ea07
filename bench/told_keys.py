"""What becomes of every key that the webui 1.5 to 1.10.1 and ADetailer 25.3.0 can write: a table, into docs/parity.md.

    python bench/told_keys.py [--write docs/parity.md]

Each key is put, with values that the webui could write, into a text of the kind that has it, and read as `ohwx replay`
reads it. *Drawn* means that the request is another one for it, *without effect* that it stands for nothing that moves a
pixel here, *refused* that nothing is drawn and the sentence names it. Where they come from: `extra_generation_params`,
`generation_params` and `infotext=` in the webui's tree at the releases 1.5.1, 1.6.0, 1.7.0, 1.8.0, 1.9.0 and 1.10.1,
`info` of its postprocessing scripts, and `adetailer/args.py`.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap

from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.infotext.earlier import as_of_its_version
from ohwx_compare.core.infotext.others import with_help
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.errors import OhwxError

_WHOLE = "\N{NO-BREAK SPACE}"  # a blank that no line ends at
START, END = "<!-- keys -->\n", "<!-- end of keys -->\n"
BEGINNING = "a (photo:1.2) of [a man:b:0.5]\nNegative prompt: c\n"
PICTURE = (
    "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.0, Seed: 1, Size: 512x768, Model hash: "
    "0123456789, Model: m"
)
KINDS = {
    "txt2img": PICTURE,
    "hires": f"{PICTURE}, Denoising strength: 0.7, Hires upscale: 2.0, Hires upscaler: Lanczos",
    "img2img": f"{PICTURE}, Denoising strength: 0.5",
    "inpaint": f"{PICTURE}, Denoising strength: 0.5, Mask blur: 6, Inpaint area: Only masked, Masked area padding: 24",
    "soft": f"{PICTURE}, Denoising strength: 0.5, Mask blur: 6, Soft inpainting enabled: True",
    "refiner": f"{PICTURE}, Refiner: r [9876543210], Refiner switch at: 0.7",
    "ADetailer": f"{PICTURE}, ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3",
}
_NOTHING = ("True", "False")
KEYS: dict[str, dict[str, tuple[str, ...]]] = {  # kind of text: key: values
    "txt2img": {
        "Steps": ("30",), "Sampler": ("Euler a", "DPM++ 2M Karras", "DDIM", "UniPC", "LCM", "Restart"),
        "Schedule type": ("Exponential", "karras", "Beta"), "CFG scale": ("4.5",), "Image CFG scale": ("1.5",),
        "Seed": ("2",), "Face restoration": ("GFPGAN", "CodeFormer"), "Size": ("1024x1024", "500x700"),
        "Model hash": ("9876543210",), "Model": ("other",), "FP8 weight": ("Enable", "Disable"),
        "Cache FP16 weight for LoRA": _NOTHING, "VAE hash": ("63aeecb90f",), "VAE": ("sdxl_vae.safetensors",),
        "Variation seed": ("5",), "Variation seed strength": ("0.3",), "Seed resize from": ("512x512",),
        "Clip skip": ("2",), "ENSD": ("31337",), "Token merging ratio": ("0.5",), "RNG": ("CPU", "NV"),
        "Tiling": ("True",), "Version": ("v1.5.1", "v1.6.0", "v1.7.0", "v1.8.0", "v1.9.4", "v1.10.1"),
        "User": ("me",), "Discard penultimate sigma": ("True",), "Downcast alphas_cumprod": ("True",),
        "Emphasis": ("No norm", "Ignore", "None"), "Eta": ("0.5",), "Eta DDIM": ("0.5",), "NGMS": ("2.0",),
        "NGMS all steps": ("True",), "Noise Schedule": ("Zero Terminal SNR",), "Skip Early CFG": ("0.2",),
        "Old prompt editing timelines": ("True",), "Pad conds": ("True",), "Pad conds v0": ("True",),
        "SGM noise multiplier": ("True",), "SGM noise multplier": ("True",), "Schedule max sigma": ("10.0",),
        "Schedule min sigma": ("0.1",), "Schedule rho": ("5.0",), "Sigma churn": ("2.0",), "Sigma noise": ("1.02",),
        "Sigma tmax": ("8.0",), "Sigma tmin": ("0.5",), "Beta schedule alpha": ("0.8",), "Beta schedule beta": ("0.8",),
        "Beta scheduler alpha": ("0.8",), "Beta scheduler beta": ("0.8",), "UniPC variant": ("bh2",),
        "UniPC skip type": ("logSNR",), "UniPC order": ("2",), "UniPC lower order final": ("False",),
        "Lora hashes": ('"x: 0123456789ab"',), "TI hashes": ('"y: 0123456789ab"',), "Styles": ("s",),
        "Hypernet": ("h",), "Hypernet strength": ("0.5",), "Script": ("X/Y/Z plot", "Prompt matrix"),
        "X Type": ("Seed",), "X Values": ('"1, 2"',), "Fixed X Values": ('"1, 2"',), "Y Type": ("Steps",),
        "Y Values": ("20",), "Fixed Y Values": ("1",), "Z Type": ("Nothing",), "Z Values": ("1",),
        "Fixed Z Values": ("1",), "First pass size": ("0x0", "512x384"), "Hypertile U-Net": ("True",),
        "Hypertile U-Net max depth": ("2",), "Hypertile U-Net max tile size": ("256",),
        "Hypertile U-Net second pass": ("True",), "Hypertile U-Net swap size": ("3",), "Hypertile VAE": ("True",),
        "Hypertile VAE max depth": ("2",), "Hypertile VAE max tile size": ("128",), "Hypertile VAE swap size": ("3",),
        "VAE Decoder": ("Full", "TAESD", "Approx NN"), "Postprocess upscale by": ("4",),
        "Postprocess upscale to": ("2048x2048",), "Postprocess upscaler": ("4x-UltraSharp",),
        "Postprocess upscaler 2": ("Lanczos",), "Postprocess crop to": ("1024x1024",), "Max side length": ("2000",),
        "GFPGAN visibility": ("0.5",), "CodeFormer visibility": ("0.5",), "CodeFormer weight": ("0.2",),
    },
    "hires": {
        "Denoising strength": ("0.4", "0"), "Hires upscale": ("1.5",), "Hires resize": ("1000x1500", "1024x0"),
        "Hires steps": ("10",), "Hires upscaler": ("Latent", "4x-UltraSharp", "LDSR"),
        "Hires sampler": ("Euler", "DPM++ 2M Karras"),
        "Hires schedule type": ("Exponential", "Use same scheduler"), "Hires prompt": ("p",),
        "Hires negative prompt": ("n",), "Hires checkpoint": ("c [0123456789]",), "Token merging ratio hr": ("0.5",),
        "Extra noise": ("0.1",), "Hires CFG Scale": ("5",),
        "Hires Module 1": ("Use same choices", "Built-in", "sdxl_vae"),
    },
    "img2img": {
        "Denoising strength": ("0.6", "0"), "Noise multiplier": ("0.95",), "Extra noise": ("0.1",),
        "Init image hash": ("0123456789abcdef0123456789abcdef",), "Conditional mask weight": ("0.5",),
        "VAE Encoder": ("Full", "TAESD"), "SD upscale overlap": ("64",), "SD upscale upscaler": ("4x-UltraSharp",),
        "Decode prompt": ("d",), "Decode negative prompt": ("d",), "Decode CFG scale": ("1",), "Decode steps": ("50",),
        "Randomness": ("0.1",), "Sigma Adjustment": ("True",), "Final denoising strength": ("0.4",),
        "Denoising curve": ("Linear",),
    },
    "inpaint": {
        "Mask blur": ("4",), "Mask mode": ("Inpaint not masked",), "Masked area padding": ("8",),
        "Inpaint area": ("Whole picture",),
        "Soft inpainting enabled": ("True",), "Masked content": ("original", "fill", "latent noise", "latent nothing"),
    },
    "soft": {
        "Soft inpainting schedule bias": ("2",),
        "Soft inpainting preservation strength": ("1",), "Soft inpainting transition contrast boost": ("3",),
        "Soft inpainting mask influence": ("0.5",), "Soft inpainting difference threshold": ("1",),
        "Soft inpainting difference contrast": ("3",),
    },
    "refiner": {
        "Refiner": ("s [0123456789]",), "Refiner switch at": ("0.5",), "Refiner switch by sampling steps": ("True",),
        "Hires refiner": ("both passes",),
    },
    "ADetailer": {f"ADetailer {key}": values for key, values in {
        "model": ("person_yolov8n-seg.pt", "mediapipe_face_full", "yolov8x-worldv2.pt"), "model classes": ("face",),
        "prompt": ("p",), "negative prompt": ("n",), "confidence": ("0.5",),
        "method to decide top k masks": ("Confidence",), "mask only top k": ("1",), "mask min ratio": ("0.1",),
        "mask max ratio": ("0.9",), "x offset": ("4",), "y offset": ("-4",), "dilate erode": ("8", "-8"),
        "mask merge invert": ("Merge", "Merge and Invert"), "mask blur": ("8",), "denoising strength": ("0.5",),
        "inpaint only masked": ("False",), "inpaint padding": ("16",), "use inpaint width height": ("True",),
        "inpaint width": ("500",), "inpaint height": ("700",), "use separate steps": ("True",), "steps": ("40",),
        "use separate CFG scale": ("True",), "CFG scale": ("5.0",), "use separate checkpoint": ("True",),
        "checkpoint": ("c.safetensors [0123456789]",), "use separate VAE": ("True",), "VAE": ("v.safetensors",),
        "use separate sampler": ("True",), "sampler": ("Euler a",), "scheduler": ("Exponential",),
        "use separate noise multiplier": ("True",), "noise multiplier": ("0.9",), "use separate CLIP skip": ("True",),
        "CLIP skip": ("2",), "restore face": ("True",), "ControlNet model": ("inpaint [x]", "Passthrough"),
        "ControlNet module": ("inpaint_global_harmonious",), "ControlNet weight": ("0.5",),
        "ControlNet guidance start": ("0.1",), "ControlNet guidance end": ("0.9",), "version": ("23.11.1", "25.3.0"),
        "model 2nd": ("hand_yolov8n.pt",),
    }.items()},
}  # fmt: skip
_SIZED, _CONTROLLED = "ADetailer use inpaint width height: True", "ADetailer ControlNet model: inpaint [x]"
WITH = {  # keys that count together with another one
    "Variation seed": "Variation seed strength: 0.2", "Eta DDIM": "Sampler: DDIM",
    "Hires refiner": "Hires upscale: 2, Hires upscaler: Latent", "ADetailer inpaint width": _SIZED,
    "ADetailer inpaint height": _SIZED, "ADetailer scheduler": "ADetailer use separate sampler: True",
    "ADetailer checkpoint": "ADetailer use separate checkpoint: True",
    "ADetailer VAE": "ADetailer use separate VAE: True",
    **{f"ADetailer ControlNet {what}": _CONTROLLED for what in ("module", "weight", "guidance start", "guidance end")},
}  # fmt: skip


@dataclass(frozen=True)
class Fate:
    """What became of a key with a value."""

    kind: str
    key: str
    value: str
    outcome: str  # "drawn", "without effect", "refused"
    said: str = ""


def request(text: str) -> tuple[object, ...]:
    """All that replay draws from a text. Raises OhwxError."""
    parsed = infotext.parse(text)
    job, tabs = infotext.to_job(parsed), infotext.faces(parsed)
    job = replace(job, **as_of_its_version(parsed, job))
    for settings in (job, *tabs):
        require_valid(settings)
    within = infotext.to_inpaint_job(parsed) if infotext.is_inpaint(parsed) else None
    return job, tabs, within, infotext.model(parsed), infotext.xyz(parsed)


def fate(kind: str, key: str, value: str) -> Fate:
    """Put `key` into a text of that kind and read it."""
    base = BEGINNING + KINDS[kind]
    base = f"{base}, {WITH[key]}" if key in WITH else base
    text = f"{base}, {key}: {value}"
    known = infotext.unsupported(infotext.parse(base))
    if named := [one for one in infotext.unsupported(infotext.parse(text)) if one not in known]:
        return Fate(kind, key, value, "refused", with_help(named))
    try:
        now, before = request(text), request(base)
    except OhwxError as error:
        return Fate(kind, key, value, "refused", str(error))
    return Fate(kind, key, value, "without effect" if now == before else "drawn")


def fates() -> Iterator[Fate]:
    """Of every key, with each value."""
    for kind, keys in KEYS.items():
        for key, values in keys.items():
            yield from (fate(kind, key, value) for value in values)


def page(found: Sequence[Fate]) -> str:
    """The list in Markdown: keys by what becomes of them."""
    count = Counter(one.outcome for one in found)
    keys = len({(one.kind, one.key) for one in found})
    lines = [
        f"Of {keys} keys with {len(found)} values {count['drawn']} are drawn, {count['without effect']} are without "
        f"effect, {count['refused']} are refused, each by a sentence that names it."
    ]
    lines += [f"*{what.capitalize()}*: {', '.join(_named(found, what))}." for what in count]
    text = "\n\n".join("\n".join(wrap(line, 120, break_on_hyphens=False)) for line in lines)
    return text.replace(_WHOLE, " ")


def _named(found: Sequence[Fate], outcome: str) -> list[str]:
    """The keys with that outcome; with the value where another value has another one."""
    names = []
    for one in found:
        others = {other.outcome for other in found if (other.kind, other.key) == (one.kind, one.key)}
        if one.outcome == outcome:
            name = one.key if others == {outcome} else f"{one.key}: {one.value}"
            names.append(f"`{name.replace(' ', _WHOLE)}`")
    return list(dict.fromkeys(names))


def main() -> None:
    """Print a line a key and value; write the page's list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the list between the marks of this page")
    options = parser.parse_args()
    found = list(fates())
    for one in found:
        print(f"{one.kind:10} {one.key}: {one.value} | {one.outcome} {one.said}")
    print(dict(Counter(one.outcome for one in found)))
    if options.write:
        head, rest = options.write.read_text(encoding="utf-8").split(START)
        options.write.write_text(f"{head}{START}{page(found)}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
