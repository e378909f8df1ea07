"""The judge on real pictures where nothing differs, two trainings of one recipe, and what seeds share across styles.

usage: python bench/judge_rendered.py DEMO [--experiments 50] [--shared]

DEMO is the folder of a finished `ohwx demo`. An experiment is six styles x four seeds of two "arms" that are the same
checkpoint with other seeds, each style with seeds of its own: a pair of a real comparison shares its seed, whose own
effect so cancels, while here it would not. Exit status 1 where more than 6 of 50 are clear, which a judge that errs in
5 % does once in 85. The second training has the demo's recipe without regularization images and another training seed;
both are judged as a user would, by their pictures alone.

--shared adds what that leaves out: the same with seeds that all styles share, and how much of the difference of two
checkpoints is a seed's, alike in all styles. Everything lies in DEMO/judge; the same command resumes it.
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
from ohwx_compare.demo.sizes import WHOLE, subject_prompt
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.judge.effects import effect
from ohwx_compare.judge.seeds import other_seeds, seed_variance
from ohwx_compare.judge.verdict import Word, verdict
from ohwx_compare.judge.words import Clause, line
from ohwx_compare.toy.person import OHWX_MAN
from ohwx_compare.toy.reader import likeness, load_reader
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.run.loop import train

SEEDS = 4
CHECKPOINT = "no-reg/no-reg-000060.safetensors"
OTHERS = ("judge/again/again-000060.safetensors", "reg/reg-000060.safetensors")
OWN, SHARED = 700_001, 300_001  # first seeds, fixed before any was drawn
APART = 10_000  # between the styles' own seeds
PAIRS = 200  # seeds of two checkpoints
TOGETHER = 32  # pictures read at once


def experiment(files: Sequence[str], seeds: Sequence[int], styles: Sequence[str] = WHOLE.styles) -> Experiment:
    """These checkpoints over styles with the demo's settings, without a face pass."""
    whole = replace(WHOLE, styles=tuple(styles), seeds=tuple(seeds)).comparison("")
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
            found[place] = likeness(seen, OHWX_MAN), subject_prompt(style) == key[1]
    return found


def say(name: str, values: NDArray[np.float64], *, is_share: bool = False) -> tuple[bool, bool]:
    """Print the clause of (K, M) differences; whether it is more or less, and whether of these seeds only."""
    found, wider = effect(values), other_seeds(values)
    told = verdict(found, is_share=is_share, wider=wider)
    print(line(Clause(subject=name, more="", less="", effect=found, verdict=told, wider=wider)), flush=True)
    return told.word in (Word.MORE, Word.LESS), told.of_these_seeds


def against_itself(found: NDArray[np.float64], name: str) -> int:
    """Judge (styles, seeds, 2) pictures of one checkpoint as two arms; how many are clear in likeness."""
    count = found.shape[1] // (2 * SEEDS)
    arms = found.reshape(len(found), count, 2, SEEDS, 2)
    apart = arms[:, :, 1] - arms[:, :, 0]  # (styles, experiments, seeds, 2)
    likeness = [say(f"{name}, {n + 1}, likeness", apart[:, n, :, 0]) for n in range(count)]
    drawn = apart[1:, :, :, 1]  # a photograph has no style to keep; five styles are left, read by their seeds
    kept = [say(f"{name}, {n + 1}, style kept", drawn[:, n], is_share=True) for n in range(count)]
    clear = sum(is_clear for is_clear, _ in likeness)
    seeds = sum(is_clear and of_these for is_clear, of_these in likeness)
    print(
        f"{name}: likeness clear in {clear} of {count} ({seeds} of these seeds only), "
        f"style kept in {sum(is_clear for is_clear, _ in kept)}"
    )
    return clear


def own_seeds(demo: Path, count: int) -> NDArray[np.float64]:
    """(styles, seeds, 2) of `CHECKPOINT`, each style with seeds of its own."""
    rows = []
    for place, style in enumerate(WHOLE.styles):
        seeds = range(OWN + APART * place, OWN + APART * place + 2 * SEEDS * count)
        rows.append(pictures(demo, f"own-seeds-{place}", experiment([CHECKPOINT], seeds, [style]))[0, 0])
    return np.stack(rows)


def shared_seeds(demo: Path, count: int) -> None:
    """The same with equal seeds in all styles, then pairs of checkpoints: what part of their variance seeds share."""
    seeds = range(SHARED, SHARED + 2 * SEEDS * max(count, PAIRS // (2 * SEEDS)))
    first = pictures(demo, "alike-no-reg-000060", experiment([CHECKPOINT], seeds))[0]
    against_itself(first[:, : 2 * SEEDS * count], "itself, seeds shared")
    for file in OTHERS:
        other = pictures(demo, f"paired-{Path(file).stem}", experiment([file], seeds[:PAIRS]))[0]
        for place, name in enumerate(("likeness", "style kept")):
            pairs = (other - first[:, :PAIRS])[place:, :, place]
            found = seed_variance(pairs)
            share = found.shared / (found.shared + found.rest)
            print(
                f"{Path(file).stem} minus no-reg-000060, {name}: seeds share {share:.1%} of the variance within styles"
            )


def two_trainings(demo: Path) -> None:
    """The demo's recipe without regularization images, trained again with another seed: what training chance does."""
    recipe = replace(WHOLE.recipe(demo, "no-reg"), output=str(demo / "judge" / "again"), name="again", seed=43)
    train(make_plan(recipe), lambda event: None)
    first = [one.file for one in WHOLE.trained() if one.arm == "no-reg"]
    again = [f"judge/again/{Path(file).name.replace('no-reg', 'again')}" for file in first]
    found = pictures(demo, "two-trainings", experiment([*first, *again], WHOLE.seeds))
    apart = found[len(first) :] - found[: len(first)]  # (exposures, styles, seeds, 2)
    for file, values in zip(first, apart, strict=True):
        say(f"two trainings of one recipe, {Path(file).stem}, likeness", values[..., 0])
    say("two trainings of one recipe, all exposures, likeness", apart[..., 0].mean(0))
    say("two trainings of one recipe, all exposures, style kept", apart[:, 1:, :, 1].mean(0), is_share=True)


def main() -> int:
    """Generate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--experiments", type=int, default=50)
    parser.add_argument("--shared", action="store_true", help="seeds shared among styles too; twice the pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    two_trainings(options.demo)
    if options.shared:
        shared_seeds(options.demo, options.experiments)
    clear = against_itself(own_seeds(options.demo, options.experiments), "itself, each style its own seeds")
    return int(clear > 0.12 * options.experiments)


if __name__ == "__main__":
    sys.exit(main())
