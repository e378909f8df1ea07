"""What a run needs to resume at a step as if nothing had happened: weights, optimiser, average, and the step's number.

Order, noise, timesteps and learning rate are functions of the step, so nothing else is there to keep. A state is one
safetensors file; the newest two stay, and a newer one is whole before an older one goes.
"""

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from ohwx_compare.errors import CheckpointError, TrainingError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.tensors import write_tensors
from ohwx_compare.numerals import whole_number
from ohwx_compare.train.learn.setup import Setup
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.recipe.presets import WATCHING
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["fingerprint", "forget", "newest", "read_state", "setup_state_bytes", "usable_state", "write_state"]

KEPT = 2
NAMES = {torch.float32: "F32", torch.bfloat16: "BF16"}
# what may change between two sittings of one run
FREE = (
    *WATCHING, "base", "train", "reg", "output", "preset", "state_every", "keep_last", "checkpointing", "memory_gb",
)  # fmt: skip

DEFAULTS = {each.name: each.default for each in fields(Recipe)}
LATER = (  # fields that came with a later version: at their defaults they leave a run what it was
    "vae", "masks", "schedule_cycles", "schedule_power", "zero_snr", "loss", "huber_schedule", "huber_c", "huber_scale",
    "scale_v_loss", "v_like_loss", "min_timestep", "max_timestep", "noise_offset_random", "adaptive_noise_scale",
    "multires_iterations", "multires_discount", "ip_noise_gamma", "ip_noise_gamma_random", "save_precision", "ema_ramp",
    "ema_every", "ema_raw", "network", "network_rank", "network_alpha",
)  # fmt: skip


def fingerprint(plan: TrainingPlan, base: str) -> str:
    """sha256 of all that decides the steps: recipe, the base's sha256, pictures by name, size, caption and number."""
    recipe = {name: value for name, value in plan.recipe.to_dict().items() if name not in FREE}
    recipe = {name: value for name, value in recipe.items() if name not in LATER or value != DEFAULTS[name]}
    recipe |= {name: Path(recipe[name]).name for name in ("vae", "masks") if name in recipe}
    if not plan.recipe.zero_snr:
        recipe["compat"] = [fault for fault in recipe["compat"] if fault != "snr"]
    pictures = [
        (one.path.name, one.caption, one.repeats, one.reg, placed.original, placed.bucket)
        for one, placed in zip(plan.pictures, plan.placements, strict=True)
    ]
    return hashlib.sha256(json.dumps([recipe, base, pictures], sort_keys=True).encode("utf-8")).hexdigest()


def newest(folder: Path) -> Path | None:
    """The state to resume from, if there is one."""
    return max(folder.glob("step-*.state"), default=None)


def usable_state(folder: Path, owner: str) -> tuple[Path | None, str]:
    """The newest state that is whole, None for none; and what is wrong with newer ones, "" for nothing.

    Raises TrainingError where all are damaged, or the newest whole one is another run's.
    """
    damage = []
    for path in sorted(folder.glob("step-*.state"), reverse=True):
        try:
            metadata = read_header(path).metadata
        except CheckpointError as error:
            damage.append(str(error))
            continue
        if metadata.get("run") != owner:
            raise TrainingError(
                f"{path} is the state of another run: recipe, base or pictures differ. Choose another output, or "
                "delete the state to start again."
            )
        return path, " ".join(damage)
    if damage:
        raise TrainingError(f"No state is whole: {' '.join(damage)} Delete {folder} to start again.")
    return None, ""


def forget(folder: Path) -> None:
    """Remove all states: the run has finished."""
    for path in folder.glob("step-*.state"):
        path.unlink()


def setup_state_bytes(setup: Setup) -> int:
    """What a state takes on the disk; before the first step the optimiser's part is missing."""
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(setup).values())


def write_state(folder: Path, setup: Setup, step: int, owner: str) -> Path:
    """Write the state after `step`, then drop all but the newest `KEPT`. Raises OSError where the disk is full."""
    tensors = _tensors(setup)
    kinds = {name: (NAMES[tensor.dtype], tuple(tensor.shape)) for name, tensor in tensors.items()}
    path = folder / f"step-{step:08d}.state"  # safetensors inside; under another name, for it is no checkpoint
    write_tensors(path, kinds, lambda name: _bytes(tensors[name]), {"step": str(step), "run": owner})
    for old in sorted(folder.glob("step-*.state"))[:-KEPT]:
        old.unlink()
    return path


def read_state(path: Path, setup: Setup) -> int:
    """Put the tensors of `path`, a usable state, into `setup`; returns the step it was written after."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        for name in file.keys():  # noqa: SIM118  the file is no mapping
            kind, _, rest = name.partition("/")
            _put(setup, kind, rest, file.get_tensor(name))
    return whole_number(metadata["step"])


def _put(setup: Setup, kind: str, name: str, tensor: Tensor) -> None:
    if kind == "weight":
        with torch.no_grad():
            setup.stepper.weights[name].copy_(tensor)
    elif kind == "ema":
        setup.ema[name] = tensor.clone()
    else:
        setup.stepper.put(name, kind, tensor)


def _tensors(setup: Setup) -> dict[str, Tensor]:
    """All that moves, under "weight/NAME", "ema/NAME" and "row/NAME" or whatever the optimiser keeps."""
    tensors = {f"weight/{name}": weight.detach() for name, weight in setup.stepper.weights.items()}
    for name, own in setup.stepper.state.items():
        tensors |= {f"{kind}/{name}": tensor for kind, tensor in own.items()}
    return tensors | {f"ema/{name}": tensor for name, tensor in setup.ema.items()}


def _bytes(tensor: Tensor) -> bytes:
    return tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
