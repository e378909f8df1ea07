"""What the second start of a training costs: its pictures looked at and their latents read from the cache.

usage: python bench/training_start.py [--pictures 2265] [--size 1024] [--keep FOLDER] [--json]

Draws JPEGs of the size and puts drawn latents of SDXL's size under their names into a cache, for a VAE would take hours
on a CPU. Then it starts twice, each time in a process of its own: the plan, which looks at every picture, and the
reading. 2,265 are the pictures of the preset article-reg: 15, and the 2,250 of its regularization images that are
shown. --keep leaves what was made. CPU seconds are of that process with its threads.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ohwx_compare.testing.tiny import draw_tiny
from ohwx_compare.train.learn.pictures import encode_dataset
from ohwx_compare.train.learn.shelf import EncodedShelf, encoded_folder
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe


def draw(folder: Path, count: int, size: int) -> None:
    """`count` pictures that compress as photographs do, in a folder of one repeat; a few differ in their last bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(1)
    pictures = []
    for _ in range(min(count, 8)):
        coarse = Image.fromarray(chance.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8))
        held = io.BytesIO()
        coarse.resize((size, size), Image.Resampling.BICUBIC).save(held, "JPEG", quality=92)
        pictures.append(held.getvalue())
    for number in range(count):
        (folder / f"{number:05}.jpg").write_bytes(pictures[number % len(pictures)] + str(number).encode())


class Planted(EncodedShelf):
    """Has an entry for whatever it is asked."""

    latents = torch.zeros(2, 4, 128, 128)

    def get(self, key: str) -> dict[str, torch.Tensor] | None:
        """Put what is not there yet."""
        if (entry := super().get(key)) is None:
            self.put(key, {"mean": self.latents[0].clone(), "std": self.latents[1].clone()})
            entry = super().get(key)
        return entry


def start(recipe: Recipe, *, plants: bool) -> dict:
    """Plan and read all latents; what each costs."""
    told = {}
    before = time.perf_counter(), time.process_time()
    plan = make_plan(recipe)
    told["plan_wall_s"], told["plan_cpu_s"] = time.perf_counter() - before[0], time.process_time() - before[1]
    made = []
    before = time.perf_counter(), time.process_time()
    with (Planted if plants else EncodedShelf)(encoded_folder(), round(recipe.cache_gb * 1e9)) as shelf:
        encode_dataset(plan, "cpu", shelf, made.append)
    told["read_wall_s"], told["read_cpu_s"] = time.perf_counter() - before[0], time.process_time() - before[1]
    return {"pictures": len(made), "encoded": sum(made), **{name: round(value, 2) for name, value in told.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2265)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--recipe", help=argparse.SUPPRESS)
    parser.add_argument("--plants", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.recipe:
        print(json.dumps(start(Recipe.from_dict(json.loads(options.recipe)), plants=options.plants)))
        return
    with tempfile.TemporaryDirectory() as made:
        root = options.keep or Path(made)
        draw(root / "img" / "1_ohwx man", options.pictures, options.size)
        base = draw_tiny(root)[0]
        values = {"base": str(base), "train": str(root / "img"), "output": str(root / "out"), "epochs": 1}
        values |= {"resolution": options.size, "validation": 0, "checkpointing": False, "cache_gb": 20}
        environment = {**os.environ, "XDG_CACHE_HOME": str(root / "cache"), "LOCALAPPDATA": str(root / "cache")}
        command = [sys.executable, __file__, "--recipe", json.dumps(values)]

        def again(*more: str) -> dict:
            done = subprocess.run([*command, *more], check=True, stdout=subprocess.PIPE, env=environment)
            return json.loads(done.stdout)

        again("--plants")
        time.sleep(4)  # until the files' times prove that they are as they were
        runs = [again(), again()]
    print(json.dumps(runs) if options.json else "\n".join(map(str, runs)))


if __name__ == "__main__":
    main()
