"""`ohwx demo`: the main job on stand-ins that the program draws itself; nothing is downloaded."""

import argparse
import sys
from pathlib import Path

from ohwx_compare.cli.compare import run_experiment
from ohwx_compare.cli.options import require_folder
from ohwx_compare.core import infotext
from ohwx_compare.core.experiment import Experiment

__all__ = ["add_flags"]

INFOTEXT = """\
picture of (ohwx man:1.1) with shirt in anime style, anime movie, anime screenshot
Negative prompt: shirtless, topless, nsfw
Steps: 12, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 9.0, Seed: 10, Size: 256x256, \
Model: tiny_base, RNG: CPU, ADetailer model: drawn_face.safetensors, ADetailer confidence: 0.3, \
ADetailer method to decide top k masks: Area, ADetailer mask only top k: 1, ADetailer dilate erode: 4, \
ADetailer mask blur: 4, ADetailer denoising strength: 0.5, ADetailer inpaint only masked: True, \
ADetailer inpaint padding: 32, ADetailer use separate steps: True, ADetailer steps: 20, ADetailer version: 25.3.0, \
Script: X/Y/Z plot, X Type: Checkpoint name, X Values: "tiny_base.safetensors,tiny_reg.safetensors,\
tiny_noreg.safetensors", Y Type: Seed, Y Values: "10,11", Fixed Y Values: "10, 11", Version: 1.10.1
"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Draw three tiny checkpoints of SDXL's layout and a detector from a seed, then compare them as an "
        "X/Y/Z plot's infotext asks. Their weights are drawn, not trained: the pictures are noise, everything "
        "else is the real thing."
    )
    parser.epilog = "example: ohwx demo --out demo"
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("demo"), help="folder (default: demo)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw the stand-ins that are missing, then compare. Returns the exit status."""
    from ohwx_compare.toy.drawn import draw_tiny
    from ohwx_compare.toy.drawn_detector import draw_detector

    require_folder(options.out)
    models, detector = options.out / "models", options.out / "models" / "adetailer" / "drawn_face.safetensors"
    if not detector.is_file():
        print("drawing three tiny checkpoints and a detector", file=sys.stderr)
        detector.parent.mkdir(parents=True, exist_ok=True)
        draw_tiny(models)
        draw_detector(detector)
    flags = argparse.Namespace(
        checkpoints=models,
        detectors=[detector.parent],
        checkpoint_map=[],
        vae=None,
        device="cpu",
        dtype=None,
        out=options.out / "comparison",
        batch=4,
        reuse=[],
        json=options.json,
    )
    return run_experiment(Experiment.from_infotext(infotext.parse(INFOTEXT)), flags)
