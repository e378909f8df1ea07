"""Train the toy checkpoint's autoencoder from nothing: 96 px toy pictures to latents of 12 x 12 and back.

    python tools/toy_vae.py WORK [--pictures 6000] [--steps 6000]

Goes on from WORK/vae.pt if it is there. Ends with WORK/vae.safetensors, in the names of the checkpoint's VAE, latents
scaled so that the sampler's (times 0.13025) have unit variance.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ohwx_compare.models.vae import VAE
from ohwx_compare.toy.checkpoint import VAE_CONFIG
from ohwx_compare.toy.datasets import sample

SIZE, CROP, BATCH = 96, 48, 16  # px, px, crops
RATE, WARMUP, DECAY = 2e-3, 200, 0.999  # of AdamW; steps; of the averaged weights
EDGES, KL = 0.5, 5e-4  # weights beside the absolute error's 1
SCALE = 0.13025  # SDXL's


def pictures(work: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` pictures of the toy world, (count, 96, 96, 3) uint8, and their faces' middles, (count, 2) px.

    Drawn once, then read.
    """
    paths = work / "pictures.npy", work / "faces.npy"
    if not all(path.exists() for path in paths):
        portraits = [sample(i, size=SIZE).portrait for i in range(count)]
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


def errors(vae: VAE, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean absolute error, that of the differences of neighbours, and the KL divergence a latent value."""
    mean, logvar = vae.encode(x).float().chunk(2, dim=1)
    logvar = logvar.clamp(-30, 20)
    y = vae.decode(mean + torch.randn_like(mean) * (0.5 * logvar).exp()).float()
    edges = sum((y.diff(dim=d) - x.diff(dim=d)).abs().mean() for d in (2, 3))
    return (y - x).abs().mean(), edges, 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()


def train(work: Path, shown: np.ndarray, faces: np.ndarray, steps: int) -> dict[str, Tensor]:
    """The averaged weights after `steps`."""
    torch.manual_seed(0)
    vae = VAE(VAE_CONFIG).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.0)
    average, done = {k: v.clone() for k, v in vae.state_dict().items()}, 0
    if (state := work / "vae.pt").exists():
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
            l1, edges, kl = errors(vae, crops(shown, faces, np.random.RandomState(step)))
        optimizer.zero_grad()
        (l1 + EDGES * edges + KL * kl).backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        decay = min(DECAY, (step + 1) / (step + 10))
        for name, value in vae.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        if step % 100 == 99:
            print(f"{step + 1} {time.monotonic() - began:.0f} s: l1 {l1:.4f} edges {edges:.4f} kl {kl:.2f}", flush=True)
        if step % 500 == 499 or step == steps - 1:
            torch.save(
                {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step + 1},
                work / "vae.part",
            )
            (work / "vae.part").replace(state)
    return average


@torch.no_grad()
def scaled(weights: dict[str, Tensor], shown: np.ndarray) -> dict[str, Tensor]:
    """The same VAE, its latents of mean 0 and standard deviation 1 / SCALE: folded into the convolutions around."""
    vae = VAE(VAE_CONFIG)
    vae.load_state_dict(weights)
    x = torch.from_numpy(np.stack(shown[:200])).permute(0, 3, 1, 2).float() / 127.5 - 1
    mean = torch.cat([vae.encode(part)[:, :4] for part in x.split(20)])
    centre, factor = mean.mean(dim=(0, 2, 3)), 1 / (SCALE * mean.std(dim=(0, 2, 3)))
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:4] *= factor[:, None, None, None]
    quant.bias[:4] = (quant.bias[:4] - centre) * factor
    quant.bias[4:] += 2 * factor.log()
    post.bias += F.conv2d(centre[None, :, None, None], post.weight)[0, :, 0, 0]
    post.weight /= factor[None, :, None, None]
    return vae.state_dict()


def main() -> None:
    """Train, scale, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=6000)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    shown, faces = pictures(options.work, options.pictures)
    save_file(scaled(train(options.work, shown, faces, options.steps), shown), options.work / "vae.safetensors")


if __name__ == "__main__":
    main()
