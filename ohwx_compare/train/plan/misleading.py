"""What a recipe says and does not mean: found in the plan, before anything is loaded."""

import os
from collections.abc import Iterator
from pathlib import Path

from ohwx_compare.core.prompt.chunks import LENGTH
from ohwx_compare.files.checkpoint import Header, prediction
from ohwx_compare.files.dataset import Dataset
from ohwx_compare.files.memory import nearest_there
from ohwx_compare.files.tokenizer import tokenizer_l
from ohwx_compare.train.recipe.recipe import COMPAT, Recipe
from ohwx_compare.words import counted

__all__ = ["average_problems", "base_problems", "base_remarks", "caption_remarks", "output_problems"]

_MOST_BASE = 0.5  # share of the base that an average may hold at the end
# what sd-scripts lists: https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py#L104
_LISTED = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".PNG", ".JPG", ".JPEG", ".WEBP", ".BMP")


def average_problems(recipe: Recipe, steps: int) -> Iterator[str]:
    """A sentence where the averaged weights would still be mostly those of the base after `steps` steps."""
    left = (recipe.ema or 0.0) ** steps
    if left > _MOST_BASE:
        best = 0.05 ** (1 / steps)  # leaves a twentieth
        yield (
            f"ema {recipe.ema:g} over {counted(steps, 'step')} leaves {left:.0%} of the base in the averaged weights, "
            f"which are what is saved; train longer, take ema {best:.3g}, or set it to null."
        )


def base_problems(header: Header, recipe: Recipe) -> Iterator[str]:
    """A sentence where the recipe predicts something else than the base and cannot be meant so."""
    markers = [name for name in ("v_pred", "ztsnr") if name in header.tensors]
    if recipe.prediction == "eps" and (markers or prediction(header) == "v"):
        said = " and ".join(markers) or "modelspec.prediction_type"
        yield (
            f'{header.path.name} was trained to predict v ({said} in the file), and the recipe says prediction "eps"; '
            'say "v" (v_parameterization for sd-scripts), or null to ask the file.'
        )
    if recipe.prediction is None and "ztsnr" in markers and prediction(header) == "eps":
        yield f'{header.path.name} ends in pure noise (ztsnr) and names no v-prediction; say prediction "v".'


def base_remarks(header: Header, recipe: Recipe) -> Iterator[str]:
    """What the base's own marks change, and an average that is young at the first save."""
    if recipe.prediction == "v" and prediction(header) == "eps":
        yield f'{header.path.name} names no v-prediction; prediction "v" teaches it from the start, which takes long.'
    if "ztsnr" in header.tensors:
        yield f"{header.path.name} ends in pure noise (ztsnr), so this training does too."


def caption_remarks(recipe: Recipe, dataset: Dataset) -> Iterator[str]:
    """Captions that are cut, and pictures that sd-scripts would not see, under the `compat` that repeats it."""
    pictures = dataset.train + dataset.reg
    if recipe.compatible("tokens"):
        read = tokenizer_l()
        cut = sum(1 for caption in {one.caption for one in pictures} if len(read(caption)) > LENGTH)
        if cut:
            have = "has" if cut == 1 else "have"
            yield f'{counted(cut, "caption")} {have} more than {LENGTH} tokens; compat "tokens" drops the rest.'
    if set(COMPAT) <= set(recipe.compat):
        unseen = [one.path.name for one in pictures if Path(one.path).suffix not in _LISTED]
        if unseen:
            yield (
                f"sd-scripts would pass over {counted(len(unseen), 'picture')} ({', '.join(unseen[:5])}) and take "
                "fewer steps; they are trained on here."
            )


def output_problems(output: Path, disk_bytes: int, free: int) -> Iterator[str]:
    """A sentence for each reason why the run could not write `disk_bytes` more to `output`; free: bytes."""
    there = nearest_there(output)
    if not there.is_dir():
        yield f"The output {output} cannot be a folder, because {there} is a file; choose another output."
    elif not os.access(there, os.W_OK):
        yield f"The output {output} cannot be written: there is no permission for {there}; choose another output."
    if free < disk_bytes:
        yield (
            f"The run needs {disk_bytes / 1e9:.1f} GB more and {there} has {free / 1e9:.1f} GB free; "
            f"free some space, save less often or set keep_last."
        )
