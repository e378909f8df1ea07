"""Samples and validation on the way: never in the way, never of influence, and the same after a stop."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.events import Learned, Missed, Sampled, Validated
from ohwx_compare.core.infotext import infotext
from ohwx_compare.engine.render import txt2img
from ohwx_compare.engine.weights import load
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run import samples
from ohwx_compare.train.run.loop import train

WATCHED = {
    "sample_prompts": ["photo of ohwx man", "(drawing:1.2) of a man"], "sample_seeds": [3], "sample_steps": 2,
    "validation": 2,
}  # fmt: skip


def run(values, *, stop=lambda step: False, **changes):
    recipe = Recipe.from_dict({**values, **changes})
    events = []
    train(make_plan(recipe), events.append, lambda: any(isinstance(e, Learned) and stop(e.step) for e in events))
    return Path(recipe.output) / f"{recipe.name}.safetensors", events


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize(
    "more", [{"ema": 0.7, "lr_te1": 1e-4}, {"precision": "bf16-stochastic", "checkpointing": True}]
)
def test_watching_changes_nothing(small, tmp_path, more):
    plain, _ = run(small, output=str(tmp_path / "plain"), **more)
    watched, events = run(small, **WATCHED, **more)
    assert sha256(watched) == sha256(plain)
    assert [event.step for event in of(Validated, events)] == [0, 3, 6]
    assert [event.exposures for event in of(Sampled, events)] == [0, 0, 1, 1, 2, 2]
    assert not of(Missed, events)


@pytest.mark.parametrize("more", [{}, {"prediction": "v"}, {"ema": 0.5, "lr_te2": 1e-4}])
def test_the_last_sample_is_the_checkpoints_picture(small, more):
    """Drawn from live float32 weights; the file holds them in float16 at most, hence the bound."""
    path, events = run(small, **WATCHED, **more)
    sampled = of(Sampled, events)[-1]
    picture = path.parent / sampled.path
    text = infotext.parse(read_infotext(picture))
    assert picture.name == "me-step00000006-02-3.png"
    assert infotext.model(text)[0] == "me-step00000006"
    assert infotext.extra(text) == {"training": {"step": 6, "exposures": 2.0}}
    model = load(path)
    assert model.prediction == more.get("prediction", "eps")
    (again,) = txt2img(model, [infotext.to_job(text)])
    difference = np.abs(np.asarray(again.image, int) - np.asarray(Image.open(picture), int))
    assert difference.max() <= 2
    assert difference.mean() <= 0.05


def test_what_fails_is_told_and_training_goes_on(small, tmp_path, monkeypatch):
    plain, _ = run(small, output=str(tmp_path / "plain"))

    def full(*args):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(samples, "decode_all", full)
    path, events = run(small, **WATCHED, ema=0.7)
    assert [(event.step, event.what) for event in of(Missed, events)] == [(0, "sample"), (3, "sample"), (6, "sample")]
    assert "out of memory" in of(Missed, events)[0].error
    lines = (path.parent / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines].count("Missed") == 3
    monkeypatch.undo()
    assert sha256(run(small, output=str(tmp_path / "plain"))[0]) == sha256(plain)


def test_a_stopped_run_watches_on_as_if_it_had_not(small, tmp_path):
    values = {**small, **WATCHED, "held_out": 1, "reg": str(tmp_path / "reg")}
    _, whole = run(values, output=str(tmp_path / "whole"))
    parts = []
    for stop in (lambda step: step == 2, lambda step: step == 4, lambda step: False):  # step 4 ends the first epoch
        path, events = run(values, stop=stop)
        parts += events
    for kind in (Validated, Sampled):
        assert {event.step: event for event in of(kind, parts)} == {event.step: event for event in of(kind, whole)}
    drawn = [{p.name: p.read_bytes() for p in (f / "samples").iterdir()} for f in (path.parent, tmp_path / "whole")]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3 * 2


def test_losses_are_told_by_kind_and_level(small, tmp_path):
    _, events = run({**small, **WATCHED, "held_out": 1, "reg": str(tmp_path / "reg"), "epochs": 1})
    losses = of(Validated, events)[-1].losses
    assert {kind: set(levels) for kind, levels in losses.items()} == {
        kind: {100, 300, 500, 700, 900} for kind in ("training", "held out", "regularization")
    }
    plan = make_plan(Recipe.from_dict({**small, "held_out": 1, "validation": 9, "reg": str(tmp_path / "reg")}))
    assert {kind: len(numbers) for kind, numbers in plan.validated.items()} == {
        "training": 2, "held out": 1, "regularization": 4,
    }  # fmt: skip
    assert not set(plan.validated["held out"]) & set(plan.shown)
    assert plan.steps == 8


@pytest.mark.parametrize(
    ("changes", "looks"),
    [
        ({"validation": 2, "watch_every_steps": 2}, {0, 2, 4, 6}),
        ({"validation": 2, "watch_every_epochs": 1}, {0, 3, 6}),
        ({"sample_prompts": ["a"], "save_every_epochs": None, "save_every_steps": 4}, {0, 4, 6}),
        ({}, set()),
    ],
)
def test_when_it_is_time(small, changes, looks):
    assert make_plan(Recipe.from_dict({**small, **changes})).looks == looks


@pytest.mark.slow
def test_200_steps_lower_the_loss_on_the_subject(tiny, small):
    """At fixed noise, over the training pictures and all five levels: to under a third (1.395 to 0.142 once)."""
    changes = {"base": str(tiny / "tiny_base.safetensors"), "lr_unet": 1e-3, "epochs": None, "steps": 200}
    _, events = run({**small, **changes, "save_every_epochs": None, "validation": 3})
    first, last = (sum(of(Validated, events)[at].losses["training"].values()) for at in (0, -1))
    print(f"{first / 5:.3f} before, {last / 5:.3f} after")  # noqa: T201
    assert last < first / 3
