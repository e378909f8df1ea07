"""What a user gets wrong, each told in one sentence before anything is written over."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from ohwx_compare.cli.main import main
from ohwx_compare.files.lock import hold
from ohwx_compare.train.run import loop


def no_pictures(values, root):
    for path in (root / "img").rglob("*.png"):
        path.unlink()


def no_reg_pictures(values, root):
    (root / "empty").mkdir()
    values["reg"] = str(root / "empty")


def other_family(values, root):
    tensors = {name: tensor for name, tensor in load_file(values["base"]).items() if not name.startswith("conditioner")}
    values["base"] = str(root / "sd15.safetensors")
    save_file({**tensors, "cond_stage_model.transformer.text_model.embeddings.x": tensors.popitem()[1]}, values["base"])


def not_a_folder(values, root):
    (root / "file").write_text("", encoding="utf-8")
    values["output"] = str(root / "file" / "out")


def setting(**changes):
    return lambda values, root: values.update(changes)


CASES = {
    "no images": (no_pictures, "holds no training images"),
    "missing caption": (setting(captions="file"), "has no caption file"),
    "reg without images": (no_reg_pictures, "holds no regularization images"),
    "resolution": (setting(resolution=1000), "expected positive multiples of 64"),
    "unknown key": (setting(epoch=3), "did you mean 'epochs'?"),
    "unknown preset": (setting(preset="10GB"), "did you mean '10 GB'?"),
    "another family": (other_family, "expected a single-file SDXL checkpoint"),
    "no base": (setting(base="nothing.safetensors"), "cannot be read"),
    "not writable": (not_a_folder, "cannot be a folder"),
    "memory budget": (setting(memory_gb=0.1), "the run needs at least 0.8 GB"),
    "fused and clipped together": (setting(clip_by="global"), "clip_by must be 'tensor'"),
    "all held out": (setting(held_out=3), "leave some to train"),
}


def train(values, root, capsys):
    path = root / "recipe.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    status = main(["train", str(path), "--device", "cpu"])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ohwx: ")]
    return status, said


@pytest.mark.parametrize("case", CASES)
def test_one_sentence(small, tmp_path, capsys, case):
    act, expected = CASES[case]
    act(small, tmp_path)
    status, said = train(small, tmp_path, capsys)
    assert status == 1
    assert len(said) == 1
    assert expected in said[0]
    assert not Path(small["output"]).exists()


def test_not_enough_disk_or_memory(small, tmp_path, capsys, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert "GB free; free some space" in train(small, tmp_path, capsys)[1][0]
    monkeypatch.undo()
    monkeypatch.setattr(loop, "free_memory", lambda device: 1000)
    assert "GB of memory and cpu has 0.0 GB free" in train(small, tmp_path, capsys)[1][0]


def test_a_second_run_in_the_folder(small, tmp_path, capsys):
    Path(small["output"]).mkdir()
    held = hold(Path(small["output"]))
    assert "Another run is writing to" in train(small, tmp_path, capsys)[1][0]
    held.close()
