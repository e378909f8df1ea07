"""The autoencoder of tools/toy_vae.py learns on, watched by a reader of pictures.

    python tools/toy_watched.py WORK [--both 1600] [--decoder 2400]

Beside its errors in pixels counts how far a face is from the true one in the features and words of a reader (as LPIPS
does, Zhang et al. 2018, arXiv:1801.03924), for a squared error smears what is small. That reader is trained as the
packaged one, from other first weights: what measures the checkpoint has no part in it. The latents are blurred by noise
on their way, so that what counts in them is coarse enough for a UNet to learn, and stay near those of the start.
First both halves learn, and WORK/watched-both.safetensors has the latents of the end, of unit variance again. Then the
decoder learns alone, and WORK/watched.safetensors is the better VAE. Stopped or killed, the same command goes on.
"""

import argparse
import copy
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from toy_reader import teacher
from toy_training import all_distances, train
from toy_vae import scaled

from ohwx_compare.files.atomic import write_text
from ohwx_compare.models.vae import LATENT_SCALE, VAE
from ohwx_compare.toy.checkpoint import VAE_CONFIG
from ohwx_compare.toy.datasets import lesson_truth, write_lessons
from ohwx_compare.toy.reader import FIELDS, READER_SIDE, ReaderNetwork

BATCH, RATES = 6, {"both": 7e-4, "decoder": 7e-4}
WEIGHTS = {"squares": 1.0, "edges": 0.5, "absolute": 0.05, "features": 0.1, "words": 0.02, "moved": 0.02}
NOISE = 0.2 / LATENT_SCALE, 0.03  # at most, in the latents; in what the reader sees
WHOLE, PART = 0.3, 64  # of the steps see whole pictures, the others this many px around the face
SEEN = (1, 3, 6)  # layers of the reader's trunk, one of each resolution
WORDS = [len(words) for words in FIELDS.values()]


class Watching(nn.Module):
    """A reader's features at `SEEN`, and its logits."""

    def __init__(self, reader: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.reader, self._seen = ReaderNetwork(), {}
        self.reader.load_state_dict({name: value.float() for name, value in reader.items()})
        self.eval().requires_grad_(False)
        for at in SEEN:
            self.reader.trunk[at].register_forward_hook(lambda *found, at=at: self._seen.update({at: found[2]}))

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """x (B, 3, 96, 96) RGB in -1..1."""
        logits, _ = self.reader((x + 1) / 2)
        return [self._seen[at] for at in SEEN], logits


class Shown:
    """The lessons' pictures and where their faces are."""

    def __init__(self, work: Path, count: int) -> None:
        write_lessons(work / "pictures", count, size=READER_SIDE)
        paths = [work / "pictures" / "1_toy" / f"{number:05}.png" for number in range(count)]
        self.pixels = torch.from_numpy(np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths]))
        poses = [lesson_truth(number)[-1] for number in range(count)]
        self.faces = torch.tensor([(pose.x, pose.y, pose.height) for pose in poses])

    def some(self) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, h, h) in -1..1 and their faces (B, 3) in parts of h: whole ones, more often parts."""
        if torch.rand(()) < WHOLE:
            chosen = torch.randint(0, len(self.pixels), (BATCH,))
            return self._scaled(self.pixels[chosen]), self.faces[chosen]
        far = (self.faces[:, 2] < PART / READER_SIDE).nonzero()[:, 0]
        chosen = far[torch.randint(0, len(far), (BATCH * READER_SIDE // PART,))]
        faces = READER_SIDE * self.faces[chosen]
        corner = (faces[:, :2] - PART / 2 + 8 * torch.randn(len(chosen), 2)).clamp(0, READER_SIDE - PART).int()
        parts = [
            self.pixels[i, y : y + PART, x : x + PART]
            for i, (x, y) in zip(chosen.tolist(), corner.tolist(), strict=True)
        ]
        return self._scaled(torch.stack(parts)), torch.cat([faces[:, :2] - corner, faces[:, 2:]], 1) / PART

    @staticmethod
    def _scaled(pixels: Tensor) -> Tensor:
        x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        return x.contiguous(memory_format=torch.channels_last)


def windows(x: Tensor, faces: Tensor) -> Tensor:
    """What x (B, C, h, w) shows in a square of about 1.5 heights around each face (x, y, height): (B, C, 96, 96)."""
    side = 1.5 * faces[:, 2] * torch.empty(len(x)).uniform_(0.85, 1.15)
    middle = faces[:, :2] + 0.06 * side[:, None] * torch.randn(len(x), 2) - torch.stack([0 * side, 0.05 * side], 1)
    shift = torch.zeros(len(x), 2, 3)
    shift[:, 0, 0], shift[:, 1, 1], shift[:, :, 2] = side, side, 2 * middle - 1
    grid = F.affine_grid(shift, [*x.shape[:2], READER_SIDE, READER_SIDE], align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def shown_wrong(y: Tensor, x: Tensor, faces: Tensor, watching: Watching) -> dict[str, Tensor]:
    """How far y is from the true x, both (B, 3, h, h): each part of the loss, weighted."""
    both = windows(torch.cat([y, x], 1), faces).split(3, 1)
    noise = NOISE[1] * torch.randn_like(both[0])
    (ours, our_words), (true, true_words) = (watching(seen + noise) for seen in both)
    parts = zip(our_words.float().split(WORDS, 1), true_words.float().split(WORDS, 1), strict=True)
    found = {
        "squares": (y - x).square().mean(),
        "edges": sum((y.diff(dim=d) - x.diff(dim=d)).square().mean() for d in (2, 3)),
        "absolute": (y - x).abs().mean(),
        "features": sum((a - b).square().mean() / b.square().mean() for a, b in zip(ours, true, strict=True)),
        "words": sum(
            F.kl_div(a.log_softmax(1), b.log_softmax(1), log_target=True, reduction="batchmean") for a, b in parts
        ),
    }
    return {name: WEIGHTS[name] * value for name, value in found.items()}


def blurred(latents: Tensor) -> Tensor:
    """With noise of each picture's own strength."""
    return latents + NOISE[0] * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)


