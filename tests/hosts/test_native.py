"""The native host: what it loads is what the file holds, and it draws what the engine draws."""

import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Host, Interruption
from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.engine import render
from ohwx_compare.engine.weights import load
from ohwx_compare.errors import CheckpointError, HostError, Interrupted
from ohwx_compare.files.masks import box_mask
from ohwx_compare.hosts.native import Beside, NativeHost, default_dtype

JOB = Job(prompt="ohwx man", seed=1, steps=2, sampler="Euler", width=64, height=64, rng="CPU")


@pytest.fixture
def host(tiny):
    host: Host = NativeHost([tiny], device="cpu")
    yield host
    host.close()


def test_every_file_of_every_folder_once(tiny, tmp_path):
    (tmp_path / "ältere").mkdir()
    shutil.copy(tiny / "tiny_reg.safetensors", tmp_path / "ältere" / "run 1.safetensors")
    shutil.copy(tiny / "tiny_reg.safetensors", tmp_path / "tiny_base.safetensors")
    found = NativeHost([tiny, tmp_path], device="cpu").checkpoints()
    names = ["ältere/run 1", "tiny_base", "tiny_noreg", "tiny_reg"]
    assert sorted(c.name for c in found) == sorted(f"{name}.safetensors" for name in names)
    assert next(c for c in found if c.name == "tiny_base.safetensors").path.parent == tiny


def test_use_tells_the_files_own_hash_and_draws_with_it(host):
    base, _, reg = host.checkpoints()
    pictures = []
    for checkpoint in (base, reg, base):
        loaded = host.use(checkpoint)
        assert loaded.sha256 == hashlib.sha256(checkpoint.path.read_bytes()).hexdigest()
        pictures.append(next(host.render([JOB])).image)
    assert pictures[0] == pictures[2] != pictures[1]
    assert pictures[0] == render.txt2img(load(base.path), [JOB])[0].image


def test_a_checkpoint_in_memory_is_not_read_again_unless_its_file_changed(tiny, tmp_path):
    path = tmp_path / "a.safetensors"
    shutil.copy(tiny / "tiny_base.safetensors", path)
    if os.name != "nt":
        os.utime(path, ns=(1, 1))  # the inode tells, though size and time will be the same
    host = NativeHost([tmp_path], device="cpu")
    first = host.use(Checkpoint(path.name, path))
    assert host.use(Checkpoint(path.name, path)) is first
    shutil.copy(tiny / "tiny_reg.safetensors", path)
    os.utime(path, ns=(1, 1))
    assert host.use(Checkpoint(path.name, path)).sha256 != first.sha256


def test_pictures_come_in_the_jobs_order_whatever_is_batched(host):
    host.use(host.checkpoints()[0])
    jobs = [JOB, replace(JOB, width=128), replace(JOB, seed=2), replace(JOB, seed=3)]
    assert [r.image.size for r in host.render(jobs)] == [(64, 64), (128, 64), (64, 64), (64, 64)]


def test_inpaint(host):
    host.use(host.checkpoints()[0])
    image, mask = Image.new("RGB", (96, 96), "teal"), box_mask((96, 96), Box(30, 30, 50, 50))
    jobs = [InpaintJob(job=replace(JOB, denoise=0.5, seed=seed)) for seed in (1, 2)]
    pictures = [r.image for r in host.inpaint(jobs, [image] * 2, [mask] * 2)]
    assert [p.size for p in pictures] == [(96, 96)] * 2
    assert pictures[0] != pictures[1]


def test_the_fingerprint_is_json_and_names_whose_noise_it_is(host):
    prints = [host.fingerprint(replace(JOB, rng=rng)) for rng in ("CPU", "NV", "GPU")]
    assert json.loads(json.dumps(prints)) == prints
    assert [p["noise"] for p in prints] == ["CPU", "NV", "NV"]
    assert host.fingerprint(JOB) == host.fingerprint(replace(JOB, seed=9, prompt="other"))


def test_a_vae_of_its_own_is_part_of_the_fingerprint(tiny):
    vae = tiny / "tiny_reg.safetensors"
    other = NativeHost([tiny], device="cpu", beside=Beside(vae=vae))
    assert other.fingerprint(JOB)["vae"] == hashlib.sha256(vae.read_bytes()).hexdigest()


def test_steps_and_interruptions_go_through(tiny):
    done = []
    host = NativeHost([tiny], device="cpu", interruption=lambda: Interruption.SKIP, on_step=done.append)
    host.use(host.checkpoints()[0])
    list(host.render([JOB, replace(JOB, seed=2)]))
    assert done == [2, 2]
    assert host.interruption() is Interruption.SKIP


def test_an_interrupted_picture_is_not_returned(tiny):
    def stop(count):
        raise Interrupted("stop")

    host = NativeHost([tiny], device="cpu", on_step=stop)
    host.use(host.checkpoints()[0])
    with pytest.raises(Interrupted):
        next(host.render([JOB]))


def test_drawing_needs_a_checkpoint(tiny):
    host = NativeHost([tiny], device="cpu")
    with pytest.raises(HostError, match="use"):
        next(host.render([JOB]))
    host.use(host.checkpoints()[0])
    host.close()
    host.close()
    with pytest.raises(HostError, match="use"):
        next(host.render([JOB]))


def test_what_cannot_be_used(tiny, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"<html>")
    host = NativeHost([tmp_path], device="cpu")
    with pytest.raises(CheckpointError, match="web page"):
        host.use(Checkpoint(broken.name, broken))
    with pytest.raises(HostError, match="cannot be read"):
        host.use(Checkpoint("gone", tmp_path / "gone.safetensors"))


def test_precision_follows_the_device():
    assert default_dtype(torch.device("cpu")) is torch.float32
    assert default_dtype(torch.device("cuda")) is torch.float16


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_draws_nearly_the_same(tiny, host, dtype):
    half = NativeHost([tiny], device="cpu", dtype=dtype)
    pictures = []
    for one in (host, half):
        one.use(one.checkpoints()[0])
        pictures.append(np.asarray(next(one.render([JOB])).image, dtype=int))
    assert np.abs(pictures[0] - pictures[1]).mean() < 2
    assert half.fingerprint(JOB) != host.fingerprint(JOB)
