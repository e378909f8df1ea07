"""What a training will need of disk and memory, as far as shapes alone can tell."""

from dataclasses import dataclass
from math import prod

from ohwx_compare.files.checkpoint import Header
from ohwx_compare.train.recipe import Recipe

__all__ = ["PARTS", "Memory", "estimate_memory", "state_bytes", "trained_shapes"]

PARTS = {  # learning rate of the recipe -> where its weights lie in the file
    "lr_unet": "model.diffusion_model.",
    "lr_te1": "conditioner.embedders.0.transformer.",
    "lr_te2": "conditioner.embedders.1.model.",
}
_BYTES = {"bf16-stochastic": 2, "bf16-nearest": 2, "fp32-master": 2, "fp32": 4}  # of a weight on the device
Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes on the device while steps run. Activations, and what the allocator keeps in reserve, come on top."""

    weights: int  # of the UNet and of each text encoder that is trained; the rest is cached before the first step
    masters: int  # float32 copies under "fp32-master"
    gradients: int  # of all trained tensors, or of the largest one when fused
    optimizer: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.masters + self.gradients + self.optimizer


def trained_shapes(header: Header, recipe: Recipe) -> dict[str, Shape]:
    """Name -> shape of every tensor that the recipe trains; "TE1" ends before its last layer, which SDXL never uses."""
    shapes = {}
    for rate, prefix in PARTS.items():
        if getattr(recipe, rate):
            inside = {name: shape for name, shape in _floating(header).items() if name.startswith(prefix)}
            unused = _unused(inside, prefix) if rate == "lr_te1" else ()
            shapes |= {name: shape for name, shape in inside.items() if not name.startswith(unused)}
    return shapes


def estimate_memory(header: Header, recipe: Recipe) -> Memory:
    """The memory of the recipe's weights, gradients and optimiser, from the shapes in the base checkpoint's header."""
    size = _BYTES[recipe.precision]
    trained = trained_shapes(header, recipe)
    held = {rate: prefix for rate, prefix in PARTS.items() if rate == "lr_unet" or getattr(recipe, rate)}
    weights = [prod(s) for name, s in _floating(header).items() if name.startswith(tuple(held.values()))]
    numbers = [prod(shape) for shape in trained.values()]
    return Memory(
        weights=sum(weights) * size,
        masters=4 * sum(numbers) if recipe.precision == "fp32-master" else 0,
        gradients=(max(numbers) if recipe.fused else sum(numbers)) * size,
        optimizer=4 * sum(_state(shape, recipe) for shape in trained.values()),
    )


def state_bytes(header: Header, recipe: Recipe) -> int:
    """The tensors of what a run goes on from: trained weights, masters, optimiser and average."""
    numbers = sum(prod(shape) for shape in trained_shapes(header, recipe).values())
    memory = estimate_memory(header, recipe)
    average = 4 * numbers if recipe.ema else 0
    return numbers * _BYTES[recipe.precision] + memory.masters + memory.optimizer + average


def _state(shape: Shape, recipe: Recipe) -> int:
    """Numbers that the optimiser keeps of a tensor."""
    if recipe.optimizer == "adamw":
        return 2 * prod(shape)
    if recipe.optimizer_settings["flatten"] and len(shape) > 2:
        shape = (shape[0], prod(shape[1:]))
    if len(shape) < 2:
        return prod(shape)
    return prod(shape[:-1]) + prod(shape[:-2]) * shape[-1]  # a row and a column of each matrix


def _floating(header: Header) -> dict[str, Shape]:
    return {name: tensor.shape for name, tensor in header.tensors.items() if tensor.dtype in ("F16", "BF16", "F32")}


def _unused(names: dict[str, Shape], prefix: str) -> tuple[str, ...]:
    text = f"{prefix}text_model."
    layers = f"{text}encoder.layers."
    last = max((int(name[len(layers) :].split(".")[0]) for name in names if name.startswith(layers)), default=0)
    return f"{layers}{last}.", f"{text}final_layer_norm."
