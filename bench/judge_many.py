"""What judging ten thousand pictures costs: time a picture, memory, a kill in the middle, the second call.

usage: python bench/judge_many.py --weights DIR [--pictures 10000] [--folder DIR] [--large 20]

Writes a run folder whose pictures of 96 px show one photograph (tests/goldens/astronaut.png) in other light: ten
checkpoints and their base, five styles, seeds as many as it takes. `ohwx judge` measures them by its default measures:
dlib's network on the faces that OpenCV's cascade finds, style kept by the toy's VAE, diversity. It is killed when a
third is measured, and called again, and once more. The same is done with a tenth of the pictures, for the memory. Then
each measure looks at --large pictures of 1024 px. CPU seconds, since wall time is the machine's.
"""

import argparse
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.detect import Cascade
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.ledger.rows import CheckpointRow, Result
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.judge.diversity import Diversity
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.measure import MeasureContext
from ohwx_compare.judge.references import FaceSight, read_references
from ohwx_compare.judge.style_kept import StyleKept
from ohwx_compare.judge.vae_sight import VaeSight
from ohwx_compare.judge.weights import FACE_LANDMARKS, FACE_NET, find_face_files
from ohwx_compare.toy.checkpoint import write_checkpoint

ASTRONAUT = Path(__file__).parents[1] / "tests" / "goldens" / "astronaut.png"
STYLES = ("photo", "oil painting", "watercolor", "cartoon", "pencil")
CHECKPOINTS = ("base", *(f"{kind}-{n:06d}" for kind in ("no-reg", "reg") for n in (30, 60, 90, 120, 150)))
TOLD = 1500  # scores from one telling to the next
ASKED = 3  # of the pictures are measured when it is killed: one in so many


def picture(number: int, side: int) -> Image.Image:
    """The photograph's middle in a light of its own; no two are alike."""
    chance = np.random.default_rng(number)
    lit = ImageEnhance.Brightness(face(side)).enhance(float(chance.uniform(0.6, 1.1)))
    return ImageEnhance.Color(lit).enhance(float(chance.uniform(0.3, 1.2)))


@cache
def face(side: int) -> Image.Image:
    """The photograph's middle."""
    return Image.open(ASTRONAUT).convert("RGB").crop((62, 27, 223, 188)).resize((side, side), Image.Resampling.LANCZOS)


