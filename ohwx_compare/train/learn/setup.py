"""Everything a run computes with, made from its plan: encoders run and freed, weights loaded, optimiser ready.

The parts of the checkpoint are in memory one after the other: the VAE until all pictures are latents, a frozen text
encoder until all captions are encoded, then the UNet.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ohwx_compare.core.prompt.chunks import LENGTH
from ohwx_compare.engine.compiled import compile_blocks, require_compiler
from ohwx_compare.engine.weights import PREFIXES, load_part
from ohwx_compare.files.checkpoint import prediction, read_header
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.files.loss_masks import loss_mask
from ohwx_compare.models.text import ClipG, ClipL
from ohwx_compare.models.unet import UNet
from ohwx_compare.train.learn.adamw8bit import AdamW8bit
from ohwx_compare.train.learn.cache import EncodedCaptions, EncodeTokens, KnownTexts, Tokens, read_g, read_l
from ohwx_compare.train.learn.came import Came
from ohwx_compare.train.learn.group import ProcessGroup
from ohwx_compare.train.learn.loss import Diffusion, Huber
from ohwx_compare.train.learn.low_rank import put_beside
from ohwx_compare.train.learn.optim import Adafactor, AdamW, Rule
from ohwx_compare.train.learn.pictures import LatentSet, encode_dataset
from ohwx_compare.train.learn.prodigy import Prodigy
from ohwx_compare.train.learn.serving import Led, rejoin
from ohwx_compare.train.learn.shard import cut, require_shard
from ohwx_compare.train.learn.sharded import ShardedStepper
from ohwx_compare.train.learn.shelf import EncodedShelf, encoded_folder
from ohwx_compare.train.learn.stepper import Precision, Stepper
from ohwx_compare.train.learn.trained import recompute, trainable
from ohwx_compare.train.plan.blocks import unet_rate
from ohwx_compare.train.plan.low_rank import FILE_PREFIXES
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["Setup", "set_up"]

_ADAMS = {"adamw": AdamW, "adamw8bit": AdamW8bit}
_MASTERED = {"fp32-master": torch.bfloat16, "fp16": torch.float16}  # what is computed with beside float32 masters
RATES = {"unet": "lr_unet", "clip_l": "lr_te1", "clip_g": "lr_te2"}  # part -> its field of the recipe


@dataclass(frozen=True, eq=False)
class Setup:
    """A run, ready to step."""

    plan: TrainingPlan
    unet: UNet
    texts: EncodedCaptions
    latents: LatentSet  # of all pictures that are shown or validated
    parts: dict[str, nn.Module]  # those that are trained: "unet", "clip_l", "clip_g"
    stepper: Stepper
    diffusion: Diffusion
    ema: dict[str, Tensor]  # averaged weights, float32 on the CPU; empty without
    group: ProcessGroup
    masks: Mapping[int, Tensor] = field(default_factory=dict)  # by picture, (1, h, w) float32; empty without masks
    led: Led | None = None  # the UNet for the leader alone, where it lies in rows on several cards

    @property
    def device(self) -> torch.device:
        """Where the steps are computed."""
        return next(self.unet.parameters()).device

    @property
    def looking(self) -> UNet:
        """The UNet as samples and validation call it, between steps and in the leader alone."""
        return self.unet if self.led is None else self.led

    def rejoin(self) -> None:
        """Called by all when the leader has done what it does alone."""
        if self.led is not None and isinstance(self.stepper, ShardedStepper):
            rejoin(self.led, self.stepper, self.group)


def set_up(
    plan: TrainingPlan,
    device: str,
    group: ProcessGroup = ProcessGroup(),  # noqa: B008  frozen
    on_picture: Callable[[bool], None] = lambda made: None,
) -> Setup:
    """Load and encode all that `plan` needs; `on_picture` is called after each picture, with whether it was encoded.

    Raises CheckpointError for a base that does not load, ImageError for a picture that changed since the plan,
    and as `require_shard`.
    """
    recipe, base = plan.recipe, Path(plan.recipe.base)
    require_shard(recipe, group)
    with EncodedShelf(encoded_folder(), round(recipe.cache_gb * 1e9)) as shelf:
        latents = encode_dataset(plan, device, shelf, on_picture)
    held = held_dtype(recipe)
    place = "cpu" if recipe.shard else device  # a card that holds no model gets its rows alone
    rates = {part: getattr(recipe, field) or 0.0 for part, field in RATES.items()}
    parts = {part: load_part(part, base, device=place, dtype=held) for part, rate in rates.items() if rate}
    with EncodedShelf(encoded_folder(), round(recipe.cache_gb * 1e9)) as shelf:
        texts = _texts(plan, parts, device, shelf)
    trained = parts.get("unet")
    unet = trained if isinstance(trained, UNet) else load_part("unet", base, device=place, dtype=held)
    weights = _trained(parts, recipe)
    masters = _mastered(recipe, {unet, *parts.values()}, weights)
    if recipe.compile:
        require_compiler(torch.device(device), cache_folder())
        compile_blocks(unet, _usual_shape(plan, group))
    recompute(unet, plan.again)
    if recipe.shard:
        cut(unet, torch.device(device), recipe.shard)
        held_now = {PREFIXES["unet"] + name: weight for name, weight in unet.named_parameters()}
        weights = {name: held_now[name] for name in weights}
    stepper = _stepper(recipe, weights, masters, group)
    ema = {name: stepper.kept(name).float().cpu().clone() for name in weights} if recipe.ema else {}
    masks = {i: torch.from_numpy(_mask(plan, recipe.masks, i))[None] for i in plan.needed} if recipe.masks else {}
    led = Led(unet, group) if recipe.shard else None
    return Setup(plan, unet, texts, latents, parts, stepper, _diffusion(recipe, base), ema, group, masks, led)


def _mastered(recipe: Recipe, modules: set[nn.Module], weights: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """The float32 masters that the precision wants, the modules rounded to what they compute in."""
    computes = _MASTERED.get(recipe.precision)
    if computes is None:
        return {}
    masters = {name: weight.detach() for name, weight in weights.items()}
    for module in modules:
        module.to(computes)
    for weight in weights.values():
        weight.data = weight.data.to(computes)
    return masters


def _stepper(
    recipe: Recipe, weights: dict[str, nn.Parameter], masters: dict[str, Tensor], group: ProcessGroup
) -> Stepper:
    precision = Precision(
        stochastic=recipe.precision.endswith("-stochastic"),
        fused=recipe.fused and recipe.shard is None,
        by=recipe.clip_by,
        clip=recipe.clip,
        seed=recipe.seed,
        scaled=recipe.precision.startswith("fp16"),
    )
    rates = {part: getattr(recipe, field) or 0.0 for part, field in RATES.items()}
    starts = PREFIXES if recipe.network is None else FILE_PREFIXES
    own = {name: next(rate for part, rate in rates.items() if name.startswith(starts[part])) for name in weights}
    if recipe.lr_blocks is not None:
        own = {name: unet_rate(recipe, name) if name.startswith(PREFIXES["unet"]) else own[name] for name in weights}
    if recipe.shard:
        return ShardedStepper(weights, _rule(recipe), own, precision, masters, group=group)
    return Stepper(weights, _rule(recipe), own, precision, masters, gather=group.add)


def _usual_shape(plan: TrainingPlan, group: ProcessGroup) -> torch.Size:
    """Of the UNet's input in most steps of one process."""
    buckets = Counter(plan.placements[batch[0]].bucket for _, _, step in plan.walk(0) for batch in step)
    width, height = max(buckets, key=lambda bucket: buckets[bucket])
    return torch.Size((len(group.share(plan.recipe.batch)), 4, height // 8, width // 8))


def held_dtype(recipe: Recipe) -> torch.dtype:
    """Of the weights as they are loaded; masters come from float32, those beside a base in float16 from its own."""
    if recipe.precision == "fp16-stochastic" or (recipe.precision == "fp16" and recipe.network is not None):
        return torch.float16
    return torch.bfloat16 if recipe.precision.startswith("bf16") else torch.float32


def _trained(parts: dict[str, nn.Module], recipe: Recipe) -> dict[str, nn.Parameter]:
    """What learns, by its name in the file that comes of it."""
    if recipe.network is None:
        weights = trainable(parts)
        frozen = [name for name in weights if name.startswith(PREFIXES["unet"]) and not unet_rate(recipe, name)]
        for name in frozen:
            weights.pop(name).requires_grad_(False)
        return weights
    alpha = recipe.network_rank if recipe.network_alpha is None else recipe.network_alpha
    return put_beside(parts, recipe.network_rank, alpha, recipe.seed, dora=recipe.network == "dora")


def _mask(plan: TrainingPlan, masks: str, picture: int) -> np.ndarray:
    return loss_mask(plan.pictures[picture].path, masks, plan.placements[picture], plan.reading)


def _texts(plan: TrainingPlan, parts: dict[str, nn.Module], device: str, shelf: EncodedShelf) -> EncodedCaptions:
    """The captions that are needed; a frozen encoder is loaded in float32 where the shelf lacks one, run, and freed."""
    base, captions = Path(plan.recipe.base), {plan.pictures[i].caption for i in plan.needed}
    if any(one.caption_dropout for one in plan.concepts):
        captions.add("")
    vary = any(one.varies for one in plan.concepts)
    dtype = held_dtype(plan.recipe) if vary else torch.float32  # what is encoded once is encoded exactly
    transposed = plan.recipe.compatible("pooled")
    trained: dict[str, EncodeTokens] = {}
    frozen: dict[str, EncodeTokens] = {}
    clip_l, clip_g = parts.get("clip_l"), parts.get("clip_g")
    if isinstance(clip_l, ClipL):
        trained["l"] = read_l(clip_l)
    else:
        frozen["l"] = _when_needed(lambda: read_l(load_part("clip_l", base, device=device, dtype=dtype)))
    if isinstance(clip_g, ClipG):
        trained["g"] = read_g(clip_g, transposed=transposed)
    else:
        frozen["g"] = _when_needed(
            lambda: read_g(load_part("clip_g", base, device=device, dtype=dtype), transposed=transposed)
        )
    longest = LENGTH if plan.recipe.compatible("tokens") else None
    kept = _kept(shelf, _seals(base), (torch.device(device), transposed))
    return EncodedCaptions(sorted(captions), frozen, trained, device, longest, kept, vary=vary)


def _when_needed(load: Callable[[], EncodeTokens]) -> EncodeTokens:
    """An encoder that is loaded when it is first asked."""
    loaded: list[EncodeTokens] = []

    def encode(tokens: Tensor) -> tuple[Tensor, ...]:
        if not loaded:
            loaded.append(load())
        return loaded[0](tokens)

    return encode


def _seals(base: Path) -> dict[str, str]:
    """A hash of each text encoder's weights, by side; empty where the file is not known for certain."""
    seen = Hashes(cache_folder()).glance(base)
    if seen is None or not seen.is_certain or not seen.contents.tensors:
        return {}
    return {
        side: repr(sorted(one for one in seen.contents.tensors.items() if one[0].startswith(PREFIXES[part])))
        for side, part in (("l", "clip_l"), ("g", "clip_g"))
    }


def _kept(shelf: EncodedShelf, seals: Mapping[str, str], how: tuple[torch.device, bool]) -> KnownTexts:
    """What an encoder makes of tokens, from the shelf where it can be."""
    device, transposed = how

    def known(side: str, tokens: Tokens, compute: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        if side not in seals:
            return compute()
        key = shelf.key("text", seals[side], side == "g" and transposed, device.type, tokens)
        if entry := shelf.get(key):
            return tuple(entry[name].to(device) for name in sorted(entry))
        made = compute()
        shelf.put(key, {str(at): tensor for at, tensor in enumerate(made)})
        return made

    return known


def _rule(recipe: Recipe) -> Rule:
    own = recipe.optimizer_settings
    if recipe.optimizer in _ADAMS:
        beta1, beta2 = own["betas"]
        return _ADAMS[recipe.optimizer](weight_decay=own["weight_decay"], beta1=beta1, beta2=beta2, eps=own["eps"])
    if recipe.optimizer == "prodigy":
        return Prodigy(**{**own, "slice_p": int(own["slice_p"])})
    if recipe.optimizer == "came":
        return Came(weight_decay=own["weight_decay"], betas=own["betas"], eps=own["eps"], clip=own["clip_threshold"])
    return Adafactor(
        weight_decay=own["weight_decay"],
        flatten=own["flatten"],
        eps=own["eps"],
        clip=own["clip_threshold"],
        decay=own["decay_rate"],
    )


def _diffusion(recipe: Recipe, base: Path) -> Diffusion:
    header = read_header(base)
    return Diffusion(
        prediction=recipe.prediction or prediction(header),
        min_snr=recipe.min_snr_gamma if recipe.loss_weighting == "min-snr" else None,
        debiased=recipe.loss_weighting == "debiased",
        zero_snr="ztsnr" in header.tensors if recipe.zero_snr is None else recipe.zero_snr,
        weighs_before=bool(recipe.zero_snr) and recipe.compatible("snr"),
        loss=recipe.loss,
        huber=Huber(schedule=recipe.huber_schedule, c=recipe.huber_c, scale=recipe.huber_scale),
        scale_v=recipe.scale_v_loss,
        v_like=recipe.v_like_loss,
    )
