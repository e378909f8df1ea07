"""SDXL's autoencoder, under the names of the checkpoint file (after `first_stage_model.`).

Pictures to latents an eighth of their size and back. No scaling here: the sampler's are these times `LATENT_SCALE`.

Source: Rombach et al. (arXiv 2112.10752), appendix G; generative-models,
https://github.com/Stability-AI/generative-models/blob/fbdc58cab9f4ee2be7a5e1f2e2787ecd9311942f/sgm/modules/diffusionmodules/model.py
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ohwx_compare.models.norm import GroupNorm

__all__ = ["LATENT_SCALE", "VAE", "VAEConfig"]

LATENT_SCALE = 0.13025  # SDXL's latents have about unit variance after it


@dataclass(frozen=True, kw_only=True)
class VAEConfig:
    """The sizes of a VAE; the defaults are SDXL's."""

    widths: tuple[int, ...] = (128, 256, 512, 512)  # channels of each level, full size first
    blocks: int = 2  # residual blocks of a level when encoding; one more when decoding. With 0 all widths are equal
    latent: int = 4  # channels of z

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "VAEConfig":
        """Read the sizes from the shapes of a file's tensors (names as in `VAE`).

        Raises KeyError where a tensor that tells a size is missing.
        """
        widths, blocks = [shapes["decoder.up.0.block.0.conv1.weight"][0]], 0
        while (name := f"decoder.up.{len(widths)}.block.0.conv1.weight") in shapes:
            widths.append(shapes[name][0])
        while f"decoder.up.0.block.{blocks + 1}.conv1.weight" in shapes:
            blocks += 1
        return cls(widths=tuple(widths), blocks=blocks, latent=shapes["post_quant_conv.weight"][0])


def _norm(n: int) -> GroupNorm:
    return GroupNorm(32, n, eps=1e-6)


class ResnetBlock(nn.Module):
    """(B, n, h, w) -> (B, out, h, w)."""

    def __init__(self, n: int, out: int) -> None:
        super().__init__()
        self.norm1 = _norm(n)
        self.conv1 = nn.Conv2d(n, out, 3, padding=1)
        self.norm2 = _norm(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        if n != out:
            self.nin_shortcut = nn.Conv2d(n, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class AttnBlock(nn.Module):
    """One head, as wide as the channels, over all pixels: (B, n, h, w) -> (B, n, h, w)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.norm = _norm(n)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(n, n, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (conv(h).flatten(2).transpose(1, 2)[:, None] for conv in (self.q, self.k, self.v))  # (B, 1, h*w, n)
        h = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).reshape(x.shape)
        return x + self.proj_out(h)


class Middle(nn.Module):
    """The bottom of both halves: (B, n, h, w) -> (B, n, h, w)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(n, n)
        self.attn_1 = AttnBlock(n)
        self.block_2 = ResnetBlock(n, n)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Downsample(nn.Module):
    """Half the size; pads right and bottom only: (B, n, h, w) -> (B, n, h / 2, w / 2)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n, n, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Twice the size: (B, n, h, w) -> (B, n, 2 h, 2 w)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n, n, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Level(nn.Module):
    """Residual blocks, then a change of size unless the level is the last: (B, n, h, w) -> (B, out, ...)."""

    def __init__(self, n: int, out: int, blocks: int) -> None:
        super().__init__()
        self.width = out
        self.block = nn.ModuleList(ResnetBlock(out if i else n, out) for i in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        for resample in ("downsample", "upsample"):
            if hasattr(self, resample):
                x = getattr(self, resample)(x)
        return x


class Encoder(nn.Module):
    """(B, 3, H, W) -> (B, 2 * latent, H / 8, W / 8)."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        n, *_, bottom = config.widths
        self.conv_in = nn.Conv2d(3, n, 3, padding=1)
        levels = []
        for width in config.widths:
            levels.append(Level(n, width, config.blocks))
            n = width
        for level in levels[:-1]:
            level.downsample = Downsample(level.width)
        self.down = nn.ModuleList(levels)
        self.mid = Middle(bottom)
        self.norm_out = _norm(bottom)
        self.conv_out = nn.Conv2d(bottom, 2 * config.latent, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(self.mid(h))))


class Decoder(nn.Module):
    """(B, latent, h, w) -> (B, 3, 8 h, 8 w)."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        top, *_, n = config.widths
        self.conv_in = nn.Conv2d(config.latent, n, 3, padding=1)
        self.mid = Middle(n)
        self.up = nn.ModuleList()  # numbered like the encoder's levels, walked backwards
        for i, width in reversed(list(enumerate(config.widths))):
            level = Level(n, width, config.blocks + 1)
            if i:
                level.upsample = Upsample(width)
            self.up.insert(0, level)
            n = width
        self.norm_out = _norm(top)
        self.conv_out = nn.Conv2d(top, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(h)))


class VAE(nn.Module):
    """SDXL's autoencoder."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv2d(2 * config.latent, 2 * config.latent, 1)
        self.post_quant_conv = nn.Conv2d(config.latent, config.latent, 1)

    def encode(self, x: Tensor) -> Tensor:
        """x (B, 3, H, W) in [-1, 1], at least 8 px -> mean and log variance (B, 8, H // 8, W // 8), unscaled."""
        return self.quant_conv(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """z (B, 4, h, w), unscaled -> (B, 3, 8 h, 8 w), nominally in [-1, 1] and not clamped."""
        return self.decoder(self.post_quant_conv(z))
