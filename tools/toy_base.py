"""Train the toy checkpoint from nothing with `ohwx train`'s loop, on the autoencoder of tools/toy_watched.py.

    python tools/toy_base.py WORK [--lessons 12000] [--read 1000] [--steps 4000]

First both text encoders learn with the UNet, then the UNet goes on alone. Stopped or killed, the same command goes on
from the last state. Ends with WORK/toy.safetensors, float32.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ohwx_compare.core.events import Event, Learned
from ohwx_compare.engine.weights import PREFIXES
from ohwx_compare.models.text import ClipG, ClipL
from ohwx_compare.models.unet import UNet
from ohwx_compare.toy.checkpoint import TEXT, TOKEN_SPREAD, UNET
from ohwx_compare.toy.datasets import write_lessons
from ohwx_compare.toy.drawn import EXTRA
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train

RECIPE = {
    "resolution": (128, 128),  # an upper bound: the pictures' 96 px are kept
    "bucket_no_upscale": True,
    "bucket_step": 32,
    "captions": "file",
    "batch": 64,
    "lr_unet": 1e-3,
    "epochs": None,
    "schedule": "cosine",
    "warmup": 100,
    "optimizer": "adamw",
    "optimizer_args": {"betas": (0.9, 0.99), "weight_decay": 0.0},
    "fused": False,
    "clip_by": "global",
    "precision": "fp32-master",
    "checkpointing": False,
    "loss_weighting": "min-snr",
    "save_every_epochs": None,
    "save_every_steps": 500,
    "keep_last": 1,
    "state_every": 250,
    "ema": 0.998,
    "validation": 0,
}


def untaught(path: Path, vae: dict[str, Tensor]) -> None:
    """Write the checkpoint that training starts from: this VAE, everything else drawn."""
    torch.manual_seed(0)
    parts = {"clip_l": ClipL(TEXT), "clip_g": ClipG(TEXT), "unet": UNet(UNET)}
    with torch.no_grad():
        for name, module in parts["unet"].named_modules():
            if name == "out" or name.endswith("out_layers"):  # begin as the identity, as in Ho et al.'s code
                module[-1].weight.zero_()
                module[-1].bias.zero_()
        for part in ("clip_l", "clip_g"):
            for name, weight in parts[part].named_parameters():
                if "embedding" in name:
                    weight.normal_(0, TOKEN_SPREAD if "token" in name else 0.1)
    state = {f"{PREFIXES['vae']}{name}": value for name, value in vae.items()}
    for part, module in parts.items():
        state |= {PREFIXES[part] + name: value for name, value in module.state_dict().items()}
    for name, shape in EXTRA.items():
        state[name] = torch.arange(77)[None] if shape else torch.zeros(())
    save_file({name: value.contiguous() for name, value in state.items()}, path, metadata={"format": "pt"})


def taught(recipe: Recipe, until: int | None = None) -> Path:
    """Carry out `recipe`, or what is left of it, to its end or to the save at step `until`; that checkpoint."""
    plan = make_plan(recipe)
    last = next(save for save in plan.saves if save.step == until) if until else plan.saves[-1]
    path = Path(recipe.output) / f"{last.name}.safetensors"
    if path.exists():
        return path
    learned: list[Learned] = []

    def listen(event: Event) -> None:
        if isinstance(event, Learned):
            learned.append(event)
            if event.step % 50 == 0:
                losses = [each.loss for each in learned[-50:]]
                print(f"{event.step}/{last.step}: loss {sum(losses) / len(losses):.4f}", flush=True)

    train(plan, listen, asked=lambda: bool(learned) and learned[-1].step == last.step)
    return path


def main() -> None:
    """Draw, start, train twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--lessons", type=int, default=12_000)
    parser.add_argument("--read", type=int, default=1000, help="steps with the text encoders, of a cosine of 2000")
    parser.add_argument("--steps", type=int, default=4000, help="steps without")
    options = parser.parse_args()
    work = options.work
    write_lessons(work / "pictures", options.lessons)
    start = work / "untaught.safetensors"
    if not start.exists():
        untaught(start, load_file(work / "watched.safetensors"))
    about = RECIPE | {"train": str(work / "pictures")}
    first = Recipe(
        **about, name="read", base=str(start), output=str(work / "read"), steps=2000, lr_te1=5e-4, lr_te2=5e-4
    )
    read = taught(first, options.read)
    second = replace(
        first, name="toy", base=str(read), output=str(work / "toy"), steps=options.steps, lr_te1=None, lr_te2=None
    )
    shutil.copyfile(taught(second), work / "toy.safetensors")


if __name__ == "__main__":
    main()
