"""Pictures and words as CLIP sees them, by weights of the user's own; `open_clip`, the extra [clip], runs it.

CLIP is Radford and others 2021, "Learning transferable visual models from natural language supervision". Style
descriptors (CSD) are its image tower with another last layer, trained to tell styles: Somepalli and others 2024,
"Measuring style similarity in diffusion models". Weights are safetensors, as a pickled file may run code.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ohwx_compare.errors import MeasureError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.judge.extras import extra_module

__all__ = ["CLIP_MODEL", "ClipSight", "PictureSight", "StyleDescriptors"]

CLIP_MODEL = "ViT-L-14"
"""The open_clip model that weights are of, unless another is named."""

_STYLE_HEAD = "last_layer_style"
_TOGETHER = 8  # pictures


class PictureSight(Protocol):
    """What turns pictures into numbers whose angles compare them."""

    sha256: str  # of the weights' file
    licence: str
    model: str  # open_clip's name

    def pictures(self, images: Sequence[Image.Image]) -> NDArray[np.float64]:
        """(N, F) of length 1."""
        ...


class _OfWeights:
    """What is told of the weights that look."""

    def __init__(self, weights: "_Weights"):
        self.sha256, self.licence, self.model = weights.sha256, weights.licence, weights.model


class ClipSight(_OfWeights):
    """CLIP: both towers. Made by `load`."""

    def __init__(self, network: Any, prepared: Callable[[Image.Image], Tensor], tokens: Any, weights: "_Weights"):
        super().__init__(weights)
        self._network, self._prepared, self._tokens = network, prepared, tokens

    @classmethod
    def load(cls, path: Path, model: str = CLIP_MODEL, device: str = "cpu") -> "ClipSight":
        """Of an open_clip model's own weights. Raises MeasureError without open_clip, and for other weights."""
        weights = _Weights(path, model, device)
        network, prepared = weights.empty()
        weights.fill(network, weights.tensors)
        return cls(network, prepared, extra_module("open_clip", "clip").get_tokenizer(model), weights)

    def pictures(self, images: Sequence[Image.Image]) -> NDArray[np.float64]:
        """See `PictureSight.pictures`."""
        return _seen(images, self._prepared, _device_of(self._network), self._network.encode_image)

    @torch.inference_mode()
    def words(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(N, F) of length 1; what goes beyond CLIP's 77 tokens is cut."""
        return _unit(self._network.encode_text(self._tokens(list(texts)).to(_device_of(self._network))))


class StyleDescriptors(_OfWeights):
    """CSD: the image tower with the head for styles. Made by `load`."""

    def __init__(self, tower: Any, prepared: Callable[[Image.Image], Tensor], head: Tensor, weights: "_Weights"):
        super().__init__(weights)
        self._tower, self._prepared, self._head = tower, prepared, head.to(weights.device)

    @classmethod
    def load(cls, path: Path, model: str = CLIP_MODEL, device: str = "cpu") -> "StyleDescriptors":
        """Of its authors' weights as safetensors. Raises MeasureError without open_clip, and for other weights."""
        weights = _Weights(path, model, device)
        if _STYLE_HEAD not in weights.tensors:
            raise MeasureError(f"{path.name} holds no style descriptors: there is no tensor {_STYLE_HEAD} in it.")
        network, prepared = weights.empty()
        tower = network.visual
        tower.proj = None  # its place is taken by the heads
        backbone = "backbone."
        own = {name[len(backbone) :]: t for name, t in weights.tensors.items() if name.startswith(backbone)}
        weights.fill(tower, own)
        return cls(tower, prepared, weights.tensors[_STYLE_HEAD].float(), weights)

    def pictures(self, images: Sequence[Image.Image]) -> NDArray[np.float64]:
        """See `PictureSight.pictures`."""
        return _seen(images, self._prepared, self._head.device, lambda x: self._tower(x) @ self._head)


class _Weights:
    """A file of tensors, and the open_clip model that they are said to be of."""

    def __init__(self, path: Path, model: str, device: str):
        self._clip = extra_module("open_clip", "clip")
        self._path, self.model, self.device = path, model, device
        try:
            with safe_open(path, "pt") as file:
                said = file.metadata() or {}
                self.tensors = {name.removeprefix("module."): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise MeasureError(
                f"{path} cannot be read as safetensors: {error}. Convert the weights to that."
            ) from error
        self.sha256 = sha256(path)
        self.licence = said.get("license") or said.get("licence") or f"not said by {path.name}"

    def empty(self) -> tuple[Any, Callable[[Image.Image], Tensor]]:
        """The model, untrained, and how a picture is prepared for it."""
        if self.model not in self._clip.list_models():
            raise MeasureError(f"open_clip has no model {self.model!r}; `open_clip.list_models()` names those it has.")
        network, _, prepared = self._clip.create_model_and_transforms(self.model, pretrained=None, device=self.device)
        return network.eval(), prepared

    def fill(self, module: Any, tensors: dict[str, Tensor]) -> None:
        """Put the tensors into the module; every one has its place."""
        try:
            module.load_state_dict(tensors)
        except RuntimeError as error:
            reason = str(error).partition("\n\t")[2].splitlines()[:1]
            raise MeasureError(f"{self._path.name} holds no weights of {self.model}: {' '.join(reason)}") from error


@torch.inference_mode()
def _seen(
    images: Sequence[Image.Image],
    prepared: Callable[[Image.Image], Tensor],
    device: torch.device,
    answer: Callable[[Tensor], Tensor],
) -> NDArray[np.float64]:
    found = []
    for start in range(0, len(images), _TOGETHER):
        batch = torch.stack([prepared(image.convert("RGB")) for image in images[start : start + _TOGETHER]])
        found.append(_unit(answer(batch.to(device))))
    return np.concatenate(found) if found else np.empty((0, 0))


def _device_of(network: Any) -> torch.device:
    found: torch.device = next(network.parameters()).device
    return found


def _unit(rows: Tensor) -> NDArray[np.float64]:
    found = rows.double()
    return np.asarray((found / found.norm(dim=1, keepdim=True).clamp_min(1e-12)).cpu().numpy(), np.float64)
