"""Prompts as the UNet's conditioning, made as the webui does it for SDXL.

Every text is cut into chunks, each chunk goes through both encoders, emphasis scales the hidden states and restores
their mean, and chunks are joined along the token axis. The vector is bigG's pooled state of the first chunk and the
embedded sizes. https://github.com/AUTOMATIC1111/stable-diffusion-webui/tree/82a973c/modules: sd_hijack_clip.py,
sd_emphasis.py, sd_models_xl.py.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ohwx_compare.core.prompt.chunks import EMPTY, Chunk, chunks
from ohwx_compare.core.prompt.editing import EditedPrompt, edits
from ohwx_compare.core.prompt.emphasis import emphasis
from ohwx_compare.core.prompt.networks import Network, networks, other_tags
from ohwx_compare.core.prompt.parts import parts, strip_tags
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.embeddings import Embeddings
from ohwx_compare.engine.samplers import find_solver
from ohwx_compare.errors import PromptError, UnsupportedKeyError
from ohwx_compare.files.tokenizer import tokenizer_g, tokenizer_l
from ohwx_compare.models.text import ClipG, ClipL
from ohwx_compare.models.unet import timestep_embedding

__all__ = ["Conditioning", "Encoded", "Encoders", "Entry", "Subprompt", "condition", "encode_ahead", "size_vector"]

AT_ONCE = 32  # chunks in one call of an encoder
_AHEAD = 256  # prompts encoded together

_States = tuple[Tensor, Tensor]  # of a prompt's schedule: (B, 77 * chunks, W) and pooled (B, P), on the CPU


class Encoded:
    """What the text encoders made of the last prompts; it stays valid over checkpoints whose encoders are the same."""

    LIMIT = 1 << 30  # bytes: 3,000 chunks of SDXL's in half precision

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _States] = OrderedDict()
        self._bytes = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, encode: Callable[[], _States]) -> _States:
        """What `encode` returns, called once for each `key` among the last `LIMIT` bytes."""
        if key not in self._kept:
            self.keep(key, encode())
        self._kept.move_to_end(key)
        return self._kept[key]

    def keep(self, key: Hashable, states: _States) -> None:
        """Remember what a new `key` stands for, and forget what was not asked for longest."""
        self._kept[key] = states
        self._bytes += _size(states)
        while self._bytes > self.LIMIT and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(states: _States) -> int:
    return sum(tensor.nbytes for tensor in states)


class Encoders(Protocol):
    """The parts of a model that are needed here."""

    @property
    def device(self) -> torch.device:
        """Where texts are encoded."""

    @property
    def clip_l(self) -> ClipL:
        """The first encoder; it may lie elsewhere, and visits the device while it computes. So does the second."""

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


_Key = tuple[tuple[str, ...], _Reading]  # a schedule's texts of one prompt
_Rows = Sequence[tuple[Chunk, ...]]  # of several texts


@torch.no_grad()
def condition(
    model: Encoders, job: Job, *, width: int, height: int, steps: int, after: int | None = None
) -> Conditioning:
    """Conditioning of a job at `width` x `height` px; `steps` are what prompt schedules count.

    after: the steps of the pass before, in the second one of hires fix.

    Tensors are on the CPU, in the encoders' dtype. Raises PromptError for a tag that names a network which is not in
    the weights, and for weights beyond what a float holds.
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


