"""A LoRA taken out of a fine-tune: of each layer's change against its base, the nearest matrix of low rank.

That is the one of the largest singular values (Eckart and Young, Psychometrika 1, 1936, p. 211). They come from the
eigenvectors of the smaller of the change's two Gram matrices, exact in float64. Layers are named and laid out as
kohya's are. Norms are kept whole, and so is a layer that is no larger whole; a bias beside a low rank is read by no
webui, so it is left out and counted as such.
https://github.com/kohya-ss/sd-scripts/blob/48d368fa/networks/extract_lora_from_models.py
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path

import torch
from torch import Tensor

from ohwx_compare.engine.networks.names import Place, places
from ohwx_compare.engine.reading import read_into
from ohwx_compare.engine.weights import OPTIONAL, PREFIXES
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import Header, read_header, require_sdxl

__all__ = ["Extracted", "extract", "nearest"]

_PARTS = ("unet", "clip_l", "clip_g")
_NOTHING = 1e-14  # of the largest squared singular value: below it there is only rounding


@dataclass
class Extracted:
    """A LoRA and what it lacks."""

    tensors: dict[str, Tensor] = field(default_factory=dict)  # as its file holds them, on the CPU
    ranks: dict[str, int] = field(default_factory=dict)  # of each layer of low rank
    changed: float = 0.0  # squared norm of the whole change of UNet and text encoders
    lacking: float = 0.0  # of that, squared norm of what the LoRA does not give

    def keep(self, layer: str, parts: Mapping[str, Tensor]) -> None:
        """Take a layer's tensors as the file shall hold them."""
        self.tensors |= {f"{layer}.{part}": tensor.cpu().contiguous() for part, tensor in parts.items()}

    def keep_low_rank(self, layer: str, up: Tensor, down: Tensor, kernel: tuple[int, ...]) -> None:
        """Take a layer as two factors, of a convolution where there is a kernel's height and width."""
        self.ranks[layer] = len(down)
        wide, tall = down.reshape(len(down), -1, *kernel), up.reshape(*up.shape, *[1] * len(kernel))
        self.keep(layer, {"lora_down.weight": wide, "lora_up.weight": tall, "alpha": torch.tensor(float(len(down)))})

    @property
    def error(self) -> float:
        """Norm of what is lacking over the norm of the change: 0 is the fine-tune, 1 the base."""
        return sqrt(self.lacking / self.changed)


@torch.inference_mode()
def extract(
    tuned: Path,
    base: Path,
    rank: int,
    error: float = 0.0,
    device: str | None = None,
    on_layers: Callable[[int], Callable[[], None]] = lambda total: lambda: None,
) -> Extracted:
    """The change from `base` to `tuned` with at most `rank` ranks a layer.

    error: a layer takes no more ranks than leave this share of its change's norm, 0 to 1.
    on_layers: is told how many layers there are; what it gives is called after each. Memory holds one of them and the
    LoRA. Raises CheckpointError for files that are no SDXL checkpoints of one size, or hold the same weights.
    """
    pair = _Pair(read_header(tuned), read_header(base), device)
    layers = {layer: place for part in _PARTS for layer, place in places(part, pair.shapes(part)).items()}
    layers = {
        layer: place for layer, place in layers.items() if ".embeddings." not in place.weight
    }  # no webui reads them
    done = on_layers(len(layers))
    found = Extracted()
    for layer, place in layers.items():
        change, bias = pair.change(place)
        found.changed += _squared(change) + (0.0 if bias is None else _squared(bias))
        found.lacking += _take(found, layer, (change, bias), rank, error)
        done()
    left = pair.squared(except_for=layers.values())
    found.changed, found.lacking = found.changed + left, found.lacking + left
    if not found.changed:
        raise CheckpointError(f"{tuned.name} holds the weights of {base.name}; there is nothing to extract.")
    _complete(found, layers, pair.shapes("clip_g"))
    return found


