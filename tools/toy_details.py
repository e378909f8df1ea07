"""Go on with what tools/toy_words.py ended with: what is small is learned from those who read it.

    python tools/toy_details.py WORK [--reader 2600] [--unet 5000]

Glasses, beards and eyes are a few latents and hardly count in a squared error. So a network that reads latents learns
the lessons' words from them; then the UNet learns, beside its own loss, that what it predicts reads as the caption
says, in latents and, for some faces of each step, decoded and read by the reader of pictures that watched the
autoencoder. The text encoders stay as they are. The packaged reader, which measures the checkpoint, has no part in it.
Stopped or killed, the same command goes on. Ends with WORK/details.safetensors, float32.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from toy_measure import is_named
from toy_reader import teacher
from toy_training import all_distances, train
from toy_watched import WORDS as ALL_WORDS
from toy_watched import Watching, windows
from toy_words import DIFFUSION, SIDE, Lessons, Network, read_lessons, texts_of, write

from ohwx_compare.engine.conditioning import size_vector
from ohwx_compare.files.atomic import write_text
from ohwx_compare.models.vae import LATENT_SCALE, VAE
from ohwx_compare.toy.checkpoint import VAE_CONFIG
from ohwx_compare.toy.datasets import lesson_truth
from ohwx_compare.toy.reader import FIELDS, is_visible
from ohwx_compare.train.learn.loss import NOISE_LEVELS

IN_LATENTS = ("kind", "beard", "glasses", "eyes", "garment", "hairstyle")
IN_PICTURES = ("kind", "hair", "hairstyle", "beard", "eyes", "glasses")
WORDS = [len(FIELDS[name]) for name in IN_LATENTS]
BATCH, RATES = 48, {"reader": 2e-3, "unet": 4e-4}
READ = {"words": 0.04, "seen": 0.04}  # what each reader counts beside the UNet's own loss
LOOKED = 8  # faces of each step that are decoded
PART = 8  # latents of a side of the square around each of them
EARLIEST = 200  # less noisy than this, the lesson itself shows what is seen
LATEST = 900  # noisier than this, what is predicted is a mean of all people
NOISE = 0.4  # at most, in the latents that the reader learns from


class LatentReader(nn.Module):
    """Words from latents (B, 4, 12, 12) and each cell's place beside the face (B, 2, 12, 12): each field's logits."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(6, 96, 3, padding=1), nn.SiLU(), nn.Conv2d(96, 96, 3, padding=1), nn.SiLU(), nn.Dropout2d(0.1),
            nn.Conv2d(96, 128, 3, padding=1), nn.SiLU(), nn.Dropout2d(0.1), nn.Conv2d(128, 128, 3, padding=1),
            nn.SiLU(), nn.Conv2d(128, sum(WORDS), 1),
        )  # fmt: skip

    def forward(self, latents: Tensor, place: Tensor) -> dict[str, Tensor]:
        logits = self.trunk(torch.cat([latents, place], 1)).split(WORDS, 1)
        face = (place.abs() < 0.6).all(1, keepdim=True)
        clothes = (place[:, 1:] > 0.5) & (place[:, :1].abs() < 1.4)
        parts = zip(IN_LATENTS, logits, strict=True)
        return {name: _mean(part, (clothes if name == "garment" else face).float()) for name, part in parts}


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum((2, 3)) / where.sum((2, 3)).clamp(min=1)


