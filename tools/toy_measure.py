"""Measure the toy checkpoint: draw prompts and seeds that no lesson held, and read them back.

    python tools/toy_measure.py CHECKPOINT OUT [--pictures 600] [--sampler "Euler a"] [--schedule Automatic]
                                [--steps 16] [--cfg 2.5]

A word counts where the prompt named it and it can be seen. Beside these pictures: the toy world's own of the same
people, those through the VAE, and as a control the pictures held against each other's words. Writes OUT/measured.md,
the pictures into OUT/drawn and a row of each style into OUT/styles.jpg; prints the table.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.render import txt2img
from ohwx_compare.engine.weights import Model, load
from ohwx_compare.files.images import write_png
from ohwx_compare.toy import portrait
from ohwx_compare.toy.person import Person, Scene, random_person, random_pose, random_scene
from ohwx_compare.toy.portrait import caption
from ohwx_compare.toy.reader import is_visible, load_reader
from ohwx_compare.toy.styles import STYLES

SIZE, BATCH, COLUMNS = 96, 20, 12
HOW = {"sampler": "Euler a", "schedule": "Automatic", "steps": 16, "cfg": 2.5}  # chosen on other prompts


def asked(number: int) -> tuple[str, Person, Scene, str, Random]:
    """A prompt that no lesson held, and all that it was made from; styles take turns."""
    random = Random(f"held out {number}")
    kind, style = random.choice(("man", "woman")), STYLES[number % len(STYLES)]
    person, scene = random_person(random, kind), random_scene(random)
    return caption(person, scene, style, random, detail=0.6), person, scene, style, random


def truth(number: int) -> tuple[dict[str, str], list[str]]:
    """What that prompt's picture should show, and the fields that the prompt names and the picture can show."""
    prompt, person, scene, style, _ = asked(number)
    found = {"style": style, **asdict(person), **asdict(scene)}
    return found, [field for field in found if is_named(field, prompt, found) and is_visible(field, found)]


def is_named(field: str, prompt: str, truth: Mapping[str, str]) -> bool:
    """Whether a caption says that field of what is true."""
    words = {
        "style": "",
        "kind": "",
        "hair": f"{truth['hair']} hair",
        "hairstyle": "with a bald head" if truth["hairstyle"] == "bald" else f"with {truth['hairstyle']} ",
        "beard": "clean-shaven"
        if truth["beard"] == "none"
        else {"moustache": "moustache", "full": "beard"}[truth["beard"]],
        "eyes": f"{truth['eyes']} eyes",
        "glasses": "without glasses" if truth["glasses"] == "none" else f"{truth['glasses']} glasses",
        "garment": f" {truth['garment']}",
        "colour": f"wearing a {truth['colour']} ",
        "background": f"{truth['background']} background",
    }
    return field in words and words[field] in prompt


def drawn(model: Model, numbers: Sequence[int], how: Mapping[str, Any] = HOW) -> list[Image.Image]:
    """The pictures of the prompts of these numbers; how: those fields of a `Job`."""
    jobs = [Job(prompt=asked(n)[0], seed=100_000 + n, width=SIZE, height=SIZE, rng="CPU", **how) for n in numbers]
    return [picture.image for at in range(0, len(jobs), BATCH) for picture in txt2img(model, jobs[at : at + BATCH])]


def true(count: int) -> list[Image.Image]:
    """The toy world's own pictures of the same people in the same scenes."""
    return [
        portrait.draw_portrait(person, scene, random_pose(random), style, size=SIZE, seed=n).image
        for n in range(count)
        for _, person, scene, style, random in [asked(n)]
    ]


@torch.no_grad()
def through_vae(model: Model, images: Sequence[Image.Image]) -> list[Image.Image]:
    """Encoded and decoded: the best that any latent of this model can show."""
    found = []
    for image in images:
        x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].to(model.dtype) / 127.5 - 1
        y = model.vae.decode(model.vae.encode(x)[:, :4])[0].float().clamp(-1, 1)
        found.append(Image.fromarray(((y.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()))
    return found


Pairs = dict[tuple[str, str], list[tuple[str, str]]]  # field and style -> (read, true) of each picture


def pairs(images: Sequence[Image.Image]) -> Pairs:
    """What the reader reads beside what is true, of every field that counts."""
    found = defaultdict(list)
    for number, reading in enumerate(load_reader().read(list(images))):
        true_words, fields = truth(number)
        for field in fields:
            found[field, true_words["style"]].append((max(reading[field], key=reading[field].get), true_words[field]))
    return found


def table(of: Mapping[str, Pairs]) -> str:
    """Shares that are right, in Markdown: a row for each field, a column for each kind of picture and then style."""
    first = of["from the prompt"]
    fields = list(dict.fromkeys(field for field, _ in first))
    lines = [
        f"| read as asked | {' | '.join([*of, 'shuffled', *STYLES])} |",
        "|---" * (len(of) + 2 + len(STYLES)) + "|",
    ]
    for field in fields:
        whole = {name: [*chain.from_iterable(each[field, style] for style in STYLES)] for name, each in of.items()}
        read, said = zip(*whole["from the prompt"], strict=True)
        cells = [*whole.values(), [*zip(read, Random(0).sample(said, len(said)), strict=True)]]
        cells += [first[field, style] for style in STYLES]
        lines.append(f"| {field} | {' | '.join(map(_share, cells))} |")
    return "\n".join(lines) + "\n"


def _share(found: Sequence[tuple[str, str]]) -> str:
    return f"{100 * sum(read == said for read, said in found) / len(found):.0f} % of {len(found)}" if found else "-"


def sheet(images: Sequence[Image.Image]) -> Image.Image:
    """A row for each style."""
    whole = Image.new("RGB", (COLUMNS * SIZE, len(STYLES) * SIZE))
    for number, image in enumerate(images[: COLUMNS * len(STYLES)]):
        column, row = divmod(number, len(STYLES))
        whole.paste(image, (column * SIZE, row * SIZE))
    return whole


def main() -> None:
    """Draw, read, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=600)
    for name, value in HOW.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    options = parser.parse_args()
    (options.out / "drawn").mkdir(parents=True, exist_ok=True)
    model, originals = load(options.checkpoint), true(options.pictures)
    images = drawn(model, range(options.pictures), {name: getattr(options, name) for name in HOW})
    sheet(images).save(options.out / "styles.jpg", quality=65)
    for number, image in enumerate(images):
        write_png(options.out / "drawn" / f"{number:03}.png", image, asked(number)[0])
    kinds = {"from the prompt": images, "true": originals, "through the VAE": through_vae(model, originals)}
    measured = table({name: pairs(shown) for name, shown in kinds.items()})
    (options.out / "measured.md").write_text(measured, encoding="utf-8")
    print(measured)


if __name__ == "__main__":
    main()
