"""Style kept and the fallback of likeness, where the truth is known: in the toy world.

usage: python bench/measures.py [--checkpoint FILE] [--people 3] [--first 0] [--demo DIR]

People, scenes and seeds that no choice was made by. Likeness: a subject with 15 photographs against 60 other men; then,
in each style, 40 men who share 0 to 7 of his seven traits: Spearman's correlation of the measure with that share, and
of the measure with the shares dealt anew (the control, near 0). Style kept: 12 men drawn in each style stand for the
base's pictures; others drawn in it against others as photographs: AUC, and the same with the labels dealt anew.

--demo adds pictures of trained checkpoints: a finished `ohwx demo`. The base is asked for "man" in its styles (control
pictures, drawn into DIR/judge/controls), and the reader's words stand for the truth, which errs itself.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.control import Control
from ohwx_compare.demo.sizes import BASE, WHOLE, subject_prompt
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.judge.latent_likeness import latent_probe
from ohwx_compare.judge.measure import MeasureContext
from ohwx_compare.judge.style_kept import StyleKept, style_looks
from ohwx_compare.judge.vae_sight import VaeSight
from ohwx_compare.toy.checkpoint import write_checkpoint
from ohwx_compare.toy.person import Person, random_person, random_pose, random_scene
from ohwx_compare.toy.portrait import Portrait, draw_portrait
from ohwx_compare.toy.reader import LIKENESS_FIELDS, load_reader
from ohwx_compare.toy.styles import PHOTO, STYLES

SIZE = 96
DRAWN = STYLES[1:]


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Of the mean ranks."""
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    return np.asarray((found[:, None] > found).sum(1) + (found[:, None] == found).sum(1) / 2, np.float64)


def auc(kept: Sequence[float], lost: Sequence[float]) -> float:
    """Share of pairs in which `kept` has more, equal ones half."""
    apart = np.subtract.outer(np.asarray(kept), np.asarray(lost))
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def portrait(random: Random, style: str, person: Person | None = None) -> Portrait:
    """A man, or that one, somewhere in that style."""
    shown = person or random_person(random, "man")
    return draw_portrait(
        shown, random_scene(random), random_pose(random), style, size=SIZE, seed=random.randrange(1 << 30)
    )


def likeness(sight: VaeSight, name: str) -> Mapping[str, tuple[float, float]]:
    """By style: correlation of the fallback with the truth, and with the truth dealt anew."""
    random = Random(name)
    subject = random_person(random, "man")

    def latents(shown: Sequence[Portrait]) -> NDArray[np.float64]:
        return sight.faces([one.image for one in shown], [one.face for one in shown])

    person = latents([portrait(random, PHOTO, subject) for _ in range(15)])
    probe = latent_probe(person, latents([portrait(random, PHOTO) for _ in range(60)]))
    found = {}
    for style in STYLES:
        people = [_like(subject, number % 8, random) for number in range(40)]
        truth = [sum(getattr(one, f) == getattr(subject, f) for f in LIKENESS_FIELDS) for one in people]
        said = probe(latents([portrait(random, style, one) for one in people])).tolist()
        found[style] = spearman(said, truth), spearman(said, random.sample(truth, len(truth)))
    return found


def _like(subject: Person, shared: int, random: Random) -> Person:
    """Another man with so many of the subject's traits, and whatever chance adds."""
    names = random.sample(list(LIKENESS_FIELDS), shared)
    return replace(random_person(random, "man"), **{name: getattr(subject, name) for name in names})


def style_kept(sight: VaeSight, name: str) -> Mapping[str, tuple[float, float, float]]:
    """By style: AUC against photographs, the same dealt anew, share of 40 pictures that is called rightly."""
    random = Random(name)

    def textures(style: str, count: int) -> NDArray[np.float64]:
        return sight.texture(portrait(random, style).image for _ in range(count))

    looks = style_looks({"" if style == PHOTO else style: textures(style, 12) for style in STYLES})
    photos = textures(PHOTO, 20)
    found = {}
    for style in DRAWN:
        kept, lost = (looks.margins(rows, style) for rows in (textures(style, 20), photos))
        dealt = random.sample([*kept, *lost], 40)
        right = float(((kept > 0).mean() + (lost <= 0).mean()) / 2)
        found[style] = auc(kept, lost), auc(dealt[:20], dealt[20:]), right
    return found


def demo_pictures(sight: VaeSight, demo: Path) -> None:
    """Style kept on pictures of checkpoints, the base's control pictures beside, against the reader's word."""
    plain = replace(WHOLE, seeds=(1, 2, 3, 4)).comparison("")
    base = CheckpointRef(BASE)
    wanted = replace(plain, axes=(Axis("checkpoint", (base,)), *plain.axes[1:]), faces=())
    host, out = NativeHost([demo], device="cpu"), demo / "judge" / "controls"
    try:
        draw_run(
            wanted.with_control(Control.of(base, "ohwx man")), host, lambda name: None, out, lambda event: None,
            resolve=in_folder(demo, {}), options=Options(batch=8),
        )  # fmt: skip
    finally:
        host.close()
    controls: dict[str, list[Path]] = {}
    by_prompt = {subject_prompt(style): style for style in STYLES}
    for cell in open_run(out).cells:
        asked = next(label for label in cell.cell.labels if label in by_prompt)
        controls.setdefault(by_prompt[asked], []).append(out / str(cell.result.image))
    measure, reader, run = StyleKept(sight, controls), load_reader(), open_run(demo / "comparison")
    for style in DRAWN:
        asked = [c for c in run.cells if c.result.before and c.cell.job.prompt == subject_prompt(style)]
        if not asked:
            continue
        images = [load_rgb(run.folder / str(cell.result.before)) for cell in asked]
        said = np.array([score.value for score in measure.score(images, MeasureContext(style=style))])
        read = [max(one["style"], key=one["style"].__getitem__) for one in reader.read(images)]
        kept = np.array([one == style for one in read])
        shown = f"{kept.sum()} of {len(kept)} kept by the reader, {(said >= 0.5).sum()} by the measure"
        both = bool(kept.any() and not kept.all())
        print(f"demo, {style:14} {shown}, agree {((said >= 0.5) == kept).mean():.2f}", end="")
        print(f", AUC {auc(said[kept], said[~kept]):.2f}" if both else "", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="whose VAE to look with (default: the toy's)")
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--demo", type=Path, help="folder of a finished `ohwx demo`")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = options.checkpoint or Path(folder, "toy.safetensors")
        if not options.checkpoint:
            write_checkpoint(checkpoint)
        sight = VaeSight.load(checkpoint)
    if options.demo:
        demo_pictures(sight, options.demo)
    people = range(options.first, options.first + options.people)
    styles = [style_kept(sight, f"style kept of {number}") for number in people]
    for style in DRAWN:
        told, dealt, right = np.mean([one[style] for one in styles], axis=0)
        print(f"style kept, {style:14} AUC {told:.3f}, dealt anew {dealt:.3f}, called rightly {right:.2f}", flush=True)
    found = []
    for number in people:
        found.append(likeness(sight, f"likeness of {number}"))
        told = ", ".join(f"{style} {value:.2f}" for style, (value, _) in found[-1].items())
        print(f"person {number}: {told}", flush=True)
    for style in STYLES:
        told, dealt = np.mean([one[style] for one in found], axis=0)
        print(f"likeness, {style:14} Spearman {told:.3f}, dealt anew {dealt:.3f}", flush=True)


if __name__ == "__main__":
    main()
