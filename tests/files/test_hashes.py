"""Hashes: a file is read once while it stays as it is, and again after every write."""

import hashlib
import os
import time

import pytest

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.hashes import Hashes


class Counted:
    reads = 0

    def __call__(self, path):
        self.reads += 1
        return sha256(path)


def test_a_file_overwritten_with_its_size_and_time_is_read_again(tmp_path):
    path, counted = tmp_path / "a.safetensors", Counted()
    hashes = Hashes(counted, settled=0.02)
    for content in (b"one", b"two"):
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18))
        time.sleep(0.05)
        assert {hashes(path) for _ in range(3)} == {hashlib.sha256(content).hexdigest()}
    assert counted.reads == (6 if os.name == "nt" else 2)


def test_what_was_just_written_is_not_remembered(tmp_path):
    path, counted = tmp_path / "a.safetensors", Counted()
    path.write_bytes(b"one")
    hashes = Hashes(counted, settled=60)
    assert hashes(path) == hashes(path)
    assert counted.reads == 2
    with pytest.raises(CheckpointError, match="cannot be read"):
        hashes(tmp_path / "none")
