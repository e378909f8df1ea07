"""The pictures of a run as latents: read from the shelf, or decoded on threads beside the VAE that encodes them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import torch

from ohwx_compare.engine.weights import load_vae
from ohwx_compare.errors import ImageError
from ohwx_compare.files.dataset import load_picture, pixels
from ohwx_compare.models.vae import VAE
from ohwx_compare.train.learn.cache import Latents, encode_pictures
from ohwx_compare.train.learn.shelf import EncodedShelf, weights_hash
from ohwx_compare.train.plan.plan import TrainingPlan

__all__ = ["LatentSet", "encode_dataset"]

_AHEAD = 2  # batches whose pictures are decoded while one is encoded
_TOGETHER = 4 * 1024 * 1024  # pixels that a GPU encodes at one time


@dataclass(frozen=True)
class _Wanted:
    picture: int
    mirrored: bool
    key: str


LatentSet = dict[tuple[int, bool], Latents]  # by picture and whether it is mirrored


def encode_dataset(
    plan: TrainingPlan, device: str, shelf: EncodedShelf, on_picture: Callable[[bool], None]
) -> LatentSet:
    """The latents of all pictures that the plan needs, mirrored ones too where the recipe flips.

    on_picture: called for each, with whether it had to be encoded. Raises ImageError for a picture that changed since
    the plan or cannot be read, CheckpointError for a VAE that gives NaN.
    """
    vae = load_vae(Path(plan.recipe.vae or plan.recipe.base), device=device, dtype=torch.float32)
    encoder = weights_hash(sorted(vae.state_dict().items()))
    found: LatentSet = {}
    missing: list[_Wanted] = []
    for wanted in _wanted(plan, shelf, (encoder, torch.device(device).type)):
        entry = shelf.get(wanted.key)
        if entry is None or not _fits(entry, plan, wanted):
            missing.append(wanted)
            continue
        found[wanted.picture, wanted.mirrored] = Latents(entry["mean"], entry["std"])
        on_picture(False)
    for wanted, latents in _encoded(plan, vae, missing):
        shelf.put(wanted.key, {"mean": latents.mean, "std": latents.std})
        found[wanted.picture, wanted.mirrored] = latents
        on_picture(True)
    return found


def _wanted(plan: TrainingPlan, shelf: EncodedShelf, encoder: tuple[str, str]) -> Iterator[_Wanted]:
    for i in plan.needed:
        picture, placed = plan.pictures[i], plan.placements[i]
        try:
            content = shelf.hash_of(picture.path)
        except OSError as error:
            raise ImageError(f"{picture.path} cannot be read: {error.strerror or error}.") from error
        for mirrored in (False, True) if plan.concept(i).flip and plan.shown[i] else (False,):
            reading = plan.reading.background, plan.reading.upright
            key = shelf.key(
                "latents", *encoder, content, placed.original, placed.resized, placed.bucket, *reading, mirrored
            )
            yield _Wanted(i, mirrored, key)


def _fits(entry: dict[str, torch.Tensor], plan: TrainingPlan, wanted: _Wanted) -> bool:
    width, height = plan.placements[wanted.picture].bucket
    return all(entry.get(name, torch.empty(0)).shape[1:] == (height // 8, width // 8) for name in ("mean", "std"))


def _encoded(plan: TrainingPlan, vae: VAE, missing: list[_Wanted]) -> Iterator[tuple[_Wanted, Latents]]:
    """In batches of one bucket on a GPU, one by one on the CPU, which gains nothing by them."""
    is_gpu = next(vae.parameters()).device.type == "cuda"

    def read(batch: list[_Wanted]) -> list[np.ndarray]:
        return [_pixels(plan, wanted) for wanted in batch]

    batches = iter(list(_batches(plan, missing) if is_gpu else ([wanted] for wanted in missing)))
    with ThreadPoolExecutor(_AHEAD) as pool:
        reading = [(batch, pool.submit(read, batch)) for batch in islice(batches, _AHEAD)]
        while reading:
            batch, arrays = reading.pop(0)
            reading += [(more, pool.submit(read, more)) for more in islice(batches, 1)]
            names = [str(plan.pictures[wanted.picture].path) for wanted in batch]
            yield from zip(batch, encode_pictures(vae, np.stack(arrays.result()), names), strict=True)


def _batches(plan: TrainingPlan, missing: list[_Wanted]) -> Iterator[list[_Wanted]]:
    def bucket(wanted: _Wanted) -> tuple[int, int]:
        return plan.placements[wanted.picture].bucket

    for (width, height), inside in groupby(sorted(missing, key=bucket), key=bucket):
        most = max(1, _TOGETHER // (width * height))
        while batch := list(islice(inside, most)):
            yield batch


def _pixels(plan: TrainingPlan, wanted: _Wanted) -> np.ndarray:
    picture = plan.pictures[wanted.picture]
    inside = pixels(load_picture(picture.path, plan.reading), plan.placements[wanted.picture])
    return inside[:, ::-1] if wanted.mirrored else inside
