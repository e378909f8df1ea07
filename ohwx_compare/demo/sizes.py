"""How large a demo is: exposures, saves, prompts, seeds; and the recipes and experiments that follow from it.

Everything here becomes ordinary files: two recipes of `ohwx train`, two experiments of `ohwx compare`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.toy.styles import PHOTO, STYLES
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["ARMS", "BASE", "CLASS_PROMPT", "PICTURE_SIDE", "QUICK", "WHOLE", "Sizes", "Trained", "subject_prompt"]

ARMS = ("no-reg", "reg")
BASE = "checkpoints/toy.safetensors"
PICTURE_SIDE = 96  # px, of every picture
SMALL_SIDE = 64  # px, of those that are too small for a face
CLASS_PROMPT = "photo of a man"
SUBJECT_IMAGES = 15
BATCH = 15  # pictures a training step
RATE = 1e-3  # chosen by tools/toy_rates.py


@dataclass(frozen=True)
class Trained:
    """One checkpoint of the comparison."""

    file: str  # below the demo's folder, "/" between
    arm: str | None = None  # one of `ARMS`; None is the base
    exposures: int = 0  # how often each training image was shown


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """One size of the demo."""

    apart: int  # exposures between two saves
    saves: int = 5
    reg_images: int = 150
    styles: tuple[str, ...] = STYLES
    seeds: tuple[int, ...]  # of each style
    class_seeds: tuple[int, ...]  # of "photo of a man"
    face_seeds: tuple[int, ...]  # of each style in small
    face_saves: int = 2  # the last ones of each arm, asked for small pictures
    rate: float = RATE  # of the UNet in both arms
    ema: float | None = 0.95  # of 20 steps' weights or so: a single step is of few pictures
    truths: int  # true pictures that the reader is tried on: so many of the subject, so many of other men

    @property
    def subject_prompts(self) -> tuple[str, ...]:
        """The subject in each style."""
        return tuple(map(subject_prompt, self.styles))

    def steps(self, arm: str) -> int:
        """Training steps of an arm."""
        shown = SUBJECT_IMAGES * (2 if arm == "reg" else 1)
        return self.apart * self.saves * ceil(shown / BATCH)

    def trained(self) -> tuple[Trained, ...]:
        """The base, then both arms' saves by exposures."""
        return Trained(BASE), *(save for number in range(1, self.saves + 1) for save in self._saves(number))

    def recipe(self, folder: Path, arm: str) -> Recipe:
        """The arm's training, into its folder below the demo's."""
        return Recipe(
            base=str(folder / BASE),
            train=str(folder / "datasets" / "train"),
            reg=str(folder / "datasets" / "reg") if arm == "reg" else None,
            output=str(folder / arm),
            name=arm,
            resolution=(128, 128),  # at most: smaller pictures keep their size
            bucket_no_upscale=True,
            bucket_step=32,
            epochs=self.apart * self.saves,
            save_every_epochs=self.apart,
            batch=BATCH,
            lr_unet=self.rate,
            loss_weighting="min-snr",
            ema=self.ema,
            precision="fp32",
            checkpointing=False,
            validation=0,
        )

    def study(self, detector: str) -> dict[str, Any]:
        """All of it as the file of a whole experiment, which lies in the demo's folder; see `study.Study`."""
        recipe = self.recipe(Path(), ARMS[0]).to_dict()
        own = ("output", "name", "seed", "reg")
        return {
            "recipe": {name: value for name, value in recipe.items() if name not in own},
            "arms": {arm: ({"reg": "datasets/reg"} if arm == "reg" else {}) for arm in ARMS},
            "comparisons": {
                "comparison": _without_checkpoints(self.comparison(detector)),
                "class": _without_checkpoints(self.class_drift()),
                "faces": {**_without_checkpoints(self.small_faces(detector)), "base": False, "last": self.face_saves},
            },
        }

    def comparison(self, detector: str) -> Experiment:
        """All checkpoints over all styles and seeds, with the face pass."""
        return self._experiment(self.trained(), self.subject_prompts, self.seeds, _face_pass(detector, padding=16))

    def class_drift(self) -> Experiment:
        """All checkpoints asked for what the subject is one of."""
        return self._experiment(self.trained(), (CLASS_PROMPT,), self.class_seeds, ())

    def small_faces(self, detector: str) -> Experiment:
        """The last saves asked for the subject in pictures too small for a face, which is redrawn at `SIDE`."""
        saves = self.trained()[-self.face_saves * len(ARMS) :]
        faces = _face_pass(detector, padding=8, width=PICTURE_SIDE, height=PICTURE_SIDE)
        small = self._experiment(saves, self.subject_prompts, self.face_seeds, faces)
        return replace(small, job=replace(small.job, width=SMALL_SIDE, height=SMALL_SIDE))

    def experiments(self, detector: str) -> dict[str, Experiment]:
        """All of them by the names of their run folders."""
        return {
            "comparison": self.comparison(detector),
            "class": self.class_drift(),
            "faces": self.small_faces(detector),
        }

    @staticmethod
    def _experiment(
        trained: Sequence[Trained], prompts: tuple[str, ...], seeds: tuple[int, ...], faces: tuple[FaceSettings, ...]
    ) -> Experiment:
        job = Job(
            prompt=prompts[0], seed=seeds[0], steps=12, sampler="DPM++ 2M SDE", schedule="Karras", cfg=3.0,
            width=PICTURE_SIDE, height=PICTURE_SIDE, rng="CPU",
        )  # fmt: skip
        checkpoints = tuple(CheckpointRef(one.file) for one in trained)
        axes = [Axis("checkpoint", checkpoints), Axis.read("prompt", list(prompts)), Axis("seed", seeds)]
        return Experiment(job=job, axes=tuple(axes), faces=faces)

    def _saves(self, number: int) -> Iterator[Trained]:
        exposures = number * self.apart
        for arm in ARMS:
            stem = arm if number == self.saves else f"{arm}-{exposures:06d}"
            yield Trained(f"{arm}/{stem}.safetensors", arm, exposures)


WHOLE = Sizes(  # the article's exposures
    apart=30,
    seeds=(1, 2, 3, 4),
    class_seeds=tuple(range(1, 25)),
    face_seeds=tuple(range(1, 9)),
    truths=60,
)
QUICK = Sizes(
    apart=8,
    reg_images=48,
    styles=STYLES[:4],
    seeds=(1, 2),
    class_seeds=tuple(range(1, 7)),
    face_seeds=(1, 2, 3, 4),
    face_saves=1,
    truths=24,
)


def subject_prompt(style: str) -> str:
    """The subject in one of `STYLES`, in the words of the toy world's captions."""
    return "photo of ohwx man" if style == PHOTO else f"picture of ohwx man, {style} style"


def _without_checkpoints(experiment: Experiment) -> dict[str, Any]:
    said = experiment.to_dict()
    return {**said, "axes": [axis for axis in said["axes"] if axis["kind"] != "checkpoint"]}


def _face_pass(detector: str, **more: Any) -> tuple[FaceSettings, ...]:
    return (FaceSettings(model=detector, top_k=1, dilate=2, blur=2, denoise=0.5, steps=20, **more),)
