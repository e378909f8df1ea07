"""Train the toy checkpoint's autoencoder from nothing: 96 px toy pictures to latents of 12 x 12 and back.

    python tools/toy_vae.py WORK [--pictures 6000] [--steps 6500]

Stopped or killed, the same command goes on. Ends with WORK/vae.safetensors, in the names of the checkpoint's VAE,
latents scaled so that the sampler's (times 0.13025) have unit variance: tools/toy_watched.py can begin.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ohwx_compare.models.vae import VAE
from ohwx_compare.toy.checkpoint import VAE_CONFIG
from ohwx_compare.toy.datasets import toy_sample

SIZE, CROP, BATCH = 96, 48, 16  # px, px, crops
RATE, WARMUP, DECAY = 2e-3, 200, 0.999  # of AdamW; steps; of the averaged weights
WEIGHTS = {"squares": 1.0, "absolute": 0.05, "edges": 0.5, "kl": 1e-4}
SCALE = 0.13025  # SDXL's


def pictures(work: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` pictures of the toy world, (count, 96, 96, 3) uint8, and their faces' middles, (count, 2) px.

    Drawn once, then read.
    """
    paths = work / "pictures.npy", work / "faces.npy"
    if not all(path.exists() for path in paths):
        portraits = [toy_sample(i, size=SIZE).portrait for i in range(count)]
        boxes = [portrait.face for portrait in portraits]
        np.save(paths[0], np.stack([np.asarray(portrait.image) for portrait in portraits]))
        np.save(paths[1], np.array([((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2) for box in boxes]))
    return np.load(paths[0], mmap_mode="r"), np.load(paths[1])


def crops(shown: np.ndarray, faces: np.ndarray, random: np.random.RandomState) -> Tensor:
    """Crops, half of them around the face and half of them mirrored: (BATCH, 3, CROP, CROP) in [-1, 1]."""
    cut = []
    for i in random.randint(0, len(shown), BATCH):
        x, y = random.randint(0, SIZE - CROP + 1, 2)
        if random.rand() < 0.5:
            x, y = np.clip(faces[i] - CROP / 2 + random.uniform(-8, 8, 2), 0, SIZE - CROP).astype(int)
        picture = shown[i, y : y + CROP, x : x + CROP]
        cut.append(picture[:, ::-1] if random.rand() < 0.5 else picture)
    x = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def errors(vae: VAE, x: Tensor) -> dict[str, Tensor]:
    """Mean squared error, absolute error, squared error of the steps between neighbours, KL divergence a latent value.

    The square counts eyes and glasses more than grain and hatching, which no latent can hold.
    """
    mean, logvar = vae.encode(x).float().chunk(2, dim=1)
    logvar = logvar.clamp(-30, 20)
    z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
    y = vae.decode(z).float()
    return {
        "squares": (y - x).square().mean(),
        "absolute": (y - x).abs().mean(),
        "edges": sum((y.diff(dim=d) - x.diff(dim=d)).square().mean() for d in (2, 3)),
        "kl": 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean(),
    }


def train(vae: VAE, state: Path, crop: Callable[[int], Tensor], steps: int) -> None:
    """Train `vae` in place on what `crop` gives for each step; its weights are averages in the end.

    state: the file to go on from.
    """
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.0)
    average, done = {name: value.clone() for name, value in vae.state_dict().items()}, 0
    if state.exists():
        kept = torch.load(state)
        vae.load_state_dict(kept["vae"])
        optimizer.load_state_dict(kept["optimizer"])
        average, done = kept["average"], kept["step"]
    began = time.monotonic()
    for step in range(done, steps):
        torch.manual_seed(step)
        rate = RATE * min(1, (step + 1) / WARMUP) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            found = errors(vae, crop(step))
        optimizer.zero_grad()
        sum(WEIGHTS[name] * value for name, value in found.items()).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        decay = min(DECAY, (step + 1) / (step + 10))
        for name, value in vae.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        if step % 100 == 99:
            told = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
            print(f"{step + 1} {time.monotonic() - began:.0f} s: {told}", flush=True)
        if step % 500 == 499 or step == steps - 1:
            now = {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step + 1}
            torch.save(now, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
    vae.load_state_dict(average)


@torch.no_grad()
def scaled(vae: VAE, shown: np.ndarray) -> dict[str, Tensor]:
    """Its weights for latents of mean 0 and standard deviation 1 / SCALE: folded into the convolutions around."""
    vae = copy.deepcopy(vae)
    x = torch.from_numpy(np.stack(shown[:200])).permute(0, 3, 1, 2).float() / 127.5 - 1
    mean = torch.cat([vae.encode(part)[:, :4] for part in x.split(20)])
    centre, factor = mean.mean(dim=(0, 2, 3)), 1 / (SCALE * mean.std(dim=(0, 2, 3)))
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:4] *= factor[:, None, None, None]
    quant.bias[:4] = (quant.bias[:4] - centre) * factor
    quant.bias[4:] += 2 * factor.log()
    post.bias += F.conv2d(centre[None, :, None, None], post.weight)[0, :, 0, 0]
    post.weight /= factor[None, :, None, None]
    return {name: value.contiguous() for name, value in vae.state_dict().items()}


def main() -> None:
    """Train, scale, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=6500)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    shown, faces = pictures(options.work, options.pictures)

    def crop(step: int) -> Tensor:
        return crops(shown, faces, np.random.RandomState(step))

    torch.manual_seed(0)
    vae = VAE(VAE_CONFIG).to(memory_format=torch.channels_last)
    train(vae, options.work / "vae.pt", crop, options.steps)
    save_file(scaled(vae, shown), options.work / "vae.safetensors")


if __name__ == "__main__":
    main()
