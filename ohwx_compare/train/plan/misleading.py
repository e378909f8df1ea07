"""What a recipe says and does not mean: found in the plan, before anything is loaded."""

import os
from collections.abc import Iterator
from pathlib import Path

from ohwx_compare.core.prompt.chunks import LENGTH
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import Header, prediction, read_header
from ohwx_compare.files.dataset import Dataset
from ohwx_compare.files.loss_masks import mask_file
from ohwx_compare.files.memory import nearest_there
from ohwx_compare.files.tokenizer import tokenizer_l
from ohwx_compare.train.plan.averaging import left_of_start
from ohwx_compare.train.recipe.presets import COMPAT
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.words import counted

__all__ = [
    "average_problems", "base_problems", "base_remarks", "caption_remarks", "mask_remarks", "output_problems",
    "vae_problems",
]  # fmt: skip

_VAE = "first_stage_model."
_MOST_BASE = 0.5  # share of the base that an average may hold at the end
# what sd-scripts lists: https://github.com/kohya-ss/sd-scripts/blob/48d368fa/library/train_util.py#L104
_LISTED = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".PNG", ".JPG", ".JPEG", ".WEBP", ".BMP")


def average_problems(recipe: Recipe, steps: int) -> Iterator[str]:
    """A sentence where the averaged weights would still be mostly those of the base after `steps` steps."""
    left = left_of_start(recipe, steps)
    if recipe.ema and left > _MOST_BASE:
        best = 0.05 ** (1 / max(1, steps // recipe.ema_every))  # leaves a twentieth
        yield (
            f"ema {recipe.ema:g} over {counted(steps, 'step')} leaves {left:.0%} of the base in the averaged weights, "
            f"which are what is saved; train longer, take ema {best:.3g}, or set it to null."
        )


def base_problems(header: Header, recipe: Recipe) -> Iterator[str]:
    """A sentence where the recipe predicts something else than the base and cannot be meant so."""
    markers = [name for name in ("v_pred", "ztsnr") if name in header.tensors]
    predicts = recipe.prediction or prediction(header)
    if recipe.zero_snr and predicts == "eps" and not markers:
        yield f'zero_snr ends in pure noise, and {header.path.name} predicts noise; say prediction "v".'
    if recipe.scale_v_loss and predicts == "eps":
        yield f"scale_v_loss is of a loss in v, and {header.path.name} predicts noise; take it out."
    if recipe.v_like_loss and predicts == "v":
        yield f"v_like_loss is of a loss in noise, and {header.path.name} predicts v; take it out."
    if recipe.prediction == "eps" and (markers or prediction(header) == "v"):
        said = " and ".join(markers) or "modelspec.prediction_type"
        yield (
            f'{header.path.name} was trained to predict v ({said} in the file), and the recipe says prediction "eps"; '
            'say "v" (v_parameterization for sd-scripts), or null to ask the file.'
        )
    if recipe.prediction is None and "ztsnr" in markers and prediction(header) == "eps":
        yield f'{header.path.name} ends in pure noise (ztsnr) and names no v-prediction; say prediction "v".'


def vae_problems(header: Header, recipe: Recipe) -> Iterator[str]:
    """A sentence where the recipe's VAE is none, or not of the base's shapes."""
    if recipe.vae is None:
        return
    try:
        own = read_header(Path(recipe.vae))
    except CheckpointError as error:
        yield f"vae: {error}"
        return
    shapes = {name.removeprefix(_VAE): shape for name, shape in own.shapes.items()}
    other = [
        name
        for name, shape in header.shapes.items()
        if name.startswith(_VAE)
        and not name.startswith(f"{_VAE}loss.")
        and shapes.get(name.removeprefix(_VAE)) != shape
    ]
    if other:
        yield f"vae: {own.path.name} is no VAE for {header.path.name}: {other[0]} is not in it, or of another shape."


def mask_remarks(recipe: Recipe, dataset: Dataset) -> Iterator[str]:
    """How many pictures have no mask, where those are files."""
    if recipe.masks in (None, "alpha"):
        return
    bare = [one.path.name for one in dataset.train + dataset.reg if mask_file(one.path, recipe.masks) is None]
    if bare:
        have, count = ("has", "counts") if len(bare) == 1 else ("have", "count")
        yield f"{counted(len(bare), 'picture')} {have} no mask and {count} whole: {', '.join(bare[:5])}."


def base_remarks(header: Header, recipe: Recipe) -> Iterator[str]:
    """What the base's own marks change, and what a checkpoint of other noise levels lacks."""
    if recipe.prediction == "v" and prediction(header) == "eps":
        yield f'{header.path.name} names no v-prediction; prediction "v" teaches it from the start, which takes long.'
    if "ztsnr" in header.tensors and recipe.zero_snr is None:
        yield f"{header.path.name} ends in pure noise (ztsnr), so this training does too."
    if recipe.zero_snr and "ztsnr" not in header.tensors:
        yield (
            f"zero_snr: {header.path.name} lacks the key ztsnr by which programs know such a checkpoint, and so will "
            "the checkpoints of this training; set it where they are used."
        )
    if recipe.vae and not any(name.startswith(_VAE) for name in header.tensors):
        yield f"{header.path.name} holds no VAE, so the checkpoints hold none either; use them with {recipe.vae}."


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
