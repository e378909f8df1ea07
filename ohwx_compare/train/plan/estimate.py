"""What disk and memory a training needs, as far as shapes alone can tell, and which blocks it computes again."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from math import prod

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.checkpoint import Header
from ohwx_compare.numerals import whole_number
from ohwx_compare.train.plan.activations import Block, choose, kept_bytes, unet_blocks
from ohwx_compare.train.plan.blocks import unet_rate
from ohwx_compare.train.plan.looks import look_bytes
from ohwx_compare.train.plan.low_rank import FILE_PREFIXES, low_rank_shapes
from ohwx_compare.train.plan.shards import gradients_of_a_card, most_owned, weights_of_a_card
from ohwx_compare.train.recipe.concepts import varies
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = [
    "BLOCK", "HOLDS", "PARTS", "RESERVE", "SMALL", "TOGETHER", "WAITING", "Memory", "choose_blocks", "estimate_memory",
    "saved_bytes", "state_bytes", "trained_shapes",
]  # fmt: skip

TOGETHER = 1 << 26  # float32 numbers that an optimiser holds at most while tensors move, if not a single one takes more
WAITING = 1 << 27  # numbers of gradients that wait at most within the backward pass, and one tensor
# float32 numbers that each holds for a number that moves
HOLDS = {"adafactor": 1, "adamw": 2, "adamw8bit": 4, "came": 3, "prodigy": 4}
BLOCK, SMALL = 256, 4096  # numbers that share a scale in 8 bits, and of the least tensor that is kept so
RESERVE = 800_000_000  # bytes for the runtime itself: CUDA's context and what its allocator cannot use. Not measured

PARTS = {  # learning rate of the recipe -> where its weights lie in the file
    "lr_unet": "model.diffusion_model.",
    "lr_te1": "conditioner.embedders.0.transformer.",
    "lr_te2": "conditioner.embedders.1.model.",
}
_BYTES = {  # of a weight on the device
    "bf16-stochastic": 2, "bf16-nearest": 2, "fp32-master": 2, "fp16": 2, "fp16-stochastic": 2, "fp32": 4,
}  # fmt: skip
_ROUNDED = 12  # bytes for a number while it is rounded to float16 at random
_MASTERED = ("fp32-master", "fp16")
Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes on the device, or on each of several, while steps run; what the allocator keeps in reserve comes on top."""

    weights: int  # of the UNet and each text encoder that is trained or reads in every step; the rest is cached before
    masters: int  # float32 copies under "fp32-master" and "fp16"
    gradients: int  # of all trained tensors, or of those that wait when fused
    optimizer: int
    workspace: int  # of the optimiser, for the tensors that move at one time
    activations: int  # what more is needed than all of these when most is kept for the backward pass
    looks: int = 0  # what more samples and validation need, which begin when gradients and activations are gone

    @property
    def steps(self) -> int:
        """All that steps need. A look that finds no more decodes in strips or is missed, and ends no run."""
        return self.weights + self.masters + self.gradients + self.optimizer + self.workspace + self.activations

    @property
    def total(self) -> int:
        """All of them."""
        return self.steps + self.looks


def trained_shapes(header: Header, recipe: Recipe) -> dict[str, Shape]:
    """Name -> shape of every tensor that the recipe trains; "TE1" ends before its last layer, which SDXL never uses."""
    if recipe.network is not None:
        parts = tuple(part for part, rate in zip(FILE_PREFIXES, PARTS, strict=True) if getattr(recipe, rate))
        return low_rank_shapes(_floating(header), parts, recipe.network_rank, recipe.network)
    shapes: dict[str, Shape] = {}
    for rate, prefix in PARTS.items():
        if getattr(recipe, rate):
            inside = {name: shape for name, shape in _floating(header).items() if name.startswith(prefix)}
            unused = _unused(inside, prefix) if rate == "lr_te1" else ()
            if rate == "lr_unet":
                inside = {name: shape for name, shape in inside.items() if unet_rate(recipe, name)}
            shapes |= {name: shape for name, shape in inside.items() if not name.startswith(unused)}
    return shapes


def estimate_memory(
    header: Header, recipe: Recipe, latents: Collection[tuple[int, int]], again: Collection[str]
) -> Memory:
    """The memory of the recipe's steps, from the shapes in the base checkpoint's header.

    latents: heights and widths of all buckets' latents; again: the UNet's blocks that are computed again.
    """
    memory = _without_activations(header, recipe)
    most = max(kept_bytes(parts, again, _sample(recipe), _gathering(recipe)) for parts in _courses(header, latents))
    if _gathering(recipe):  # gradients and activations are never whole at one time
        most = max(0, most - memory.gradients)
    memory = replace(memory, activations=most + _encoders(header, recipe))
    gone = memory.gradients + memory.workspace + memory.activations
    return replace(memory, looks=max(0, look_bytes(header, recipe, latents, _BYTES[recipe.precision]) - gone))


