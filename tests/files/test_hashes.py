"""Identity and hashes: a file is read once a process while it stays as it is, and again after every write."""

import hashlib
import json
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import save_file

from ohwx_compare.core.events import Hashing
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files import hashes as module
from ohwx_compare.files import identity
from ohwx_compare.files.contents import read_contents
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.identity import FileIdentity

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
    return FileIdentity.of(path, settled=0.02).is_proof


def test_a_file_overwritten_with_its_size_and_time_is_read_again(path):
    counted = Counted()
    hashes = Hashes(read=counted, settled=0.02)
    for content in (b"one", b"two"):
        path.write_bytes(content)
        settle(path)
        assert {hashes(path) for _ in range(3)} == {hashlib.sha256(content).hexdigest()}
    assert counted.reads == 2


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
    before = FileIdentity.of(path, settled=0.02)
    assert FileIdentity.of(path, settled=0.02) == before
    assert before.proves(before)
    write(path)
    settle(path)
    after = FileIdentity.of(path, settled=0.02)
    assert after.proof
    assert after.proof != before.proof
    assert not after.proves(before)
    assert not after.seems_untouched(before)


def test_what_cannot_be_told_has_no_identity(path, monkeypatch):
    settle(path)
    assert FileIdentity.of(path, settled=60).proof == ()  # just written
    assert FileIdentity.of(path.with_name("none"), settled=0.02) == FileIdentity()
    assert FileIdentity.of(path.parent, settled=0.02) == FileIdentity()
    if HONEST:
        stat = path.stat()
        line = f"1 1 {os.major(stat.st_dev)}:{os.minor(stat.st_dev)} / / rw - vfat /dev/sdb1 rw\n"
        for table in (line, "", "1 1 0:999999 / / rw - ext4 x rw\n"):
            path.with_name("mounts").write_text(table, encoding="utf-8")
            monkeypatch.setattr(identity, "_MOUNTS", path.with_name("mounts"))
            assert FileIdentity.of(path, settled=0.02).proof == ()
        path.with_name("mounts").write_text(line.replace("vfat", "ext4"), encoding="utf-8")
        assert FileIdentity.of(path, settled=0.02).proof != ()
    monkeypatch.setattr(identity, "_MOUNTS", path.with_name("no table"))
    assert FileIdentity.of(path, settled=0.02).proof == ()


def test_the_three_questions_grow_stronger(path, monkeypatch):
    settle(path)
    now = FileIdentity.of(path, settled=0.02)
    assert FileIdentity.recorded(now.proof, now.size, now.modified_ns) == (
        now if now.is_proof else FileIdentity(now.size, now.modified_ns)
    )
    monkeypatch.setattr(identity, "_MOUNTS", path.with_name("no table"))
    unproven = FileIdentity.of(path, settled=0.02)
    assert unproven.seems_untouched(now)
    assert not any(one.proves(other) for one in (now, unproven) for other in (unproven, FileIdentity()))
    of_a_record = FileIdentity.recorded((), now.size, now.modified_ns)
    assert now.resembles(of_a_record)
    assert not any(one.seems_untouched(of_a_record) for one in (now, of_a_record))
    assert not FileIdentity().resembles(FileIdentity())
    path.write_bytes(b"three")
    assert not FileIdentity.of(path).resembles(now)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in this file system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert FileIdentity.of(tmp_path / "pipe") == FileIdentity()


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
    assert len(list((tmp_path / "cache").glob("*"))) == 2


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


@pytest.fixture
def nothing_is_proof(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "_MOUNTS", tmp_path / "no table")


def overwrite(path, place):
    """Another byte there; size and time stay."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("size", [0, 7, 8, 4096, 300_000, 1_000_000])
def test_the_fourth_question_sees_header_ends_and_small_files_whole(size, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(np.random.default_rng(size).bytes(size))
    before = FileIdentity.of(path, sampled=True)
    assert before.matches(FileIdentity.of(path, sampled=True))
    assert not before.matches(FileIdentity.of(path))
    for place in range(0, size, max(size // 8, 1)) if size <= 262_144 else (0, size - 1):
        overwrite(path, place)
        assert FileIdentity.of(path).resembles(before)
        assert not FileIdentity.of(path, sampled=True).matches(before), place
        overwrite(path, place)


def test_a_sample_holds_the_whole_header(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({f"tensor {n}": np.zeros(1000, np.float32) for n in range(500)}, path)
    length = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    before = FileIdentity.of(path, sampled=True)
    for place in range(8, length, length // 20):
        overwrite(path, place)
        assert not FileIdentity.of(path, sampled=True).matches(before)
        overwrite(path, place)


def test_what_only_a_sample_tells_is_not_certain(tmp_path, nothing_is_proof):
    path, folder, counted = tmp_path / "a.safetensors", tmp_path / "cache", Counted()
    path.write_bytes(np.random.default_rng(1).bytes(1_000_000))
    settle(path)
    digest = Hashes(folder, settled=0.02)(path)
    later = Hashes(folder, read=counted, settled=0.02)
    assert (later.seems(path), later.glance(path).is_certain, later.keeps(path)) == (digest, False, True)
    assert Hashes(folder, settled=0.02, trusts_samples=True).glance(path).is_certain
    assert (later(path), later(path), counted.reads) == (digest, digest, 1)
    assert later.glance(path).is_certain
    overwrite(path, 0)
    assert (later.seems(path), later.keeps(path)) == (None, True)
    assert not Hashes(folder).keeps(path.with_name("b"))


def test_two_threads_that_ask_for_a_file_read_it_once(path):
    settle(path)
    counted = Counted()

    def slowly(path, on_block):
        time.sleep(0.2)
        return counted(path, on_block)

    hashes = Hashes(read=slowly, settled=0.02)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(hashes, [path] * 4))) == 1
    assert counted.reads == 1


def test_reading_a_large_file_is_told_from_its_start_to_its_end(path, monkeypatch):
    for name, value in (("TOLD_FROM", 3), ("TOLD_EACH", 1), ("BLOCK", 1)):
        monkeypatch.setattr(module, name, value)
    told = []

    def breaks(path, on_block):
        on_block()
        raise CheckpointError("gone")

    def three(path, on_block):
        for _ in range(3):
            on_block()
        return read_contents(path)

    Hashes(read=three, tell=told.append)(path)
    assert told == [Hashing(path.name, done, 3) for done in (0, 1, 2, 2, 3)][: len(told)]
    assert (told[0].done, told[-1].done) == (0, 3)
    told.clear()
    with pytest.raises(CheckpointError, match="gone"):
        Hashes(read=breaks, tell=told.append)(path)
    assert told[-1] == Hashing(path.name, 3, 3)
