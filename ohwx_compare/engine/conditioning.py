"""Prompts as the UNet's conditioning, made as the webui does it for SDXL.

Every text is cut into chunks, each chunk goes through both encoders, emphasis scales the hidden states and restores
their mean, and chunks are joined along the token axis. The vector is bigG's pooled state of the first chunk and the
embedded sizes. https://github.com/AUTOMATIC1111/stable-diffusion-webui/tree/82a973c/modules: sd_hijack_clip.py,
sd_emphasis.py, sd_models_xl.py.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ohwx_compare.core.prompt.chunks import EMPTY, Chunk, chunks
from ohwx_compare.core.prompt.editing import EditedPrompt, edits
from ohwx_compare.core.prompt.emphasis import emphasis
from ohwx_compare.core.prompt.networks import Network, networks, other_tags
from ohwx_compare.core.prompt.parts import parts, strip_tags
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.embeddings import Embeddings
from ohwx_compare.errors import PromptError
from ohwx_compare.files.tokenizer import tokenizer_g, tokenizer_l
from ohwx_compare.models.text import ClipG, ClipL
from ohwx_compare.models.unet import timestep_embedding

__all__ = ["Conditioning", "Encoded", "Encoders", "Entry", "Subprompt", "condition", "size_vector"]

AT_ONCE = 32  # chunks in one call of an encoder


class Encoded:
    """What the text encoders made of the last prompts; it stays valid over checkpoints whose encoders are the same."""

    LIMIT = 64  # prompts; SDXL's take 0.3 MB a chunk in half precision

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[Tensor, Tensor]] = OrderedDict()

    def get(self, key: Hashable, encode: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """What `encode` returns, called once for each `key` among the last `LIMIT`."""
        if key not in self._kept:
            self._kept[key] = encode()
        self._kept.move_to_end(key)
        if len(self._kept) > self.LIMIT:
            self._kept.popitem(last=False)
        return self._kept[key]


class Encoders(Protocol):
    """The parts of a model that are needed here."""

    @property
    def clip_l(self) -> ClipL:
        """The first encoder."""

    @property
    def clip_g(self) -> ClipG:
        """The second."""

    @property
    def encoders(self) -> str:
        """A hash of both's weights; "" where it is not known."""

    @property
    def encoded(self) -> Encoded:
        """Used where the hash is known."""

    @property
    def words(self) -> Embeddings:
        """The embeddings that prompts may name; the same as long as `encoded` lives."""

    @property
    def worn(self) -> tuple[Network, ...]:
        """The LoRAs that are in the weights."""


@dataclass(frozen=True, eq=False)
class Entry:
    """Conditioning for a stretch of steps: of a schedule, the first with `call <= until` is in force, calls from 0."""

    until: int
    crossattn: Tensor  # (77 * chunks, W of clip_l + W of clip_g)
    vector: Tensor  # (P + 6 * 256,)


@dataclass(frozen=True, eq=False)
class Subprompt:
    """One of the prompts joined by AND."""

    weight: float
    schedule: tuple[Entry, ...]


@dataclass(frozen=True, eq=False)
class Conditioning:
    """Both prompts of a job; `notes` name what was left out of the prompt."""

    positive: tuple[Subprompt, ...]
    negative: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    padding: Tensor | None = None  # (77, W) an empty text, by which prompt and negative get equal lengths
    negative_follows: bool = False  # the prompt's length, cut or with its last vector repeated


@dataclass(frozen=True)
class _Reading:
    """How texts are read: the job's settings that an encoder's answer depends on."""

    mode: str  # of emphasis
    backtrack: int
    skip: int  # CLIP-L's state before its last `skip` - 1 layers

    @classmethod
    def of(cls, job: Job) -> "_Reading":
        return cls(job.emphasis, job.comma_backtrack, job.clip_skip if job.clip_l_skip else 2)


@torch.no_grad()
def condition(
    model: Encoders, job: Job, *, width: int, height: int, steps: int, after: int | None = None
) -> Conditioning:
    """Conditioning of a job at `width` x `height` px; `steps` are what prompt schedules count.

    after: the steps of the pass before, in the second one of hires fix.

    Tensors have the encoders' device and dtype. Raises PromptError for a tag that names a network which is not in the
    weights, and for weights beyond what a float holds.
    """
    positive, tags = strip_tags(job.prompt)[0], other_tags(job.prompt)
    if named := [tag for tag in tags if tag.startswith("<hypernet:")]:
        raise PromptError(f"The prompt asks for {named[0]}, a kind of network that is not supported. Remove the tag.")
    if networks(job.prompt) != model.worn:
        asked = " ".join(tag for tag in strip_tags(job.prompt)[1] if tag not in tags) or "no LoRA"
        has = ", ".join(one.name for one in model.worn) or "none"
        raise PromptError(f"The prompt asks for {asked}; in the model's weights is {has}.")
    sizes = size_vector((height, width, 0, 0, height, width))
    reading = _Reading.of(job)

    def stages(text: str) -> tuple[EditedPrompt, ...]:
        return edits(text, steps, after, is_old=job.old_timelines)

    return Conditioning(
        positive=tuple(
            Subprompt(part.weight, _entries(model, reading, stages(part.text), sizes)) for part in parts(positive)
        ),
        negative=_entries(model, reading, stages(job.negative), sizes, negative=True),
        padding=_entries(model, reading, edits("", 1), sizes)[0].crossattn if job.pad_texts else None,
        negative_follows=job.pad_negative,
        notes=tuple(f"{tag} was left out of the prompt: this kind of extra network is unknown" for tag in tags),
    )


