"""What a device needs beside the weights, counted on the meta device (`bench/launches.py`), and what it has free."""

from collections.abc import Iterable, Iterator, Sequence

import torch

from ohwx_compare.core.prompt.parts import parts
from ohwx_compare.core.request.hires import enlarged
from ohwx_compare.core.request.job import Job
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.vae import VAEConfig

__all__ = ["decode_bytes", "encode_bytes", "evenly", "free_on", "how_many", "in_room", "picture_bytes", "unet_bytes"]

_SPARE = 1 << 28  # bytes for what libraries take besides tensors
_UNET = 20  # numbers of a latent pixel and row that live together, in widths of the top level
_KEYS = 2 * 70 * 1280 * 77  # of a row's prompt of 77 tokens, in SDXL's 70 blocks, at most


def unet_bytes(config: UNetConfig, pixels: int, size: int) -> int:
    """Of one row of `pixels` latent pixels, in numbers of `size` bytes."""
    return (_UNET * config.widths[0] * pixels + _KEYS) * size


def picture_bytes(config: UNetConfig, job: Job, size: int) -> int:
    """Of one picture while its larger pass is sampled: a row for each part of its prompt, one for the negative."""
    pixels = job.width * job.height
    if job.hires_upscaler is not None:
        larger = enlarged(job)
        pixels = max(pixels, larger.width * larger.height)
    rows = max(len(parts(text)) for text in (job.prompt, job.hires_prompt)) + 1
    return rows * unet_bytes(config, pixels // 64, size)


def decode_bytes(config: VAEConfig, pixels: int, size: int) -> int:
    """Of one picture of `pixels`: three maps of full size, as wide as the level below it, or four of its own width."""
    own, below = (*config.widths, 0)[:2]
    return max(3 * below, 4 * own) * pixels * size


def encode_bytes(config: VAEConfig, pixels: int, size: int) -> int:
    """Of one picture of `pixels`: four maps of full size."""
    return 4 * config.widths[0] * pixels * size


def free_on(device: torch.device) -> int | None:
    """What can be taken on `device`: what the system has, and what torch holds unused; None where nobody says."""
    if device.type != "cuda":
        return None
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + held


def how_many(device: torch.device, each: int, alone: int) -> int:
    """How many of `each` bytes have room on `device` together, 0 where not even one; `alone` where nobody says."""
    free = free_on(device)
    return alone if free is None else max(free - _SPARE, 0) // each


def in_room(
    groups: Iterable[Sequence[int]], jobs: Sequence[Job], unet: UNet, device: torch.device
) -> Iterator[Sequence[int]]:
    """`groups` of positions among `jobs`, each in as many parts as the device's free memory asks for."""
    for group in groups:
        each = picture_bytes(unet.config, jobs[group[0]], next(unet.parameters()).itemsize)
        yield from evenly(group, how_many(device, each, alone=len(group)))


def evenly(positions: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """`positions` in as few parts as there may be with `most` in each, none much smaller than another."""
    count = -(-len(positions) // max(most, 1))
    each = -(-len(positions) // max(count, 1))
    return (positions[i : i + each] for i in range(0, len(positions), max(each, 1)))
