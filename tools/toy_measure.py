"""Measure the toy checkpoint: draw prompts and seeds that no lesson held, and read them back.

    python tools/toy_measure.py CHECKPOINT OUT [--pictures 300] [--steps 20] [--cfg 5]

A word counts where the prompt named it and it can be seen. Writes OUT/measured.json, OUT/measured.md and a row of
pictures for each style, OUT/styles.jpg; prints the table.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from random import Random

from PIL import Image

from ohwx_compare.core.job import Job
from ohwx_compare.engine.render import txt2img
from ohwx_compare.engine.weights import load
from ohwx_compare.toy.person import random_person, random_scene
from ohwx_compare.toy.portrait import caption
from ohwx_compare.toy.reader import is_visible, load_reader
from ohwx_compare.toy.styles import STYLES

SIZE, BATCH, COLUMNS = 96, 20, 12


def asked(number: int) -> tuple[str, dict[str, str], list[str]]:
    """A prompt that no lesson held, all that it was made from, and the fields that it names; styles take turns."""
    random = Random(f"held out {number}")
    kind, style = random.choice(("man", "woman")), STYLES[number % len(STYLES)]
    person, scene = random_person(random, kind), random_scene(random)
    prompt = caption(person, scene, style, random, detail=0.6)
    truth = {"style": style, **asdict(person), **asdict(scene)}
    return prompt, truth, [field for field in truth if _is_named(field, prompt, truth)]


def _is_named(field: str, prompt: str, truth: Mapping[str, str]) -> bool:
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


def draw(checkpoint: Path, count: int, steps: int, cfg: float) -> list[Image.Image]:
    """The pictures of the first `count` prompts."""
    model = load(checkpoint)
    jobs = [
        Job(prompt=asked(n)[0], seed=100_000 + n, steps=steps, cfg=cfg, width=SIZE, height=SIZE, rng="CPU",
            sampler="DPM++ 2M", schedule="Karras")
        for n in range(count)
    ]  # fmt: skip
    return [picture.image for at in range(0, count, BATCH) for picture in txt2img(model, jobs[at : at + BATCH])]


def main() -> None:
    """Draw, read, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=5.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    images = draw(options.checkpoint, options.pictures, options.steps, options.cfg)
    right, shown = defaultdict(list), defaultdict(list)
    for number, (image, reading) in enumerate(zip(images, load_reader().read(images), strict=True)):
        _, truth, named = asked(number)
        shown[truth["style"]].append(image)
        for field in named:
            if is_visible(field, truth):
                is_right = max(reading[field], key=reading[field].get) == truth[field]
                right[field, truth["style"]].append(is_right)
    sheet = Image.new("RGB", (COLUMNS * SIZE, len(STYLES) * SIZE))
    for row, style in enumerate(STYLES):
        for column, picture in enumerate(shown[style][:COLUMNS]):
            sheet.paste(picture, (column * SIZE, row * SIZE))
    sheet.save(options.out / "styles.jpg", quality=90)
    fields = list(dict.fromkeys(field for field, _ in right))
    lines = [f"| read as asked | all | {' | '.join(STYLES)} |", "|---" * (len(STYLES) + 2) + "|"]
    for field in fields:
        each = [right[field, style] for style in STYLES]
        lines.append(f"| {field} | {_share([*chain.from_iterable(each)])} | {' | '.join(map(_share, each))} |")
    (options.out / "measured.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = {f"{field}, {style}": [sum(r), len(r)] for (field, style), r in right.items()}
    (options.out / "measured.json").write_text(json.dumps(counts, indent=1), encoding="utf-8")
    print("\n".join(lines))


def _share(right: list[bool]) -> str:
    return f"{100 * sum(right) / len(right):.0f} % of {len(right)}" if right else "-"


if __name__ == "__main__":
    main()
