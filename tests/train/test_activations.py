"""Activations: counted as torch keeps them, fitted into a budget, computed again without a trace in the gradients."""

from pathlib import Path

import pytest
import torch

from ohwx_compare.engine.weights import load_part
from ohwx_compare.errors import ExperimentError
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.train.learn.loss import Diffusion
from ohwx_compare.train.learn.step import TrainingBatch, losses
from ohwx_compare.train.learn.trained import recompute, trainable
from ohwx_compare.train.plan.activations import choose, kept_bytes, unet_blocks
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe

CONFIG = UNetConfig(widths=(64, 128), depths=(0, 2), middle=1, blocks=2, context=128, vector=256)


def shapes(unet):
    return {name: tuple(weight.shape) for name, weight in unet.named_parameters()}


def really_kept(unet, batch, size, dtype):
    """Bytes that autograd keeps of a forward pass, parameters not counted."""
    own = {weight.untyped_storage().data_ptr() for weight in unet.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs = [torch.randn(batch, *shape, dtype=dtype) for shape in ((4, *size), (77, 128), (256,))]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        unet(inputs[0], torch.full((batch,), 5.0), *inputs[1:])
    return sum(kept.values())


@pytest.mark.parametrize(("batch", "size", "dtype"), [(1, (32, 32), torch.float32), (2, (16, 40), torch.bfloat16)])
def test_counted_as_torch_keeps_them(batch, size, dtype):
    unet = UNet(CONFIG).to(dtype)
    parts = unet_blocks(shapes(unet), size)
    counted = sum(part.held + part.inside for part in parts) * batch * dtype.itemsize
    assert counted == pytest.approx(really_kept(unet, batch, size, dtype), rel=0.03)
    assert sum(part.weights for part in parts) == pytest.approx(sum(w.numel() for w in unet.parameters()), rel=0.1)
    able = [name for name, block in unet.named_modules() if type(block).__name__ in ("ResBlock", "TransformerBlock")]
    assert [part.name for part in parts if part.can_recompute] == able


def test_no_more_is_computed_again_than_the_budget_asks():
    with torch.device("meta"):
        parts = unet_blocks(shapes(UNet(CONFIG)), (64, 64))
    able = [part.name for part in parts if part.can_recompute]
    most, least = kept_bytes(parts, (), 4), kept_bytes(parts, able, 4)
    assert choose(parts, most, 4) == frozenset()
    assert choose(parts, least, 4) == frozenset(able)
    assert choose(parts, least - 1, 4) is None
    before = frozenset(able)
    for budget in range(least, most, (most - least) // 7):
        again = choose(parts, budget, 4)
        assert kept_bytes(parts, again, 4) <= budget
        assert again <= before
        before = again


def test_gradients_are_the_same_whatever_is_computed_again(small):
    batch = TrainingBatch(
        *torch.randn(2, 1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 77, 128), torch.randn(1, 1600)
    )

    def gradients(again):
        unet = load_part("unet", Path(small["base"]), dtype=torch.float32)
        weights = trainable({"unet": unet})
        recompute(unet, again)
        losses(unet, Diffusion(), batch).mean().backward()
        return {name: weight.grad for name, weight in weights.items() if weight.grad is not None}

    plain = gradients(())
    for again in (None, {"middle_block.0", "output_blocks.1.1.transformer_blocks.0"}):
        other = gradients(again)
        assert all(torch.equal(plain[name], other[name]) for name in plain)


def test_the_plan_follows_memory_gb(small):
    def plan(**more):
        return make_plan(Recipe.from_dict({**small, **more}))

    assert plan(memory_gb=8).again == frozenset()
    tight = plan(memory_gb=0.5)
    with pytest.raises(ExperimentError, match=r"memory_gb is 0\.5, and the run needs at least \d\.\d GB"):
        tight.require_runnable()
    least, most = (plan(checkpointing=again).memory.total for again in (True, False))
    some = plan(memory_gb=(least + most) / 2e9 + 0.8)
    assert 0 < len(some.again) < len(plan(checkpointing=True).again)
    assert some.memory.total <= (least + most) / 2
