"""Identity and hashes: a file is read once while it stays as it is, and again after every write."""

import hashlib
import json
import os
import shutil
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files import hashes as module
from ohwx_compare.files.contents import read_contents
from ohwx_compare.files.hashes import Hashes, identity

HONEST = sys.platform == "linux"  # and the temporary folder on a file system of the list, or tests are skipped


class Counted:
    reads = 0

    def __call__(self, path, on_block):
        self.reads += 1
        return read_contents(path, on_block)


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
    hashes = Hashes(read=counted, settled=0.02)
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
    hashes = Hashes(read=counted, settled=60)
    assert hashes(path) == hashes(path)
    assert counted.reads == 2
    with pytest.raises(CheckpointError, match="cannot be read"):
        hashes(path.with_name("none"))


def test_the_next_process_reads_only_what_changed(tmp_path):
    paths, folder, counted = [tmp_path / f"{n} é.safetensors" for n in "ab"], tmp_path / "cache", Counted()
    for path in paths:
        save_file({"w": np.ones(3, np.float32)}, path)
    if not is_known(paths[0]):
        pytest.skip("the temporary folder's file system does not tell changes")
    first = [Hashes(folder, settled=0.02).contents(path) for path in paths]
    paths[1].write_bytes(paths[0].read_bytes().replace(b"w", b"v"))
    os.utime(paths[1], ns=(10**18, 10**18))
    time.sleep(0.05)
    later = Hashes(folder, read=counted, settled=0.02)
    assert later.contents(paths[0]) == first[0]
    assert counted.reads == 0
    assert later.contents(paths[1]).tensors.keys() == {"v"}
    assert counted.reads == 1


def test_what_is_remembered_may_be_damaged_or_lost(tmp_path):
    path, folder = tmp_path / "a.safetensors", tmp_path / "cache"
    path.write_bytes(b"one")
    time.sleep(0.05)
    for said in ("", "[]", "{}", '{"format": 1, "identity": 3, "sha256": "", "tensors": []}'):
        expected = Hashes(folder, settled=0.02)(path)
        assert expected == hashlib.sha256(b"one").hexdigest()
        for file in folder.glob("*.json"):
            file.write_text(said, encoding="utf-8")
    assert Hashes(path / "no folder", settled=0.02)(path) == expected


def test_the_oldest_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEEP", 2)
    for name in "abc":
        (tmp_path / name).write_bytes(b"one")
    time.sleep(0.05)
    known = Hashes(tmp_path / "cache", settled=0.02)
    for name in "abc":
        known(tmp_path / name)
    assert len(list((tmp_path / "cache").glob("*"))) == (2 if identity(tmp_path / "a", settled=0.02) else 0)


def test_a_cache_of_an_earlier_version_is_taken(earlier):
    folder, counted = earlier("44c9ee7"), Counted()
    path = folder / "models" / "small.safetensors"
    if not is_known(path):
        pytest.skip("the temporary folder's file system does not tell changes")
    (file,) = (folder / "cache").glob("*.json")
    said = json.loads(file.read_text(encoding="utf-8"))
    stat = path.stat()  # the same file as then, were it not unpacked here
    said["identity"] = [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    name = hashlib.sha256(str(path.resolve()).encode("utf-8", "replace")).hexdigest()[:32]
    file.with_name(f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
    contents = Hashes(folder / "cache", read=counted, settled=0.02).contents(path)
    assert (counted.reads, contents) == (0, read_contents(path))
