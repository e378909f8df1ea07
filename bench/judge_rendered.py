"""The judge on real pictures where nothing differs: one checkpoint against itself; and two trainings of one recipe.

usage: python bench/judge_rendered.py DEMO [--experiments 50] [--checkpoint no-reg/no-reg-000060.safetensors]

DEMO is the folder of a finished `ohwx demo`. An experiment is six styles x four seeds of two "arms" that are the
same checkpoint with other seeds. The second training has the demo's recipe without regularization images and another
training seed; both are judged as a user would, by their pictures alone. Everything lies in DEMO/judge; the same command
resumes it. Exit status 1 where more than 6 of 50 experiments are clear, which a judge that errs in 5 % does once in 85.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ohwx_compare.cli.bar import Bar
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.demo.sizes import WHOLE
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.judge.effects import Effect, effect
from ohwx_compare.judge.verdict import Word, verdict
from ohwx_compare.judge.words import Clause, line
from ohwx_compare.toy.person import OHWX_MAN
from ohwx_compare.toy.reader import likeness, load_reader
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.run.loop import train

SEEDS = 4
FIRST = 1001  # seeds that the demo does not have
TOGETHER = 32  # pictures read at once


def experiment(files: Sequence[str], seeds: Sequence[int]) -> Experiment:
    """These checkpoints over the demo's styles and settings, without a face pass."""
    whole = replace(WHOLE, seeds=tuple(seeds)).comparison("")
    checkpoints = Axis("checkpoint", tuple(map(CheckpointRef, files)))
    return replace(whole, axes=(checkpoints, *whole.axes[1:]), faces=())


def pictures(demo: Path, name: str, wanted: Experiment) -> NDArray[np.float64]:
    """Generate what is missing and read it: (checkpoints, styles, seeds, 2), likeness and whether style was kept."""
    hashes, out, bar = Hashes(cache_folder()), demo / "judge" / name, Bar()
    host = NativeHost([demo], device="cpu", hashes=hashes)
    try:
        draw_run(
            wanted, host, cache(lambda detector: find_detector(detector, [], device="cpu")), out, bar,
            resolve=in_folder(demo, {}, hashes), options=Options(batch=8),
        )  # fmt: skip
    finally:
        host.close()
        bar.close()
    files, prompts, seeds = (axis.values for axis in wanted.axes)
    places = [[one.name for one in files], [pair.prompt for pair in prompts], list(seeds)]
    found, reader, run = np.full((*map(len, places), 2), np.nan), load_reader(), open_run(out)
    for start in range(0, len(run.cells), TOGETHER):
        cells = [cell for cell in run.cells[start : start + TOGETHER] if cell.result.image]
        for cell, seen in zip(cells, reader.read([load_rgb(out / c.result.image) for c in cells]), strict=True):
            key = (cell.cell.checkpoint.name, cell.cell.job.prompt, cell.cell.job.seed)
            place = tuple(values.index(value) for values, value in zip(places, key, strict=True))
            style = max(seen["style"], key=seen["style"].__getitem__)
            found[place] = likeness(seen, OHWX_MAN), style == WHOLE.styles[place[1]]
    return found


def say(name: str, found: Effect, *, is_share: bool = False) -> bool:
    """Print the clause; whether it is more or less."""
    told = verdict(found, is_share=is_share)
    print(line(Clause(subject=name, more="", less="", effect=found, verdict=told)), flush=True)
    return told.word in (Word.MORE, Word.LESS)


def against_itself(demo: Path, checkpoint: str, count: int) -> int:
    """How many of `count` experiments are clear in likeness."""
    seeds = range(FIRST, FIRST + 2 * SEEDS * count)
    name = Path(checkpoint).stem
    found = pictures(demo, f"alike-{name}", experiment([checkpoint], seeds))[0]  # (styles, seeds, 2)
    arms = found.reshape(len(found), count, 2, SEEDS, 2)
    apart = arms[:, :, 1] - arms[:, :, 0]  # (styles, experiments, seeds, 2)
    clear = sum(say(f"{name}, {n + 1}, likeness", effect(apart[:, n, :, 0])) for n in range(count))
    drawn = slice(1, None)  # a photograph has no style to keep; five styles are left, read by their seeds
    kept = sum(say(f"{name}, {n + 1}, style kept", effect(apart[drawn, n, :, 1]), is_share=True) for n in range(count))
    print(f"{name} against itself: likeness clear in {clear} of {count}, style kept in {kept}")
    return clear


def two_trainings(demo: Path) -> None:
    """The demo's recipe without regularization images, trained again with another seed: what training chance does."""
    recipe = replace(WHOLE.recipe(demo, "no-reg"), output=str(demo / "judge" / "again"), name="again", seed=43)
    train(make_plan(recipe), lambda event: None)
    first = [one.file for one in WHOLE.trained() if one.arm == "no-reg"]
    again = [f"judge/again/{Path(file).name.replace('no-reg', 'again')}" for file in first]
    found = pictures(demo, "two-trainings", experiment([*first, *again], WHOLE.seeds))
    apart = found[len(first) :] - found[: len(first)]  # (exposures, styles, seeds, 2)
    for file, values in zip(first, apart, strict=True):
        say(f"two trainings of one recipe, {Path(file).stem}, likeness", effect(values[..., 0]))
    say("two trainings of one recipe, all exposures, likeness", effect(apart[..., 0].mean(0)))
    say("two trainings of one recipe, all exposures, style kept", effect(apart[:, 1:, :, 1].mean(0)), is_share=True)


def main() -> int:
    """Generate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--experiments", type=int, default=50)
    parser.add_argument("--checkpoint", default="no-reg/no-reg-000060.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    two_trainings(options.demo)
    clear = against_itself(options.demo, options.checkpoint, options.experiments)
    return int(clear > 0.12 * options.experiments)


if __name__ == "__main__":
    sys.exit(main())
