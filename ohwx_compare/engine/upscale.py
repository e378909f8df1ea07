"""Pictures made larger, between the passes of hires fix or before img2img: by resampling, or by a network in tiles.

The webui's arithmetic, to the size of tiles and the linear seams between them: modules/upscaler.py,
modules/upscaler_utils.py, modules/images.py (resize_image, split_grid, combine_grid) at 82a973c.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ohwx_compare.files.masks import stretch

__all__ = ["TILE", "Enlarge", "Upscaler", "in_tiles", "resized"]

TILE, OVERLAP = 192, 8  # px; the webui's defaults
_MOST_TIMES = 3  # that a network is applied to reach a size

Enlarge = Callable[[Image.Image, float], Image.Image]
"""A picture (RGB) made larger: by the factor that is asked for, or by one of its own, whatever is asked for."""


@dataclass(frozen=True)
class Upscaler:
    """A network that makes pictures larger, and how its tiles become one picture."""

    through: Callable[[Tensor], Tensor]  # (1, 3, h, w), blue first, 0..1 -> (1, 3, scale * h, scale * w)
    scale: int
    like: Tensor  # of the network's device and dtype
    is_averaged: bool = False  # where tiles overlap; else each is blended into those before it
    tile: int = TILE  # px


def resized(image: Image.Image, size: tuple[int, int], enlarge: Enlarge | None) -> Image.Image:
    """`image` (RGB) at `size` (px): by `enlarge`, up to three times, as far as it is smaller, the rest by Lanczos."""
    factor = max(size[0] / image.width, size[1] / image.height)
    if enlarge is not None and factor > 1:
        wanted = (int(image.width * factor) // 8 * 8, int(image.height * factor) // 8 * 8)
        for _ in range(_MOST_TIMES):
            if image.width >= wanted[0] and image.height >= wanted[1]:
                break
            before, image = image.size, enlarge(image, factor)
            if image.size == before:
                break
        image = stretch(image, wanted)
    return stretch(image, size)


@torch.inference_mode()
def in_tiles(network: Upscaler, image: Image.Image, tile: int | None = None, overlap: int = OVERLAP) -> Image.Image:
    """`image` (RGB) through the network, in tiles of `tile` px that overlap by at least `overlap`; 0 is in one piece.

    tile: None is the network's own. A picture smaller than a tile is drawn with black around it, as the webui does,
    except where overlaps are averaged.
    """
    tile = network.tile if tile is None else tile
    if tile <= 0:
        return _picture(network.through(_pixels(network, image)))
    if network.is_averaged:
        return _picture(_averaged(network, _pixels(network, image), tile, overlap))
    scale = network.scale
    lefts, tops = _starts(image.width, tile, overlap), _starts(image.height, tile, overlap)
    whole = Image.new("RGB", (image.width * scale, image.height * scale))
    ramp = (np.arange(overlap * scale, dtype=np.float32) * 255 / (overlap * scale)).astype(np.uint8)
    across = Image.fromarray(np.tile(ramp, (tile * scale, 1)))
    down = Image.fromarray(np.tile(ramp[:, None], (1, whole.width)))
    for top in tops:
        row = Image.new("RGB", (whole.width, tile * scale))
        for left in lefts:
            piece = image.crop((left, top, left + tile, top + tile))
            drawn = _picture(network.through(_pixels(network, piece)))
            _lay(row, drawn, (left * scale, 0), across)
        _lay(whole, row, (0, top * scale), down)
    return whole


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where the tiles of one side begin (px); the only tile of a short side begins before it."""
    count = ceil((length - overlap) / (tile - overlap))
    step = (length - tile) / (count - 1) if count > 1 else 0
    return [length - tile if int(i * step) + tile >= length else int(i * step) for i in range(count)]


def _lay(under: Image.Image, piece: Image.Image, at: tuple[int, int], ramp: Image.Image) -> None:
    """Paste `piece` into `under`, its seam with what is there blended by `ramp`, along the side on which it moved."""
    if at == (0, 0):
        under.paste(piece, at)
        return
    width, height = ramp.size
    (x, y), is_across = at, at[0] != 0
    seam = (width, piece.height) if is_across else (piece.width, height)
    rest = (width, 0) if is_across else (0, height)
    under.paste(piece.crop((0, 0, *seam)), (x, y), mask=ramp)
    under.paste(piece.crop((*rest, *piece.size)), (x + rest[0], y + rest[1]))


def _averaged(network: Upscaler, x: Tensor, tile: int, overlap: int) -> Tensor:
    """`x` (1, 3, h, w) tile by tile, from the left and the top on, the last ones at the far edges."""
    height, width = x.shape[-2:]
    side, scale = min(tile, height, width), network.scale
    step = max(side - overlap, 1)
    total = x.new_zeros(1, 3, height * scale, width * scale)
    times = torch.zeros_like(total)
    for top in (*range(0, height - side, step), height - side):
        for left in (*range(0, width - side, step), width - side):
            here = ..., slice(top * scale, (top + side) * scale), slice(left * scale, (left + side) * scale)
            total[here] += network.through(x[..., top : top + side, left : left + side])
            times[here] += 1
    return total / times


def _pixels(network: Upscaler, image: Image.Image) -> Tensor:
    """A picture as the network sees it: blue first."""
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1].transpose(2, 0, 1)) / 255
    return torch.from_numpy(pixels)[None].to(network.like)


def _picture(drawn: Tensor) -> Image.Image:
    """What a network made (1, 3, h, w), as a picture."""
    rounded = (255.0 * np.moveaxis(drawn[0].float().cpu().clamp(0, 1).numpy(), 0, 2)).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(rounded[:, :, ::-1]))
