"""Which run a state or checkpoint belongs to, and which runs it came from."""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ohwx_compare.numerals import decode_json
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.recipe.presets import WATCHING
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["RunIdentity", "fingerprint", "identity_of"]

# what may change between two sittings of one run
FREE = (
    *WATCHING, "base", "train", "reg", "output", "preset", "keep_last", "checkpointing", "memory_gb", "state_every",
    "state_count", "state_gb", "state_at_end", "cache_gb", "log", "shard",
)  # fmt: skip
DEFAULTS: dict[str, Any] = {
    each.name: [] if each.default == () else each.default for each in fields(Recipe)
}  # as JSON has them
LATER = (  # fields that came with a later version: at their defaults they leave a run what it was
    "vae", "masks", "schedule_cycles", "schedule_power", "zero_snr", "loss", "huber_schedule", "huber_c", "huber_scale",
    "scale_v_loss", "v_like_loss", "min_timestep", "max_timestep", "noise_offset_random", "adaptive_noise_scale",
    "multires_iterations", "multires_discount", "ip_noise_gamma", "ip_noise_gamma_random", "save_precision", "ema_ramp",
    "ema_every", "ema_raw", "from_state", "lr_blocks", "flip", "caption_dropout",
    "network", "network_rank", "network_alpha", "shuffle", "keep_tokens", "keep_tokens_separator", "tag_dropout",
    "caption_prefix", "caption_suffix", "concepts", "compile",
)  # fmt: skip
OF_LENGTH = ("epochs", "steps", "save_every_epochs", "save_every_steps")  # of a run that may be extended


@dataclass(frozen=True)
class RunIdentity:
    """A run, as its files name it."""

    base: str  # the base's sha256
    run: str  # the fingerprint of all that decides its steps
    kin: str  # the same without its length; "" where its length decides the steps
    ancestors: tuple[dict[str, Any], ...] = ()  # runs that it branches from, oldest first: run, step, what differs

    def owns(self, metadata: dict[str, str], prefix: str = "") -> bool:
        """Whether a file with this metadata is of this run, or of the same at another length."""
        kin = metadata.get(f"{prefix}kin")
        return metadata.get(f"{prefix}run") == self.run or bool(kin and kin == self.kin)

    def marks(self, prefix: str = "") -> dict[str, str]:
        """What a file of this run says in its metadata."""
        return {f"{prefix}run": self.run, **({f"{prefix}kin": self.kin} if self.kin else {})}

    def descended(self, metadata: dict[str, str]) -> "RunIdentity":
        """The same run with the ancestors that its own state names."""
        return replace(self, ancestors=tuple(decode_json(metadata.get("ancestors", "[]"))))


def identity_of(plan: TrainingPlan, base: str) -> RunIdentity:
    """The run of a plan; base: the base's sha256. Only a constant rate, warmed up by steps, knows no end."""
    recipe = plan.recipe
    is_endless = recipe.schedule == "constant" and not isinstance(recipe.warmup, float)
    return RunIdentity(base, fingerprint(plan, base), fingerprint(plan, base, OF_LENGTH) if is_endless else "")


def fingerprint(plan: TrainingPlan, base: str, without: tuple[str, ...] = ()) -> str:
    """sha256 of all that decides the steps: recipe, the base's sha256, pictures by name, size, caption and number."""
    recipe = {name: value for name, value in plan.recipe.to_dict().items() if name not in (*FREE, *without)}
    recipe = {name: value for name, value in recipe.items() if name not in LATER or value != DEFAULTS[name]}
    recipe |= {name: Path(recipe[name]).name for name in ("vae", "masks", "from_state") if name in recipe}
    if "concepts" in recipe:  # their folders may lie elsewhere
        recipe["concepts"] = [{**one, "folder": ""} for one in recipe["concepts"]]
    if not plan.recipe.zero_snr:
        recipe["compat"] = [fault for fault in recipe["compat"] if fault != "snr"]
    pictures = [
        (one.path.name, one.caption, one.repeats, one.reg, placed.original, placed.bucket)
        for one, placed in zip(plan.pictures, plan.placements, strict=True)
    ]
    return hashlib.sha256(json.dumps([recipe, base, pictures], sort_keys=True).encode("utf-8")).hexdigest()
