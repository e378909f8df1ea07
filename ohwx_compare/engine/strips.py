"""A VAE in strips of rows, where the whole would not fit: layer by layer, the same numbers to rounding.

Between layers a map is whole; only what a convolution needs for some of its rows is in hand. Norms are of the whole
map, and a strip's pixels attend to all, so no strip sees an edge. Tiles that are blended, the usual way, see theirs.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ohwx_compare.models.vae import VAE, AttnBlock, ResnetBlock

__all__ = ["decode_in_strips", "encode_in_strips"]

_STRIP = 1 << 24  # bytes of a layer in hand, several times over
_QUERIES = 1024  # pixels that attend together

_Rows = Callable[[int, int], Tensor]  # of a map, from one row up to another


def decode_in_strips(vae: VAE, z: Tensor) -> Tensor:
    """As `VAE.decode`, of (B, 4, h, w), in three quarters of its memory at SDXL's size."""
    decoder: Any = vae.decoder
    h = _middle(decoder.mid, _conv(decoder.conv_in, vae.post_quant_conv(z)))
    for level in reversed(decoder.up):
        for block in level.block:
            h = _resnet(block, h)
        if hasattr(level, "upsample"):
            h = _conv(level.upsample.conv, h, enlarge=2)
    return _conv(decoder.conv_out, h, decoder.norm_out)


def encode_in_strips(vae: VAE, x: Tensor) -> Tensor:
    """As `VAE.encode`, of (B, 3, H, W), in three fifths of its memory at SDXL's size."""
    encoder: Any = vae.encoder
    h = _conv(encoder.conv_in, x)
    for level in encoder.down:
        for block in level.block:
            h = _resnet(block, h)
        if hasattr(level, "downsample"):
            h = _conv(level.downsample.conv, h)
    return vae.quant_conv(_conv(encoder.conv_out, _middle(encoder.mid, h), encoder.norm_out))


def _middle(mid: Any, h: Tensor) -> Tensor:
    return _resnet(mid.block_2, _attend(mid.attn_1, _resnet(mid.block_1, h)))


def _resnet(block: ResnetBlock, x: Tensor) -> Tensor:
    """The block; `x` may become its result."""
    h = _conv(block.conv1, x, block.norm1)
    shortcut = getattr(block, "nin_shortcut", None)
    beside = (lambda a, b: shortcut(x[:, :, a:b])) if shortcut else (lambda a, b: x[:, :, a:b])
    return _conv(block.conv2, h, block.norm2, beside=beside, into=None if shortcut else x)


def _attend(block: AttnBlock, x: Tensor) -> Tensor:
    h = block.norm(x)
    q, k, v = (conv(h).flatten(2).transpose(1, 2)[:, None] for conv in (block.q, block.k, block.v))  # (B, 1, h*w, n)
    parts = [F.scaled_dot_product_attention(some, k, v) for some in q.split(_QUERIES, dim=2)]
    return x + block.proj_out(torch.cat(parts, dim=2)[:, 0].transpose(1, 2).reshape(x.shape))


def _conv(
    conv: nn.Conv2d,
    x: Tensor,
    norm: nn.GroupNorm | None = None,
    *,
    enlarge: int = 1,
    beside: _Rows | None = None,
    into: Tensor | None = None,
) -> Tensor:
    """A convolution of 3 x 3: of x, of x enlarged, or of silu(norm(x)).

    beside: rows that are added to it. into: where it goes.
    """
    stride, (top, _) = conv.stride[0], _padding(conv)  # without padding it halves, and zeros stand right and below
    height, width = (side * enlarge // stride for side in x.shape[2:])
    out = x.new_empty(len(x), conv.out_channels, height, width) if into is None else into
    normed = _normed(norm, x) if norm else (lambda rows: rows)
    for a, b in _strips(height, max(conv.in_channels * stride**2, conv.out_channels) * len(x) * width, x.itemsize):
        first, last = a * stride - top, (b - 1) * stride - top + 3
        rows = _padded(conv, normed, x, first, last, enlarge)
        made = F.conv2d(rows, conv.weight, conv.bias, stride=stride)
        out[:, :, a:b] = made if beside is None else beside(a, b) + made
    return out


def _padded(
    conv: nn.Conv2d, normed: Callable[[Tensor], Tensor], x: Tensor, first: int, last: int, enlarge: int
) -> Tensor:
    """Rows `first` up to `last` of x once it is enlarged, with a convolution's padding on all sides."""
    height = x.shape[2]
    low, high = first // enlarge, -(-last // enlarge)
    inside = x[:, :, max(low, 0) : min(high, height)]
    above, below = max(-low, 0), max(high - height, 0)
    wraps, left = conv.padding_mode == "circular" and _padding(conv) > (0, 0), _padding(conv)[1]
    if wraps and (above or below):
        inside = torch.cat([x[:, :, height - above :] if above else x[:, :, :0], inside, x[:, :, :below]], dim=2)
    rows = normed(inside)
    if not wraps:
        rows = F.pad(rows, (0, 0, above, below))
    if enlarge > 1:
        rows = F.interpolate(rows, scale_factor=enlarge, mode="nearest")
    rows = rows[:, :, first - low * enlarge :][:, :, : last - first]
    return F.pad(rows, (left, 1, 0, 0), mode="circular" if wraps else "constant")


def _padding(conv: nn.Conv2d) -> tuple[int, int]:
    return int(conv.padding[0]), int(conv.padding[1])


def _normed(norm: nn.GroupNorm, x: Tensor) -> Callable[[Tensor], Tensor]:
    """silu(norm(rows)) for rows of `x`, by the mean and variance of all of it."""
    count, parts = x.shape[2], []
    for a, b in _strips(count, x[:, :, 0].numel(), 4):
        groups = x[:, :, a:b].float().unflatten(1, (norm.num_groups, -1)).flatten(2)
        variance, mean = torch.var_mean(groups, dim=2, correction=0)  # (B, groups)
        parts.append((torch.full_like(mean, (b - a) / count), mean, variance))
    shares, means, variances = (torch.stack(column) for column in zip(*parts, strict=True))
    mean = (shares * means).sum(0)
    variance = (shares * (variances + (means - mean) ** 2)).sum(0)
    each = norm.num_channels // norm.num_groups
    scale = (variance + norm.eps).rsqrt().repeat_interleave(each, 1) * norm.weight.float()
    shift = norm.bias.float() - mean.repeat_interleave(each, 1) * scale
    scale, shift = (value[:, :, None, None] for value in (scale, shift))  # (B, C, 1, 1)
    return lambda rows: F.silu((rows.float() * scale + shift).to(x.dtype))


def _strips(height: int, row: int, size: int) -> Iterator[tuple[int, int]]:
    """From where to where strips of a map of `height` rows go, a row being `row` numbers of `size` bytes."""
    each = max(_STRIP // (row * size), 1)
    return ((a, min(a + each, height)) for a in range(0, height, each))