class _Pair:
    """A fine-tune and its base, read tensor by tensor."""

    def __init__(self, tuned: Header, base: Header, device: str | None) -> None:
        for header in (tuned, base):
            require_sdxl(header)
        self.tuned, self.base, self.device = tuned, base, device
        for name in sorted({name for header in (base, tuned) for part in _PARTS for name in _own(header, part)}):
            here, there = (header.shapes.get(name) for header in (tuned, base))
            if here != there:
                raise CheckpointError(
                    f"{tuned.path.name} is not a fine-tune of {base.path.name}: {name} is {_said(here)}, expected "
                    f"{_said(there)}."
                )

    def shapes(self, part: str) -> dict[str, tuple[int, ...]]:
        """Of a part's tensors by their names within it."""
        return {name.removeprefix(PREFIXES[part]): shape for name, shape in _own(self.base, part).items()}

    def change(self, place: Place) -> tuple[Tensor, Tensor | None]:
        """What was added to a layer's weight and to its bias, float32."""
        weight = self._change(PREFIXES[place.part] + place.weight)
        if place.third is not None:
            weight = weight.chunk(3)[place.third]
        return weight, None if place.bias is None else self._change(PREFIXES[place.part] + place.bias)

    def squared(self, except_for: Iterable[Place]) -> float:
        """Squared norm of the change of all that is in none of these layers."""
        within = {PREFIXES[one.part] + name for one in except_for for name in (one.weight, one.bias) if name}
        names = (name for part in _PARTS for name in _own(self.base, part) if name not in within)
        return sum(_squared(self._change(name)) for name in names)

    def _change(self, name: str) -> Tensor:
        both = [torch.empty(header.tensors[name].shape) for header in (self.tuned, self.base)]
        for header, tensor in zip((self.tuned, self.base), both, strict=True):
            read_into(header, {name: tensor})
        return both[0].sub_(both[1]).to(self.device)


def _own(header: Header, part: str) -> dict[str, tuple[int, ...]]:
    shapes = header.shapes.items()
    return {name: shape for name, shape in shapes if name.startswith(PREFIXES[part]) and not OPTIONAL.match(name)}


def _said(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(list(shape))


def _squared(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.double()) ** 2)


def _take(found: Extracted, layer: str, changes: tuple[Tensor, Tensor | None], rank: int, error: float) -> float:
    """Put a layer into `found`; the squared norm of what it lacks of the changes of its weight and its bias."""
    change, bias = changes
    of_bias = 0.0 if bias is None else _squared(bias)
    if not (change.any() or of_bias):
        return 0.0
    if change.dim() < 2:
        if bias is None:
            return _squared(change)  # a norm without a bias has no form in the file
        found.keep(layer, {"w_norm": change, "b_norm": bias})
        return 0.0
    up, down = (factor.half() for factor in nearest(change.flatten(1), rank, error))
    if 4 * change.numel() <= 2 * (up.numel() + down.numel()):
        found.keep(layer, {"diff": change} | ({} if bias is None else {"diff_b": bias}))
        return 0.0
    found.keep_low_rank(layer, up, down, tuple(change.shape[2:]))
    return _squared(change.flatten(1) - up.float() @ down.float()) + of_bias


def nearest(change: Tensor, rank: int, error: float = 0.0) -> tuple[Tensor, Tensor]:
    """`up` (out, r) and `down` (r, in): their product is the nearest of rank r to `change` (out, in).

    r is the smallest that leaves at most `error` of its norm, and at most `rank`. Each takes the root of a singular
    value, so neither leaves float16's range.
    """
    is_tall = change.shape[0] > change.shape[1]
    matrix = change.double().T if is_tall else change.double()
    values, vectors = torch.linalg.eigh(matrix @ matrix.T)
    values, vectors = values.flip(0).clamp_(min=0.0), vectors.flip(1)  # the largest first
    left = values.sum() - values.cumsum(0)
    enough = 1 + int((left > error**2 * values.sum()).sum())
    real = max(1, int((values > _NOTHING * values[0]).sum()))
    kept = min(rank, enough, real)
    root = values[:kept].sqrt().sqrt().clamp_(min=torch.finfo(torch.float64).tiny)
    first = vectors[:, :kept] * root
    second = vectors[:, :kept].T @ matrix / root[:, None]
    up, down = (second.T, first.T) if is_tall else (first, second)
    return up.float(), down.float()


def _complete(found: Extracted, layers: Mapping[str, Place], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Fill attentions of the second encoder, which a webui takes whole or not at all, with layers that add nothing."""
    held = {name.partition(".")[0] for name in found.tensors}
    changed = {layers[layer].attention for layer in held} - {None}
    for layer, place in layers.items():
        if place.attention in changed and layer not in held:
            nothing = torch.zeros(shapes[place.weight][1], 1, dtype=torch.float16)
            found.keep_low_rank(layer, nothing, nothing.T, ())
