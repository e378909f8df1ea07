"""A run folder filled without any model: drawn pictures that differ in every cell, and every outcome there is."""

import colorsys
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef, PromptPair
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.outcome import FaceRecord, Fate, Outcome
from ohwx_compare.core.infotext.infotext import from_job
from ohwx_compare.core.infotext.pairs import render
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.images import write_png, write_thumbnail
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import CheckpointRow, Result, Run
from ohwx_compare.files.ledger.writer import Ledger

HOSTILE = "portrait </script><script>window.hurt=1</script><img src=x onerror='window.hurt=1'> & \u2028 \"quoted\""
NAMES = ("me_15_StarlightXLAnimatedV3_noREG-000030.safetensors", "me15img/модель 星 #1 50%?.safetensors",
         "me_15_StarlightXLAnimatedV3-step00000901.safetensors")  # fmt: skip


def experiment_of(side: int = 128, seeds: tuple[int, ...] = (10, 11), prompts: tuple[str, ...] = ()) -> Experiment:
    """Three checkpoints over prompts and seeds with a face pass."""
    prompts = prompts or ("picture of (ohwx man:1.1) in anime style, muscular", HOSTILE)
    job = Job(prompt=prompts[0], negative="shirtless, topless", seed=seeds[0], cfg=9, width=side, height=side)
    return Experiment(
        job=job,
        axes=(
            Axis("checkpoint", tuple(CheckpointRef(name, "f31347de70") for name in NAMES)),
            Axis("seed", seeds),
            Axis("prompt", tuple(PromptPair(prompt) for prompt in prompts)),
        ),
        faces=(FaceSettings(top_k=1, denoise=0.5, steps=80),),
    )


def picture_of(cell: Cell, side: int, *, after: bool) -> Image.Image:
    """A face on a coloured ground, soft before and sharp after; its corner px tells the cell's number."""
    hue, style = (cell.coordinates[0] * 0.31 + 0.07 * cell.job.seed) % 1, cell.coordinates[-1]
    colour = lambda h, s, v: tuple(round(255 * c) for c in colorsys.hsv_to_rgb(h % 1, s, v))  # noqa: E731
    image = Image.linear_gradient("L").resize((side, side)).rotate(90 * style)
    light, dark = colour(hue, 0.55, 0.85), colour(hue + 0.12, 0.6, 0.35)
    image = Image.composite(Image.new("RGB", image.size, light), Image.new("RGB", image.size, dark), image)
    draw, unit = ImageDraw.Draw(image), side / 16
    draw.ellipse((3 * unit, 11 * unit, 13 * unit, 21 * unit), fill=colour(hue + 0.5, 0.5, 0.45))
    face = Image.new("RGB", (side, side))
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((5 * unit, 3 * unit, 11 * unit, 11 * unit), fill=255)
    pen = ImageDraw.Draw(face)
    pen.rectangle((0, 0, side, side), fill=colour(0.07, 0.35 + 0.1 * style, 0.9))
    pen.rectangle((0, 0, side, 4.6 * unit), fill=colour(0.08, 0.6, 0.25))
    for x in (6.7, 9.3):
        pen.ellipse(((x - 0.6) * unit, 6 * unit, (x + 0.6) * unit, 7 * unit), fill="white")
        pen.ellipse(((x - 0.3) * unit, 6.2 * unit, (x + 0.3) * unit, 6.8 * unit), fill=colour(hue, 0.9, 0.4))
    smile = 10 if cell.job.seed % 2 else 60
    pen.arc((6.5 * unit, 7 * unit, 9.5 * unit, 9.7 * unit), smile, 180 - smile, "#7a2230", max(round(unit / 4), 1))
    if not after:
        face = face.filter(ImageFilter.GaussianBlur(unit * 0.55))
    image.paste(face, (0, 0), mask)
    image.paste((cell.number, 255 if after else 0, 7), (0, 0, 2, 2))
    return image


def draw_cell(folder: Path, cell: Cell, outcome: Outcome) -> Result:
    """Write the files of one cell, under names that need care in a link, and say what came of it."""
    if outcome in (Outcome.PENDING, Outcome.FAILED):
        error = "CUDA out of memory. Tried to allocate 2.00 GiB <b>&</b>"
        return Result(outcome=outcome, error=error if outcome is Outcome.FAILED else None)
    side = cell.job.width
    stem = re.sub(r'[<>:"/\\|?*]', "_", f"{cell.number:04d}-{cell.checkpoint.stem}-{cell.job.seed}")
    paths = {"before": f"images/{stem}-before.png", "before_thumb": f"thumbs/{stem}-before.jpg"}
    if outcome is Outcome.FACES:
        paths |= {"after": f"images/{stem}.png", "after_thumb": f"thumbs/{stem}.jpg"}
    text = render(from_job(cell.job, model=cell.checkpoint.stem, model_hash="f31347de70", faces=cell.faces))
    for name in ("before", "after"):
        if name in paths:
            image = picture_of(cell, side, after=name == "after")
            write_png(folder / paths[name], image, text)
            write_thumbnail(folder / paths[f"{name}_thumb"], image)
    box = tuple(part * side / 16 for part in (5, 3, 11, 11))
    face = FaceRecord(
        tab=0, box=box, confidence=0.7 + cell.number / 100, detector="face_yolov8n.pt", fate=Fate.INPAINTED
    )
    found = (face,) if outcome is Outcome.FACES else ()
    return Result(
        outcome=outcome, faces=found, infotext=text, notes=("the same pixels as ever",), seconds=1.25, **paths
    )


@pytest.fixture(scope="session")
def make_experiment() -> Callable[..., Experiment]:
    """`make_experiment(side, seeds, prompts)`."""
    return experiment_of


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """`make_run(folder, experiment, odd={number: Outcome})`: every other cell is drawn and has its face inpainted."""

    def make(folder: Path, experiment: Experiment, odd: dict[int, Outcome] | None = None) -> Run:
        for name in ("images", "thumbs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        with Ledger(folder) as ledger:
            ledger.plan(experiment)
            for i, ref in enumerate(experiment.checkpoints[:2]):
                ledger.remember(
                    CheckpointRow(ref=str(ref), path=ref.name, sha256=f"{i + 10:x}" * 64, size=1, modified_ns=1)
                )
            for cell in experiment.cells():
                outcome = (odd or {}).get(cell.number, Outcome.FACES)
                if outcome is not Outcome.PENDING:
                    ledger.commit(cell, draw_cell(folder, cell, outcome))
        return open_run(folder)

    return make


@pytest.fixture(scope="session")
def sample_run(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """3 x 4 cells in a folder whose name needs care too; cell 2 has no face, 5 failed, 12 is not drawn yet."""
    odd = {2: Outcome.NO_FACE, 5: Outcome.FAILED, 12: Outcome.PENDING}
    return make_run(tmp_path_factory.mktemp("läufe") / "run #1 100%", experiment_of(), odd)


@pytest.fixture(scope="module")
def chromium():
    """A real Chromium without a window; it shows scrollbars, as a person's does."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs `pip install playwright`")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("the browser test needs Chromium; none of " + ", ".join(names) + " is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-dev-shm-usage"],
            ignore_default_args=["--hide-scrollbars"],
        )
        yield browser
        browser.close()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Three files that the fake host takes for checkpoints a, b and c."""
    for name in ("a", "b", "c"):
        path = tmp_path / "modèles" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 40)
    return tmp_path / "modèles"
