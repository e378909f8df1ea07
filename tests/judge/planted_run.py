"""A run folder whose truth is known: a face is a square, its colour says how alike it is, a corner marks the style.

40 levels of a channel are 1 apart for the reader, so its distances are those of faces. Two trainings of three saves
each: with regularization images the face is nearer to the person, and the style is drawn less often.
"""

import json
import struct
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.detect import Detection
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.ledger.rows import CheckpointRow, Result
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.judge.measure import STYLE_KEPT, Asked, MeasureWords, Score, measure_key

ME, OTHER = np.array([200, 100, 50]), np.array([190, 70, 50])
EXPOSURES = (30, 60, 90)
STYLES = ("photo", "night photo", "oil painting", "impressionist", "cartoon", "comic", "anime", "pencil", "3d render")
"""The person and a stranger look the same in pencil; no filter stands for 3d."""

SEEDS = (1, 2, 3, 4)


class SquareDetector:
    """Finds squares on black by the columns that they stand in."""

    name, sha256, kind, note = "squares", "5" * 64, "drawn", ""

    def detect(self, images, confidence):
        return [list(self._squares(np.asarray(image.convert("RGB")).max(2) > 24)) for image in images]

    def _squares(self, lit):
        lit = lit.copy()
        lit[:4] = False  # the corner's mark
        edges = np.flatnonzero(np.diff(np.pad(lit.any(0).astype(int), 1)))
        for left, right in edges.reshape(-1, 2):
            rows = np.flatnonzero(lit[:, left:right].any(1))
            yield Detection(Box(float(left), float(rows[0]), float(right), float(rows[-1] + 1)), 0.9)


class ColourReader:
    """The colour in a box's middle, in steps of 40."""

    def read(self, images, boxes):
        middles = [(int((b.x1 + b.x2) / 2), int((b.y1 + b.y2) / 2)) for b in boxes]
        colours = [image.getpixel(middle) for image, middle in zip(images, middles, strict=True)]
        return np.array(colours, np.float32).reshape(-1, 3) / 40


class CornerStyle:
    """Style kept: the corner is white. Counts what it is given."""

    name, version, sha256, licence, needs = STYLE_KEPT, 1, "", "none", ()
    words = MeasureWords(
        title="Style kept", subject="style kept", more="the style kept more often", less="the style kept less often",
        is_share=True,
    )  # fmt: skip
    asked, takes_before, settings = Asked.SUBJECT, False, {}
    key = measure_key(name, version)

    def __init__(self):
        self.seen = []

    def score(self, pictures, context):
        self.seen.append((context.style, len(pictures)))
        return [Score(float(image.getpixel((0, 0)) == (255, 255, 255))) for image in pictures]


@dataclass(frozen=True)
class Planted:
    """How alike a checkpoint's faces are, 0 to 1, and how often it draws the style."""

    name: str
    alike: float
    style: float
    record: dict | None = None
    drift: float = 0.0  # how alike "a man" is


def picture(colour, *, has_style=True, side=64):
    image = Image.new("RGB", (side, side))
    if has_style:
        image.putpixel((0, 0), (255, 255, 255))
    if colour is not None:
        ImageDraw.Draw(image).rectangle((16, 16, 47, 47), fill=tuple(round(each) for each in colour))
    return image


def record(exposures, *, reg=False, seed=0, base="0" * 64):
    recipe = {"name": "reg" if reg else "no-reg", "seed": seed, "reg": "man" if reg else None, "lr_unet": 1e-5}
    return {"recipe": recipe, "exposures": exposures, "base_sha256": base, "captions": ["ohwx man"]}


