"""Embeddings (textual inversion): words that a file gives vectors of its own, in both of SDXL's text encoders.

A prompt that holds the file's name, token for token, gets the file's vectors in their place: ids beyond the
vocabulary, rows of one table. Gal et al., arXiv 2208.01618;
https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/modules/textual_inversion/textual_inversion.py
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ohwx_compare.core.prompt.chunks import END, LENGTH, Token
from ohwx_compare.core.prompt.editing import edits
from ohwx_compare.core.prompt.emphasis import emphasis
from ohwx_compare.core.prompt.parts import parts, strip_tags
from ohwx_compare.engine.reading import read_into
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import describe, read_header
from ohwx_compare.files.tokenizer import tokenizer_l

__all__ = ["NO_EMBEDDINGS", "Embedding", "Embeddings", "read_embedding"]

_FIRST = END + 1  # the vocabulary's size
_KEYS = MappingProxyType({"clip_l": "clip_l", "clip_g": "clip_g"})


@dataclass(frozen=True)
class Embedding:
    """One embedding: what its name is in tokens, and its vectors in both encoders, float32 on the CPU."""

    name: str
    tokens: tuple[int, ...]
    clip_l: Tensor  # (n, W of clip_l)
    clip_g: Tensor  # (n, W of clip_g)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """All embeddings that prompts may name."""

    known: tuple[Embedding, ...] = ()
    _starts: Mapping[int, list[tuple[Embedding, tuple[int, ...]]]] = field(init=False)

    def __post_init__(self) -> None:
        starts: dict[int, list[tuple[Embedding, tuple[int, ...]]]] = {}
        at = _FIRST
        for word in self.known:
            ids = tuple(range(at, at + len(word.clip_l)))
            starts.setdefault(word.tokens[0], []).append((word, ids))
            at += len(ids)
        for found in starts.values():
            found.sort(key=lambda one: len(one[0].tokens), reverse=True)  # the longest name that fits counts
        object.__setattr__(self, "_starts", starts)

    def __bool__(self) -> bool:
        return bool(self.known)

    def of_widths(self, clip_l: int, clip_g: int) -> "Embeddings":
        """Those that fit encoders of these widths; the others mean nothing in a prompt, as in the webui."""
        fit = tuple(w for w in self.known if (w.clip_l.shape[1], w.clip_g.shape[1]) == (clip_l, clip_g))
        return self if len(fit) == len(self.known) else Embeddings(fit)

    def reading(self, tokenize: Callable[[str], Sequence[int]]) -> Callable[[str], Sequence[Token]]:
        """`tokenize`, with a tuple of ids beyond the vocabulary in place of each embedding's name."""
        if not self.known:
            return tokenize

        def read(text: str) -> list[Token]:
            tokens, found, at = tuple(tokenize(text)), [], 0
            while at < len(tokens):
                word, ids = self._at(tokens, at)
                found.append(ids if word else tokens[at])
                at += len(word.tokens) if word else 1
            return found

        return read

    def used(self, prompt: str, steps: int) -> tuple[str, ...]:
        """The names that a prompt's texts hold over `steps`, sorted."""
        read = self.reading(tokenizer_l())
        stages = (stage.text for part in parts(strip_tags(prompt)[0]) for stage in edits(part.text, steps))
        texts = {segment.text for text in stages for segment in emphasis(text)}
        ids = {token for text in texts for token in read(text) if isinstance(token, tuple)}
        return tuple(sorted(word.name for pairs in self._starts.values() for word, own in pairs if own in ids))

    def vectors(self, part: str, like: Tensor) -> Tensor | None:
        """The table (N, W) of one encoder ("clip_l", "clip_g") on the device of `like`, in its dtype."""
        return torch.cat([getattr(word, part) for word in self.known]).to(like) if self.known else None

    def _at(self, tokens: tuple[int, ...], at: int) -> tuple[Embedding | None, tuple[int, ...]]:
        for word, ids in self._starts.get(tokens[at], ()):
            if tokens[at : at + len(word.tokens)] == word.tokens:
                return word, ids
        return None, ()


NO_EMBEDDINGS = Embeddings()


def read_embedding(path: Path, name: str) -> Embedding:
    """The embedding in a .safetensors file. Raises CheckpointError for one that is not for SDXL."""
    header = read_header(path)
    shapes = {part: header.shapes.get(key, ()) for part, key in _KEYS.items()}
    if not all(len(shape) == 2 for shape in shapes.values()):
        what = "an embedding for another model" if "emb_params" in header.tensors else describe(header)
        raise CheckpointError(f"{path.name} is {what}; expected an embedding for SDXL, with clip_l and clip_g.")
    counts = {shape[0] for shape in shapes.values()}
    if len(counts) != 1 or not 1 <= min(counts) <= LENGTH:
        raise CheckpointError(
            f"{path.name} has {' and '.join(map(str, sorted(counts)))} vectors; expected 1 to {LENGTH}, as many for "
            "both encoders."
        )
    vectors = {part: torch.empty(shape) for part, shape in shapes.items()}
    read_into(header, {_KEYS[part]: tensor for part, tensor in vectors.items()})
    tokens = tuple(tokenizer_l()(name))
    if not tokens:
        raise CheckpointError(f"{path.name} has a name that no prompt can hold; rename it.")
    return Embedding(name, tokens, vectors["clip_l"], vectors["clip_g"])
