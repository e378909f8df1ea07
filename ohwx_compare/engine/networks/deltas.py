"""What a layer of a LoRA adds to the weight that it belongs to, for every kind of layer that trainers write.

Low rank (Hu et al., arXiv 2106.09685), with a core (LoCon's), by Hadamard or Kronecker product (LyCORIS: Yeh et al.,
arXiv 2309.14859), rescaled (DoRA: Liu et al., arXiv 2402.09353, with norms over the inputs as the webui takes them),
IA3 (Liu et al., arXiv 2205.05638), norms, and whole differences. All of it is computed in float32.
https://github.com/AUTOMATIC1111/stable-diffusion-webui/tree/82a973c/extensions-builtin/Lora
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ohwx_compare.errors import CheckpointError

__all__ = ["change"]

LayerParts = Mapping[str, Tensor]  # what a file holds for one layer, float32


def change(layer: str, parts: LayerParts, weight: Tensor, rank: int | None = None) -> tuple[Tensor, Tensor | None]:
    """What is added, at weight 1, to `weight` (float32) and to its bias (None: nothing).

    rank: so many of a low-rank layer's ranks; None is all. Raises CheckpointError for a kind of layer that is not
    known, and for one of another shape.
    """
    kind = next((kind for needed, kind in _KINDS if all(any(n in parts for n in one) for one in needed)), None)
    if kind is None or not parts.keys() <= _READ:
        holds = ", ".join(sorted(parts.keys() - _READ) or sorted(parts))
        raise CheckpointError(
            f"{layer} holds {holds}, a kind of LoRA that is not supported; expected LoRA, LoCon, LoHa, LoKr, DoRA, IA3 "
            "or differences."
        )
    try:
        delta, inner = kind(parts, weight, rank)
        delta = delta.reshape(weight.shape) * _scale(parts, inner)
    except (RuntimeError, IndexError, KeyError) as error:  # torch's own about shapes
        raise CheckpointError(f"{layer} does not fit a weight of shape {list(weight.shape)}.") from error
    if "dora_scale" in parts:
        delta = _rescaled(delta, weight, parts["dora_scale"])
    return delta, parts.get(_BIASES.get(kind, ""))  # the webui reads no other kind's


def _scale(parts: LayerParts, inner: int | None) -> float:
    if "scale" in parts:
        return float(parts["scale"])
    return float(parts["alpha"]) / inner if "alpha" in parts and inner else 1.0


def _rescaled(delta: Tensor, weight: Tensor, magnitude: Tensor) -> Tensor:
    """DoRA: the changed weight with `magnitude` as the norm of each input's column, less the weight."""
    changed = weight + delta
    norms = changed.transpose(0, 1).flatten(1).norm(dim=1)  # (inputs,)
    norms = norms.reshape(1, -1, *[1] * (weight.dim() - 2))
    return changed * (magnitude / norms) - weight


def _low_rank(parts: LayerParts, weight: Tensor, rank: int | None) -> tuple[Tensor, int | None]:
    up, down = parts["lora_up.weight"], parts["lora_down.weight"]
    up = up.flatten(1)  # (out, rank)
    if "lora_mid.weight" in parts:
        return torch.einsum("nmkl,in,mj->ijkl", parts["lora_mid.weight"], up, down.flatten(1)), len(down)
    return up[:, :rank] @ down.flatten(1)[:rank], len(down)


def _hadamard(parts: LayerParts, weight: Tensor, rank: int | None) -> tuple[Tensor, int | None]:
    def factor(which: str) -> Tensor:
        a, b, core = parts[f"hada_w{which}_a"], parts[f"hada_w{which}_b"], parts.get(f"hada_t{which}")
        return a.flatten(1) @ b.flatten(1) if core is None else _with_core(core, a, b)

    return factor("1") * factor("2"), len(parts["hada_w1_b"])


def _kronecker(parts: LayerParts, weight: Tensor, rank: int | None) -> tuple[Tensor, int | None]:
    def factor(which: str) -> Tensor:
        if (whole := parts.get(f"lokr_w{which}")) is not None:
            return whole
        a, b, core = parts[f"lokr_w{which}_a"], parts[f"lokr_w{which}_b"], parts.get(f"lokr_t{which}")
        return a @ b if core is None else _with_core(core, a, b)

    one, two = factor("1"), factor("2")
    inner = next((len(parts[name]) for name in ("lokr_w2_b", "lokr_w1_b") if name in parts), None)
    return torch.kron(one[..., None, None] if two.dim() == 4 else one, two), inner


def _with_core(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Tucker's form of a convolution: core (i, j, k, l), a (i, out), b (j, in) -> (out, in, k, l)."""
    return torch.einsum("ijkl,jr,ip->prkl", core, b, a)


def _ia3(parts: LayerParts, weight: Tensor, rank: int | None) -> tuple[Tensor, int | None]:
    first = 1 if bool(parts["on_input"]) else 0
    shape = [1] * weight.dim()
    shape[first] = -1
    return weight * parts["weight"].reshape(shape), None


def _norm(parts: LayerParts, weight: Tensor, rank: int | None) -> tuple[Tensor, int | None]:
    return parts["w_norm"], None


def _whole(parts: LayerParts, weight: Tensor, rank: int | None) -> tuple[Tensor, int | None]:
    return parts["diff"], None


_Kind = Callable[[LayerParts, Tensor, int | None], tuple[Tensor, int | None]]
_KINDS: tuple[tuple[tuple[tuple[str, ...], ...], _Kind], ...] = (  # of each group of names one must be there
    ((("lora_up.weight",), ("lora_down.weight",)), _low_rank),
    ((("hada_w1_a",), ("hada_w1_b",), ("hada_w2_a",), ("hada_w2_b",)), _hadamard),
    ((("weight",), ("on_input",)), _ia3),
    ((("lokr_w1", "lokr_w1_a"), ("lokr_w2", "lokr_w2_a")), _kronecker),
    ((("diff",),), _whole),
    ((("w_norm",), ("b_norm",)), _norm),
)
_BIASES: Mapping[_Kind, str] = {_whole: "diff_b", _norm: "b_norm"}
_READ = frozenset({
    "lora_up.weight", "lora_down.weight", "lora_mid.weight", "alpha", "scale", "dora_scale", "hada_w1_a", "hada_w1_b",
    "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "weight", "on_input", "lokr_w1", "lokr_w1_a", "lokr_w1_b",
    "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "diff", "diff_b", "w_norm", "b_norm",
})  # fmt: skip