def learn_both(work: Path, vae: VAE, shown: Shown, watching: Watching, steps: int) -> dict[str, Tensor]:
    """The averaged weights of encoder and decoder."""
    before = copy.deepcopy(vae).requires_grad_(False)

    def loss(step: int) -> dict[str, Tensor]:
        x, faces = shown.some()
        with torch.no_grad():
            start = before.encode(x)[:, :4].float()
        mean = vae.encode(x)[:, :4].float()
        found = shown_wrong(vae.decode(blurred(mean)).float(), x, faces, watching)
        return found | {"moved": WEIGHTS["moved"] * (LATENT_SCALE * (mean - start)).square().mean()}

    return train(work / "watched-both.pt", vae, loss, steps, rate=RATES["both"])[0]


def learn_alone(work: Path, vae: VAE, shown: Shown, watching: Watching, steps: int) -> dict[str, Tensor]:
    """The averaged weights of the decoder, in the names of the VAE."""

    def loss(step: int) -> dict[str, Tensor]:
        x, faces = shown.some()
        with torch.no_grad():
            mean = vae.encode(x)[:, :4].float()
        return shown_wrong(vae.decode(blurred(mean)).float(), x, faces, watching)

    part = nn.ModuleDict({"decoder": vae.decoder, "post_quant_conv": vae.post_quant_conv})
    return train(work / "watched.pt", part, loss, steps, rate=RATES["decoder"])[0]


def main() -> None:
    """Learn both, learn the decoder, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--lessons", type=int, default=12_000)
    parser.add_argument("--both", type=int, default=1600, help="steps in which both halves learn")
    parser.add_argument("--decoder", type=int, default=2400, help="steps in which the decoder learns alone")
    options = parser.parse_args()
    vae = VAE(VAE_CONFIG).to(memory_format=torch.channels_last)
    vae.load_state_dict(load_file(options.work / "vae.safetensors"))
    shown = Shown(options.work, options.lessons)
    watching = Watching(teacher(options.work, all_distances(options.work)[0]))
    vae.load_state_dict(learn_both(options.work, vae, shown, watching, options.both))
    learned = scaled(vae, shown.pixels.numpy())  # the noise has made them larger
    write(learned, options.work / "watched-both.safetensors")
    vae.load_state_dict(learned)
    learned |= learn_alone(options.work, vae, shown, watching, options.decoder)
    write(learned, options.work / "watched.safetensors")
    steps = {"both": options.both, "decoder": options.decoder}
    about = {"program": "tools/toy_watched.py", "batch": BATCH, "steps": steps, "rates": RATES, "weights": WEIGHTS}
    write_text(options.work / "watched.json", json.dumps(about))


def write(vae: Mapping[str, Tensor], path: Path) -> None:
    """Its weights, in the names of the checkpoint's VAE."""
    save_file({name: value.contiguous() for name, value in vae.items()}, path)


if __name__ == "__main__":
    main()
