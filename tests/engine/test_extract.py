"""A LoRA out of a fine-tune: nearest of its rank, and put onto the base it leads to the fine-tune."""

import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.engine.networks.extract import extract, nearest
from ohwx_compare.engine.networks.wear import Chosen, put_on
from ohwx_compare.engine.weights import load
from ohwx_compare.errors import CheckpointError


def numbers(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
def test_no_matrix_of_its_rank_is_nearer(shape):
    change = numbers(*shape)
    up, down = nearest(change, 5)
    left = torch.linalg.svdvals(change)[5:].norm()  # Eckart and Young
    assert up.shape == (shape[0], 5)
    assert down.shape == (5, shape[1])
    torch.testing.assert_close((change - up @ down).norm(), left)


def test_an_error_takes_the_fewest_ranks_that_keep_it():
    change = numbers(30, 20)
    for error in (0.1, 0.5, 0.9):
        up, down = nearest(change, 20, error)
        assert (change - up @ down).norm() <= error * change.norm()
        fewer_up, fewer_down = nearest(change, len(down) - 1)
        assert (change - fewer_up @ fewer_down).norm() > error * change.norm()


def test_a_matrix_of_low_rank_takes_no_more():
    assert len(nearest(numbers(30, 3) @ numbers(3, 20, seed=2), 10)[1]) == 3


@pytest.fixture(scope="module")
def tuned(tiny, tmp_path_factory):
    """tiny_base with every tensor changed, by matrices of rank 2 where it has room for them."""
    state = load_file(tiny / "tiny_base.safetensors")
    for i, (name, tensor) in enumerate(state.items()):
        if re.match(r"model\.|conditioner.*(transformer\.resblocks|encoder\.layers)", name):
            change = numbers(*tensor.shape, seed=i)
            if tensor.dim() >= 2:
                change = (numbers(len(tensor), 2, seed=i) @ numbers(2, tensor[0].numel(), seed=-i)).view(tensor.shape)
            state[name] = tensor.float() + 0.01 * change
    path = tmp_path_factory.mktemp("tuned") / "tuned.safetensors"
    save_file(state, path)
    return path


def worn(base, tensors, folder):
    path = folder / "lora.safetensors"
    save_file(tensors, path)
    return put_on(load(base), [Chosen(Network("lora"), path, "0" * 64)])


def apart(model, other):
    """Norm of the difference, of UNet and text encoders, without biases that no LoRA gives."""
    pairs = zip(model.unet.parameters(), other.unet.parameters(), strict=True)
    return torch.stack([(a - b).norm() for a, b in pairs]).norm()


def test_put_onto_the_base_it_gives_the_fine_tune(tiny, tuned, tmp_path):
    base = tiny / "tiny_base.safetensors"
    steps = []
    found = extract(tuned, base, rank=8, on_layers=lambda total: lambda: steps.append(total))
    assert len(steps) == steps[0]
    assert set(found.ranks.values()) <= set(range(1, 9))
    whole = load(tuned)
    assert apart(worn(base, found.tensors, tmp_path), whole) < 0.2 * apart(load(base), whole)


@pytest.mark.slow
def test_more_ranks_lack_less(tiny, tmp_path):
    base, other = tiny / "tiny_base.safetensors", tiny / "tiny_reg.safetensors"
    whole = load(other)
    errors, distances = [], []
    for rank in (1, 4, 16):
        found = extract(other, base, rank)
        errors.append(found.error)
        distances.append(float(apart(worn(base, found.tensors, tmp_path), whole) / apart(load(base), whole)))
    assert errors == sorted(errors, reverse=True)
    assert errors == pytest.approx(distances, abs=0.01)  # only the UNet differs there


def test_what_is_no_fine_tune_is_refused(tiny, mini):
    base = tiny / "tiny_base.safetensors"
    with pytest.raises(CheckpointError, match="holds the weights of tiny_base"):
        extract(base, base, 4)
    with pytest.raises(CheckpointError, match="is not a fine-tune of tiny_base"):
        extract(mini, base, 4)


def test_an_attention_of_the_second_encoder_is_whole(tiny, tmp_path):
    """A webui adds to all four of its layers or to none."""
    base, name = (
        tiny / "tiny_base.safetensors",
        "conditioner.embedders.1.model.transformer.resblocks.1.attn.in_proj_weight",
    )
    state = load_file(base)
    state[name][: len(state[name]) // 3] += 0.125  # its queries alone
    save_file(state, tmp_path / "queries.safetensors")
    found = extract(tmp_path / "queries.safetensors", base, 4)
    prefix = "lora_te2_text_model_encoder_layers_1_self_attn_"
    assert found.ranks.keys() == {f"{prefix}{which}_proj" for which in ("q", "k", "v", "out")}
    assert found.error < 1e-3