def write_run(folder: Path, pictures: int, weights: Path) -> Path:
    """A run folder with its checkpoints, photographs and weights beside it."""
    models, run = folder / "models", folder / "run"
    models.mkdir(parents=True)
    (folder / "ohwx").mkdir()
    for file in (FACE_NET, FACE_LANDMARKS):
        shutil.copy(weights / file.name, folder / "ohwx")
    (folder / "photos").mkdir()
    for number in range(3):
        picture(10**6 + number, 512).save(folder / "photos" / f"{number}.png")
    write_checkpoint(models / "base.safetensors")
    for name in CHECKPOINTS[1:]:
        (models / f"{name}.safetensors").write_bytes(name.encode() * 100)
    (run / "images").mkdir(parents=True)
    axes = (
        Axis("checkpoint", tuple(CheckpointRef(f"{name}.safetensors") for name in CHECKPOINTS)),
        Axis.read("prompt", [f"{style} of ohwx man" for style in STYLES]),
        Axis("seed", tuple(range(1, -(-pictures // (len(CHECKPOINTS) * len(STYLES))) + 1))),
    )
    experiment = Experiment(job=Job(prompt=f"{STYLES[0]} of ohwx man", seed=1, width=96, height=96), axes=axes)
    with Ledger(run) as ledger:
        ledger.plan(experiment)
        for name in CHECKPOINTS:
            path = models / f"{name}.safetensors"
            stat = path.stat()
            row = CheckpointRow(ref=path.name, path=str(path), sha256=sha256(path), size=stat.st_size,
                                modified_ns=stat.st_mtime_ns)  # fmt: skip
            ledger.remember(row)
        for cell in experiment.cells():
            name, key = f"images/{cell.number:05d}.png", f"{cell.number:08d}"
            picture(cell.number, 96).save(run / name)
            ledger.commit(cell, Result(outcome=Outcome.DRAWN, before_key=key, key=key, before=name))
    return run


def judge(run: Path, until: int | None = None) -> tuple[float, float, int]:
    """Call `ohwx judge`; CPU seconds, peak memory in MB, scores kept. until: it is killed at so many scores.

    The peak is told on the way too. It is the kernel's own (VmHWM): what `wait4` gives holds the parent's as well.
    """
    root = run.parent
    command = [sys.executable, "-m", "ohwx_compare", "judge", str(run), "--photos", str(root / "photos"), "--base",
               str(root / "models" / "base.safetensors"), "--checkpoints", str(root / "models"), "--json"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        peak, told = 0.0, kept(run)
        while (now := peak_of(child.pid)) is not None:
            peak = max(peak, now)
            if (scores := kept(run)) >= told + TOLD:
                told = scores
                print(f"  {scores:,} scores, at most {peak:,.0f} MB so far", flush=True)
            if until is not None and scores >= until:
                child.kill()
                break
            time.sleep(0.2)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if until is None and child.returncode:
        raise SystemExit(f"ohwx judge ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, peak, kept(run)


def peak_of(process: int) -> float | None:
    """The most memory that a process has had so far, in MB; None once it has ended."""
    told = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    return int(found[1]) / 1024 if found else None


def kept(run: Path) -> int:
    """Scores in the ledger."""
    with closing(sqlite3.connect(f"{(run / LEDGER_FILE).as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM scores").fetchone()[0])


def whole(folder: Path, pictures: int, weights: Path) -> None:
    """A run of so many pictures, killed, resumed, and asked again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    run = write_run(folder, pictures, weights)
    count = len(list((run / "images").iterdir()))
    print(
        f"{count:,} pictures written, {resource.getrusage(resource.RUSAGE_SELF).ru_utime - before:.0f} s CPU",
        flush=True,
    )
    used = 0.0
    for what, until in (("killed", 3 * count // ASKED), ("resumed", None), ("again", None)):
        cpu, memory, scores = judge(run, until)
        used += cpu if what != "again" else 0.0
        print(f"{what:8} {cpu:8.1f} s CPU, at most {memory:,.0f} MB, {scores:,} scores of 3 measures", flush=True)
    print(f"{1000 * used / count:.1f} ms CPU a picture, loading and judging shared", flush=True)


def large(count: int, weights: Path) -> None:
    """CPU milliseconds of each measure for a picture of 1024 px."""
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder, "toy.safetensors"))
        sight = VaeSight.load(Path(folder, "toy.safetensors"))
        controls = {}
        for first, style in ((100, "photo"), (200, "oil painting")):
            controls[style] = [Path(folder, f"{style} {n}.png") for n in range(3)]
            for number, path in enumerate(controls[style]):
                picture(first + number, 96).save(path)
        faces = FaceSight(Cascade(), FaceReader.load(*find_face_files(named=weights)))
        person = [Path(folder, f"{n}.png") for n in range(2)]
        for number, path in enumerate(person):
            picture(10**6 + number, 512).save(path)
        measures = [Likeness(faces, read_references(person, faces)), StyleKept(sight, controls), Diversity()]
    images = [picture(number, 1024) for number in range(count)]
    for measure in measures:
        before = time.process_time()
        scores = [score for i in range(0, count, 16)
                  for score in measure.score(images[i : i + 16], MeasureContext(style="oil painting"))]  # fmt: skip
        cpu, measured = 1000 * (time.process_time() - before) / count, sum(s.outcome == "measured" for s in scores)
        print(f"1024 px, {measure.name:10} {cpu:7.1f} ms CPU a picture, {measured} of {count} measured", flush=True)


def main() -> None:
    """Read the flags and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="folder of dlib's files")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="an empty folder to work in, that is kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.large:
        large(options.large, options.weights)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for count in (options.pictures // 10, options.pictures):
            whole(folder / str(count), count, options.weights)


if __name__ == "__main__":
    main()
