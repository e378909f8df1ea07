"""Within the backward pass or after it, tensors together or alone, compiled or not: it is the same step."""

from pathlib import Path

import pytest
import torch
from moot import MOOT
from numpy.linalg import norm
from safetensors.numpy import load_file

from ohwx_compare.core.events import Learned
from ohwx_compare.engine.compiled import require_compiler
from ohwx_compare.errors import ExperimentError, HostError
from ohwx_compare.train.learn import stepper
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run import loop
from ohwx_compare.train.run.loop import train


def run(values, folder, **changes):
    """The weights of three steps, and their losses."""
    own = {"output": str(folder), "epochs": None, "steps": 3, "lr_unet": 1e-3, "save_precision": "fp32"}
    recipe = Recipe.from_dict({**values, **own, **changes})
    events = []
    train(make_plan(recipe), events.append)
    return load_file(Path(recipe.output) / "me.safetensors"), [e.loss for e in events if isinstance(e, Learned)]


def can_compile() -> bool:
    if " " in torch.__file__:  # torch's compiler links nothing from a folder with a space in its name
        return False
    try:
        require_compiler(torch.device("cpu"))
    except HostError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler of torch
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # it asks for the gradient of an activation
def test_fused_unfused_alone_and_compiled_agree(small, tmp_path, monkeypatch):
    weights, losses = run(small, tmp_path / "fused")
    ways = {"unfused": run(small, tmp_path / "unfused", fused=False)}
    with monkeypatch.context() as patch:
        patch.setattr(stepper, "SMALL_SUMS", 0)
        ways["alone"] = run(small, tmp_path / "alone")
    if can_compile():  # the other ways are compared all the same
        inner, calls = loop.losses, []

        def seen(unet, *others):
            each = inner(unet, *others)
            calls.append(unet.compiled_for.is_own)
            return each

        monkeypatch.setattr(loop, "losses", seen)
        ways["compiled"] = run(small, tmp_path / "compiled", compile=True, checkpointing=True)
        assert calls == [True] * 3
    base = load_file(small["base"])
    told = [name for name in weights if name.startswith("model.diff") and not MOOT.fullmatch(name)]
    assert len(told) > 100
    for way, (other, same) in ways.items():
        assert same == pytest.approx(losses, rel=1e-5), way
        for name in told:
            moved, apart = norm(weights[name] - base[name]), norm(other[name] - weights[name])
            assert apart <= 1e-4 * moved, (way, name)


def test_a_lora_is_not_compiled(small):
    with pytest.raises(ExperimentError, match="compile is of a UNet that trains as a whole"):
        Recipe.from_dict({**small, "compile": True, "network": "lora"})
