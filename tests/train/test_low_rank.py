"""LoRA and DoRA in training: only they learn, and what they learn is what a webui adds from their file."""

import copy

import pytest
import torch
from safetensors.torch import load_file

from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.engine.networks.lora_file import write_lora
from ohwx_compare.engine.networks.wear import Chosen, put_on
from ohwx_compare.engine.weights import load
from ohwx_compare.files.checkpoint import describe, read_header
from ohwx_compare.testing.parts import lora_targets
from ohwx_compare.train.learn.low_rank import put_beside
from ohwx_compare.train.plan.estimate import saved_bytes
from ohwx_compare.train.plan.low_rank import low_rank_shapes
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train

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


@pytest.mark.parametrize(
    ("network", "more"),
    [
        ("lora", {"lr_te1": 1e-3, "lr_te2": 1e-3}),
        ("dora", {"precision": "bf16-stochastic", "ema": 0.5, "ema_raw": True}),
    ],
)
def test_a_run_saves_loras_and_resumes_bit_for_bit(small, mini, tmp_path, network, more):
    values = {**small, **more, "network": network, "network_rank": 4, "network_alpha": 2, "lr_unet": 1e-3}
    plan = make_plan(Recipe.from_dict({**values, "output": str(tmp_path / "whole")}))
    train(plan, lambda event: None)
    cut = make_plan(Recipe.from_dict({**values, "output": str(tmp_path / "cut")}))
    asked = iter([False, False, True])
    assert not train(cut, lambda event: None, lambda: next(asked, False)).is_finished
    assert train(cut, lambda event: None).is_finished
    names = {path.name for path in (tmp_path / "whole").glob("*.safetensors")}
    assert "me.safetensors" in names
    for name in names:
        whole, resumed = (load_file(tmp_path / folder / name) for folder in ("whole", "cut"))
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[one], resumed[one]) for one in whole)
    path = tmp_path / "whole" / "me.safetensors"
    header = read_header(path)
    assert describe(header) == "a LoRA"
    assert header.metadata["modelspec.architecture"].endswith("/lora")
    size = sum(one.end - one.start for one in header.tensors.values())
    assert size == pytest.approx(saved_bytes(read_header(mini), plan.recipe), rel=0.02)
    plain, worn = load(mini), put_on(load(mini), [Chosen(Network("me"), path, "")])
    moved = [not torch.equal(a, b) for a, b in zip(plain.unet.parameters(), worn.unet.parameters(), strict=True)]
    assert any(moved)
