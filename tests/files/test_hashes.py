"""Identity and hashes: a file is read once while it stays as it is, and again after every write."""

import hashlib
import os
import shutil
import sys
import time

import pytest

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files import hashes as module
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.hashes import Hashes, identity

HONEST = sys.platform == "linux"  # and the temporary folder on a file system of the list, or tests are skipped


class Counted:
    reads = 0

    def __call__(self, path):
        self.reads += 1
        return sha256(path)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"one")
    return path


def settle(path):
    os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.05)


def is_known(path):
    """Whether this machine's temporary folder tells changes."""
    settle(path)
    return identity(path, settled=0.02) != ()


def test_a_file_overwritten_with_its_size_and_time_is_read_again(path):
    counted, known = Counted(), is_known(path)
    hashes = Hashes(counted, settled=0.02)
    for content in (b"one", b"two"):
        path.write_bytes(content)
        settle(path)
        assert {hashes(path) for _ in range(3)} == {hashlib.sha256(content).hexdigest()}
    assert counted.reads == (2 if known else 6)


def changed(path):
    path.write_bytes(b"two")


def mapped(path):
    import mmap

    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[0:1] = b"t"


def replaced(path):
    path.with_name("b").write_bytes(b"two")
    path.with_name("b").replace(path)


def copied(path):
    path.with_name("b").write_bytes(b"two")
    os.utime(path.with_name("b"), ns=(10**18, 10**18))
    shutil.copy2(path.with_name("b"), path)


@pytest.mark.parametrize("write", [changed, mapped, replaced, copied])
def test_every_way_to_write_changes_the_identity(path, write):
    if not is_known(path):
        pytest.skip("the temporary folder's file system does not tell changes")
    before = identity(path, settled=0.02)
    assert identity(path, settled=0.02) == before
    write(path)
    settle(path)
    after = identity(path, settled=0.02)
    assert after
    assert after != before


def test_what_cannot_be_told_has_no_identity(path, monkeypatch):
    settle(path)
    assert identity(path, settled=60) == ()  # just written
    assert identity(path.with_name("none"), settled=0.02) == ()
    if HONEST:
        stat = path.stat()
        line = f"1 1 {os.major(stat.st_dev)}:{os.minor(stat.st_dev)} / / rw - vfat /dev/sdb1 rw\n"
        for table in (line, "", "1 1 0:999999 / / rw - ext4 x rw\n"):
            path.with_name("mounts").write_text(table, encoding="utf-8")
            monkeypatch.setattr(module, "_MOUNTS", path.with_name("mounts"))
            assert identity(path, settled=0.02) == ()
        path.with_name("mounts").write_text(line.replace("vfat", "ext4"), encoding="utf-8")
        assert identity(path, settled=0.02) != ()
    monkeypatch.setattr(module, "_MOUNTS", path.with_name("no table"))
    assert identity(path, settled=0.02) == ()


def test_what_was_just_written_is_not_remembered(path):
    counted = Counted()
    hashes = Hashes(counted, settled=60)
    assert hashes(path) == hashes(path)
    assert counted.reads == 2
    with pytest.raises(CheckpointError, match="cannot be read"):
        hashes(path.with_name("none"))