def choose_blocks(header: Header, recipe: Recipe, latents: Collection[tuple[int, int]]) -> frozenset[str]:
    """The UNet's blocks that are computed again in the backward pass: all, none, or as few as `memory_gb` allows.

    Raises ExperimentError where even all do not keep the run within `memory_gb`.
    """
    courses = _courses(header, latents)
    able = frozenset(part.name for part in courses[0] if part.can_recompute)
    if recipe.memory_gb is None:
        return able if recipe.checkpointing else frozenset()
    memory = _without_activations(header, recipe)
    gathering = _gathering(recipe)
    budget = round(recipe.memory_gb * 1e9) - RESERVE - memory.steps + (memory.gradients if gathering else 0)
    chosen: frozenset[str] = frozenset()
    for parts in courses:
        if (more := choose(parts, budget - _encoders(header, recipe), _sample(recipe), gathering)) is None:
            least = estimate_memory(header, recipe, latents, able).steps + RESERVE
            raise ExperimentError(
                f"memory_gb is {recipe.memory_gb:g}, and the run needs at least {least / 1e9:.1f} GB; raise it, or "
                "choose a smaller batch or resolution."
            )
        chosen |= more
    return chosen


def _without_activations(header: Header, recipe: Recipe) -> Memory:
    size = _BYTES[recipe.precision]
    trained = trained_shapes(header, recipe)
    live = varies(recipe)  # then text encoders read in every step
    held = {rate: prefix for rate, prefix in PARTS.items() if rate == "lr_unet" or live or getattr(recipe, rate)}
    weights = [prod(s) for name, s in _floating(header).items() if name.startswith(tuple(held.values()))]
    numbers = [prod(shape) for shape in trained.values()]
    if recipe.network is not None:
        weights += numbers  # beside those that stay
    soon = recipe.fused and recipe.accumulation == 1
    whole = Memory(
        weights=sum(weights) * size,
        masters=4 * sum(numbers) if recipe.precision in _MASTERED else 0,
        gradients=(min(WAITING + max(numbers), sum(numbers)) if soon else sum(numbers)) * size,
        optimizer=sum(_state(shape, recipe) for shape in trained.values()),
        workspace=_workspace(recipe, numbers),
        activations=0,
    )
    return whole if recipe.shard is None else _of_a_card(whole, header, recipe)