@torch.no_grad()
def encode_ahead(model: Encoders, jobs: Iterable[Job]) -> None:
    """Encode what `jobs` will ask of `model`, in their first pass, the encoders moved once.

    Left out are jobs whose prompts ask for other LoRAs than the model wears, and all where the encoders' hash is not
    known, for then nothing is remembered.
    """
    lacking: dict[_Key, None] = {}
    for job in jobs if model.encoders else ():
        with suppress(PromptError, UnsupportedKeyError):  # said when its turn comes
            lacking |= dict.fromkeys(_asked_by(model, job))
    asked = [key for key in lacking if (model.encoders, *key) not in model.encoded]
    for _, some in groupby(enumerate(asked), key=lambda pair: pair[0] // _AHEAD):
        keys = [key for _, key in some]
        for key, states in zip(keys, _encode(model, keys), strict=True):
            model.encoded.keep((model.encoders, *key), states)


def _asked_by(model: Encoders, job: Job) -> Iterator[_Key]:
    if networks(job.prompt) == model.worn:
        steps = find_solver(job.sampler).calls(job.steps)
        for text in (*(part.text for part in parts(strip_tags(job.prompt)[0])), job.negative):
            yield tuple(stage.text for stage in edits(text, steps, is_old=job.old_timelines)), _Reading.of(job)


def _entries(
    model: Encoders, reading: _Reading, stages: Sequence[EditedPrompt], sizes: Tensor, *, negative: bool = False
) -> tuple[Entry, ...]:
    texts = tuple(stage.text for stage in stages)
    if model.encoders:
        key = (model.encoders, texts, reading)
        states, pooled = model.encoded.get(key, lambda: _encode(model, [(texts, reading)])[0])
    else:
        states, pooled = _encode(model, [(texts, reading)])[0]
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


def _encode(model: Encoders, asked: Sequence[_Key]) -> list[_States]:
    """What the encoders make of each schedule's texts of one prompt; one encoder at a time is on the device."""
    rows = [_rows(model, *one) for one in asked]
    like = model.clip_g.model.text_projection
    more_l, more_g = (model.words.vectors(part, like) for part in ("clip_l", "clip_g"))
    of_l: list[list[Tensor]] = []
    with _visiting(model.clip_l, model.device) as clip_l:
        for skip, some in groupby(zip(asked, rows, strict=True), key=lambda one: one[0][1].skip):
            of_l += _run(clip_l, [rows_l for _, (rows_l, _) in some], model.device, skip, more_l)
    with _visiting(model.clip_g, model.device) as clip_g:
        of_g = _run(clip_g, [rows_g for _, rows_g in rows], model.device, more_g)
    found = []
    for (_, reading), (rows_l, rows_g), (h_l,), (h_g, pooled) in zip(asked, rows, of_l, of_g, strict=True):
        weighed = [_weigh(*side, reading.mode) for side in ((h_l, rows_l), (h_g, rows_g))]
        states = torch.cat(weighed, dim=-1)  # (B, chunks, 77, W)
        found.append((states.flatten(1, 2).to(like.dtype), pooled[:, 0]))
    return found


def _rows(model: Encoders, texts: Sequence[str], reading: _Reading) -> tuple[_Rows, _Rows]:
    """The chunks of each text for both encoders, as many for every text."""
    is_literal = reading.mode == "None"
    sides = [
        [
            chunks(text, model.words.reading(tokenize), is_literal=is_literal, backtrack=reading.backtrack)
            for text in texts
        ]
        for tokenize in (tokenizer_l(), tokenizer_g())
    ]
    count = max(len(row) for side in sides for row in side)
    of_l, of_g = ([row + (EMPTY,) * (count - len(row)) for row in side] for side in sides)
    return of_l, of_g


@contextmanager
def _visiting(encoder: nn.Module, device: torch.device) -> Iterator[Callable[..., Any]]:
    """`encoder` as a function that computes on `device`; its weights stay where they are, a copy is there meanwhile."""
    if next(encoder.parameters()).device == device:
        yield encoder
        return
    there = {name: tensor.to(device) for name, tensor in encoder.state_dict().items()}
    yield lambda *inputs: functional_call(encoder, there, inputs)
    there.clear()
    if device.type == "cuda":
        torch.cuda.empty_cache()  # the copy lay in pieces, of no use to larger maps


def _run(encoder: Callable[..., Any], asked: Sequence[_Rows], device: torch.device, *others: Any) -> list[list[Tensor]]:
    """For each asked B rows of as many chunks the encoder's outputs (B, chunks, ...) on the CPU.

    Equal chunks are encoded once. others: what the encoder is given beside the tokens.
    """
    numbers: dict[tuple[int, ...], int] = {}
    places = [[[numbers.setdefault(chunk.tokens, len(numbers)) for chunk in row] for row in rows] for rows in asked]
    calls = []
    for tokens in torch.tensor(list(numbers), device=device).split(AT_ONCE):
        made = encoder(tokens, *others)
        calls.append([output.cpu() for output in (made if isinstance(made, tuple) else (made,))])
    outputs = [torch.cat(parts_of) for parts_of in zip(*calls, strict=True)]
    return [[output[torch.tensor(own)] for output in outputs] for own in places]


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
