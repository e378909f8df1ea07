"""Modules without memory: made as shapes alone, to be filled from a file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["unfilled"]

_FILLS = frozenset({Tensor.uniform_, Tensor.normal_, Tensor.fill_, Tensor.zero_})


@contextmanager
def unfilled() -> Iterator[None]:
    """Modules made in the block lie on the meta device, and their layers are not filled with first numbers.

    To fill a meta tensor does nothing, but torch loads its compiler for it: 1.2 s of a start.
    """
    with torch.device("meta"), _NoFills():
        yield


class _NoFills(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """One call of torch."""
        named = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__ or func in _FILLS:
            return args[0] if args else named["tensor"]
        return func(*args, **named)
