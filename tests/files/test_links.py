"""A folder may come from a stranger: no link in it is written through, waited on or lent."""

import os

import pytest

from ohwx_compare.files import atomic
from ohwx_compare.files.lock import LOCK_FILE, hold, is_held

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")


@pytest.fixture
def treasure(tmp_path):
    file = tmp_path / "treasure.txt"
    file.write_text("mine")
    return file


@pytest.mark.parametrize("name", ["a.png", "a.png.unfinished"])
def test_a_link_is_replaced_and_its_target_stays(tmp_path, treasure, name):
    (tmp_path / name).symlink_to(treasure)
    atomic.write_bytes(tmp_path / "a.png", b"new")
    assert (tmp_path / "a.png").read_bytes() == b"new"
    assert not (tmp_path / "a.png").is_symlink()
    assert treasure.read_text() == "mine"


def test_even_under_a_name_that_was_foreseen_a_link_is_not_written_through(tmp_path, treasure, monkeypatch):
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda size: "0" * 8)
    (tmp_path / "a.png.00000000.unfinished").symlink_to(treasure)
    with pytest.raises(FileExistsError):
        atomic.write_bytes(tmp_path / "a.png", b"new")
    assert treasure.read_text() == "mine"


def test_a_link_is_not_lent(tmp_path, treasure):
    (tmp_path / "lent.png").symlink_to(treasure)
    with pytest.raises(OSError, match="not a regular file"):
        atomic.link(tmp_path / "lent.png", tmp_path / "own.png")
    assert not (tmp_path / "own.png").exists()


def test_sweeping_removes_the_link_and_not_its_target(tmp_path, treasure):
    (tmp_path / "a.unfinished").symlink_to(treasure)
    atomic.sweep(tmp_path)
    assert treasure.read_text() == "mine"
    assert not (tmp_path / "a.unfinished").is_symlink()


def test_nothing_is_left_of_a_write_that_fails(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        atomic.write_bytes(tmp_path / "taken", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("make", [lambda path, target: path.symlink_to(target), lambda path, _: os.mkfifo(path)])
def test_a_lock_that_is_no_file_holds_nobody_up(tmp_path, treasure, make):
    folder = tmp_path / "run"
    folder.mkdir()
    make(folder / LOCK_FILE, treasure)
    assert not is_held(folder)
    with pytest.raises(OSError, match="delete it"):
        hold(folder)
    assert treasure.read_text() == "mine"


def test_lookers_do_not_see_each_other(tmp_path):
    hold(tmp_path).close()
    file = (tmp_path / LOCK_FILE).open("rb")
    import fcntl

    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not is_held(tmp_path)
