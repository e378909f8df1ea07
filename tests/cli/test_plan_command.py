"""`ohwx plan`: told before, and nothing done."""

import json
import os
from contextlib import suppress

import pytest

from ohwx_compare.cli.main import main
from ohwx_compare.judge.measure import UNET_CALLS

KEYS = [
    "cells",
    "renders",
    "inpaints",
    "checkpoints",
    "switches",
    "missing",
    "disk_bytes",
    "seconds",
    "judge_unet_calls",
]


@pytest.fixture
def asked(tiny, tmp_path):
    """Flags of an experiment of two checkpoints, one of them missing."""
    file = tmp_path / "expériment 1.json"
    job = {"prompt": "photo of ohwx man", "seed": 1, "steps": 2, "width": 64, "height": 64, "rng": "CPU"}
    axes = [{"kind": "checkpoint", "values": ["tiny_base"]}, {"kind": "cfg", "values": [1, 7]}]
    file.write_text(json.dumps({"job": job, "axes": axes}), encoding="utf-8")
    return [str(file), "--checkpoints", str(tiny), "--device", "cpu"]


def told(capsys, *arguments):
    assert main(["plan", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_counts_before_and_after(asked, tmp_path, capsys):
    out = tmp_path / "run"
    plan = told(capsys, *asked, "--out", str(out))
    assert list(plan) == KEYS
    assert [plan[key] for key in KEYS[:6]] == [2, 2, 0, 1, 1, []]
    assert plan["disk_bytes"] > 0
    assert plan["seconds"] is None
    assert plan["judge_unet_calls"] == 2 * UNET_CALLS
    assert not out.exists()
    assert main(["compare", *asked, "--out", str(out)]) == 0
    capsys.readouterr()
    plan = told(capsys, *asked, "--out", str(out))
    assert [plan[key] for key in KEYS[:6]] == [2, 0, 0, 1, 0, []]


def test_a_missing_checkpoint_is_named(asked, tiny, capsys):
    text = "a\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, Model: gone, Version: 1.10.1"
    assert told(capsys, "--from", text, *asked[1:])["missing"] == ["gone"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_all_of_a_folder_but_for_names_that_cannot_be_asked_for(asked, tiny, tmp_path, capsys):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("me", "Me", "a\nb", " x", "c\\d"):
        with suppress(FileExistsError):  # where upper and lower case are one
            (folder / f"{name}.safetensors").symlink_to(tiny / "tiny_base.safetensors")
    assert main(["plan", asked[0], "--all", "--checkpoints", str(folder), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.count("left out") == 3
    plan = json.loads(said.out)
    assert (plan["checkpoints"], plan["missing"]) == (len(list(folder.iterdir())) - 3, [])


@pytest.mark.slow
def test_the_time_is_told_in_words(asked, capsys):
    assert main(["plan", *asked, "--calibrate"]) == 0
    assert "time: about" in capsys.readouterr().out
