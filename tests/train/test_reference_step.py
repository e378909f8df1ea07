"""One step of the whole loop against the same written out plainly in float64."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from ohwx_compare.engine.weights import PREFIXES, load
from ohwx_compare.files.tokenizer import tokenizer_g, tokenizer_l
from ohwx_compare.train.learn.chance import normal, uniform_int
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train

RATE, SEED, DECAY = 1e-3, 42, 0.01


def sinusoids(value):
    angles = [value * math.exp(-math.log(10000) * k / 128) for k in range(128)]
    return [math.cos(a) for a in angles] + [math.sin(a) for a in angles]


def tokens(read, pad):
    words = read("ohwx man")
    return torch.tensor([[49406, *words, 49407, *[pad] * (75 - len(words))]])


def reference(base: Path, picture: Path) -> tuple[float, float, dict[str, np.ndarray]]:
    """Loss, gradient norm and the UNet's weights after one step of v-prediction with min-SNR 5, in float64."""
    model = load(base, dtype=torch.float64)
    hidden = model.clip_l(tokens(tokenizer_l(), 49407))
    hidden_g, pooled = model.clip_g(tokens(tokenizer_g(), 0))
    context = torch.cat([hidden, hidden_g], dim=-1)
    sizes = [x for value in (64, 64, 0, 0, 64, 64) for x in sinusoids(value)]
    vector = torch.cat([pooled[0], torch.tensor(sizes, dtype=torch.float64)])[None]

    pixels = torch.from_numpy(np.asarray(Image.open(picture)).astype(np.float64) / 255 * 2 - 1).permute(2, 0, 1)[None]
    mean, log_variance = model.vae.encode(pixels).chunk(2, dim=1)
    shape = tuple(mean.shape[1:])
    latents = 0.13025 * (mean + (0.5 * log_variance).exp() * normal(shape, SEED, "latents", 1, 0).double())
    noise = normal(shape, SEED, "noise", 1, 0).double()[None]
    t = uniform_int(0, 1000, SEED, "timestep", 1, 0)
    betas = [(0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * k / 999) ** 2 for k in range(t + 1)]
    signal = math.prod(1 - beta for beta in betas)

    model.unet.requires_grad_(True)
    noisy = math.sqrt(signal) * latents + math.sqrt(1 - signal) * noise
    v = math.sqrt(signal) * noise - math.sqrt(1 - signal) * latents
    snr = signal / (1 - signal)
    loss = ((model.unet(noisy, torch.tensor([float(t)]), context, vector) - v) ** 2).mean() * min(snr, 5) / (snr + 1)
    loss.backward()
    norm = math.sqrt(sum((w.grad**2).sum().item() for w in model.unet.parameters()))
    moved = {
        PREFIXES["unet"] + name: adafactor(w.detach().numpy(), w.grad.numpy(), name)
        for name, w in model.unet.named_parameters()
    }
    return loss.item(), norm, moved


def adafactor(weight: np.ndarray, grad: np.ndarray, name: str) -> np.ndarray | None:
    """The first step; None where the gradient is zero but for rounding, which Adafactor blows up to a step."""
    if np.linalg.norm(grad) < 1e-7:
        return None
    square = grad**2 + 1e-30  # at step 1 the old moments count 1 - 1 ** -0.8 = 0
    if grad.ndim > 1:
        row, column = square.mean(-1), square.mean(-2)
        estimate = row[..., :, None] * column[..., None, :] / row.mean(-1)[..., None, None]
    else:
        estimate = square
    update = grad / np.sqrt(estimate)
    update = update / max(1.0, np.sqrt((update**2).mean()))
    return weight * (1 - DECAY * RATE) - RATE * update


def test_a_step_is_the_plain_one(small, mini, tmp_path):
    folder = tmp_path / "img" / "1_ohwx man"
    for path in folder.glob("[12].png"):
        path.unlink()
    recipe = Recipe.from_dict({
        **small, "epochs": None, "steps": 1, "lr_unet": RATE, "prediction": "v", "loss_weighting": "min-snr",
        "clip": 0.0, "optimizer_args": {"weight_decay": DECAY}, "checkpointing": True, "seed": SEED,
    })  # fmt: skip
    train(make_plan(recipe), lambda event: None)
    lines = (Path(recipe.output) / "events.jsonl").read_text(encoding="utf-8").splitlines()
    learned = next(one for one in map(json.loads, lines) if one["event"] == "Learned")
    loss, norm, moved = reference(mini, folder / "0.png")
    assert learned["loss"] == pytest.approx(loss, rel=1e-5)
    assert learned["norm"] == pytest.approx(norm, rel=1e-4)
    after = load_file(Path(recipe.output) / "me.safetensors")
    assert sum(value is None for value in moved.values()) < 0.1 * len(moved)
    for name, value in moved.items():
        if value is not None:  # the file holds float16: half a unit of its last place, and float32's own error
            np.testing.assert_allclose(after[name].astype(float), value, rtol=2**-11, atol=1e-5, err_msg=name)
