"""LoRA and DoRA in training: only they learn, and what they learn is what a webui adds from their file."""

import copy

import pytest
import torch

from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.engine.networks.lora_file import write_lora
from ohwx_compare.engine.networks.wear import Chosen, put_on
from ohwx_compare.engine.weights import load
from ohwx_compare.testing.parts import lora_targets
from ohwx_compare.train.learn.low_rank import put_beside
from ohwx_compare.train.plan.low_rank import low_rank_shapes

PARTS = ("unet", "clip_l", "clip_g")


def numbers(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parts_of(model):
    return {part: getattr(model, part) for part in PARTS}


def answers(model):
    """What each part gives for drawn inputs."""
    tokens = torch.tensor([[49406, 320, 1125, 49407, *[49407] * 73]])
    config = model.unet.config
    x = numbers(2, 4, 8, 8), torch.tensor([500, 10]), numbers(2, 77, config.context), numbers(2, config.vector)
    return [model.clip_l(tokens), *model.clip_g(tokens), model.unet(*x)]


@pytest.fixture
def model(mini):
    return load(mini)


@pytest.mark.parametrize("dora", [False, True])
def test_at_first_nothing_is_changed(model, dora):
    with torch.no_grad():
        before = answers(model)
        put_beside(parts_of(model), 4, 4.0, 1, dora=dora)
        assert all(map(torch.equal, answers(model), before))


@pytest.mark.parametrize("dora", [False, True])
def test_a_webui_adds_from_the_file_what_was_trained(mini, tmp_path, dora):
    model = load(mini)
    weights = put_beside(parts_of(model), 4, 2.0, 1, dora=dora)
    with torch.no_grad():
        for i, (name, weight) in enumerate(weights.items()):
            if name.endswith("lora_up.weight"):
                weight.copy_(0.3 * numbers(*weight.shape, seed=i))
            elif name.endswith("dora_scale"):
                weight.mul_(1 + 0.2 * numbers(*weight.shape, seed=i))
        alphas = {n.replace("lora_up.weight", "alpha"): torch.tensor(2.0) for n in weights if n.endswith("up.weight")}
        write_lora(tmp_path / "l.safetensors", {**weights, **alphas}, "mini", {})
        worn = put_on(load(mini), [Chosen(Network("l"), tmp_path / "l.safetensors", "")])
        plain = answers(load(mini))
        for ours, theirs, base in zip(answers(model), answers(worn), plain, strict=True):
            torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=2e-3)
            assert (theirs - base).abs().max() > 0.05
    copied = copy.deepcopy(model.clip_l)
    assert torch.equal(copied(torch.full((1, 77), 5)), model.clip_l(torch.full((1, 77), 5)))


def test_only_they_learn(model):
    weights = put_beside(parts_of(model), 4, 4.0, 1, dora=True)
    sum(answer.sum() for answer in answers(model)).backward()
    assert all(weight.grad is not None for weight in weights.values())
    assert all(t.grad is None for part in parts_of(model).values() for t in part.parameters())


def test_layers_and_sizes_are_sd_scripts(model):
    """But for CLIP-L's last layer, which SDXL does not use and sd-scripts trains."""
    shapes = {
        f"{prefix}{name}": tuple(t.shape)
        for part, prefix in (
            ("unet", "model.diffusion_model."),
            ("clip_l", "conditioner.embedders.0."),
            ("clip_g", "conditioner.embedders.1."),
        )
        for name, t in getattr(model, part).state_dict().items()
    }
    last = model.clip_l.config.layers - 1
    theirs = {n for n in lora_targets(shapes) if not n.startswith(f"lora_te1_text_model_encoder_layers_{last}_")}
    for kind in ("lora", "dora"):
        planned = low_rank_shapes(shapes, PARTS, 4, kind)
        assert {name.partition(".")[0] for name in planned} == theirs
        weights = put_beside(parts_of(load(model.path)), 4, 4.0, 1, dora=kind == "dora")
        assert planned == {name: tuple(weight.shape) for name, weight in weights.items()}
