"""A learning rate for each block of the UNet, in sd-scripts' numbering.

https://github.com/kohya-ss/sd-scripts/blob/48d368fa/sdxl_train.py#L52-L77: 0 is the embedding of time and sizes, 1 to 9
are the blocks down, 10 to 12 the middle, 13 to 21 the blocks up, 22 is the output.
"""

from ohwx_compare.numerals import whole_number
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["unet_rate"]

_UNET = "model.diffusion_model."
_FIRST = {"time_embed": 0, "label_emb": 0, "input_blocks": 1, "middle_block": 10, "output_blocks": 13, "out": 22}
_MANY = ("input_blocks", "middle_block", "output_blocks")


def unet_rate(recipe: Recipe, name: str) -> float:
    """The rate of a tensor of the UNet, by its name in the checkpoint; 0 leaves it frozen."""
    if recipe.lr_blocks is None:
        return recipe.lr_unet or 0.0
    part, number = name.removeprefix(_UNET).split(".")[:2]
    return recipe.lr_blocks[_FIRST[part] + (whole_number(number) if part in _MANY else 0)]
