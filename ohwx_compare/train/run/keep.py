"""Checkpoints of a run: the base file with the trained tensors in place of its own, or a LoRA; and a record of it."""

import json
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ohwx_compare import __version__
from ohwx_compare.engine import weights
from ohwx_compare.engine.networks.lora_file import write_lora
from ohwx_compare.engine.reading import DTYPES
from ohwx_compare.errors import TrainingError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.contents import Contents, TensorSeals
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.train.learn.setup import Setup
from ohwx_compare.train.plan.estimate import saved_bytes
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.plan.saves import Save
from ohwx_compare.train.recipe.concepts import concept_folders
from ohwx_compare.train.recipe.presets import WATCHING
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.identity import RunIdentity

__all__ = ["keep", "metadata", "require_space"]

_DTYPES = MappingProxyType({None: None, "fp16": "F16", "bf16": "BF16", "fp32": "F32"})
MARGIN = 64 << 20  # bytes left free
# https://github.com/Stability-AI/ModelSpec; without a date, so that the same run gives the same file
MODELSPEC = MappingProxyType(
    {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-xl-v1-base",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
    }
)


def keep(setup: Setup, save: Save, identity: RunIdentity) -> tuple[Path, ...]:
    """Write a checkpoint of the weights, or of their average and where the recipe says so the weights beside it.

    Then what `keep_last` says is removed. Returns the paths. Raises TrainingError where the disk has no room, or the
    base file is another one by now: what was not trained is copied from it. Then the old files are untouched.
    """
    plan, folder = setup.plan, Path(setup.plan.recipe.output)
    paths = tuple(folder / name for name in plan.files(save))
    for path, averaged in zip(paths, (bool(setup.ema), False), strict=False):
        about = metadata(setup, save, identity, averaged=averaged)
        _write(setup, path, _tensors(setup, averaged), about, identity.base)
    for old in _outlived(plan, save):
        for name in plan.files(old):
            (folder / name).unlink(missing_ok=True)
    return paths


def _write(setup: Setup, path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str], base_sha256: str) -> None:
    recipe = setup.plan.recipe
    base = Path(recipe.base)
    require_space(path.parent, saved_bytes(read_header(base), recipe), path.name)
    if recipe.network is not None:
        write_lora(path, _as_lora(tensors, recipe), base.stem, about)
        return
    before = base.stat()
    if _hashes()(base) != base_sha256:
        raise _changed(base, base_sha256, path)
    with TensorSeals() as seals:
        digest = weights.save(path, tensors, base, about, seals, _DTYPES[recipe.save_precision])
    if _stamp(base.stat()) != _stamp(before):
        path.unlink(missing_ok=True)
        raise _changed(base, base_sha256, path)
    Hashes(cache_folder()).wrote(path, Contents(digest, seals.hashes))


def _as_lora(tensors: Mapping[str, Tensor], recipe: Recipe) -> dict[str, Tensor]:
    """The tensors of a LoRA's file: those that learned, rounded, and what they are scaled by."""
    dtype = DTYPES[_DTYPES[recipe.save_precision] or "F16"]
    alpha = torch.tensor(float(recipe.network_rank if recipe.network_alpha is None else recipe.network_alpha))
    layers = dict.fromkeys(name.partition(".")[0] for name in tensors)
    return {n: t.to(dtype) for n, t in tensors.items()} | {f"{layer}.alpha": alpha for layer in layers}


def _changed(base: Path, sha256: str, path: Path) -> TrainingError:
    return TrainingError(
        f"{base} changed while this training ran, so {path.name} was not saved. Put the file with the sha256 "
        f"{sha256[:10]}... back, then resume: the last state is kept."
    )


def _stamp(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


@cache
def _hashes() -> Hashes:
    """A file that is proved unchanged is read once a process."""
    return Hashes()


def require_space(folder: Path, size: int, name: str) -> None:
    """Raise TrainingError unless `size` bytes and a margin are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if free < size + MARGIN:
        raise TrainingError(
            f"{name} needs {size / 1e9:.2f} GB and {folder} has {free / 1e9:.2f} GB free; free some space, then start "
            "the run again: it resumes."
        )


def metadata(setup: Setup, save: Save, identity: RunIdentity, *, averaged: bool) -> dict[str, str]:
    """The source's metadata, modelspec's keys, and the whole record of the training under "ohwx.training"."""
    plan = setup.plan
    recipe = {name: value for name, value in plan.recipe.to_dict().items() if name not in WATCHING}
    recipe |= {
        name: Path(recipe[name]).name for name in ("base", "train", "reg", "vae", "masks", "from_state") if recipe[name]
    }
    for concept in concept_folders(recipe["concepts"]):
        concept["folder"] = Path(concept["folder"]).name
    del recipe["output"]
    record = {
        "version": __version__,
        "recipe": recipe,
        "base_sha256": identity.base,
        "step": save.step,
        "steps": plan.steps,
        "epoch": save.epoch,
        "exposures": save.exposures,
        "images": {"train": len(plan.dataset.train), "reg": len(plan.dataset.reg)},
        "captions": sorted({one.caption for one in plan.dataset.train})[:100],
        "averaged": averaged,
        **({"ancestors": identity.ancestors} if identity.ancestors else {}),
    }
    width, height = plan.recipe.resolution
    base = read_header(Path(plan.recipe.base)).metadata if plan.recipe.network is None else {}
    kind = "" if plan.recipe.network is None else "/lora"
    return {
        **{name: value for name, value in base.items() if not name.startswith("modelspec.hash")},
        "format": "pt",
        **MODELSPEC,
        "modelspec.architecture": MODELSPEC["modelspec.architecture"] + kind,
        "modelspec.title": save.name,
        "modelspec.resolution": f"{width}x{height}",
        "modelspec.prediction_type": {"eps": "epsilon", "v": "v"}[setup.diffusion.prediction],
        **identity.marks("ohwx."),
        "ohwx.training": json.dumps(record, ensure_ascii=False, sort_keys=True),
    }


def _tensors(setup: Setup, averaged: bool) -> Mapping[str, Tensor]:
    own = setup.ema if averaged else {name: setup.stepper.kept(name) for name in setup.stepper.weights}
    return {**own, **_vae(setup.plan.recipe)} if setup.plan.recipe.network is None else own


def _vae(recipe: Recipe) -> dict[str, Tensor]:
    """The tensors of another VAE than the base's, for those that the base has."""
    if recipe.vae is None:
        return {}
    prefix, there = weights.PREFIXES["vae"], read_header(Path(recipe.base)).tensors
    state = weights.load_vae(Path(recipe.vae), dtype=torch.float32).state_dict()
    return {prefix + name: tensor for name, tensor in state.items() if prefix + name in there}


def _outlived(plan: TrainingPlan, save: Save) -> tuple[Save, ...]:
    """The saves that `keep_last` removes once `save` is there; the final one does not count."""
    if plan.recipe.keep_last is None:
        return ()
    before = tuple(one for one in plan.saves if one.step <= save.step)
    if save is plan.saves[-1]:
        before = before[:-1]
    return before[: max(0, len(before) - plan.recipe.keep_last)]
