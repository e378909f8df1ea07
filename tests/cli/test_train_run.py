"""`ohwx train`: a recipe carried out on the tiny checkpoint, stopped by Ctrl-C, gone on with, refused in a sentence."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.cli import train
from ohwx_compare.cli.main import main
from ohwx_compare.core.events import Learned
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.render import txt2img
from ohwx_compare.engine.weights import load


@pytest.fixture
def recipe(tiny, tmp_path):
    folder = tmp_path / "img" / "1_ohwx man"
    folder.mkdir(parents=True)
    for seed in range(2):
        picture = np.random.RandomState(seed).randint(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(picture).resize((64, 64)).save(folder / f"{seed}.png")
    path = tmp_path / "recipe.json"
    values = {
        "base": str(tiny / "tiny_base.safetensors"), "train": "img", "output": "out", "name": "me", "resolution": 64,
        "bucket_min": 64, "steps": 3, "save_every_steps": 2, "precision": "fp32", "lr_unet": 1e-3,
    }  # fmt: skip
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


@pytest.mark.slow
def test_stopped_and_gone_on_with(recipe, tiny, capsys, monkeypatch):
    class Impatient(train.Bar):
        def __call__(self, event):
            super().__call__(event)
            if isinstance(event, Learned) and event.step == 1:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(train, "Bar", Impatient)
    assert main(["train", str(recipe), "--device", "cpu"]) == 130
    said = capsys.readouterr()
    assert said.out == "stopped\n"
    assert "Finishing the current step" in said.err
    assert main(["train", str(recipe), "--device", "cpu", "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert (result["step"], result["finished"], len(result["saved"])) == (3, True, 2)
    assert "saved" in said.err
    assert main(["train", str(recipe), "--device", "cpu"]) == 0
    assert capsys.readouterr().out == "already finished\n"

    job = Job(prompt="ohwx man", seed=1, steps=2, width=64, height=64)
    paths = (tiny / "tiny_base.safetensors", Path(result["saved"][1]))
    before, after = (txt2img(load(path), [job])[0].image for path in paths)
    assert np.abs(np.asarray(before, int) - np.asarray(after, int)).mean() > 0.1


@pytest.mark.slow
def test_a_changed_recipe_is_refused(recipe, capsys):
    assert main(["train", str(recipe), "--device", "cpu"]) == 0
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("0.001", "0.002"), encoding="utf-8")
    assert main(["train", str(recipe), "--device", "cpu"]) == 1
    assert "belongs to another run" in capsys.readouterr().err
