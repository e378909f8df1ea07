"""The native host over many checkpoints: what it holds is the file's, whatever went before or went wrong."""

import os
import shutil
import threading
import time

import numpy as np
import pytest
import torch

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import weights
from ohwx_compare.engine.weights import PREFIXES, load
from ohwx_compare.errors import CheckpointError, HostError
from ohwx_compare.files import identity
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.contents import read_contents
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.identity import FileIdentity
from ohwx_compare.hosts import ahead
from ohwx_compare.hosts.native import Beside, NativeHost

JOB = Job(prompt="ohwx man", seed=1, steps=1, sampler="Euler", width=64, height=64, rng="CPU")


class Counted:
    def __init__(self):
        self.read = []

    def __call__(self, path, on_block=lambda: None):
        self.read.append((path.name, threading.current_thread().name))
        return read_contents(path, on_block)


@pytest.fixture
def host(tiny):
    host = NativeHost([tiny], device="cpu")
    yield host
    host.close()


def holds(host, checkpoint, **options):
    fresh = load(checkpoint.path, **options)
    pairs = [(getattr(host._held, part).state_dict(), getattr(fresh, part).state_dict()) for part in PREFIXES]
    return all(
        mine.keys() == theirs.keys() and np.array_equal(mine[name].view(torch.uint8), theirs[name].view(torch.uint8))
        for mine, theirs in pairs
        for name in mine
    )


def test_a_walk_over_checkpoints_ends_where_a_fresh_load_does(host):
    for number in (0, 1, 0, 2, 1):
        checkpoint = host.checkpoints()[number]
        unet = host._held and host._held.unet
        host.use(checkpoint)
        assert holds(host, checkpoint)
        assert unet in (None, host._held.unet)  # its memory is used again


def test_a_load_that_fails_midway_is_followed_by_a_whole_one(host, monkeypatch):
    base, noreg, _ = host.checkpoints()
    host.use(base)

    def fail(header, targets):
        for target in targets.values():
            target.zero_()
        raise CheckpointError("damaged")

    with monkeypatch.context() as patched:
        patched.setattr(weights, "read_into", fail)
        with pytest.raises(CheckpointError, match="damaged"):
            host.use(noreg)
    with pytest.raises(HostError, match="No checkpoint is loaded"):
        next(host.render([JOB]))
    host.use(base)
    assert holds(host, base)


def test_a_file_that_is_refused_is_not_drawn_with_and_costs_no_load(host, tmp_path, monkeypatch):
    base, broken = host.checkpoints()[0], tmp_path / "broken.safetensors"
    broken.write_bytes(b"<html>")
    host.use(base)
    with pytest.raises(CheckpointError, match="web page"):
        host.use(Checkpoint(broken.name, broken))
    with pytest.raises(HostError, match="No checkpoint is loaded"):
        next(host.render([JOB]))
    read = []
    with monkeypatch.context() as patched:
        patched.setattr(weights, "read_into", lambda header, targets: read.extend(targets))
        host.use(base)
    assert read == []
    assert holds(host, base)


@pytest.mark.slow
def test_a_vae_of_its_own_stays_over_checkpoints(tiny, tmp_path):
    vae = tmp_path / "vae.safetensors"
    shutil.copy(tiny / "tiny_reg.safetensors", vae)
    host = NativeHost([tiny], device="cpu", beside=Beside(vae=vae))
    for checkpoint in host.checkpoints():
        host.use(checkpoint)
        assert holds(host, checkpoint, vae=vae)
    time.sleep(0.01)
    shutil.copy(tiny / "tiny_base.safetensors", vae)
    with pytest.raises(HostError, match="changed since the run began"):
        host.use(host.checkpoints()[0])


def test_what_is_expected_is_hashed_by_the_time_it_is_used(tiny):
    counted = Counted()
    host = NativeHost([tiny], device="cpu", hashes=Hashes(read=counted, settled=0.02))
    base, noreg, reg = host.checkpoints()
    host.expect(base)  # nothing is drawing yet, so there is no time to use
    host.use(base)
    host.expect(reg)
    host.expect(noreg)  # another opinion
    host.use(noreg)
    threads = [thread for name, thread in counted.read if name == noreg.name]
    assert threads == ["read ahead"] + ["MainThread"] * (not FileIdentity.of(noreg.path, settled=0.02).is_proof)
    assert holds(host, noreg)
    host.expect(Checkpoint("gone", tiny / "gone.safetensors"))
    host.expect(reg)
    host.close()
    assert not any(thread.name == "read ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("free", [0, 1 << 40])
def test_reading_ahead_asks_for_what_a_switch_reads_where_memory_is_free(tiny, monkeypatch, free):
    base, reg = (tiny / f"tiny_{name}.safetensors" for name in ("base", "reg"))
    seals, other = (read_contents(path).tensors for path in (base, reg))
    hashes, blocks = Hashes(read=lambda path, on_block: read_contents(path)), []
    monkeypatch.setattr(ahead, "available_memory", lambda: free)
    monkeypatch.setattr(ahead.Ahead, "_go_on", lambda self: blocks.append(1))
    ahead.Ahead(reg, hashes, seals).wait()
    changed = [name for name in seals if seals[name] != other[name]]
    assert len(blocks) == (len(changed) if free else 0)  # tiny tensors: a block each


def test_what_a_wrong_sample_says_of_memory_is_not_believed_once_the_file_is_left(tiny, tmp_path, monkeypatch):
    """a was hashed by another process and changed since where no sample sees it; b is as a was."""
    monkeypatch.setattr(identity, "_MOUNTS", tmp_path / "no table")
    monkeypatch.setattr(identity, "SETTLED", 0)
    a, b = (Checkpoint(name, tmp_path / name) for name in ("a.safetensors", "b.safetensors"))
    for checkpoint in (a, b):
        shutil.copy2(tiny / "tiny_base.safetensors", checkpoint.path)
        Hashes(tmp_path / "cache")(checkpoint.path)
    stat, before = a.path.stat(), FileIdentity.of(a.path, sampled=True)
    place = read_header(a.path).tensors["model.diffusion_model.input_blocks.0.0.weight"].start
    with a.path.open("r+b") as file:
        while True:  # the first byte of the UNet, or further on, that no sample reads
            file.seek(place)
            old = file.read(1)
            file.seek(place)
            file.write(bytes([old[0] ^ 1]))
            file.flush()
            os.utime(a.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            if FileIdentity.of(a.path, sampled=True).matches(before):
                break
            file.seek(place)
            file.write(old)
            place += 4096
    host = NativeHost([tmp_path], device="cpu", hashes=Hashes(tmp_path / "cache"))
    loaded = host.use(a, sampled=True)
    assert (loaded.is_sampled, loaded.sha256) == (True, Hashes()(b.path))
    host.use(b)
    assert holds(host, b)
    assert host.use(a).sha256 == Hashes()(a.path) != loaded.sha256
    assert holds(host, a)
