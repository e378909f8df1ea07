"""Conditioning against the webui's recorded tensors, and what must hold for any prompt."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.conditioning import condition
from ohwx_compare.engine.weights import load
from ohwx_compare.errors import PromptError

RECORDED = sorted((Path(__file__).parents[1] / "goldens").glob("*.npz"))
CASES = [p.stem for p in RECORDED if p.stem not in ("full_parts", "training_step") and not p.stem.startswith("xyz")]
TWICE = ("DPM++ SDE", "Heun", "DPM2 a")  # samplers whose prompt schedules count two calls a step


@pytest.fixture(scope="module")
def model(tiny):
    return load(tiny / "tiny_base.safetensors")


@pytest.fixture
def run(model):
    def run(prompt="", negative="", width=128, height=128, steps=8):
        return condition(model, Job(prompt=prompt, negative=negative, seed=1), width=width, height=height, steps=steps)

    return run


def flat(result):
    """A conditioning under the names of the recording."""
    out = {f"c.{s}.weight": subprompt.weight for s, subprompt in enumerate(result.positive)}
    entries = {f"uc.{e}": entry for e, entry in enumerate(result.negative)}
    for s, subprompt in enumerate(result.positive):
        entries |= {f"c.{s}.{e}": entry for e, entry in enumerate(subprompt.schedule)}
    out |= {f"{key}.{name}": value for key, entry in entries.items() for name, value in vars(entry).items()}
    return {key: np.asarray(value) for key, value in out.items()}


def recorded(path):
    """The first sampling run's conditioning, image by image."""
    images = {}
    with np.load(path) as file:
        run = min(file.files).split("_in")[0] + "_in/"
        for key in (key.removeprefix(run) for key in file.files if key.startswith((f"{run}c.", f"{run}uc."))):
            kind, image, rest = key.split(".", 2)
            images.setdefault(image, {})[f"{kind}.{rest}"] = file[run + key]
    return images.values()


@pytest.mark.parametrize("name", CASES)
def test_conditioning_is_the_webuis(goldens, run, name):
    payload = json.loads((goldens / f"{name}.json").read_text(encoding="utf-8"))["payload"]
    steps = payload["steps"] * (2 if payload["sampler_name"] in TWICE else 1)
    ours = flat(run(payload["prompt"], payload["negative_prompt"], payload["width"], payload["height"], steps))
    for theirs in recorded(goldens / f"{name}.npz"):
        assert ours.keys() == theirs.keys()
        worst = max(np.abs(ours[key] - theirs[key]).max() for key in ours)
        assert worst <= 2e-5, f"{worst:.1e}"


def test_emphasis_keeps_the_mean_of_each_encoder_over_a_schedules_texts(run):
    plain, heavy = (run(p).positive[0].schedule for p in ("a [cat:dog:4] b", "a ([cat:dog:4]:1.5) (b:0.5)"))
    for columns in (slice(0, 128), slice(128, None)):
        means = [torch.stack([e.crossattn[:, columns] for e in schedule]).mean() for schedule in (plain, heavy)]
        torch.testing.assert_close(*means, rtol=0, atol=1e-6)
    for one, other in zip(plain, heavy, strict=True):
        assert not torch.allclose(one.crossattn, other.crossattn, atol=1e-2)
        torch.testing.assert_close(one.vector, other.vector)  # pooled knows no emphasis


def test_a_prompt_does_not_depend_on_the_other_one(run):
    alone, beside = run("a (cat:1.3)"), run("a (cat:1.3)", "[dog|(wolf:1.9)] " * 40)
    assert torch.equal(alone.positive[0].schedule[0].crossattn, beside.positive[0].schedule[0].crossattn)


def test_only_an_empty_negative_is_zero(run):
    both = run("", "")
    assert not both.negative[0].crossattn.any()
    assert not both.negative[0].vector[:128].any()
    assert torch.equal(both.negative[0].vector[128:], both.positive[0].schedule[0].vector[128:])
    assert both.positive[0].schedule[0].crossattn.any()
    assert run("", " ").negative[0].crossattn.any()
    assert run("", "[a:4]").negative[0].crossattn.any()  # its first text is empty, its second is not


def test_shorter_texts_get_whole_empty_chunks(run):
    short, long = run("a cat [, " + "very " * 80 + ":4]").positive[0].schedule
    (alone,) = run("a cat ").positive[0].schedule
    assert short.crossattn.shape == long.crossattn.shape == (2 * 77, 256)
    torch.testing.assert_close(short.crossattn[:77], alone.crossattn, rtol=0, atol=1e-5)
    torch.testing.assert_close(short.crossattn[77:], run("").positive[0].schedule[0].crossattn, rtol=0, atol=1e-5)


def test_the_empty_text_that_pads_is_encoded_as_a_prompt(model, run):
    job = Job(prompt="a cat", negative="", seed=1, pad_texts=True)
    padding = condition(model, job, width=128, height=128, steps=8).padding
    torch.testing.assert_close(padding, run("").positive[0].schedule[0].crossattn, rtol=0, atol=1e-5)
    assert padding.abs().max() > 0
    assert run("a cat").padding is None


def test_pooled_is_the_first_chunks(run):
    one, two = (run(p).positive[0].schedule[0].vector for p in ("a cat", "a cat BREAK a dog"))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)


def test_sizes_are_height_first(run):
    sizes = run("a", width=192, height=128).positive[0].schedule[0].vector[-6 * 256 :].reshape(6, 256)
    expected = torch.cos(torch.tensor([128.0, 192, 0, 0, 128, 192]))
    torch.testing.assert_close(sizes[:, 0], expected)
    torch.testing.assert_close(sizes[2], torch.tensor([1.0, 0.0]).repeat_interleave(128))


def test_a_hash_in_an_infotext_is_text(run):
    """The webui takes comments out before it writes the text, and before 1.8 knew none."""
    one, two = (run(p).positive[0].schedule[0].crossattn for p in ("a cat # a dog", "a cat"))
    assert not torch.equal(one, two)


def test_what_cannot_be_drawn_is_said(run):
    with pytest.raises(PromptError, match=r"<lora:me:0\.8>"):
        run("a cat <lora:me:0.8>")
    with pytest.raises(PromptError, match="finite"):
        run(f"(cat:{'9' * 60})")
    (note,) = run("a cat <other:thing>").notes
    assert "<other:thing>" in note


def test_empty_weights_are_not_blamed_on_the_prompt(tiny):
    empty = load(tiny / "tiny_base.safetensors")
    with torch.no_grad():
        for weight in (*empty.clip_l.parameters(), *empty.clip_g.parameters()):
            weight.zero_()
    for prompt, advice in (("a man BREAK a hat", "text encoders are damaged"), ("a (man:1.2)", "Lower its weights")):
        with pytest.raises(PromptError, match=advice):
            condition(empty, Job(prompt=prompt, seed=1), width=128, height=128, steps=8)
