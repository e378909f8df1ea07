"""The webui's recorded cases as jobs, its recorded conditioning as ours, one model to draw them with, detectors."""

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.engine.conditioning import Conditioning, Entry, Subprompt
from ohwx_compare.engine.weights import Model, load


@pytest.fixture(scope="session")
def model(tiny) -> Model:
    """tiny_base on the CPU in float32."""
    return load(tiny / "tiny_base.safetensors")


@pytest.fixture(scope="session")
def detector_file(goldens, tmp_path_factory) -> Callable[[str], Path]:
    """A recorded detector's file by its name.

    "drawn_yolov8_old" is made here: ultralytics' older pickle over the newer file's numbers, two tensors of which are
    empty in it.
    """
    folder = tmp_path_factory.mktemp("detectors")

    def file(name: str) -> Path:
        if name != "drawn_yolov8_old":
            return goldens / f"{name}.pt"
        if not (path := folder / f"{name}.pt").exists():
            with zipfile.ZipFile(goldens / "drawn_yolov8.pt") as new, zipfile.ZipFile(path, "w") as old:
                data = {member.partition("/")[2]: new.read(member) for member in new.namelist()}
                data["data.pkl"] = gzip.decompress((goldens / f"{name}.pkl.gz").read_bytes())
                for inner, content in (data | {"data/356": b"", "data/357": b""}).items():
                    old.writestr(f"{name}/{inner}", content)
        return path

    return file


@dataclass(frozen=True)
class Run:
    """One recorded sampling run: what went in and the latents that came out."""

    jobs: list[Job]
    x: torch.Tensor
    noise: torch.Tensor
    conditionings: list[Conditioning]
    samples: torch.Tensor


@dataclass(frozen=True)
class Case:
    """One request to the webui and its answer."""

    name: str
    folder: Path
    payload: dict[str, Any]
    options: dict[str, Any]

    @property
    def jobs(self) -> list[Job]:
        """The pictures that were asked for; seeds count up."""
        p, count = self.payload, self.payload.get("batch_size", 1) * self.payload.get("n_iter", 1)
        return [
            Job(
                prompt=p["prompt"], negative=p["negative_prompt"], seed=p["seed"] + i, steps=p["steps"],
                sampler=p["sampler_name"], schedule=p["scheduler"], cfg=p["cfg_scale"], width=p["width"],
                height=p["height"], denoise=p.get("denoising_strength"), subseed=p.get("subseed", 0),
                subseed_strength=p.get("subseed_strength", 0.0), rng=self.options.get("randn_source", "CPU"),
            )
            for i in range(count)
        ]  # fmt: skip

    @property
    def inpaint(self) -> InpaintJob:
        """The same as an inpaint."""
        p = self.payload
        padding = p.get("inpaint_full_res_padding", 0)
        return InpaintJob(
            job=self.jobs[0], mask_blur=p["mask_blur"], only_masked=p["inpaint_full_res"], padding=padding
        )

    @property
    def image(self) -> Image.Image:
        """What img2img started from."""
        return _open(self.folder / self.payload["init_images"][0][1:])

    @property
    def mask(self) -> Image.Image:
        """What an inpaint redrew."""
        return _open(self.folder / self.payload["mask"][1:])

    @property
    def answers(self) -> list[Image.Image]:
        """The webui's pictures."""
        one = self.folder / f"{self.name}.png"
        return [_open(p) for p in ([one] if one.exists() else sorted(self.folder.glob(f"{self.name}.*.png")))]

    @property
    def runs(self) -> list[Run]:
        """What was recorded of each sampling run."""
        with np.load(self.folder / f"{self.name}.npz") as file:
            data = {key: file[key] for key in file.files}
        jobs, runs = iter(self.jobs), []
        for prefix in sorted({key.split("_")[0] for key in data}):
            inside = {k.partition("/")[2]: v for k, v in data.items() if k.startswith(f"{prefix}_in/")}
            x = torch.tensor(inside["x"])
            runs.append(
                Run(
                    [next(jobs) for _ in x],
                    x,
                    torch.tensor(inside["noise"]),
                    [_conditioning(inside, i) for i in range(len(x))],
                    torch.tensor(data[f"{prefix}_out/samples"]),
                )
            )
        return runs


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.copy()


def _conditioning(inside: dict[str, np.ndarray], image: int) -> Conditioning:
    def numbers(prefix: str) -> list[int]:
        found = {key.removeprefix(prefix).split(".")[0] for key in inside if key.startswith(prefix)}
        return sorted(int(n) for n in found if n.isdigit())

    def entries(prefix: str) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                until=int(inside[f"{prefix}{i}.until"]),
                crossattn=torch.tensor(inside[f"{prefix}{i}.crossattn"]),
                vector=torch.tensor(inside[f"{prefix}{i}.vector"]),
            )
            for i in numbers(prefix)
        )

    parts = [
        Subprompt(weight=float(inside[f"c.{image}.{part}.weight"]), schedule=entries(f"c.{image}.{part}."))
        for part in numbers(f"c.{image}.")
    ]
    return Conditioning(positive=tuple(parts), negative=entries(f"uc.{image}."), notes=())


@pytest.fixture(scope="session")
def case(goldens) -> Callable[[str], Case]:
    """Case by name."""

    def read(name: str) -> Case:
        content = json.loads((goldens / f"{name}.json").read_text(encoding="utf-8"))
        return Case(name, goldens, content["payload"], content["options"])

    return read


@pytest.fixture(scope="session")
def difference() -> Callable[[Image.Image, Image.Image], tuple[int, float]]:
    """Largest and mean difference of two pictures, in 1/255."""

    def measure(one: Image.Image, other: Image.Image) -> tuple[int, float]:
        apart = np.abs(np.asarray(one, dtype=int) - np.asarray(other.convert("RGB"), dtype=int))
        return int(apart.max()), float(apart.mean())

    return measure
