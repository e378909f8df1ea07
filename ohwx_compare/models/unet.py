"""SDXL's denoiser, under the names of the checkpoint file.

A U of residual blocks; the deeper levels also attend to the picture itself and to the prompt. Module names are those of
the single-file checkpoint after `model.diffusion_model.`, so a file loads without a key map.

Source: Podell et al., "SDXL" (arXiv 2307.01952), section 2; generative-models,
https://github.com/Stability-AI/generative-models/blob/fbdc58cab9f4ee2be7a5e1f2e2787ecd9311942f/sgm/modules/diffusionmodules/openaimodel.py
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["UNet", "UNetConfig", "timestep_embedding"]

HEAD = 64  # width of an attention head, at every level

# the prompt's hidden states (B, L, 2048), or an attention's keys and values of them; by attention
Read = Tensor | tuple[Tensor, Tensor]
Context = Tensor | Mapping[nn.Module, tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """The sizes of a UNet; the defaults are SDXL's."""

    widths: tuple[int, ...] = (320, 640, 1280)  # channels of each level, top to bottom
    depths: tuple[int, ...] = (0, 2, 10)  # transformer blocks after each residual block of a level
    middle: int = 10  # transformer blocks at the bottom
    blocks: int = 2  # residual blocks of a level on the way down; one more on the way up
    context: int = 2048  # width of the prompt's hidden states
    vector: int = 2816  # width of `y`: pooled prompt and six size embeddings
    latent: int = 4  # channels of x

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "UNetConfig":
        """Read the sizes from the shapes of a file's tensors (names as in `UNet`).

        Raises KeyError where a tensor that tells a size is missing; a wrong file gives a config that does not load.
        """
        first = "input_blocks.{}.0.in_layers.2.weight"
        depth = "{}.1.transformer_blocks.{{}}.norm1.weight"
        blocks = len(_run(shapes, first, 1))
        levels = _run(shapes, first, 1, blocks + 1)  # a downsampling stands between two levels
        return cls(
            widths=tuple(shapes[first.format(i)][0] for i in levels or [1]),
            depths=tuple(len(_run(shapes, depth.format(f"input_blocks.{i}"))) for i in levels),
            middle=len(_run(shapes, depth.format("middle_block"))),
            blocks=blocks,
            context=shapes["middle_block.1.transformer_blocks.0.attn2.to_k.weight"][1],
            vector=shapes["label_emb.0.0.weight"][1],
            latent=shapes["input_blocks.0.0.weight"][1],
        )


def _run(shapes: Mapping[str, tuple[int, ...]], name: str, start: int = 0, step: int = 1) -> range:
    """The numbers from `start` on, in steps, up to the first for which `name` is not a tensor."""
    stop = start
    while name.format(stop) in shapes:
        stop += step
    return range(start, stop, step)


def timestep_embedding(timesteps: Tensor, width: int) -> Tensor:
    """Sinusoids of the time, cosines first: (B,) in 0..999, fractions allowed -> (B, width) float32.

    Source: Vaswani et al. (arXiv 1706.03762), section 3.5, with periods 2 pi to 10000 * 2 pi.
    """
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    angles = timesteps.float()[:, None] * torch.exp(-math.log(10000) * steps / half)  # (B, width / 2)
    return torch.cat((angles.cos(), angles.sin()), dim=1)


