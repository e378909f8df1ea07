"""What the backward pass keeps of the forward pass, block by block, and which blocks to recompute instead.

A block is a residual block or a transformer block of the UNet. Kept, it holds what its operations need of it; computed
again (Chen et al., arXiv 1604.06174), its input alone, and for a moment of the backward pass everything else. Counts
are those of torch's own autograd with fused attention; what does not grow with the picture is left out.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ohwx_compare.errors import CheckpointError
from ohwx_compare.numerals import whole_number

__all__ = ["Block", "choose", "kept_bytes", "unet_blocks"]

TensorShape = tuple[int, ...]
_STAGE = re.compile(r"(input_blocks|middle_block|output_blocks)\.(?:(?<=_blocks\.)(\d+)\.)?")


@dataclass(frozen=True)
class Block:
    """A part of the UNet in the order of the forward pass; numbers are of one sample, not bytes."""

    name: str  # the module's, such as "middle_block.0"
    inside: int  # kept numbers that computing it again gives back
    held: int  # kept in any case: its input, and what belongs to no block after it
    cost: int  # multiplications of its forward pass
    weights: int  # numbers of its parameters

    @property
    def can_recompute(self) -> bool:
        """Whether it is a residual or transformer block."""
        return self.inside > 0


def unet_blocks(shapes: Mapping[str, TensorShape], latent: tuple[int, int], tokens: int = 77) -> tuple[Block, ...]:
    """The blocks of a UNet (shapes by name after `model.diffusion_model.`) for latents of (height, width).

    Raises CheckpointError where the UNet is incomplete.
    """
    found: list[Block] = []
    height, width = latent
    for stage in sorted({m[0] for m in map(_STAGE.match, shapes) if m}, key=_place):
        inside = {name: shape for name, shape in shapes.items() if name.startswith(stage)}
        pixels = height * width
        for layer in sorted({name.removeprefix(stage).partition(".")[0] for name in inside}):
            found += _layer(stage, layer, inside, pixels, tokens)
        if f"{stage}0.op.weight" in inside:
            height, width = (height + 1) // 2, (width + 1) // 2
        if any(name.endswith(".conv.weight") for name in inside):
            height, width = 2 * height, 2 * width
    if "out.2.weight" not in shapes:
        raise CheckpointError(
            "The base's UNet is incomplete: it lacks model.diffusion_model.out.2.weight; choose another base."
        )
    top = shapes["out.2.weight"][1]
    return (*found, Block("out", 0, 3 * top * height * width, 0, 0))


def kept_bytes(parts: Sequence[Block], again: Collection[str], sample: int, gradient: int = 0) -> int:
    """Most bytes that activations take at one time; `again` names the blocks computed again.

    sample: bytes of a number of all samples together, batch x 2 in bfloat16.
    gradient: bytes of a weight's gradient, where gradients gather up while activations go; 0 leaves them out.
    The backward pass comes to a block when all before it is still kept, and then needs all of that block, half as much
    for gradients on their way, and what has gathered behind it.
    """
    kept = accumulate(part.held + (0 if part.name in again else part.inside) for part in parts)
    behind = sum(part.weights for part in parts)
    most = 0
    for part, total in zip(parts, kept, strict=True):
        behind -= part.weights
        here = total + (part.inside if part.name in again else 0) + part.inside // 2
        most = max(most, sample * here + gradient * behind)
    return most


def choose(parts: Sequence[Block], budget: int, sample: int, gradient: int = 0) -> frozenset[str] | None:
    """The blocks to compute again so that `kept_bytes` stays within `budget`, at little work; None: impossible.

    Greedy: the block that gives most memory back for its work goes first.
    """
    able = [part for part in parts if part.can_recompute]
    order = sorted(able, key=lambda part: -part.inside / part.cost)
    for count in range(len(order) + 1):
        again = frozenset(part.name for part in order[:count])
        if kept_bytes(parts, again, sample, gradient) <= budget:
            return again
    return None


def _place(stage: str) -> tuple[int, int]:
    kind, _, number = stage.removesuffix(".").partition(".")
    return ("input_blocks", "middle_block", "output_blocks").index(kind), whole_number(number or "0")


def _layer(stage: str, layer: str, shapes: Mapping[str, TensorShape], pixels: int, tokens: int) -> list[Block]:
    """One layer of a stage: a residual block, a transformer with its blocks, or a change of size."""
    prefix = f"{stage}{layer}."
    own = {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
    if "in_layers.2.weight" in own:
        return [_residual(prefix[:-1], own, pixels)]
    if "proj_in.weight" in own:
        return _transformer(prefix, own, pixels, tokens)
    if "op.weight" in own:  # a convolution that halves: its input
        return [Block(prefix[:-1], 0, own["op.weight"][1] * pixels, 0, _count(own))]
    if "conv.weight" in own:  # one after doubling
        return [Block(prefix[:-1], 0, own["conv.weight"][1] * 4 * pixels, 0, _count(own))]
    return []


def _residual(name: str, own: Mapping[str, TensorShape], pixels: int) -> Block:
    out, n = own["in_layers.2.weight"][:2]
    # norm, SiLU and convolution keep one copy each of what they get, before and after the channels change
    inside = (2 * n + 3 * out) * pixels
    cost = 9 * (n * out + out * out) * pixels + (n * out * pixels if "skip_connection.weight" in own else 0)
    return Block(name, inside, n * pixels, cost, _count(own))


def _transformer(prefix: str, own: Mapping[str, TensorShape], pixels: int, tokens: int) -> list[Block]:
    width = own["norm.weight"][0]
    wide = own["transformer_blocks.0.ff.net.0.proj.weight"][0]  # value and gate of the feed-forward layer
    context = own["transformer_blocks.0.attn2.to_k.weight"][1]
    around = 2 * width * pixels  # the norm's input and output; the last projection's input is counted below
    found = [Block(f"{prefix}norm", 0, around, 0, _count({k: v for k, v in own.items() if "blocks" not in k}))]
    # the norms' outputs and two later inputs, self-attention's q k v and answer, cross-attention's q and answer; of the
    # feed-forward layer value with gate, the gate's gelu, their product
    inside = (11 * width + 2 * wide) * pixels + 2 * width * tokens
    cost = pixels * width * (6 * width + 3 * wide // 2 + 2 * pixels + 2 * tokens) + 2 * tokens * width * context
    for number in sorted({whole_number(name.split(".")[1]) for name in own if name.startswith("transformer_blocks.")}):
        inner = {k: v for k, v in own.items() if k.startswith(f"transformer_blocks.{number}.")}
        found.append(Block(f"{prefix}transformer_blocks.{number}", inside, width * pixels, cost, _count(inner)))
    return [*found, Block(f"{prefix}proj_out", 0, width * pixels, 0, 0)]


def _count(shapes: Mapping[str, TensorShape]) -> int:
    total = 0
    for shape in shapes.values():
        size = 1
        for side in shape:
            size *= side
        total += size
    return total
