"""What a LoRA and a DoRA learn in the toy world, beside DreamBooth with the same pictures and exposures.

    python bench/lora_training.py DEMO lora:1e-3 lora:3e-3 dora:3e-3

trains in the folder of a demo (`ohwx demo --quick --out DEMO`), with its recipe without regularization images and
another `network` and rate, draws the subject in every style by each save, and prints the mean likeness that the toy's
reader sees: in "photo", and in all styles.
"""

import sys
from dataclasses import replace
from pathlib import Path

from ohwx_compare.cli.bar import Bar
from ohwx_compare.core.request.job import Job
from ohwx_compare.demo.sizes import PICTURE_SIDE, QUICK
from ohwx_compare.hosts.native import Beside, NativeHost
from ohwx_compare.toy.person import OHWX_MAN
from ohwx_compare.toy.reader import likeness, load_reader
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import read_recipe
from ohwx_compare.train.run.loop import train

SEEDS = (1, 2, 3, 4)
RANK = 16


def main(demo: Path, kinds: list[str]) -> None:
    """A row for DreamBooth and for each kind, a column for each save."""
    recipe = read_recipe(demo / "no-reg" / "recipe.json")
    plan = make_plan(recipe)
    print(f"| | {' | '.join(f'{save.exposures:g} exposures' for save in plan.saves)} |")
    print("|---" * (len(plan.saves) + 1) + "|")
    base = Path(recipe.base)
    row("the base", [(base, "")] * len(plan.saves), Beside(), demo)
    row("DreamBooth", [(Path(recipe.output) / f"{save.name}.safetensors", "") for save in plan.saves], Beside(), demo)
    for kind in kinds:
        network, _, rate = kind.partition(":")
        output = demo / f"{network} {rate}"
        low = replace(recipe, network=network, network_rank=RANK, lr_unet=float(rate), output=str(output), name="low")
        bar = Bar()
        train(make_plan(low), bar)
        bar.close()
        tags = [(base, f" <lora:{save.name.replace(recipe.name, 'low', 1)}:1>") for save in plan.saves]
        row(f"{network}, rank {RANK}, rate {rate}", tags, Beside(loras=[output]), demo)


def row(name: str, drawn_by: list[tuple[Path, str]], beside: Beside, demo: Path) -> None:
    """Print the likeness in photos and in all styles for each checkpoint and tag."""
    reader = load_reader()
    host = NativeHost([demo / "checkpoints", demo / "no-reg"], device="cpu", beside=beside)
    cells: list[str] = []
    for path, tag in drawn_by:
        host.use(next(one for one in host.checkpoints() if one.path == path.absolute()))
        by_prompt = {}
        for prompt in QUICK.subject_prompts:
            job = Job(
                prompt=prompt + tag, seed=1, steps=12, sampler="DPM++ 2M SDE", schedule="Karras", cfg=3.0,
                width=PICTURE_SIDE, height=PICTURE_SIDE, rng="CPU",
            )  # fmt: skip
            images = [result.image for result in host.render([replace(job, seed=seed) for seed in SEEDS])]
            read = [likeness(reading, OHWX_MAN) for reading in reader.read(images)]
            by_prompt[prompt] = sum(read) / len(read)
        photo = next(value for prompt, value in by_prompt.items() if prompt.startswith("photo"))
        cells.append(f"{photo:.2f}, {sum(by_prompt.values()) / len(by_prompt):.2f}")
    host.close()
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
