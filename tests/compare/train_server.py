"""The routes of the tab "ohwx train", for its page: real run folders that a test writes, plans made up."""

import json
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from safetensors.numpy import save_file

from ohwx_compare.core.events import Learned, Sampled, Validated
from ohwx_compare.files.lock import hold
from ohwx_compare.train.outside import controls
from ohwx_compare.train.outside.runs import Trainings, folder_for
from ohwx_compare.train.recipe.described import described_fields
from ohwx_compare.train.recipe.forms import read_pasted
from ohwx_compare.train.recipe.presets import PRESETS
from ohwx_compare.train.recipe.recipe import Recipe, write_recipe
from ohwx_compare.train.run.record import recording

PLAN = {
    "steps": 2250, "images": {"train": 15, "reg": 0}, "disk_bytes": 41e9, "memory_bytes": {"total": 9.4e9},
    "saves": [{"name": "me-000030", "step": 450, "exposures": 30.0}, {"name": "me", "step": 900, "exposures": 60.0}],
    "skipped": ["torn.jpg: it is damaged."], "notes": ["2 pictures have no caption."], "problems": [],
}  # fmt: skip


LOOK = {
    "job": "ich 12", "state": "drawing", "done": 0, "total": 0, "error": None, "report": "outputs/r", "crops": None,
    "found": None,
}  # fmt: skip
FOUND = {
    "pictures": 15, "detector": "face_yolov8n.pt", "shots": {"head": 9, "bust": 6},
    "set": ["No picture shows the person as: half, full."],
    "problems": [
        {"name": "faces cut", "meaning": "loses a part of a face to the crop", "count": 61, "files": ["<b>.png"],
         "sheet": "docs/pictures/faces-cut.jpg"},
    ],
}  # fmt: skip


class Training:
    """What the server answers with; tests change it and read what was asked."""

    def __init__(self, folder: Path):
        self.folder, self.runs = folder, Trainings(folder)
        self.asked: list[tuple[str, dict]] = []
        self.plan, self.look = dict(PLAN), dict(LOOK)

    def get(self, path: str, after: str) -> dict:
        if path.startswith("ohwx/api/datasets"):
            return self.look
        if path == "ohwx/api/train":
            example = Recipe(base="-", train="-", output="-").to_dict()
            own = ("base", "train", "output", "preset")
            return {
                "values": PRESETS, "defaults": {name: value for name, value in example.items() if name not in own},
                "words": {"corrected": "Without the faults of sd-scripts."}, "fields": described_fields(),
                "checkpoints": ["base.safetensors"], "detectors": ["face_yolov8n.pt", "opencv-frontalface"],
                "note": None, "toy": {"base": "ohwx-toy/toy.safetensors", "train": "models/ohwx-toy/pictures"},
                "runs": self.runs.all(),
            }  # fmt: skip
        name = unquote(path.rpartition("/")[2])
        events, following, more = self.runs.events(name, int(after))
        return {"run": self.runs.one(name), "events": events, "next": following, "more": more}

    def post(self, path: str, body: dict) -> dict:
        self.asked.append((path, body))
        if path.startswith("ohwx/api/datasets"):
            self.look |= {"state": "stopped" if path.endswith("stop") else "drawing"}
            return self.look
        if path == "ohwx/api/train/read":
            told = read_pasted(body["text"], body["without"])
            recipe = {name: value for name, value in told.recipe.to_dict().items() if name != "output"}
            return {"recipe": recipe, "notes": list(told.notes)}
        if path == "ohwx/api/train/plan":
            Recipe.from_dict({**body["recipe"], "output": "-"})
            return self.plan
        if path == "ohwx/api/train/runs":
            return self.begun(body["recipe"])
        name, act = unquote(path.removeprefix("ohwx/api/train/runs/")).rsplit("/", 1)
        if act == "compare":
            kept = [f"{run}/{one.name}" for run in [name, *body["with"]] for one in self.runs.kept(run)]
            return {"request": {"job": {"prompt": "photo of ohwx man", "seed": 1}, "checkpoints": kept, "faces": []}}
        if act == "resume":
            controls.unask(self.folder / name, "pause")
        elif act != "start":
            controls.ask(self.folder / name, act)
        return self.runs.one(name)

    def begun(self, recipe: dict) -> dict:
        folder = folder_for(recipe, self.folder)
        folder.mkdir(parents=True)
        write_recipe(folder / "recipe.json", Recipe.from_dict({**recipe, "output": str(folder)}))
        return self.runs.one(folder.name)

    @contextmanager
    def process(self, name: str, steps: int = 40, **recipe):
        """A training that holds its folder: what it yields takes events, as the trainer's own listener does."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        values = {"base": "base.safetensors", "train": "img", "output": str(folder), **recipe}
        write_recipe(folder / "recipe.json", Recipe.from_dict(values))
        held = hold(folder)
        try:
            with recording(folder, {"steps": steps}, lambda event: None) as tell:
                yield tell
        finally:
            held.close()

    def checkpoint(self, name: str, file: str, step: int, exposures: float) -> None:
        """What a training saved."""
        record = {"ohwx.training": json.dumps({"step": step, "exposures": exposures})}
        save_file({"a": np.zeros(1, np.float32)}, self.folder / name / file, metadata=record)


def learned(steps, total: int = 40):
    """Events of a training that learns: each step, two looks, and a sample at each of them."""
    for step in steps:
        yield Learned(step, 1, 0.2 + 0.1 / step, min(step / 8, 1), 1 + 1 / step, memory=8_000_000_000 + step)
        if step in (1, total // 2):
            loss = {"training": {"100": 0.1 / step, "500": 0.2 / step}, "held out": {"100": 0.1, "500": 0.2}}
            yield Validated(step, step / 4, loss)
            yield Sampled(step, step / 4, f"samples/{step:08d}-0-1.png", "photo of ohwx man", 1)
