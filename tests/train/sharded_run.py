"""Two processes that hold a model together, for test_shard.py. usage: sharded_run.py RECIPE.json FOLDER"""

import json
import sys
from pathlib import Path

import torch
from processes import together
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard, distribute_tensor

from ohwx_compare.train.learn.adamw8bit import AdamW8bit
from ohwx_compare.train.learn.group import join
from ohwx_compare.train.learn.optim import Adafactor
from ohwx_compare.train.learn.prodigy import Prodigy
from ohwx_compare.train.learn.sharded import ShardedStepper
from ohwx_compare.train.learn.stepper import Precision, Stepper
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train

SHAPES = [(5, 4)] * 3 + [(6, 3, 3, 3)] * 2 + [(7,)] * 3 + [(70, 64), (1, 9), (30, 2000)]
RULES = [
    (Adafactor(flatten=True, weight_decay=0.1), torch.bfloat16, False),
    (AdamW8bit(), torch.bfloat16, True),
    (Prodigy(d0=1e-2), torch.float32, False),
]  # rule, dtype of the weights, and whether masters move


def drawn(number: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    return {f"w{at}": torch.randn(shape, generator=generator) for at, shape in enumerate(SHAPES)}


def stepped(stepper, number, grads) -> None:
    stepper.begin(number)
    for name, weight in stepper.weights.items():
        weight.grad = grads[name].to(weight.dtype)
    stepper.end()


def all_held(stepper) -> dict[str, torch.Tensor]:
    return {which: held.read().clone() for which, held in stepper.held().items()}


def same_steps(group, folder: Path) -> None:
    """Three steps by the same gradients end with the same bits in one process and in two, given on between."""
    mesh = init_device_mesh("cpu", (2,))
    for rule, dtype, is_mastered in RULES:
        rates, how = dict.fromkeys(drawn(0), 0.01), Precision(fused=False, seed=3)

        def masters():
            return drawn(0) if is_mastered else {}  # noqa: B023  used at once

        def sharded():
            bag = nn.Module()
            for name, weight in drawn(0).items():
                bag.register_parameter(name, nn.Parameter(weight.to(dtype)))  # noqa: B023
            fully_shard(bag, mesh=mesh)
            return ShardedStepper(dict(bag.named_parameters()), rule, rates, how, masters(), group=group)  # noqa: B023

        alone = Stepper({name: nn.Parameter(w.to(dtype)) for name, w in drawn(0).items()}, rule, rates, how, masters())
        shared, path = sharded(), folder / f"{type(rule).__name__}.pt"
        for number in (1, 2, 3):
            stepped(alone, number, drawn(number))
            if number == 3:  # another sitting
                if group.leads:
                    torch.save(all_held(shared), path)
                attend(shared, group)
                shared = sharded()
                for which, tensor in torch.load(path).items():
                    kind, _, name = which.partition("/")
                    shared.put(name, kind, tensor)
            stepped(shared, number, {n: distribute_tensor(g, mesh, [Shard(0)]) for n, g in drawn(number).items()})
        if group.leads:
            told, expected = all_held(shared), all_held(alone)
            assert set(told) == set(expected)
            for which, tensor in expected.items():
                assert torch.equal(told[which], tensor), (rule, which)
        attend(shared, group)


def attend(stepper, group) -> None:
    if group.leads:
        group.tell([0] * 5, "cpu")
    else:
        while (told := group.tell([0] * 5, "cpu"))[0]:
            stepper.whole(told[1])


def one_of_two(recipe: str, folder: str) -> None:
    group, device = join(device="cpu")
    same_steps(group, Path(folder))
    values = json.loads(Path(recipe).read_text(encoding="utf-8"))
    train(make_plan(Recipe.from_dict(values)), lambda event: None, device=device, group=group)
    group.leave()


if __name__ == "__main__":
    sys.exit(together(one_of_two, tuple(sys.argv[1:]), 2) != [0, 0])
