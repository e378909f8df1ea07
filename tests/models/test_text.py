"""Both text encoders: the checkpoint's names, the causal mask, the webui's numbers at full size."""

import json

import numpy as np
import pytest
import torch

from ohwx_compare.core.prompt.chunks import END, START
from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.toy.drawn import draw_tensor

FULL = {0: (ClipL, TextConfig(width=768, layers=12)), 1: (ClipG, TextConfig(width=1280, layers=32, projection=1280))}
OPTIONAL = ("position_ids", "logit_scale")


@pytest.mark.parametrize("number", FULL)
def test_full_size_names_and_shapes_are_the_checkpoints(goldens, number):
    kind, config = FULL[number]
    with torch.device("meta"):
        ours = {name: list(t.shape) for name, t in kind(config).state_dict().items()}
    prefix = f"conditioner.embedders.{number}."
    manifest = json.loads((goldens / "sdxl_manifest.json").read_text(encoding="utf-8"))
    theirs = {k.removeprefix(prefix): s for k, (_, s) in manifest.items() if k.startswith(prefix)}
    assert ours == {k: s for k, s in theirs.items() if not k.endswith(OPTIONAL)}


def small(kind):
    torch.manual_seed(0)
    return kind(TextConfig(width=128, layers=3, vocab=END + 1)).eval()


def row(*words: int) -> torch.Tensor:
    return torch.tensor([[START, *words, *[END] * (76 - len(words))]])


@torch.no_grad()
def test_no_token_sees_what_follows_it():
    a, b = row(5, 6, 7), row(5, 6, 8)
    clip_l, clip_g = small(ClipL), small(ClipG)
    for run in (clip_l, lambda tokens: clip_g(tokens)[0]):
        one, other = run(a), run(b)
        torch.testing.assert_close(one[:, :3], other[:, :3])
        assert (one[:, 3:] - other[:, 3:]).abs().amax(-1).min() > 1e-4


@torch.no_grad()
def test_what_follows_the_first_end_is_padding_to_bigg():
    clip = small(ClipG)
    padded, other = row(5), row(5)
    padded[:, 3:], other[:, 3:] = 0, 9
    for ours, theirs in zip(clip(row(5)), clip(padded), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    torch.testing.assert_close(clip(other)[1], clip(padded)[1], rtol=0, atol=0)


@torch.no_grad()
def test_pooled_reads_only_up_to_the_end_token():
    clip = small(ClipG)
    _, pooled = clip(torch.cat([row(5), row(5, 6), row(5)]))
    assert torch.equal(pooled[0], pooled[2])
    assert not torch.allclose(pooled[0], pooled[1])


@pytest.mark.slow
@pytest.mark.parametrize("number", FULL)
@torch.no_grad()
def test_full_size_encoders_give_the_recorded_numbers(goldens, number):
    kind, config = FULL[number]
    with torch.device("meta"):
        clip = kind(config)
    weights = {
        name: torch.from_numpy(draw_tensor(f"conditioner.embedders.{number}.{name}", tuple(t.shape), 1)).float()
        for name, t in clip.state_dict().items()
    }
    clip.load_state_dict(weights, assign=True)
    with np.load(goldens / "full_parts.npz") as parts:
        tokens = torch.from_numpy(parts["tokens_g" if number else "tokens"])
        names = ("clip_g/penultimate", "clip_g/pooled") if number else ("clip_l/hidden_11",)
        expected = [torch.from_numpy(parts[name]) for name in names]
    outputs = clip(tokens) if number else (clip(tokens),)
    for name, ours, theirs in zip(names, outputs, expected, strict=True):
        error = ((ours - theirs).norm() / theirs.norm()).item()
        assert error <= 1e-4, f"{name}: {error:.1e}"