class ResBlock(nn.Module):
    """Two convolutions with the time added between them: (B, n, h, w), (B, emb) -> (B, out, h, w)."""

    def __init__(self, n: int, out: int, emb: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(32, n), nn.SiLU(), nn.Conv2d(n, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb, out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, out), nn.SiLU(), nn.Identity(), nn.Conv2d(out, out, 3, padding=1)
        )  # the identity stands where training had a dropout and keeps the names
        self.skip_connection = nn.Identity() if n == out else nn.Conv2d(n, out, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers(x) + self.emb_layers(emb)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    """Heads of 64; queries from x (B, N, width), keys and values from `context` (B, L, context) or read before."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context, width, bias=False)
        self.to_v = nn.Linear(context, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def read(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values: (B, heads, L, 64) each."""
        return _heads(self.to_k(context)), _heads(self.to_v(context))

    def forward(self, x: Tensor, context: Read) -> Tensor:
        k, v = self.read(context) if isinstance(context, Tensor) else context
        h = F.scaled_dot_product_attention(_heads(self.to_q(x)), k, v)
        return self.to_out(h.transpose(1, 2).flatten(2))


def _heads(x: Tensor) -> Tensor:
    """(B, N, width) -> (B, heads, N, 64)."""
    return x.unflatten(-1, (-1, HEAD)).transpose(1, 2)


class GEGLU(nn.Module):
    """value * gelu(gate), the value first (Shazeer, arXiv 2002.05202)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """(B, N, width) -> (B, N, width) through four times the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TransformerBlock(nn.Module):
    """Attend to the picture, attend to the prompt, think: (B, N, width) -> (B, N, width)."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.attn1 = Attention(width, width)
        self.attn2 = Attention(width, context)
        self.ff = FeedForward(width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x: Tensor, context: Read) -> Tensor:
        h = self.norm1(x)
        x = x + self.attn1(h, h)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    """Transformer blocks over the pixels of a feature map: (B, width, h, w) -> (B, width, h, w)."""

    def __init__(self, width: int, context: int, depth: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.proj_in = nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList(TransformerBlock(width, context) for _ in range(depth))
        self.proj_out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        size = x.shape[2:]
        h = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))  # (B, h * w, width)
        for block in self.transformer_blocks:
            h = block(h, context if isinstance(context, Tensor) else context[block.get_submodule("attn2")])
        return x + self.proj_out(h).transpose(1, 2).unflatten(2, size)


class Downsample(nn.Module):
    """Half the size: (B, n, h, w) -> (B, n, ceil(h / 2), ceil(w / 2))."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(n, n, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    """Twice the size: (B, n, h, w) -> (B, n, 2 h, 2 w)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n, n, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Stage(nn.ModuleList):
    """One numbered block of the file; hands each layer what it asks for."""

    def forward(self, x: Tensor, emb: Tensor, context: Context) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class UNet(nn.Module):
    """SDXL's denoiser; what it predicts (noise or v) is the checkpoint's affair."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        top, bottom = config.widths[0], config.widths[-1]
        emb = 4 * top
        self.time_embed = nn.Sequential(nn.Linear(top, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.label_emb = nn.Sequential(
            nn.Sequential(nn.Linear(config.vector, emb), nn.SiLU(), nn.Linear(emb, emb)),
        )
        self.input_blocks, skips = _way_down(config, emb)
        self.middle_block = Stage([
            ResBlock(bottom, bottom, emb),
            SpatialTransformer(bottom, config.context, config.middle),
            ResBlock(bottom, bottom, emb),
        ])  # fmt: skip
        self.output_blocks = _way_up(config, emb, skips)
        self.out = nn.Sequential(nn.GroupNorm(32, top), nn.SiLU(), nn.Conv2d(top, config.latent, 3, padding=1))

    def read(self, context: Tensor) -> dict[nn.Module, tuple[Tensor, Tensor]]:
        """The keys and values of the prompt (B, L, 2048) in every attention: the same at each step, so computed once.

        SDXL's take 26 MB a row of 77 tokens in half precision.
        """
        blocks = (module for module in self.modules() if isinstance(module, TransformerBlock))
        return {block.attn2: block.attn2.read(context) for block in blocks}

    def forward(self, x: Tensor, timesteps: Tensor, context: Context, y: Tensor) -> Tensor:
        """x (B, 4, h, w), timesteps (B,) in 0..999, context (B, L, 2048) or read, y (B, 2816) -> (B, 4, h, w).

        All but the timesteps in the weights' dtype; timesteps float32, fractions allowed. Any h and w: where an odd
        size was halved and doubled again, the nearest pixel fits it to its skip, as the webui does.
        """
        emb = self.time_embed(timestep_embedding(timesteps, self.config.widths[0]).to(x.dtype)) + self.label_emb(y)
        skips, h = [], x
        for stage in self.input_blocks:
            h = stage(h, emb, context)
            skips.append(h)
        h = self.middle_block(h, emb, context)
        for stage in self.output_blocks:
            skip = skips.pop()
            if h.shape[2:] != skip.shape[2:]:
                h = F.interpolate(h, skip.shape[2:], mode="nearest")
            h = stage(torch.cat((h, skip), dim=1), emb, context)
        return self.out(h)


def _way_down(config: UNetConfig, emb: int) -> tuple[nn.ModuleList, list[int]]:
    """The stages from full size to the bottom, and the channels each leaves for the way up."""
    n = config.widths[0]
    stages, skips = [Stage([nn.Conv2d(config.latent, n, 3, padding=1)])], [n]
    for level, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
        if level:
            stages.append(Stage([Downsample(n)]))
            skips.append(n)
        for _ in range(config.blocks):
            layers: list[nn.Module] = [ResBlock(n, width, emb)]
            if depth:
                layers.append(SpatialTransformer(width, config.context, depth))
            stages.append(Stage(layers))
            skips.append(n := width)
    return nn.ModuleList(stages), skips


def _way_up(config: UNetConfig, emb: int, skips: list[int]) -> nn.ModuleList:
    """The stages back to full size; each takes one of `skips`, last first."""
    n, skips, stages = config.widths[-1], list(skips), []
    for level, (width, depth) in reversed(list(enumerate(zip(config.widths, config.depths, strict=True)))):
        for block in range(config.blocks + 1):
            layers: list[nn.Module] = [ResBlock(n + skips.pop(), width, emb)]
            if depth:
                layers.append(SpatialTransformer(width, config.context, depth))
            if level and block == config.blocks:
                layers.append(Upsample(width))
            stages.append(Stage(layers))
            n = width
    return nn.ModuleList(stages)
