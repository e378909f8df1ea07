"""The VAE that lies beside a checkpoint is taken for it alone, as the webui's "Automatic" does, and is in its keys."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.compare.run import draw_run
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import read_header, sha256
from ohwx_compare.files.vaes import VaesBeside
from ohwx_compare.hosts.native import Beside, NativeHost
from ohwx_compare.testing.parts import draw_parts

JOB = Job(prompt="ohwx man", seed=1, steps=2, sampler="Euler", width=64, height=64, rng="CPU")


@pytest.fixture
def models(mini, tmp_path):
    """Two checkpoints, `one` and `two`, and a drawn VAE in its folder."""
    draw_parts(tmp_path / "models", read_header(mini).shapes)
    (tmp_path / "models" / "Stable-diffusion").mkdir()
    for name in ("one", "two"):
        shutil.copy(mini, tmp_path / "models" / "Stable-diffusion" / f"{name}.safetensors")
    return tmp_path / "models"


def host_of(models):
    checkpoints, vaes = models / "Stable-diffusion", models / "VAE"
    return NativeHost([checkpoints], device="cpu", beside=Beside(vaes=[vaes]))


def drawn(models, name, job=JOB):
    host = host_of(models)
    host.use(Checkpoint(name, models / "Stable-diffusion" / f"{name}.safetensors"))
    (picture,) = host.render([job])
    return np.asarray(picture.image), dict(picture.keys)


def put_beside(models, name="one.vae.safetensors", folder="Stable-diffusion"):
    return shutil.copy(models / "VAE" / "drawn_vae.safetensors", models / folder / name)


@pytest.mark.slow
def test_it_is_what_the_picture_would_be_with_that_vae_named(models):
    own, _ = drawn(models, "one")
    named = drawn(models, "one", replace(JOB, vae="drawn_vae"))[0]
    path = put_beside(models)
    found, keys = drawn(models, "one")
    assert np.array_equal(found, named)
    assert not np.array_equal(found, own)
    assert keys == {"VAE hash": sha256(path)[:10], "VAE": "one.vae.safetensors"}
    assert np.array_equal(drawn(models, "two")[0], own)
    for vae, wanted in (("None", own), ("Automatic", named), ("one.vae.safetensors", named), ("drawn_vae", named)):
        assert np.array_equal(drawn(models, "one", replace(JOB, vae=vae))[0], wanted), vae


def test_a_run_generates_that_checkpoints_pictures_anew_and_no_others(models, tmp_path):
    data = {"job": {**vars(JOB)}, "axes": [{"kind": "checkpoint", "values": ["one", "two"]}]}
    experiment = Experiment.from_dict(
        {**data, "job": {"prompt": "a", "seed": 1, "steps": 1, "width": 64, "height": 64}}
    )

    def resolve(ref):
        return Checkpoint(f"{ref}.safetensors", models / "Stable-diffusion" / f"{ref}.safetensors")

    def counts():
        host = host_of(models)
        result = draw_run(experiment, host, lambda name: None, tmp_path / "run", resolve=resolve)
        host.close()
        return result.drawn, result.reused

    assert [counts(), counts()] == [(2, 0), (0, 2)]
    put_beside(models)
    assert [counts(), counts()] == [(1, 1), (0, 2)]


def test_what_the_webui_noted_goes_first_then_a_name_that_begins_as_the_checkpoints(tmp_path):
    """Rules of `resolve_vae`, modules/sd_vae.py, 82a973c."""
    checkpoints, vaes = tmp_path / "Stable-diffusion", tmp_path / "VAE"
    for path in (checkpoints / "me.safetensors", vaes / "other.safetensors", vaes / "me_vae.safetensors"):
        path.parent.mkdir(exist_ok=True)
        path.touch()

    def of(name="me"):
        found = VaesBeside([checkpoints], [vaes]).of(checkpoints / f"{name}.safetensors")
        return found and found.name

    assert of() == "me_vae.safetensors"
    assert of("you") is None
    (checkpoints / "me.vae.safetensors").touch()
    assert of() == "me.vae.safetensors"
    for noted, wanted in (("other.safetensors", "other.safetensors"), ("None", None), ("gone", "me.vae.safetensors")):
        (checkpoints / "me.json").write_text(json.dumps({"vae": noted}), encoding="utf-8")
        assert of() == wanted, noted
    (checkpoints / "me.json").write_text("[" * 100_000, encoding="utf-8")
    assert of() == "me.vae.safetensors"


def test_one_that_cannot_be_read_is_said_to_be_there(models):
    (models / "Stable-diffusion" / "one.vae.pt").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"one.vae.pt"):
        drawn(models, "one")


def test_vaes_are_no_checkpoints(models):
    put_beside(models)
    assert [checkpoint.name for checkpoint in host_of(models).checkpoints()] == ["one.safetensors", "two.safetensors"]