def _of_a_card(whole: Memory, header: Header, recipe: Recipe) -> Memory:
    """The same on the card that has most, where `shard` cards hold the UNet together."""
    cards, size, prefix = recipe.shard or 1, _BYTES[recipe.precision], PARTS["lr_unet"]
    unet = {name.removeprefix(prefix): s for name, s in _floating(header).items() if name.startswith(prefix)}
    blocks = [part.weights for part in unet_blocks(unet, (8, 8)) if part.can_recompute]
    trained = trained_shapes(header, recipe)
    alike: dict[tuple[Shape, float], list[int]] = {}
    for name, shape in trained.items():
        alike.setdefault((shape, unet_rate(recipe, name)), []).append(_state(shape, recipe))
    owned = most_owned([[prod(shape)] * len(sizes) for (shape, _), sizes in alike.items()], cards)
    numbers = [prod(shape) for shape in trained.values()]
    least = size * sum(map(prod, unet.values()))
    # a round's gradients and weights stand beside what is sent, and what came of each
    together = min(sum(numbers), max(TOGETHER // HOLDS[recipe.optimizer], max(numbers)))
    return replace(
        whole,
        weights=whole.weights - least + size * weights_of_a_card(unet.values(), blocks, cards),
        masters=4 * owned if whole.masters else 0,
        gradients=gradients_of_a_card((trained.values(), unet.values()), blocks, cards, size),
        optimizer=most_owned(list(alike.values()), cards),
        workspace=whole.workspace + 4 * size * together,
    )


def _workspace(recipe: Recipe, numbers: list[int]) -> int:
    """Bytes while tensors of these many numbers move: gradients side by side, and what a rule has in float32."""
    together = min(sum(numbers), max(TOGETHER // HOLDS[recipe.optimizer], max(numbers)))
    copied = _BYTES[recipe.precision] if together > max(numbers) else 0
    # in float16 the state of before is kept until it is known whether the step counts
    kept = {"adafactor": 0, "adamw": 8, "adamw8bit": 2, "came": 4, "prodigy": 16}[recipe.optimizer]
    before = kept if recipe.precision.startswith("fp16") else 0
    rounded = _ROUNDED if recipe.precision == "fp16-stochastic" else 0
    return together * (copied + 4 * HOLDS[recipe.optimizer] + before + rounded)


def _courses(header: Header, latents: Iterable[tuple[int, int]]) -> list[tuple[Block, ...]]:
    prefix = PARTS["lr_unet"]
    unet = {name.removeprefix(prefix): s for name, s in _floating(header).items() if name.startswith(prefix)}
    return [unet_blocks(unet, latent) for latent in sorted(set(latents))]


def _sample(recipe: Recipe) -> int:
    return -(-recipe.batch // (recipe.shard or 1)) * _BYTES[recipe.precision]


def _gathering(recipe: Recipe) -> int:
    """Bytes of a gradient that stays while activations are freed; 0 where none does, or all are there before."""
    return 0 if recipe.fused or recipe.shard or recipe.accumulation > 1 else _BYTES[recipe.precision]


def _encoders(header: Header, recipe: Recipe) -> int:
    """Activations of the text encoders that are trained: about 20 widths a token and layer."""
    shapes = trained_shapes(header, recipe).items()
    widths = [shape[0] for name, shape in shapes if name.endswith(("layer_norm1.weight", "ln_1.weight"))]
    return _sample(recipe) * 20 * 77 * sum(widths)


def state_bytes(header: Header, recipe: Recipe) -> int:
    """The tensors of a state, from which a run resumes: trained weights, masters, optimiser and average."""
    recipe = replace(recipe, shard=None)  # a state is whole
    numbers = sum(prod(shape) for shape in trained_shapes(header, recipe).values())
    memory = _without_activations(header, recipe)
    average = 4 * numbers if recipe.ema else 0
    return numbers * _BYTES[recipe.precision] + memory.masters + memory.optimizer + average


def saved_bytes(header: Header, recipe: Recipe) -> int:
    """A checkpoint's size on the disk, or a LoRA's."""
    if recipe.network is not None:
        return sum(map(prod, trained_shapes(header, recipe).values())) * (4 if recipe.save_precision == "fp32" else 2)
    size = header.path.stat().st_size
    if recipe.save_precision is None:
        return size
    wide = {"fp16": 2, "bf16": 2, "fp32": 4}[recipe.save_precision]
    kinds = {"F16": 2, "BF16": 2, "F32": 4}
    return size + sum(
        (wide - kinds[one.dtype]) * prod(one.shape) for one in header.tensors.values() if one.dtype in kinds
    )


def _state(shape: Shape, recipe: Recipe) -> int:
    """Bytes that the optimiser keeps for a tensor."""
    if recipe.optimizer == "adamw8bit" and prod(shape) >= SMALL:
        blocks = -(-prod(shape) // BLOCK)
        return 2 * blocks * (BLOCK + 4)
    if recipe.optimizer == "prodigy":  # two moments, where each started and its sum; the rate and its sums
        held = 4 if recipe.precision in _MASTERED else _BYTES[recipe.precision]
        return 8 * prod(shape) + -(-prod(shape) // int(recipe.optimizer_settings["slice_p"])) * (4 + held) + 20
    if recipe.optimizer.startswith("adamw"):
        return 2 * 4 * prod(shape)
    if recipe.optimizer == "came":
        return 4 * prod(shape) + (8 * _factors(shape) if len(shape) > 1 else 4 * prod(shape))
    if recipe.optimizer_settings["flatten"] and len(shape) > 2:
        shape = (shape[0], prod(shape[1:]))
    if len(shape) < 2:
        return 4 * prod(shape)
    return 4 * _factors(shape)


def _factors(shape: Shape) -> int:
    """Numbers of a row and a column of each matrix."""
    return prod(shape[:-1]) + prod(shape[:-2]) * shape[-1]


def _floating(header: Header) -> dict[str, Shape]:
    return {name: tensor.shape for name, tensor in header.tensors.items() if tensor.dtype in ("F16", "BF16", "F32")}


def _unused(names: dict[str, Shape], prefix: str) -> tuple[str, ...]:
    text = f"{prefix}text_model."
    layers = f"{text}encoder.layers."
    last = max(
        (whole_number(name[len(layers) :].split(".")[0]) for name in names if name.startswith(layers)), default=0
    )
    return f"{layers}{last}.", f"{text}final_layer_norm."
