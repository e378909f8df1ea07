"""What writing the states of a training costs its steps, and what a state holds at SDXL's full size.

usage: python bench/states.py [--size 128] [--precision fp32] [--steps 40] [--every 5]

A tiny drawn checkpoint on the CPU. Every --every steps a state is written, as `ohwx train` writes it.
Printed are medians: the CPU time of a step; that of a state, on the thread of the steps and beside it; the wall time
for which the steps wait; and the share of all steps from one state to the next by the recipe's default. Steps that
began while a state was being written are told apart: what it takes from them. At full size bytes are computed, and what
a GB of large tensors takes is measured; no step is.
"""

import argparse
import json
import tempfile
import time
from itertools import pairwise
from math import prod
from pathlib import Path
from statistics import median

import torch
from train import drawn_recipe

from ohwx_compare.files.checkpoint import Header, Tensor
from ohwx_compare.files.tensors import write_tensors
from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.plan.estimate import state_bytes
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.identity import identity_of
from ohwx_compare.train.run.loop import take
from ohwx_compare.train.run.state import StateWriter, setup_state_bytes

LARGE = (1280, 10240)  # numbers of a tensor, 52 MB in float32
MANIFEST = Path(__file__).parents[1] / "tests" / "goldens" / "sdxl_manifest.json"
FULL = {
    "lean": {"preset": "lean"},
    "lean, EMA": {"preset": "lean", "ema": 0.999},
    "AdamW8bit": {"preset": "lean", "optimizer": "adamw8bit", "optimizer_args": {}, "memory_gb": None},
    "LoRA, rank 16": {"preset": "lean", "network": "lora"},
}


class Measured(StateWriter):
    """Also knows the CPU time that the thread beside has used."""

    def beside(self) -> float:
        """Seconds; waits for the last state."""
        self.wait()
        return self._beside.submit(time.thread_time).result()

    @property
    def is_busy(self) -> bool:
        """Whether a state is being written."""
        return self._last is not None and not self._last.done()


def measure(recipe: Recipe, every: int) -> None:
    """Take the steps, write the states, print."""
    plan = make_plan(recipe)
    setup = set_up(plan, "cpu")
    steps: dict[bool, list[float]] = {False: [], True: []}
    on_thread, beside, waits = [], [], []  # beside: all until then
    states = Path(recipe.output) / "state"
    states.mkdir(parents=True)
    with Measured(states, setup, identity_of(plan, "0" * 64)) as writer:
        for number, epoch, step in plan.walk():
            is_busy, began = writer.is_busy, time.thread_time()
            take(setup, number, epoch, step).learned()
            steps[is_busy].append(time.thread_time() - began)
            if number % every == 0:
                beside.append(writer.beside())
                wall, own = time.perf_counter(), time.thread_time()
                writer.write(number)
                waits.append(time.perf_counter() - wall)
                on_thread.append(time.thread_time() - own)
        beside.append(writer.beside())
    size, interval = setup_state_bytes(setup) / 1e6, recipe.state_every
    each = (end - begin for begin, end in pairwise(beside))
    one, own, other, wait = map(median, (steps[False][2:], on_thread, each, waits))
    share = (own + other) / (interval * one)
    print(f"a step: {one:.3f} s CPU; of the {len(steps[True])} begun while a state was written: ", end="")
    print(f"{median(steps[True]):.3f} s" if steps[True] else "none")
    print(f"a state of {size:.1f} MB: {1000 * own:.1f} ms CPU on the steps' thread, {1000 * other:.1f} ms beside it")
    print(f"one every {interval} steps: {share:.2%} of their CPU time; they wait {1000 * wait:.1f} ms of wall for it")


def by_the_gigabyte(folder: Path) -> None:
    """What copying and writing take where tensors are as large as SDXL's."""
    tensors = {str(number): torch.rand(LARGE) for number in range(8)}
    times = [time.thread_time()]
    copies = {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}
    times.append(time.thread_time())
    for name, tensor in tensors.items():
        copies[name].copy_(tensor)
    times.append(time.thread_time())
    write_tensors(
        folder / "large", {name: ("F32", LARGE) for name in copies}, lambda name: copies[name].numpy().data, {}
    )
    times.append(time.thread_time())
    size = len(tensors) * prod(LARGE) * 4 / 1e9
    first, later, written = ((end - begin) / size for begin, end in pairwise(times))
    print(f"large tensors: to copy a GB takes {first:.2f} s CPU, later {later:.2f} s, to write it {written:.2f} s")


def full_size(values: dict) -> None:
    """The bytes of a state by SDXL's shapes."""
    names = json.loads(MANIFEST.read_text(encoding="utf-8"))
    header = Header(Path("full"), {name: Tensor(dtype, tuple(s), 0, 0) for name, (dtype, s) in names.items()}, {})
    for what, more in FULL.items():
        print(f"full size, {what}: {state_bytes(header, Recipe.from_dict({**values, **more})) / 1e9:.2f} GB a state")


def main() -> None:
    """Parse the flags, measure in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=128, help="px")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--every", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        recipe = drawn_recipe(Path(name), options.size, pictures=1)
        recipe |= {"preset": "lean", "precision": options.precision, "memory_gb": None, "steps": options.steps}
        measure(Recipe.from_dict(recipe), options.every)
        by_the_gigabyte(Path(name))
        full_size({**recipe, "precision": "bf16-stochastic"})


if __name__ == "__main__":
    main()