def size_vector(sizes: Sequence[int]) -> Tensor:
    """Original height, width, crop top, left, target height, width (px) -> their sinusoids (6 * 256,), float32, CPU.

    Podell et al. (arXiv 2307.01952), section 2.2.
    """
    return timestep_embedding(torch.tensor(sizes), 256).flatten()


def _entries(
    model: Encoders, reading: _Reading, stages: Sequence[EditedPrompt], sizes: Tensor, *, negative: bool = False
) -> tuple[Entry, ...]:
    texts = tuple(stage.text for stage in stages)
    if model.encoders:
        key = (model.encoders, texts, reading)
        states, pooled = model.encoded.get(key, lambda: _encode(model, texts, reading))
    else:
        states, pooled = _encode(model, texts, reading)
    if negative and not any(stage.text for stage in stages):
        states, pooled = torch.zeros_like(states), torch.zeros_like(pooled)
    if not (states.isfinite().all() and pooled.isfinite().all()):
        is_weighted = any(segment.weight not in (1, -1) for text in texts for segment in emphasis(text))
        advice = (
            "Lower its weights: (word:1.1)." if is_weighted else "The checkpoint's text encoders are damaged or empty."
        )
        raise PromptError(f"Encoding {texts[-1][:60]!r} gave numbers that are not finite. {advice}")
    vectors = torch.cat([pooled, sizes.to(pooled).expand(len(pooled), -1)], dim=1)
    return tuple(Entry(*entry) for entry in zip((stage.until for stage in stages), states, vectors, strict=True))


def _encode(model: Encoders, texts: Sequence[str], reading: _Reading) -> tuple[Tensor, Tensor]:
    """Cross attention (B, 77 * chunks, W) and pooled (B, P) of the schedule's texts of one prompt."""
    is_literal = reading.mode == "None"
    sides = [
        [
            chunks(text, model.words.reading(tokenize), is_literal=is_literal, backtrack=reading.backtrack)
            for text in texts
        ]
        for tokenize in (tokenizer_l(), tokenizer_g())
    ]
    count = max(len(row) for side in sides for row in side)
    rows_l, rows_g = ([row + (EMPTY,) * (count - len(row)) for row in side] for side in sides)
    like = model.clip_g.model.text_projection
    more_l, more_g = (model.words.vectors(part, like) for part in ("clip_l", "clip_g"))
    (hidden_l,) = _run(lambda tokens: (model.clip_l(tokens, reading.skip, more_l),), rows_l, like.device)
    hidden_g, pooled = _run(lambda tokens: model.clip_g(tokens, more_g), rows_g, like.device)
    sides_weighed = [_weigh(*side, reading.mode) for side in ((hidden_l, rows_l), (hidden_g, rows_g))]
    states = torch.cat(sides_weighed, dim=-1)  # (B, chunks, 77, W)
    return states.flatten(1, 2).to(like.dtype), pooled[:, 0]


def _run(
    encoder: Callable[[Tensor], tuple[Tensor, ...]], rows: Sequence[Sequence[Chunk]], device: torch.device
) -> list[Tensor]:
    """The encoder's outputs (B, chunks, ...) for B rows of as many chunks; equal chunks are encoded once."""
    numbers: dict[tuple[int, ...], int] = {}
    places = [[numbers.setdefault(chunk.tokens, len(numbers)) for chunk in row] for row in rows]
    calls = [encoder(tokens) for tokens in torch.tensor(list(numbers), device=device).split(AT_ONCE)]
    return [torch.cat(outputs)[torch.tensor(places, device=device)] for outputs in zip(*calls, strict=True)]


def _weigh(states: Tensor, rows: Sequence[Sequence[Chunk]], mode: str) -> Tensor:
    """Emphasis on (B, chunks, 77, W): scale each token, then restore each chunk's mean over B, as `mode` says; float32.

    "No norm" restores nothing, "Ignore" and "None" weigh nothing.
    """
    states = states.float()
    if mode in ("Ignore", "None"):
        return states
    weights = torch.tensor([[chunk.weights for chunk in row] for row in rows], device=states.device)  # (B, chunks, 77)
    weighted = states * weights[..., None]
    if mode == "No norm":
        return weighted
    mean, moved = (x.mean((0, 2, 3), keepdim=True) for x in (states, weighted))
    return weighted * (mean / moved)
