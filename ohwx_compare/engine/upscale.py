"""Pictures made larger between the passes of hires fix: by resampling, or by a network in tiles.

The webui's arithmetic, to the size of tiles and the linear seams between them: modules/upscaler.py,
modules/upscaler_utils.py, modules/images.py (resize_image, split_grid, combine_grid) at 82a973c.
"""

import re
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ohwx_compare.engine.unpickle import read_pt
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.models.esrgan import ESRGAN, ESRGANConfig
from ohwx_compare.models.unfilled import unfilled

__all__ = ["TILE", "Enlarge", "in_tiles", "read_upscaler", "resized"]

TILE, OVERLAP = 192, 8  # px; the webui's defaults
_MOST_TIMES = 3  # that a network is applied to reach a size

Enlarge = Callable[[Image.Image, float], Image.Image]
"""A picture (RGB) made larger: by the factor that is asked for, or by one of its own, whatever is asked for."""

_INNER = re.compile(r"(?:model\.1\.sub|RRDB_trunk|body)\.(\d+)\.(?:RDB|rdb)([123])\.conv([1-5])(?:\.0)?\.(weight|bias)")
_NAMES = {"trunk_conv": "conv_body", "HRconv": "conv_hr", "upconv1": "conv_up1", "upconv2": "conv_up2"}
_SEQUENCE = re.compile(r"model\.(\d+)\.(weight|bias)")
_AFTER_BODY = re.compile(r"model\.1\.sub\.\d+\.(weight|bias)")


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
        image = image if image.size == wanted else image.resize(wanted, Image.Resampling.LANCZOS)
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def in_tiles(model: ESRGAN, image: Image.Image, tile: int = TILE, overlap: int = OVERLAP) -> Image.Image:
    """`image` (RGB) through the network, in tiles of `tile` px that overlap by at least `overlap`; 0 is in one piece.

    A picture smaller than a tile is drawn with black around it, as the webui does.
    """
    if tile <= 0:
        return _through(model, image)
    scale = model.config.scale
    lefts, tops = _starts(image.width, tile, overlap), _starts(image.height, tile, overlap)
    whole = Image.new("RGB", (image.width * scale, image.height * scale))
    ramp = (np.arange(overlap * scale, dtype=np.float32) * 255 / (overlap * scale)).astype(np.uint8)
    across = Image.fromarray(np.tile(ramp, (tile * scale, 1)))
    down = Image.fromarray(np.tile(ramp[:, None], (1, whole.width)))
    for top in tops:
        row = Image.new("RGB", (whole.width, tile * scale))
        for left in lefts:
            drawn = _through(model, image.crop((left, top, left + tile, top + tile)))
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


@torch.inference_mode()
def _through(model: ESRGAN, image: Image.Image) -> Image.Image:
    """One piece through the network, which sees blue first."""
    weight = model.conv_first.weight
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1].transpose(2, 0, 1)) / 255
    drawn = model(torch.from_numpy(pixels)[None].to(weight))[0].float().cpu().clamp(0, 1).numpy()
    rounded = (255.0 * np.moveaxis(drawn, 0, 2)).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(rounded[:, :, ::-1]))


def read_upscaler(path: Path, *, device: torch.device, dtype: torch.dtype) -> ESRGAN:
    """The network in a `.pth` or `.safetensors`, in old or new naming.

    Raises CheckpointError for another architecture, DetectorError for a `.pth` that cannot be read or is unsafe.
    """
    state = {_name(name, tensors): tensor for tensors in [_tensors(path)] for name, tensor in tensors.items()}
    try:
        config = ESRGANConfig.from_shapes({name: tuple(tensor.shape) for name, tensor in state.items()})
        with unfilled():
            model = ESRGAN(config)
        model.load_state_dict(state, assign=True)
    except (KeyError, IndexError, RuntimeError) as error:
        raise CheckpointError(
            f"{path.name} is not an upscaler of ESRGAN's kind, which alone is supported; choose another, such as "
            "4x-UltraSharp or RealESRGAN_x4plus."
        ) from error
    return model.to(device=device, dtype=dtype).eval().requires_grad_(False)


def _tensors(path: Path) -> Mapping[str, Tensor]:
    if path.suffix.lower() == ".safetensors":
        from safetensors.torch import load_file

        read_header(path)
        return load_file(path)
    found = read_pt(path)
    for key in ("params_ema", "params", "state_dict"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise CheckpointError(f"{path.name} holds no weights of an upscaler; choose another file.")
    return {str(name).removeprefix("module."): tensor for name, tensor in found.items()}


def _name(name: str, tensors: Mapping[str, Tensor]) -> str:
    """BasicSR's name of a tensor."""
    if match := _INNER.fullmatch(name):
        return f"body.{match[1]}.rdb{match[2]}.conv{match[3]}.{match[4]}"
    if match := _AFTER_BODY.fullmatch(name):
        return f"conv_body.{match[1]}"
    if match := _SEQUENCE.fullmatch(name):
        order = sorted({int(m[1]) for other in tensors if (m := _SEQUENCE.fullmatch(other))})
        place = order.index(int(match[1]))
        ends = {0: "conv_first", len(order) - 1: "conv_last", len(order) - 2: "conv_hr"}
        return f"{ends.get(place, f'conv_up{place}')}.{match[2]}"
    layer, _, kind = name.rpartition(".")
    return f"{_NAMES.get(layer, layer)}.{kind}"
