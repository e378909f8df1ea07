"""What samples and validation need on the device between two steps, when gradients and activations are gone.

The UNet's pass and the VAE take turns; the text encoders of samples work on the CPU.
"""

from collections.abc import Collection
from math import prod

from ohwx_compare.core.geometry import Size
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.room import decode_bytes, picture_bytes, unet_bytes
from ohwx_compare.engine.weights import PREFIXES
from ohwx_compare.files.checkpoint import Header
from ohwx_compare.models.unet import UNetConfig
from ohwx_compare.models.vae import VAEConfig
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["look_bytes", "sample_size"]


def sample_size(recipe: Recipe) -> Size:
    """The samples' width and height: the resolution, its sides cut to multiples of 64 px."""
    width, height = recipe.resolution
    return width - width % 64, height - height % 64


def look_bytes(header: Header, recipe: Recipe, latents: Collection[tuple[int, int]], size: int) -> int:
    """The most that a look takes at one time beside weights, masters and the optimiser's state; 0 where none is due.

    latents: heights and widths of all buckets' latents; size: bytes of a number that the UNet computes with.
    The VAE is counted with the whole picture; it decodes in strips, in three quarters, where that finds no room.
    """
    try:
        needs = [0]
        if recipe.validation:
            needs.append(unet_bytes(_unet(header), max(height * width for height, width in latents), size))
        if recipe.sample_prompts:
            needs += [_sampling(header, recipe, size), _decoding(header, recipe, size)]
        return max(needs)
    except KeyError:  # an incomplete base: what is missing is said when it is loaded
        return 0


def _sampling(header: Header, recipe: Recipe, size: int) -> int:
    width, height = sample_size(recipe)
    jobs = (Job(prompt=prompt, seed=0, width=width, height=height) for prompt in recipe.sample_prompts)
    return max(picture_bytes(_unet(header), job, size) for job in jobs)


def _decoding(header: Header, recipe: Recipe, size: int) -> int:
    """The VAE's weights and one picture; in float32 where float16 is too small for it, as for SDXL's own."""
    width, height = sample_size(recipe)
    wide = 4 if recipe.precision.startswith("fp16") else size
    shapes = _inside(header, "vae")
    return sum(map(prod, shapes.values())) * wide + decode_bytes(VAEConfig.from_shapes(shapes), width * height, wide)


def _unet(header: Header) -> UNetConfig:
    return UNetConfig.from_shapes(_inside(header, "unet"))


def _inside(header: Header, part: str) -> dict[str, tuple[int, ...]]:
    prefix = PREFIXES[part]
    return {name.removeprefix(prefix): shape for name, shape in header.shapes.items() if name.startswith(prefix)}
