"""Latents as distributions, captions as generation conditions on them."""

import numpy as np
import pytest
import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.conditioning import condition, size_vector
from ohwx_compare.engine.weights import load
from ohwx_compare.errors import CheckpointError
from ohwx_compare.train.learn.cache import EncodedCaptions, Latents, encode_picture, read_g, read_l

LONG = "photo of ohwx man, " + ", ".join(f"word {n}" for n in range(60))
CAPTIONS = ["ohwx man", LONG, "", r"a (b) [c] \d"]


@pytest.fixture(scope="module")
def model(tiny):
    return load(tiny / "tiny_base.safetensors")


@pytest.fixture(scope="module")
def texts(model):
    return EncodedCaptions(CAPTIONS, {"l": read_l(model.clip_l), "g": read_g(model.clip_g)}, {}, "cpu")


@pytest.mark.parametrize("caption", ["ohwx man", LONG])
def test_texts_are_what_generation_sees(model, texts, caption):
    job = Job(prompt=caption, seed=1)
    entry = condition(model, job, width=64, height=64, steps=1).positive[0].schedule[0]
    context, pooled = texts([caption])
    torch.testing.assert_close(context[0], entry.crossattn, rtol=0, atol=2e-5)
    torch.testing.assert_close(pooled[0], entry.vector[: pooled.shape[1]], rtol=0, atol=2e-5)


def test_pooled_is_the_goldens(model, goldens, texts):
    with np.load(goldens / "training_step.npz") as file:
        sizes = np.stack([size_vector(sizes).numpy() for sizes in file["time_ids"]])
        np.testing.assert_allclose(sizes, file["vector"][:, 128:], atol=2e-5)  # sines differ by processor
        tokens = torch.from_numpy(file["tokens"])
        hidden = read_l(model.clip_l)(tokens)[0]
        np.testing.assert_allclose(hidden.numpy(), file["te1/hidden"], atol=2e-5)


def test_the_transposed_projection_is_only_for_compatibility(model):
    tokens = torch.tensor([[49406, 320, *[49407] * 75]])
    (_, right), (_, kohya) = read_g(model.clip_g)(tokens), read_g(model.clip_g, transposed=True)(tokens)
    before = torch.linalg.solve(model.clip_g.model.text_projection.T.double(), right[0].double())
    torch.testing.assert_close(
        kohya[0].double(), before @ model.clip_g.model.text_projection.T.double(), rtol=0, atol=1e-3
    )
    assert (right - kohya).abs().max() > 0.01


def test_brackets_are_letters(model, texts):
    """A webui's prompt would take them for emphasis."""
    job = Job(prompt=r"a \(b\) \[c\] \\d", seed=1)
    entry = condition(model, job, width=64, height=64, steps=1).positive[0].schedule[0]
    torch.testing.assert_close(texts([CAPTIONS[3]])[0][0], entry.crossattn, rtol=0, atol=2e-5)


def test_a_short_caption_is_filled_up_beside_a_long_one(texts):
    context, pooled = texts(["ohwx man", LONG])
    alone, own = texts(["ohwx man"])
    assert context.shape[1] > alone.shape[1] == 77
    assert torch.equal(context[0, :77], alone[0])
    assert torch.equal(pooled[0], own[0])
    assert torch.equal(context[0, 77:154], texts([""])[0][0])


def test_a_trained_encoder_says_the_same_with_gradients(model, texts):
    model.clip_l.requires_grad_(True)
    some = EncodedCaptions(CAPTIONS, {"g": read_g(model.clip_g)}, {"l": read_l(model.clip_l)}, "cpu")
    context, _ = some(CAPTIONS)
    torch.testing.assert_close(context.detach(), texts(CAPTIONS)[0], rtol=0, atol=2e-5)
    context.sum().backward()
    model.clip_l.requires_grad_(False)
    assert model.clip_l.transformer.text_model.embeddings.token_embedding.weight.grad.abs().sum() > 0


def test_latents_are_drawn_anew_each_step():
    one = Latents(torch.zeros(4, 8, 8), torch.full((4, 8, 8), 0.5))
    assert torch.equal(one.draw(1, "step", 2), one.draw(1, "step", 2))
    draws = torch.stack([one.draw(1, "step", step) for step in range(200)])
    assert draws.std().item() == pytest.approx(0.5, rel=0.02)
    assert draws.mean().item() == pytest.approx(0, abs=0.01)


def test_latents_are_the_scaled_mean(model):
    pixels = np.random.RandomState(0).randint(0, 256, (64, 96, 3), np.uint8)
    latents = encode_picture(model.vae, pixels, "noise.png")
    assert latents.mean.shape == (4, 8, 12)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    torch.testing.assert_close(latents.mean, model.vae.encode(x)[0, :4] * 0.13025)
    assert latents.std.max() < 1e-4 * 0.13025  # the tiny VAE is as good as certain


def test_nan_names_the_picture(tiny):
    vae = load(tiny / "tiny_base.safetensors").vae
    next(vae.parameters()).fill_(float("nan"))
    with pytest.raises(CheckpointError, match=r"me\.png"):
        encode_picture(vae, np.zeros((64, 64, 3), np.uint8), "me.png")


def test_a_caption_ends_where_sd_scripts_ends_it(model):
    words = [f"w{'x' * (i % 7)}," for i in range(60)]
    readers = {"l": read_l(model.clip_l), "g": read_g(model.clip_g)}
    whole, cut = " ".join(words), "a " * 75
    texts = EncodedCaptions([whole, cut, cut + "b"], readers, {}, "cpu", longest=75)
    assert texts([whole])[0].shape[1] == 77
    assert torch.equal(texts([cut])[0], texts([cut + "b"])[0])
    assert EncodedCaptions([whole], readers, {}, "cpu")([whole])[0].shape[1] > 77
