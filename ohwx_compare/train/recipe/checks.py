"""What a recipe may say: each check raises ExperimentError with one sentence."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.request.limits import is_unicode
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.train.recipe.fields import Fields
from ohwx_compare.train.recipe.presets import CHOICES, COMPAT, FREE_SIDES, OPTIMIZER_ARGS
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["require_possible"]

_MOST = 10_000_000
_LONGEST_NAME = 150  # bytes of the checkpoints' name, to which a step is added
_LAST_RATE = 1e-7  # of a polynomial (train/learn/schedule.py)
_LEAST_RATE = 0.01  # of Prodigy, which multiplies it by one that it finds
_MOST_CARDS = 1024
_BLOCKS = 23  # of the UNet, as lr_blocks counts them
_LARGEST_SIDE = 16_384  # px, as of pictures
_TEXTS = ("base", "train", "reg", "output", "name", "vae", "masks", "from_state", "caption_prefix", "caption_suffix")
_COUNTS = (
    "repeats", "epochs", "steps", "batch", "accumulation", "keep_last", "save_every_epochs", "save_every_steps",
    "state_every", "watch_every_epochs", "watch_every_steps", "sample_steps", "schedule_cycles", "ema_every",
    "state_count",
)  # fmt: skip
_POSITIVE = (
    "reg_ratio", "prior_loss_weight", "lr_unet", "lr_te1", "lr_te2", "min_snr_gamma", "clip", "noise_offset", "warmup",
    "seed", "held_out", "validation", "sample_cfg", "memory_gb", "state_gb", "schedule_power", "huber_c", "huber_scale",
    "v_like_loss", "multires_discount", "ip_noise_gamma", "network_alpha",
)  # fmt: skip
_WITHIN: Mapping[str, tuple[float, float, str]] = MappingProxyType({  # least, most, what that is
    "reg_ratio": (0, 100, "at most 100 (for each training image)"),
    "multires_iterations": (0, 100, "0 to 100"),
    "multires_discount": (0, 1, "0 to 1"),
    "caption_dropout": (0, 1, "0 to 1"),
    "keep_tokens": (0, 10_000, "0 to 10,000"),
    "tag_dropout": (0, 1, "0 to 1"),
    "cache_gb": (0, 1e6, "0 to 1,000,000"),
    "huber_c": (1e-9, 1e9, "a number above 0, such as 0.1"),
    "huber_scale": (1e-9, 1e9, "a number above 0, such as 1"),
    "adaptive_noise_scale": (-1e9, 1e9, "a number such as 0.01"),
    "min_timestep": (0, 999, "0 to 999"),
    "max_timestep": (1, 1000, "1 to 1000"),
    "schedule_power": (0, 100, "0 to 100"),
    "network_rank": (1, 1024, "1 to 1024"),
})  # fmt: skip


def require_possible(recipe: Fields) -> None:
    """Raise ExperimentError for a value that no recipe can have, or for two that exclude one another."""
    for name in _COUNTS:
        value = getattr(recipe, name)
        if value is not None and not 1 <= value <= _MOST:
            raise ExperimentError(f"{name} is {quoted(value)}, expected 1 to {_MOST:,}.")
    for name, known in CHOICES.items():
        value = getattr(recipe, name)
        for one in value if isinstance(value, tuple) else (value,):
            if one not in known:
                raise ExperimentError(f"{name} is {quoted(one)}, expected {_listed(known)}.")
    if (recipe.epochs is None) == (recipe.steps is None):
        raise ExperimentError("The recipe needs either `epochs` or `steps`: set one, and the other to null.")
    for name in _TEXTS:
        if (value := getattr(recipe, name)) and (not is_unicode(value) or "\0" in value):
            raise ExperimentError(f"{name} is {quoted(value)}, which no file can be called.")
    if not is_plain_name(recipe.name) or len(recipe.name.encode()) > _LONGEST_NAME:
        raise ExperimentError(f"name is {quoted(recipe.name)}, expected a file name without folder and suffix.")
    _require_sizes(recipe)
    _require_numbers(recipe)
    _require_arguments(recipe)
    _require_together(recipe)


def _require_sizes(recipe: Fields) -> None:
    free = recipe.buckets and FREE_SIDES in recipe.compat
    for side in recipe.resolution:
        if not 64 <= side <= _LARGEST_SIDE or (side % 64 and not free):
            got = quoted(recipe.resolution)
            raise ExperimentError(f"resolution is {got}, expected positive multiples of 64 up to {_LARGEST_SIDE}.")
    if recipe.bucket_step < 32 or recipe.bucket_step % 32:
        raise ExperimentError(f"bucket_step is {recipe.bucket_step}, expected a multiple of 32.")
    sides = [recipe.bucket_step, recipe.bucket_min, *sorted(recipe.resolution), recipe.bucket_max]
    if recipe.buckets and not recipe.bucket_no_upscale and sides != sorted(sides):
        raise ExperimentError(
            f"Buckets go from {recipe.bucket_min} to {recipe.bucket_max} px, which must enclose the resolution "
            f"{recipe.resolution}; change bucket_min or bucket_max."
        )


def _require_numbers(recipe: Fields) -> None:
    for name in _POSITIVE:
        value = getattr(recipe, name)
        if value is not None and not 0 <= value < 2**63:
            raise ExperimentError(f"{name} is {quoted(value)}, expected 0 or more, below 2^63.")
    for name, (least, most, said) in _WITHIN.items():
        value = getattr(recipe, name)
        if not least <= value <= most:
            raise ExperimentError(f"{name} is {quoted(value)}, expected {said}.")
    if not all(0 <= seed < 2**63 for seed in recipe.sample_seeds):
        got = quoted(list(recipe.sample_seeds))
        raise ExperimentError(f"sample_seeds is {got}, expected numbers from 0, below 2^63.")
    if isinstance(recipe.warmup, float) and recipe.warmup > 1:
        raise ExperimentError(f"warmup is {recipe.warmup}, expected whole steps, or a share of all steps below 1.")
    if recipe.ema is not None and not 0 < recipe.ema < 1:
        raise ExperimentError(f"ema is {recipe.ema}, expected a decay between 0 and 1, such as 0.999.")
    if recipe.min_timestep >= recipe.max_timestep:
        raise ExperimentError(
            f"min_timestep is {recipe.min_timestep}, expected less than max_timestep ({recipe.max_timestep})."
        )
    hexadecimal = set("0123456789abcdefABCDEF")
    if len(recipe.alpha) != 7 or recipe.alpha[0] != "#" or not set(recipe.alpha[1:]) <= hexadecimal:
        raise ExperimentError(f"alpha is {quoted(recipe.alpha)}, expected a colour such as '#ffffff'.")


def _require_arguments(recipe: Fields) -> None:
    known = OPTIMIZER_ARGS[recipe.optimizer]
    for name, value in recipe.optimizer_args.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise ExperimentError(f"optimizer_args of {recipe.optimizer} has no {quoted(name)}; {hint}")
        if not _alike(value, known[name]):
            raise ExperimentError(
                f"optimizer_args.{name} is {quoted(value)}, expected a value such as {known[name]!r}."
            )
    for fault in recipe.compat:
        if fault not in COMPAT and fault != FREE_SIDES:
            near = did_you_mean(fault, [*COMPAT, FREE_SIDES, "kohya"])
            raise ExperimentError(f"compat has no {quoted(fault)}; {near}")


def _require_together(recipe: Fields) -> None:
    rates = (recipe.lr_unet, recipe.lr_te1, recipe.lr_te2)
    if not any(rates):
        raise ExperimentError("Nothing would be trained: lr_unet, lr_te1 and lr_te2 are all null or 0; set one.")
    if recipe.lr_blocks is not None:
        _require_blocks(recipe)
    if recipe.compile and recipe.network is not None:
        raise ExperimentError("compile is of a UNet that trains as a whole; set network to null, or compile to false.")
    if recipe.shard is not None:
        _require_dividable(recipe)
    if recipe.optimizer == "prodigy":
        _require_one_rate(recipe)
    if recipe.fused and recipe.clip and recipe.clip_by == "global":
        raise ExperimentError(
            "fused never has all gradients at once, so clip_by must be 'tensor', got 'global'; "
            "change one of them, or set clip to 0."
        )
    full = recipe.lr_unet or recipe.lr_te1 or recipe.lr_te2 or 0.0
    if recipe.schedule == "polynomial" and full <= _LAST_RATE:
        raise ExperimentError(f"A polynomial ends at a rate of {_LAST_RATE:g}, so a rate must be above, got {full:g}.")
    if recipe.zero_snr and recipe.prediction == "eps":
        raise ExperimentError('zero_snr ends in pure noise, where there is no noise to predict; say prediction "v".')
    if recipe.scale_v_loss and recipe.prediction == "eps":
        raise ExperimentError('scale_v_loss is of a loss in v; say prediction "v", or take it out.')
    if recipe.v_like_loss and recipe.prediction == "v":
        raise ExperimentError('v_like_loss is of a loss in noise; say prediction "eps", or take it out.')
    if not recipe.ema and (recipe.ema_ramp or recipe.ema_raw or recipe.ema_every > 1):
        raise ExperimentError("ema_ramp, ema_every and ema_raw belong to averaged weights; set ema, such as 0.999.")


def _require_dividable(recipe: Fields) -> None:
    if not 1 < recipe.shard <= _MOST_CARDS:  # type: ignore[operator]
        raise ExperimentError(f"shard is {recipe.shard}, expected 2 to {_MOST_CARDS:,} cards, or null.")
    for name in ("network", "compile", "ema", "lr_te1", "lr_te2"):
        if value := getattr(recipe, name):
            raise ExperimentError(
                f"shard divides a UNet that trains as a whole and alone, without compile and ema, got {name} "
                f"{quoted(value)}; take it out, or set shard to null."
            )
    if recipe.batch < (recipe.shard or 0):
        raise ExperimentError(
            f"batch is {recipe.batch}, shared by {recipe.shard} cards; set it to {recipe.shard} or a multiple."
        )


def _require_one_rate(recipe: Fields) -> None:
    rates = (recipe.lr_unet, recipe.lr_te1, recipe.lr_te2, *(recipe.lr_blocks or ()))
    own = {rate for rate in rates if rate}
    if len(own) > 1 or min(own) < _LEAST_RATE:
        raise ExperimentError(
            "prodigy finds one rate for all parts and multiplies it by theirs, so they must be alike and about 1, got "
            f"{' and '.join(f'{rate:g}' for rate in sorted(own))}; set lr_unet to 1, and others to 1 or null."
        )
    some = recipe.optimizer_args.get("slice_p", 1)
    if some not in range(1, 1001):
        raise ExperimentError(f"slice_p is {some}, expected 1 to 1000, such as 11.")


def _require_blocks(recipe: Fields) -> None:
    rates = recipe.lr_blocks or ()
    if len(rates) != _BLOCKS or not all(0 <= rate < 2**63 for rate in rates) or not any(rates):
        raise ExperimentError(
            f"lr_blocks is {quoted(list(rates))}, expected {_BLOCKS} rates of 0 or more: embeddings, 9 blocks down, "
            "3 in the middle, 9 up, output."
        )
    if recipe.network is not None or not recipe.lr_unet:
        raise ExperimentError("lr_blocks is of a UNet that trains as a whole; set lr_unet, and network to null.")


def _alike(value: Any, example: Any) -> bool:
    """Whether `value` is of the example's kind; whole numbers pass for floats."""
    if isinstance(example, tuple):
        same_length = isinstance(value, tuple) and len(value) == len(example)
        return same_length and all(map(_alike, value, example))
    if isinstance(example, bool) or isinstance(value, bool):
        return type(value) is type(example)
    return isinstance(value, int | float) and abs(value) < 2**63


def _listed(known: tuple[Any, ...]) -> str:
    return " or ".join("null" if value is None else repr(value) for value in known)
