"""SDXL's two text encoders under their checkpoint names: OpenAI's CLIP ViT-L and OpenCLIP's ViT-bigG.

Both are causal pre-norm transformers over 77 tokens with heads of 64, and both give the hidden state before their last
layer. They differ in activation, names and padding. Radford et al. 2021, https://arxiv.org/abs/2103.00020; Podell et
al. 2023, https://arxiv.org/abs/2307.01952, section 2.1.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ohwx_compare.core.prompt.chunks import END

__all__ = ["ClipG", "ClipL", "TextConfig"]

_HEAD = 64


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Shape of one encoder; SDXL's are width 768, layers 12 and width 1280, layers 32, projection 1280."""

    width: int  # a multiple of 64
    layers: int
    vocab: int = 49408
    positions: int = 77
    projection: int | None = None  # width of the pooled vector, ClipG only; None is `width`


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of (B, T, W) tensors with heads of 64."""
    q, k, v = (x.unflatten(-1, (-1, _HEAD)).transpose(1, 2) for x in (q, k, v))  # (B, heads, T, 64)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


def _embedded(table: nn.Embedding, tokens: Tensor, more: Tensor | None) -> Tensor:
    """Vectors (B, T, W) of ids, those beyond the vocabulary from `more`."""
    if more is None:
        return table(tokens)
    beyond = (tokens - table.num_embeddings).clamp(min=0)
    is_more = (tokens >= table.num_embeddings)[..., None]
    return torch.where(is_more, more.to(table.weight)[beyond], table(tokens.clamp(max=table.num_embeddings - 1)))


class _AttentionL(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(_attend(self.q_proj(x), self.k_proj(x), self.v_proj(x)))


class _MlpL(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))  # CLIP's quick gelu


class _LayerL(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.self_attn = _AttentionL(width)
        self.layer_norm1 = nn.LayerNorm(width)
        self.mlp = _MlpL(width)
        self.layer_norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class _EmbeddingsL(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab, config.width)
        self.position_embedding = nn.Embedding(config.positions, config.width)

    def forward(self, tokens: Tensor, more: Tensor | None = None) -> Tensor:
        return _embedded(self.token_embedding, tokens, more) + self.position_embedding.weight[: tokens.shape[1]]


class _EncoderL(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.layers = nn.ModuleList(_LayerL(config.width) for _ in range(config.layers))


class _TextModelL(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.embeddings = _EmbeddingsL(config)
        self.encoder = _EncoderL(config)
        self.final_layer_norm = nn.LayerNorm(config.width)  # in every file, used by nobody here


class _TransformerL(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.text_model = _TextModelL(config)


class ClipL(nn.Module):
    """CLIP ViT-L's text side; names are the checkpoint's after `conditioner.embedders.0.`.

    tokens (B, 77) int64 -> (B, 77, W), the hidden state before the last layer, not normalised; with another `skip`, the
    one before the last `skip` - 1 layers. Ids beyond the vocabulary are rows of `more` (N, W).
    """

    def __init__(self, config: TextConfig):
        super().__init__()
        self.config = config
        self.transformer = _TransformerL(config)

    def forward(self, tokens: Tensor, skip: int = 2, more: Tensor | None = None) -> Tensor:
        text = self.transformer.text_model
        x = text.embeddings(tokens, more)
        for layer in text.encoder.layers[: max(0, len(text.encoder.layers) + 1 - skip)]:
            x = layer(x)
        return x


class _AttentionG(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        nn.init.normal_(self.in_proj_weight, std=width**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(_attend(*self.project(x)))

    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values."""
        return F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)


class _MlpG(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x)))


class _LayerG(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = _AttentionG(width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = _MlpG(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class _TransformerG(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.resblocks = nn.ModuleList(_LayerG(config.width) for _ in range(config.layers))


class _ModelG(nn.Module):
    def __init__(self, config: TextConfig):
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab, config.width)
        self.positional_embedding = nn.Parameter(torch.empty(config.positions, config.width))
        nn.init.normal_(self.positional_embedding, std=0.01)
        self.transformer = _TransformerG(config)
        self.ln_final = nn.LayerNorm(config.width)
        projection = config.projection or config.width
        self.text_projection = nn.Parameter(torch.empty(config.width, projection))
        nn.init.normal_(self.text_projection, std=config.width**-0.5)


class ClipG(nn.Module):
    """OpenCLIP ViT-bigG's text side; names are the checkpoint's after `conditioner.embedders.1.`.

    tokens (B, 77) int64 with an END in each row -> hidden (B, 77, W), the state before the last layer, not normalised,
    and pooled (B, P), the last layer's state at the first END, normalised and projected. What follows the first END is
    read as 0, this encoder's padding, whatever it is. Ids beyond the vocabulary are rows of `more` (N, W).
    """

    def __init__(self, config: TextConfig):
        super().__init__()
        self.config = config
        self.model = _ModelG(config)

    def forward(self, tokens: Tensor, more: Tensor | None = None) -> tuple[Tensor, Tensor]:
        model = self.model
        is_end = tokens == END
        tokens = tokens.masked_fill(is_end.cumsum(1) - is_end.long() > 0, 0)
        x = _embedded(model.token_embedding, tokens, more) + model.positional_embedding[: tokens.shape[1]]
        for layer in model.transformer.resblocks[:-1]:
            x = layer(x)
        last = model.ln_final(model.transformer.resblocks[-1](x))
        pooled = last[torch.arange(len(tokens), device=x.device), is_end.int().argmax(1)]  # (B, W)
        return x, pooled @ model.text_projection