def unread(logits: Mapping[str, Tensor], words: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of the words that count, the mean over the fields of `logits`; words (B,) int64, else -1."""
    lost = [
        F.cross_entropy(part.float(), words[field], ignore_index=-1, reduction="sum")
        / (words[field] >= 0).sum().clamp(min=1)
        for field, part in logits.items()
    ]
    return sum(lost) / len(lost)


def words_of(number: int, caption: str) -> tuple[list[int], list[int]]:
    """Each field's word in that lesson where it can be seen, and where its caption names it besides; else -1."""
    person, scene, style, pose = lesson_truth(number)
    truth = {"style": style, **asdict(person), **asdict(scene)}
    seen = [
        words.index(truth[field])
        if is_visible(field, truth, height=pose.height) and not (field == "beard" and person.kind == "woman")
        else -1
        for field, words in FIELDS.items()
    ]
    return seen, [
        word if caption and is_named(field, caption, truth) else -1 for field, word in zip(FIELDS, seen, strict=True)
    ]


def some(words: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """Those rows of each field."""
    return {field: word[rows] for field, word in words.items()}


def where(counts: Tensor, words: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The words that count, (B,) bool; -1 for the others."""
    return {field: torch.where(counts, word, -1) for field, word in words.items()}


def place_of(number: int) -> Tensor:
    """Where each cell of that lesson's latents is beside the face, in heights of it: (2, 12, 12)."""
    *_, pose = lesson_truth(number)
    at = (torch.arange(SIDE // 8) + 0.5) / (SIDE // 8)
    y, x = torch.meshgrid(at - pose.y, at - pose.x, indexing="ij")
    return (torch.stack([x, y]) / pose.height).clamp(-1.5, 1.5)


class Told:
    """What the lessons' words are, and where."""

    def __init__(self, work: Path, count: int) -> None:
        captions = [(work / "pictures" / "1_toy" / f"{n:05}.txt").read_text(encoding="utf-8") for n in range(count)]
        seen, named = zip(*(words_of(n, caption) for n, caption in enumerate(captions)), strict=True)
        self.seen, self.named = (dict(zip(FIELDS, torch.tensor(words).T, strict=True)) for words in (seen, named))
        self.place = torch.stack([place_of(n) for n in range(count)])


def learn_to_read(work: Path, lessons: Lessons, told: Told, steps: int) -> LatentReader:
    """The reader of latents, no longer learning."""
    torch.manual_seed(0)
    reader = LatentReader()

    def loss(step: int) -> dict[str, Tensor]:
        shown = torch.randint(0, len(lessons.mean), (BATCH,))
        noise = NOISE * torch.rand(BATCH, 1, 1, 1) ** 2 * torch.randn(BATCH, *lessons.mean.shape[1:])
        return {"words": unread(reader(lessons.mean[shown] + noise, told.place[shown]), some(told.seen, shown))}

    average, _ = train(work / "latent_reader.pt", reader, loss, steps, rate=RATES["reader"])
    reader.load_state_dict(average)
    return reader.eval().requires_grad_(False)


class Look:
    """The decoder and the reader of pictures, as one loss of the face's words."""

    def __init__(self, work: Path, count: int) -> None:
        self._vae = VAE(VAE_CONFIG).to(memory_format=torch.channels_last).requires_grad_(False)
        self._vae.load_state_dict(load_file(work / "watched.safetensors"))
        self._watching = Watching(teacher(work, all_distances(work)[0]))
        poses = [lesson_truth(n)[-1] for n in range(count)]
        self._faces = torch.tensor([(pose.x, pose.y, pose.height) for pose in poses])

    def unread(self, predicted: Tensor, shown: Tensor, words: Mapping[str, Tensor]) -> Tensor:
        """Of latents (B, 4, 12, 12) of those lessons, some that fit into `PART`: cross-entropy of the face's words."""
        whole = SIDE // 8
        faces = self._faces[shown] * whole
        counts = torch.stack([words[name] >= 0 for name in IN_PICTURES]).any(0)
        rows = ((faces[:, 2] < PART) & counts).nonzero()[:LOOKED, 0]
        corner = (faces[rows, :2] - PART / 2).round().clamp(0, whole - PART).int()
        parts = [
            predicted[i, :, y : y + PART, x : x + PART]
            for i, (x, y) in zip(rows.tolist(), corner.tolist(), strict=True)
        ]
        y = self._vae.decode(torch.stack(parts) / LATENT_SCALE)
        faces = torch.cat([faces[rows, :2] - corner, faces[rows, 2:]], 1) / PART
        logits = dict(zip(FIELDS, self._watching(windows(y, faces))[1].split(ALL_WORDS, 1), strict=True))
        return unread({name: logits[name] for name in IN_PICTURES}, some(words, rows))


def learn_to_draw(work: Path, lessons: Lessons, told: Told, reader: LatentReader, steps: int) -> None:
    """The UNet, by its own loss and the readers'."""
    start, path = work / "words.safetensors", work / "details.safetensors"
    if path.exists():
        return
    network = Network(start, lessons)
    context, pooled = texts_of(network, lessons)
    sizes = size_vector((SIDE, SIDE, 0, 0, SIDE, SIDE)).expand(BATCH, -1)
    look = Look(work, len(lessons.mean))

    def loss(step: int) -> dict[str, Tensor]:
        shown = torch.randint(0, len(lessons.mean), (BATCH,))
        latents, noise = lessons.mean[shown], torch.randn(BATCH, *lessons.mean.shape[1:])
        timesteps = torch.randint(0, NOISE_LEVELS, (BATCH,))
        noisy = DIFFUSION.noisy(latents, noise, timesteps)
        vector = torch.cat([pooled[shown], sizes], 1)
        found = network.unet(noisy, timesteps.float(), context[shown].float(), vector)
        error = ((found - noise).square() * lessons.weight[shown]).mean((1, 2, 3)) * DIFFUSION.weight(timesteps)
        signal = DIFFUSION.signal[timesteps][:, None, None, None]
        predicted = ((noisy - (1 - signal).sqrt() * found) / signal.sqrt()).clamp(-4, 4)
        words = where(timesteps < LATEST, some(told.named, shown))
        read = {
            "words": unread(reader(predicted, told.place[shown]), words),
            "seen": look.unread(predicted, shown, where(timesteps > EARLIEST, words)),
        }
        return {"noise": error.mean()} | {name: READ[name] * value for name, value in read.items()}

    def exactly(step: int) -> dict[str, Tensor]:
        with torch.autocast("cpu", enabled=False):  # small convolutions are no faster in bfloat16
            return loss(step)

    average, _ = train(work / "details.pt", network.unet, exactly, steps, rate=RATES["unet"])
    write(network, {f"unet.{name}": value for name, value in average.items()}, start, path)


def main() -> None:
    """Read, learn to read, learn to draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--lessons", type=int, default=12_000)
    parser.add_argument("--reader", type=int, default=2600, help="steps of the reader of latents")
    parser.add_argument("--unet", type=int, default=5000, help="steps of the UNet")
    options = parser.parse_args()
    lessons = read_lessons(options.work, options.work / "words.safetensors", options.lessons)
    told = Told(options.work, options.lessons)
    reader = learn_to_read(options.work, lessons, told, options.reader)
    learn_to_draw(options.work, lessons, told, reader, options.unet)
    steps = {"reader": options.reader, "unet": options.unet}
    about = {"program": "tools/toy_details.py", "lessons": options.lessons, "batch": BATCH, "steps": steps}
    about |= {"rates": RATES, "read": READ}
    write_text(options.work / "details.json", json.dumps(about))


if __name__ == "__main__":
    main()
