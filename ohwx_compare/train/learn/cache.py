"""What a run encodes once: pictures as a mean and a spread of latents, texts as the frozen encoders' states.

The VAE's answer is a distribution; drawing from it anew at every step is free variation of few pictures. Captions are
taken as they stand: brackets and AND, which mean something to a webui's prompt, are letters here.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from ohwx_compare.core.prompt.chunks import EMPTY, chunks
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.tokenizer import tokenizer_g, tokenizer_l
from ohwx_compare.models.text import ClipG, ClipL
from ohwx_compare.models.vae import LATENT_SCALE, VAE
from ohwx_compare.train.learn.chance import normal
from ohwx_compare.train.learn.crossing import onto

__all__ = [
    "EncodeTokens",
    "EncodedCaptions",
    "KnownTexts",
    "Latents",
    "Tokens",
    "encode_picture",
    "encode_pictures",
    "read_g",
    "read_l",
]

Tokens = tuple[int, ...]
EncodeTokens = Callable[[Tensor], tuple[Tensor, ...]]  # tokens (N, 77) -> states (N, 77, W), and bigG's pooled (N, P)


@dataclass(frozen=True, eq=False)
class Latents:
    """A picture as the VAE encodes it: mean and spread, (4, h, w) each, float32 on the CPU, scaled."""

    mean: Tensor
    std: Tensor

    def draw(self, *what: int | str) -> Tensor:
        """One sample, which depends only on what it is drawn for."""
        return self.mean + self.std * normal(tuple(self.mean.shape), *what)


@torch.no_grad()
def encode_pictures(vae: VAE, pixels: np.ndarray, names: Sequence[str]) -> list[Latents]:
    """Pixels (B, H, W, 3) uint8, sides multiples of 8 -> latents of each. Raises CheckpointError for NaN."""
    weight = next(vae.parameters())
    x = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).to(weight.device).float() / 255 * 2 - 1
    encoded = vae.encode(x.to(weight.dtype)).float().cpu()
    found = []
    for name, one in zip(names, encoded, strict=True):
        mean, log_variance = one.chunk(2)
        if not torch.isfinite(mean).all():
            raise CheckpointError(f"The VAE gave NaN for {name}; the base checkpoint is damaged, choose another.")
        std = (0.5 * log_variance.clamp(-30, 20)).exp() * LATENT_SCALE
        found.append(Latents(mean * LATENT_SCALE, std))
    return found


def encode_picture(vae: VAE, pixels: np.ndarray, name: str) -> Latents:
    """One picture's pixels (H, W, 3), as `encode_pictures`."""
    return encode_pictures(vae, pixels[None], [name])[0]


def read_l(clip_l: ClipL) -> EncodeTokens:
    """CLIP-L: its hidden state alone."""
    return lambda tokens: (clip_l(tokens),)


def read_g(clip_g: ClipG, *, transposed: bool = False) -> EncodeTokens:
    """OpenCLIP's bigG: hidden state and pooled vector, as generation computes it.

    transposed: project with the matrix's other side, as sd-scripts has done since a751dc25 (it loads the projection
    into a Linear as it stands): for results tuned to that.
    """
    if not transposed:
        return clip_g
    name = "model.text_projection"
    return lambda tokens: functional_call(clip_g, {name: clip_g.get_parameter(name).T}, (tokens,))


KnownTexts = Callable[[str, Tokens, Callable[[], tuple[Tensor, ...]]], tuple[Tensor, ...]]


def _computed(side: str, tokens: Tokens, compute: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    return compute()


class EncodedCaptions:
    """Captions to conditioning; what a frozen encoder makes of a chunk of tokens is computed once.

    `frozen` encoders are only needed while the object is made, if captions do not vary; `trained` ones are called in
    every step, with gradients. The encoders "l" and "g" are each in one of the two. A caption ends after `longest`
    tokens; None takes it whole.
    """

    def __init__(
        self,
        captions: Iterable[str],
        frozen: dict[str, EncodeTokens],
        trained: dict[str, EncodeTokens],
        device: str,
        longest: int | None = None,
        known: KnownTexts = _computed,
        *,
        vary: bool = False,
    ):
        """known: gives what an encoder makes of tokens, by calling the third argument where it must be computed.

        vary: captions come that were not given here, so frozen encoders are called in every step too.
        """
        self.trained, self.device, self.longest = trained, torch.device(device), longest
        self.tokenizers = {"l": tokenizer_l(), "g": tokenizer_g()}
        self.live = frozen if vary else {}
        self.rows = {caption: self._rows(caption) for caption in captions}
        self.known: dict[str, dict[Tokens, tuple[Tensor, ...]]] = {}
        for side, encoder in frozen.items() if not vary else ():
            chunked = {EMPTY.tokens} | {tokens for rows in self.rows.values() for tokens in rows[side]}
            with torch.no_grad():
                self.known[side] = {
                    tokens: known(side, tokens, partial(self._one, encoder, tokens)) for tokens in sorted(chunked)
                }

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Context (B, 77 * chunks, W) and pooled (B, P) of captions; short ones are padded.

        Where captions do not vary, they are those given at the start.
        """
        rows = [self._rows(one) if self.live and one not in self.rows else self.rows[one] for one in captions]
        count = max(len(row[side]) for row in rows for side in row)
        flat = {
            side: [tokens for row in rows for tokens in row[side] + [EMPTY.tokens] * (count - len(row[side]))]
            for side in ("l", "g")
        }
        (hidden_l,), (hidden_g, pooled) = (self._encode(side, tokens) for side, tokens in flat.items())
        dtype = torch.promote_types(hidden_l.dtype, hidden_g.dtype)
        states = [hidden.unflatten(0, (-1, count)).flatten(1, 2).to(dtype) for hidden in (hidden_l, hidden_g)]
        return torch.cat(states, dim=-1), pooled.unflatten(0, (-1, count))[:, 0]

    def _encode(self, side: str, tokens: list[Tokens]) -> tuple[Tensor, ...]:
        if side in self.trained:
            return self.trained[side](onto(torch.tensor(tokens), self.device))
        if side in self.live:
            with torch.no_grad():
                return self.live[side](onto(torch.tensor(tokens), self.device))
        return tuple(torch.stack(parts) for parts in zip(*(self.known[side][one] for one in tokens), strict=True))

    def _rows(self, caption: str) -> dict[str, list[Tokens]]:
        def rows(read: Callable[[str], list[int]]) -> list[Tokens]:
            return [chunk.tokens for chunk in chunks(_literal(caption), lambda text: read(text)[: self.longest])]

        return {side: rows(read) for side, read in self.tokenizers.items()}

    def _one(self, encoder: EncodeTokens, tokens: Tokens) -> tuple[Tensor, ...]:
        return tuple(part[0] for part in encoder(torch.tensor([tokens], device=self.device)))


def _literal(caption: str) -> str:
    """The caption as a prompt in which every letter is literal."""
    return re.sub(r"([()\[\]\\])", r"\\\1", caption)
