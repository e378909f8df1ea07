"""Pictures whose edges fit together: every convolution reads over an edge from the other side."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from torch import nn

__all__ = ["tiled"]


class _Parts(Protocol):
    """What of a model sees the picture."""

    @property
    def unet(self) -> nn.Module:
        """Which samples it."""

    @property
    def vae(self) -> nn.Module:
        """Which encodes and decodes it."""


@contextmanager
def tiled(model: _Parts, on: bool) -> Iterator[None]:
    """Within, `model` makes pictures that tile where `on`; afterwards it is as before."""
    if not on:
        yield
        return
    layers = [layer for part in (model.unet, model.vae) for layer in part.modules() if type(layer) is nn.Conv2d]
    before = [layer.padding_mode for layer in layers]
    try:
        for layer in layers:
            layer.padding_mode = "circular"
        yield
    finally:
        for layer, mode in zip(layers, before, strict=True):
            layer.padding_mode = mode
