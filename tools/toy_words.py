"""Go on with what tools/toy_base.py began: text encoders and UNet learn together, and faces count four times.

    python tools/toy_words.py WORK [--lessons 12000] [--together 5000] [--alone 900]

Words for what is small (glasses, beards) are learned late, and only while the encoders learn too. The lessons' captions
are short, so the encoders see the first `TOKENS` tokens alone; at the end the UNet learns for all 77, the encoders
frozen. Stopped or killed, the same command goes on. Ends with WORK/words.safetensors, float32.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from toy_training import train

from ohwx_compare.core.prompt.chunks import chunks
from ohwx_compare.engine.conditioning import size_vector
from ohwx_compare.engine.weights import PREFIXES, load_part
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.tokenizer import tokenizer_g, tokenizer_l
from ohwx_compare.toy.datasets import lesson_truth, write_lessons
from ohwx_compare.train.learn.cache import encode_picture
from ohwx_compare.train.learn.loss import NOISE_LEVELS, Diffusion

SIDE, BATCH = 96, 64  # px, pictures
TOKENS = 44  # more than any lesson's caption has
FACE = 4.0  # how often a latent inside the face counts
PARTS = ("clip_l", "clip_g", "unet")
DIFFUSION = Diffusion(min_snr=5.0)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Everything that a step needs of N lessons."""

    mean: Tensor  # (N, 4, 12, 12), scaled latents
    std: Tensor
    tokens: dict[str, Tensor]  # "clip_l" and "clip_g": (N, 77) int64
    weight: Tensor  # (N, 1, 12, 12), of each latent; 1 in the mean


class TaughtRows(nn.Embedding):
    """The rows of a token table that the lessons read: an optimiser need not touch the other 49,000."""

    def __init__(self, whole: nn.Embedding, tokens: Tensor) -> None:
        rows = torch.unique(torch.cat([tokens.flatten(), torch.tensor([0])]))  # 0 is the second encoder's padding
        super().__init__(len(rows), whole.embedding_dim)
        self.weight.data.copy_(whole.weight.data[rows])
        self.rows, self.places = rows, torch.zeros(whole.num_embeddings, dtype=torch.int64)
        self.places[rows] = torch.arange(len(rows))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T) int64 -> (B, T, W)."""
        return super().forward(self.places[tokens])


def read_lessons(work: Path, start: Path, count: int) -> Lessons:
    """The first `count` lessons, encoded once and kept in WORK/lessons.pt."""
    kept = work / "lessons.pt"
    if not kept.exists():
        write_lessons(work / "pictures", count, size=SIDE)
        paths = [work / "pictures" / "1_toy" / f"{number:05}.png" for number in range(count)]
        vae = load_part("vae", start, dtype=torch.float32)
        latents = [encode_picture(vae, np.asarray(Image.open(path).convert("RGB")), str(path)) for path in paths]
        texts = [path.with_suffix(".txt").read_text(encoding="utf-8") for path in paths]
        readers = {"clip_l": tokenizer_l(), "clip_g": tokenizer_g()}
        found = {
            "mean": torch.stack([each.mean for each in latents]),
            "std": torch.stack([each.std for each in latents]),
            "tokens": {
                part: torch.tensor([next(iter(chunks(text, read))).tokens for text in texts])
                for part, read in readers.items()
            },
            "weight": torch.stack([_weight(number) for number in range(count)])[:, None],
        }
        torch.save(found, kept)
    return Lessons(**torch.load(kept))


def _weight(number: int) -> Tensor:
    """How much each latent of a lesson counts: (12, 12)."""
    (*_, pose), side = lesson_truth(number), SIDE // 8
    at = (torch.arange(side) + 0.5) / side
    beside, above = (at - pose.x).abs() < 0.5 * pose.height + 0.02, (at - pose.y).abs() < 0.6 * pose.height + 0.02
    weight = 1 + (FACE - 1) * (above[:, None] & beside).float()
    return weight / weight.mean()


class Network(nn.Module):
    """Both text encoders and the UNet, from a checkpoint; of the token tables the taught rows."""

    def __init__(self, start: Path, lessons: Lessons) -> None:
        super().__init__()
        for part in PARTS:
            setattr(self, part, load_part(part, start, dtype=torch.float32).requires_grad_(True))
        self.unet.to(memory_format=torch.channels_last)
        for parent, tokens in (
            (self.clip_l.transformer.text_model.embeddings, lessons.tokens["clip_l"]),
            (self.clip_g.model, lessons.tokens["clip_g"]),
        ):
            parent.token_embedding = TaughtRows(parent.token_embedding, tokens)

    def read(self, tokens: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Tokens (B, T) of both -> context (B, T, W) and pooled vector (B, P)."""
        states, pooled = self.clip_g(tokens["clip_g"])
        return torch.cat([self.clip_l(tokens["clip_l"]), states], dim=-1), pooled


