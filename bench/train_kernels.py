"""What a training step launches, reads and writes at full size, counted without a GPU.

usage: python bench/train_kernels.py [--json] [--optimizer adafactor] [--flatten] [--unfused] [--size 1024] [--ratio]

Every tensor is on the meta device. One operation of torch is one launch and moves every tensor that it reads or writes
once; views are free, and an operation on lists launches as often as CUDA's multi-tensor kernels do. The Triton kernels
of train/learn/kernels.py are counted from their own loads and stores: counted, not measured. sd-scripts' fused
Adafactor, counted the same way at 48d368fa, launches 65,520 and moves 149 bytes a parameter.

--ratio measures on this CPU instead: a fused backward pass of a UNet of SDXL's depth and a fifth of its width in
bfloat16 on one thread, over the backward pass alone, in CPU time.
"""

import argparse
import json
import time
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.train.learn import kernels, stepper
from ohwx_compare.train.learn.adamw8bit import AdamW8bit
from ohwx_compare.train.learn.came import Came
from ohwx_compare.train.learn.loss import Diffusion
from ohwx_compare.train.learn.optim import Adafactor, AdamW
from ohwx_compare.train.learn.prodigy import Prodigy
from ohwx_compare.train.learn.step import TrainingBatch, losses
from ohwx_compare.train.learn.stepper import Precision, Stepper
from ohwx_compare.train.learn.trained import recompute, trainable

SD_SCRIPTS = {"optimizer_launches": 65_520, "optimizer_bytes_per_parameter": 149}
RULES = {"adafactor": Adafactor, "adamw": AdamW, "adamw8bit": AdamW8bit, "came": Came, "prodigy": Prodigy}
NOTHING = {"empty", "empty_like", "new_empty", "empty_strided", "_unsafe_view", "detach", "lift_fresh", "alias"}
UNREAD = {"copy_", "fill_", "zero_", "new_full", "new_zeros"}  # take a tensor without reading it
CHUNK, BLOCKS, TENSORS = 65_536, 320, 110  # of CUDA's multi-tensor kernels: numbers, and how many of both in a launch


class Count(TorchDispatchMode):
    """Launches and bytes by part of a step."""

    def __init__(self) -> None:
        super().__init__()
        self.part = "forward"
        self.launches: dict[str, int] = {}
        self.bytes: dict[str, int] = {}

    def add(self, launches: int, size: int) -> None:
        """Count for the part in hand."""
        self.launches[self.part] = self.launches.get(self.part, 0) + launches
        self.bytes[self.part] = self.bytes.get(self.part, 0) + size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count one operation."""
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if func.is_view or name in NOTHING or name.startswith("_has_"):
            return out
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        made = [x for x in tree_leaves(out) if isinstance(x, Tensor)]
        read = given[1:] if name in UNREAD else given
        launches = 1
        if name.startswith("_foreach_"):
            chunks = sum(-(-x.numel() // CHUNK) for x in given)
            launches = max(-(-chunks // BLOCKS), -(-len(given) // TENSORS))
        elif name in ("stack", "cat"):
            launches = -(-len(given) // 128)  # inputs of one batched copy
        self.add(launches, sum(_bytes(x) for x in {id(x): x for x in read}.values()) + sum(map(_bytes, made)))
        return out


class Kernel:
    """A Triton kernel's place: `kernel[grid](...)` counts what it would load and store, by `size` of its arguments."""

    def __init__(self, count: Count, size: Any) -> None:
        self.count, self.size = count, size

    def __getitem__(self, grid: Any) -> Any:
        """As Triton's: a launch on this grid."""
        return lambda *args, **more: self.count.add(1, self.size(args, more))


def _bytes(x: Tensor) -> int:
    spread = 2 if x.ndim and x.stride(-1) == 2 else 1  # every second number: the bytes between come along
    return x.numel() * x.element_size() * spread


def _square(args: Any, more: Any) -> int:
    return sum(map(_bytes, args[:3]))


def _learn(args: Any, more: Any) -> int:
    row, column, by_row, by_column, r, c, factors = args[:7]
    return 2 * (_bytes(row) + _bytes(column)) + sum(map(_bytes, (by_row, by_column, r, c, factors)))


def _measure(args: Any, more: Any) -> int:
    return sum(map(_bytes, args[:4]))


def _land(args: Any, more: Any) -> int:
    g, r, c, sizes, weight, master = args[:6]
    size = sum(map(_bytes, (g, r, c, sizes, weight)))  # the weight's store
    size += 2 * _bytes(master) if more["HAS_MASTER"] else _bytes(weight)  # what it comes from
    return size + (_bytes(args[6]) if more["HAS_CHANCE"] else 0)