def checkpoint_file(path, said=None):
    """A checkpoint without tensors; what it says of its training makes its bytes its own."""
    metadata = {"name": path.name, **({"ohwx.training": json.dumps(said)} if said else {})}
    header = json.dumps({"__metadata__": metadata}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def trainings(base_sha256):
    """Both trainings' saves; likeness rises with the exposures, and more with regularization images."""
    for exposures in EXPOSURES:
        rise = exposures / 300
        yield Planted(f"no-reg-{exposures:06d}", 0.3 + rise, 0.9, record(exposures, base=base_sha256), drift=0.6)
        yield Planted(f"reg-{exposures:06d}", 0.5 + rise, 0.4, record(exposures, reg=True, base=base_sha256), drift=0.1)


def planted_run(
    folder, *, styles=STYLES, seeds=SEEDS, saves=trainings, has_face_pass=False, faceless=(), of_class=(), draw=None
):
    """Write the run folder, and return it.

    faceless: (checkpoint, seed) whose pictures have no face. of_class: prompts without the token. draw: gives the
    picture of (planted, job) in place of a square. A base that lies there is taken.
    """
    models = folder / "models"
    base = models / "base.safetensors"
    if not base.exists():
        checkpoint_file(base)
    planted = [Planted("base", 0.0, 1.0), *(saves(sha256(base)) if callable(saves) else saves)]
    files = {each.name: checkpoint_file(models / f"{each.name}.safetensors", each.record) for each in planted[1:]}
    files["base"] = base
    prompts = [*(f"{style} of ohwx man" for style in styles), *of_class]
    axes = (
        Axis("checkpoint", tuple(CheckpointRef(f"{each.name}.safetensors") for each in planted)),
        *([Axis.read("prompt", prompts)] if len(prompts) > 1 else []),
        Axis("seed", tuple(seeds)),
    )
    experiment = Experiment(job=Job(prompt=prompts[0], seed=seeds[0], width=64, height=64), axes=axes)
    run = folder / "run"
    for part in ("images", "thumbs"):
        (run / part).mkdir(parents=True)
    with Ledger(run) as ledger:
        ledger.plan(experiment)
        for each in planted:
            path = files[each.name]
            stat = path.stat()
            row = CheckpointRow(ref=f"{each.name}.safetensors", path=str(path), sha256=sha256(path), size=stat.st_size,
                                modified_ns=stat.st_mtime_ns)  # fmt: skip
            ledger.remember(row)
        by_name = {f"{each.name}.safetensors": each for each in planted}
        for cell in experiment.cells():
            which = by_name[cell.checkpoint.name]
            if draw:
                ledger.commit(cell, _kept(run, cell, {"before": draw(which, cell.job)}))
            else:
                ledger.commit(cell, _drawn(run, cell, which, has_face_pass, faceless))
    return run


def _drawn(run, cell, planted, has_face_pass, faceless):
    chance = Random(f"{planted.name} {cell.job.prompt} {cell.job.seed}")
    alike = (planted.alike if "ohwx" in cell.job.prompt else planted.drift) + chance.gauss(0, 0.05)
    is_pencil = cell.job.prompt.startswith("pencil")
    colour = np.array([250, 250, 250]) if is_pencil else OTHER + (ME - OTHER) * alike
    if (planted.name, cell.job.seed) in faceless:
        colour = None
    has_style = chance.random() < planted.style
    stages = {"before": colour, "after": colour} if has_face_pass else {"before": colour}
    if has_face_pass and colour is not None:
        stages["before"] = OTHER + (colour - OTHER) * 0.5
    images = {stage: picture(shade, has_style=has_style) for stage, shade in stages.items()}
    return _kept(run, cell, images)


def _kept(run, cell, images):
    """Save the pictures of a cell by stage, and say so."""
    written, has_face_pass = {}, len(images) > 1
    for stage, image in images.items():
        name = f"{cell.number:04d}{'-before' if has_face_pass and stage == 'before' else ''}"
        image.save(run / "images" / f"{name}.png")
        image.save(run / "thumbs" / f"{name}.jpg")
        written |= {stage: f"images/{name}.png", f"{stage}_thumb": f"thumbs/{name}.jpg"}
    key = f"{cell.number:08d}"
    outcome = Outcome.FACES if has_face_pass else Outcome.DRAWN
    return Result(outcome=outcome, before_key=f"b{key}", key=f"a{key}" if has_face_pass else f"b{key}", **written)


def photographs(folder, *shades):
    """Photographs of somebody of this colour, each a little different."""
    folder.mkdir(parents=True)
    for number, colour in enumerate(shades):
        shade = np.asarray(colour) + 4 * (number - len(shades) / 2)
        picture(shade, side=64).save(folder / f"{number}.png")
    return folder