@torch.no_grad()
def texts_of(network: Network, lessons: Lessons) -> tuple[Tensor, Tensor]:
    """All captions in all 77 tokens: context (N, 77, W) float16 and pooled vectors (N, P)."""
    parts = range(0, len(lessons.mean), 200)
    read = [network.read({part: tokens[at : at + 200] for part, tokens in lessons.tokens.items()}) for at in parts]
    return torch.cat([context.half() for context, _ in read]), torch.cat([pooled for _, pooled in read])


def lesson_loss(
    lessons: Lessons, network: Network, texts: Callable[[Tensor], tuple[Tensor, Tensor]], seed: int
) -> Callable[[int], dict[str, Tensor]]:
    """The loss of a step, as tools/toy_training.py asks for it; all chance comes from seed and step."""
    sizes = size_vector((SIDE, SIDE, 0, 0, SIDE, SIDE))
    count = len(lessons.mean)

    def loss(step: int) -> dict[str, Tensor]:
        random = torch.Generator().manual_seed(seed + step)
        shown = torch.randint(0, count, (BATCH,), generator=random)
        mean, std = lessons.mean[shown], lessons.std[shown]
        latents = mean + std * torch.randn(mean.shape, generator=random)
        noise = torch.randn(mean.shape, generator=random)
        timesteps = torch.randint(0, NOISE_LEVELS, (BATCH,), generator=random)
        context, pooled = texts(shown)
        vector = torch.cat([pooled, sizes.expand(BATCH, -1)], dim=1)
        predicted = network.unet(DIFFUSION.noisy(latents, noise, timesteps), timesteps.float(), context, vector)
        error = ((predicted.float() - noise).square() * lessons.weight[shown]).mean((1, 2, 3))
        return {"noise": (error * DIFFUSION.weight(timesteps)).mean()}

    return loss


RATES = {"together": 1e-3, "alone": 3e-4}


def learn_together(work: Path, start: Path, lessons: Lessons, steps: int) -> Path:
    """Encoders and UNet, the first `TOKENS` tokens."""
    path = work / "together.safetensors"
    if not path.exists():
        network = Network(start, lessons)

        def texts(shown: Tensor) -> tuple[Tensor, Tensor]:
            return network.read({part: tokens[shown, :TOKENS] for part, tokens in lessons.tokens.items()})

        loss = lesson_loss(lessons, network, texts, seed=0)
        average, _ = train(work / "together.pt", network, loss, steps, rate=RATES["together"])
        write(network, average, start, path)
    return path


def learn_alone(work: Path, start: Path, lessons: Lessons, steps: int) -> Path:
    """The UNet for all 77 tokens of encoders that learn no more."""
    path = work / "words.safetensors"
    if not path.exists():
        network = Network(start, lessons)
        context, pooled = texts_of(network, lessons)
        loss = lesson_loss(lessons, network, lambda shown: (context[shown].float(), pooled[shown]), seed=10**6)
        average, _ = train(work / "alone.pt", network.unet, loss, steps, rate=RATES["alone"])
        write(network, {f"unet.{name}": value for name, value in average.items()}, start, path)
    return path


def write(network: Network, learned: dict[str, Tensor], start: Path, path: Path) -> None:
    """Write `start` with what was learned in it, float32, whole or not at all."""
    state = load_file(start)
    rows = {part: module for part in PARTS for module in getattr(network, part).modules() if type(module) is TaughtRows}
    for name, value in learned.items():
        part, _, own = name.partition(".")
        name_there = PREFIXES[part] + own
        if "token_embedding" in own:
            table = state[name_there].float()
            table[rows[part].rows] = value
            value = table
        state[name_there] = value.contiguous()
    beside = path.with_suffix(".part")
    save_file(state, beside, metadata={"format": "pt"})
    beside.replace(path)


def main() -> None:
    """Read, learn together, then alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--lessons", type=int, default=12_000)
    parser.add_argument("--together", type=int, default=5000, help="steps of encoders and UNet")
    parser.add_argument("--alone", type=int, default=900, help="steps of the UNet alone")
    options = parser.parse_args()
    start = options.work / "toy.safetensors"
    lessons = read_lessons(options.work, start, options.lessons)
    together = learn_together(options.work, start, lessons, options.together)
    learn_alone(options.work, together, lessons, options.alone)
    steps = {"together": options.together, "alone": options.alone}
    about = {"program": "tools/toy_words.py", "batch": BATCH, "steps": steps, "rates": RATES, "face": FACE}
    write_text(options.work / "words.json", json.dumps(about))


if __name__ == "__main__":
    main()
