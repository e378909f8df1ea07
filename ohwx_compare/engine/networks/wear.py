"""LoRAs put into a model's weights; they are taken off by loading the checkpoint into the same memory again.

As in the webui each LoRA is added to the weights that the ones before it left, once for as long as the prompts ask for
the same ones. Nothing is kept beside: a changed tensor loses the hash of what its file holds, so the next load reads
it again, bit for bit, and no other.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.engine.networks.deltas import change
from ohwx_compare.engine.networks.names import Place, layer_and_part, places, spellings
from ohwx_compare.engine.reading import read_into
from ohwx_compare.engine.weights import PREFIXES, Model
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import describe, read_header
from ohwx_compare.words import counted

__all__ = ["Chosen", "put_on"]

_PARTS = ("unet", "clip_l", "clip_g")  # a LoRA changes no VAE


@dataclass(frozen=True)
class Chosen:
    """A LoRA of a prompt and its file."""

    network: Network
    path: Path
    sha256: str  # of the file


@dataclass(frozen=True)
class _Layer:
    name: str  # in the file
    place: Place
    parts: Mapping[str, str]  # what it is to the layer -> name of the tensor


@torch.inference_mode()
def put_on(model: Model, chosen: Sequence[Chosen]) -> Model:
    """Add the LoRAs, one after the other, to the weights of `model`, which is given up: its memory is the new one's.

    Raises CheckpointError for a file that is no LoRA, is one of another model, or is damaged; the model holds no
    checkpoint then.
    """
    seals = dict(model.seals)
    states = {part: getattr(model, part).state_dict() for part in _PARTS}
    shapes = {part: {name: tuple(t.shape) for name, t in state.items()} for part, state in states.items()}
    known = {name: place for part in _PARTS for name, place in places(part, shapes[part]).items()}
    for one in chosen:
        for layer, parts in _read(one.path, known, shapes):
            place = layer.place
            times = one.network.unet if place.part == "unet" else one.network.te
            if times == 0:
                continue
            changed = _add(layer, parts, states[place.part], times, one.network.rank)
            for name in (PREFIXES[place.part] + own for own in changed):
                if name in seals:
                    worn = f"{seals[name]} {one.sha256} {times!r} {one.network.rank}"
                    seals[name] = hashlib.sha256(worn.encode()).hexdigest()
    return replace(model, seals=seals, worn=tuple(one.network for one in chosen))


def _add(
    layer: _Layer, parts: Mapping[str, Tensor], state: Mapping[str, Tensor], times: float, rank: int | None
) -> list[str]:
    """Add one layer to its weight and bias; the names of what was changed."""
    place = layer.place
    target = state[place.weight]
    if place.third is not None:
        target = target.chunk(3)[place.third]
    weight = target.float()
    delta, bias = change(layer.name, {name: part.to(target.device) for name, part in parts.items()}, weight, rank)
    target.copy_(weight + delta * times)
    if bias is None or place.bias is None:
        return [place.weight]
    state[place.bias].copy_(state[place.bias].float() + bias * times)
    return [place.weight, place.bias]


def _read(
    path: Path, known: Mapping[str, Place], shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
) -> Iterator[tuple[_Layer, dict[str, Tensor]]]:
    """The layers of a file and their tensors, float32, on the CPU."""
    header = read_header(path)
    found: dict[str, tuple[str, dict[str, str]]] = {}  # kohya's name -> as the file writes it, its tensors
    strange = []
    for name in header.tensors:
        layer, part = layer_and_part(name)
        place = next((one for one in spellings(layer) if one in known), None)
        if place is None:
            strange.append(name)
        else:
            found.setdefault(place, (layer, {}))[1][part] = name
    if not found:
        what = describe(header)
        named = (
            f"{counted(len(strange), 'tensor')} ({', '.join(sorted(strange)[:3])}) that no layer of SDXL is called by"
        )
        raise CheckpointError(
            f"{path.name} is {what}{f' with {named}' if what == 'a LoRA' else ''}; expected a LoRA for SDXL."
        )
    layers = [_Layer(layer, known[name], parts) for name, (layer, parts) in found.items()]
    _require_fitting(path, layers, header.shapes, shapes)
    for one in _whole_attentions(layers):
        tensors = {part: torch.empty(header.tensors[name].shape) for part, name in one.parts.items()}
        read_into(header, {one.parts[part]: tensor for part, tensor in tensors.items()})
        yield one, tensors


def _require_fitting(
    path: Path,
    layers: Sequence[_Layer],
    held: Mapping[str, tuple[int, ...]],
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]],
) -> None:
    """Raise CheckpointError for low-rank layers of another size, before anything is changed: another model's LoRA."""
    for layer in layers:
        if not {"lora_down.weight", "lora_up.weight"} <= layer.parts.keys():
            continue
        shape = shapes[layer.place.part][layer.place.weight]
        outputs = shape[0] // (3 if layer.place.third is not None else 1)
        down, up = (held[layer.parts[part]] for part in ("lora_down.weight", "lora_up.weight"))
        inside, outside = (*down[1:2], 0)[0], (*up[:1], 0)[0]
        if (inside, outside) != (shape[1], outputs):
            raise CheckpointError(
                f"{path.name} is a LoRA for another model: {layer.name} is {inside} wide at its input and {outside} at "
                f"its output, expected {shape[1]} and {outputs}."
            )


def _whole_attentions(layers: Sequence[_Layer]) -> list[_Layer]:
    """Without those of an attention of the second encoder that is not complete: the webui leaves it as it is."""
    counts: dict[str, int] = {}
    for layer in layers:
        if layer.place.attention is not None:
            counts[layer.place.attention] = counts.get(layer.place.attention, 0) + 1
    return [one for one in layers if one.place.attention is None or counts[one.place.attention] == one.place.needed]