def count(options: argparse.Namespace, *, triton: bool) -> Count:
    """One step of the UNet at full size; with `triton` as if on CUDA."""
    with torch.device("meta"):
        unet = UNet(UNetConfig()).to(torch.bfloat16)
    if options.checkpointing:
        recompute(unet)
    weights = trainable({"unet": unet})
    settings = {"flatten": options.flatten} if options.optimizer == "adafactor" else {}
    rule = RULES[options.optimizer](weight_decay=0.01, **settings)
    precision = Precision(fused=not options.unfused)
    counted = Count()
    within = Stepper(weights, rule, dict.fromkeys(weights, 1e-5), precision)
    for stack in within.stacks:
        stack.state = rule.start(stack.weight)
    if triton:
        stepper.can_move = lambda rule, weight: type(rule) is Adafactor and rule.matrices(weight).ndim > 2
        for name, size in {"_square": _square, "_learn": _learn, "_measure": _measure, "_land": _land}.items():
            setattr(kernels, name, Kernel(counted, size))
    plain = within._move

    def moved(*args: Any) -> None:
        before, counted.part = counted.part, "optimizer"
        plain(*args)
        counted.part = before

    within._move = moved
    side = options.size // 8
    new = {"device": "meta"}
    batch = TrainingBatch(
        torch.empty(1, 4, side, side, **new), torch.empty(1, 4, side, side, **new),
        torch.zeros(1, dtype=torch.int64, **new), torch.empty(1, 77, 2048, **new), torch.empty(1, 2816, **new),
    )  # fmt: skip
    diffusion = Diffusion(prediction="eps")
    diffusion.__dict__["signal"] = diffusion.signal.to("meta")
    if not triton:
        with FlopCounterMode(display=False) as flops:
            losses(unet, diffusion, batch).mean()
        counted.tflop = 3 * flops.get_total_flops() / 1e12  # the backward pass takes twice as many
    with counted:
        within.begin(2)
        loss = losses(unet, diffusion, batch).mean()
        counted.part = "backward"
        loss.backward()
        counted.part = "optimizer"
        within.end()
    counted.parameters = sum(prod(weight.shape) for weight in weights.values())
    return counted


def ratio(side: int, times: int = 3) -> dict[str, float]:
    """CPU seconds of the backward pass alone and of the fused one, the least of a few."""
    torch.set_num_threads(1)
    config = UNetConfig(widths=(64, 128, 256), context=512, vector=704)
    seconds = {}
    for kind in ("alone", "fused"):
        torch.manual_seed(0)
        unet = UNet(config).to(torch.bfloat16)
        weights = trainable({"unet": unet})
        within = None
        if kind == "fused":
            within = Stepper(weights, Adafactor(weight_decay=0.01), dict.fromkeys(weights, 1e-5), Precision())
        new = (1, 4, side, side)
        least = []
        for step in range(1, times + 2):
            batch = TrainingBatch(
                torch.randn(new), torch.randn(new), torch.tensor([500]), torch.randn(1, 77, 512), torch.randn(1, 704)
            )
            loss = losses(unet, Diffusion(prediction="eps"), batch).mean()
            if within:
                within.begin(step)
            began = time.process_time()
            loss.backward()
            if within:
                within.end()
            least.append(time.process_time() - began)
            unet.zero_grad(set_to_none=True)
        seconds[kind] = min(least[1:])
    return {**seconds, "ratio": seconds["fused"] / seconds["alone"]}


def main() -> None:
    """Parse the flags, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--optimizer", choices=RULES, default="adafactor")
    parser.add_argument("--flatten", action="store_true", help="factor a convolution as one matrix")
    parser.add_argument("--unfused", action="store_true", help="step after the backward pass")
    parser.add_argument("--checkpointing", action="store_true", help="compute all blocks again")
    parser.add_argument("--size", type=int, default=1024, help="px, also of --ratio")
    parser.add_argument("--ratio", action="store_true", help="measure a fused backward pass on this CPU instead")
    options = parser.parse_args()
    if options.ratio:
        told = ratio(options.size // 8)
    else:
        plain, cuda = count(options, triton=False), count(options, triton=True)
        told = {
            "optimizer_launches": cuda.launches["optimizer"],
            "optimizer_launches_plain": plain.launches["optimizer"],
            "optimizer_bytes_per_parameter": round(cuda.bytes["optimizer"] / cuda.parameters, 1),
            "optimizer_bytes_per_parameter_plain": round(plain.bytes["optimizer"] / plain.parameters, 1),
            "forward_launches": plain.launches["forward"],
            "backward_launches": plain.launches["backward"],
            "tflop": round(plain.tflop, 2),
            "note": "optimizer_* without _plain: counted from Triton's loads and stores, not measured",
            "sd_scripts": SD_SCRIPTS,
        }
    if options.json:
        print(json.dumps(told))
    else:
        for name, value in told.items():
            print(f"{name:40} {value:,.3f}" if isinstance(value, float) else f"{name:40} {value}")


if __name__ == "__main__":
    main()
