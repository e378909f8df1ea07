"""A run folder from a stranger, or copied home: nothing in it makes SQLite write, delete, replay or run anything."""

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from test_ledger import RESULT, experiment

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import ElsewhereError, LedgerError
from ohwx_compare.files.ledger.journal import require_harmless
from ohwx_compare.files.ledger.own import has_own_mark, mark
from ohwx_compare.files.ledger.reader import open_run, read_summary
from ohwx_compare.files.ledger.writer import Ledger

MAGIC = bytes.fromhex("d9d505f920a163d7")
READERS = (open_run, read_summary)


def made(folder, count=4):
    with Ledger(folder) as ledger:
        ledger.plan(experiment())
        for cell in experiment().cells()[:count]:
            ledger.commit(cell, RESULT)
    return folder


def copied(folder, name="copy"):
    return Path(shutil.copytree(folder, folder.parent / name))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def journal(path, named=b"", pages=None):
    """A rollback journal of the database at `path` without a page in it; named: its super-journal."""
    size = path.stat().st_size // 4096 if pages is None else pages
    head = (MAGIC + struct.pack(">5I", 0, 7, size, 512, 4096)).ljust(512, b"\0")
    tail = struct.pack(">I", 0x40000000 // 4096 + 1) + named + struct.pack(">2I", len(named), sum(named)) + MAGIC
    return head + (tail if named else b"")


@pytest.mark.parametrize("is_own", [True, False])
def test_a_super_journal_deletes_nothing(tmp_path, is_own):
    folder, victim = made(tmp_path / "run"), tmp_path / "victim.txt"
    folder = folder if is_own else copied(folder)
    spared = journal(folder / "run.sqlite", str(victim).encode())
    victim.write_text("mine")
    (folder / "run.sqlite-journal").write_bytes(spared)
    for use in (*READERS, Ledger, lambda folder: Ledger(folder, adopt=True)):
        with pytest.raises(LedgerError, match="names other files"):
            use(folder)
    assert victim.read_text() == "mine"
    with closing(sqlite3.connect(folder / "run.sqlite")) as db:  # what SQLite would have done
        db.execute("SELECT * FROM cells").fetchall()
    assert not victim.exists()


def test_a_journal_cannot_make_a_ledger_grow(tmp_path):
    folder = copied(made(tmp_path / "run"))
    (folder / "run.sqlite-journal").write_bytes(journal(folder / "run.sqlite", pages=2**31))
    with pytest.raises(LedgerError, match="larger than 256 MB"):
        open_run(folder)


def logged(folder):
    """A write-ahead log beside the ledger, which says that its cells failed."""
    other = copied(folder, "logged")
    with closing(sqlite3.connect(other / "run.sqlite")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE cells SET outcome = 'failed'")
        db.commit()
        return (other / "run.sqlite-wal").read_bytes(), (other / "run.sqlite").read_bytes()


@pytest.mark.parametrize("is_own", [True, False])
def test_a_write_ahead_log_is_not_replayed(tmp_path, is_own):
    folder = made(tmp_path / "run")
    log, database = logged(folder)
    folder = folder if is_own else copied(folder)
    (folder / "run.sqlite-wal").write_bytes(log)
    before = contents(folder)
    for use in (*READERS, Ledger):
        with pytest.raises(LedgerError, match="write-ahead log"):
            use(folder)
    assert contents(folder) == before
    (folder / "run.sqlite-wal").unlink()
    (folder / "run.sqlite").write_bytes(database)  # asks for a log in its header
    for use in (*READERS, Ledger):
        with pytest.raises(LedgerError, match="write-ahead log"):
            use(folder)
    assert not (folder / "run.sqlite-shm").exists()


OBJECTS = {
    "a view in a table's place": "ALTER TABLE faces RENAME TO f; CREATE VIEW faces AS SELECT * FROM f",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON cells BEGIN DELETE FROM checkpoints; END",
    "a table of its own": "CREATE TABLE more (x)",
    "a generated column": "ALTER TABLE faces ADD COLUMN x AS (hex(zeroblob(1000000000)))",
    "a virtual table": "CREATE VIRTUAL TABLE v USING fts4(x)",
    "an index on an expression": "CREATE INDEX i ON cells (abs(number))",
    "a table that is gone": "DROP TABLE faces",
    "another default": "ALTER TABLE checkpoints DROP COLUMN identity; "
    "ALTER TABLE checkpoints ADD COLUMN identity TEXT NOT NULL DEFAULT (hex(zeroblob(1000000000)))",
}


@pytest.mark.parametrize("what", OBJECTS)
@pytest.mark.parametrize("is_own", [True, False])
def test_only_our_own_tables_are_read(tmp_path, what, is_own):
    folder = made(tmp_path / "run")
    folder = folder if is_own else copied(folder)
    with closing(sqlite3.connect(folder / "run.sqlite")) as db:
        db.executescript(OBJECTS[what])
    for use in (*READERS, Ledger, lambda folder: Ledger(folder, adopt=True)):
        with pytest.raises(LedgerError, match="not a ledger of this program"):
            use(folder)


ROWS = {
    "a way out": "UPDATE cells SET before = '../../secret.png'",
    "a path of the system's": "UPDATE cells SET after = '/etc/x.png'",
    "another folder": "UPDATE cells SET after_thumb = 'images/x/../../../y.jpg'",
    "no text": "UPDATE cells SET infotext = x'ff00'",
    "no number": "UPDATE cells SET seconds = 'long'",
    "no notes": "UPDATE cells SET notes = '{}{'",
    "notes nested deep": "UPDATE cells SET notes = replace(hex(zeroblob(90000)), '00', '[')",
    "an outcome that does not exist": "UPDATE cells SET outcome = 'won'",
    "a face without a box": "UPDATE faces SET json = '{}'",
    "a face that is a list": "UPDATE faces SET json = '[]'",
    "a file's identity in words": "UPDATE checkpoints SET identity = '[\"a\"]'",
    "a file of no size": "UPDATE checkpoints SET size = 'x'",
}


@pytest.mark.parametrize("what", ROWS)
def test_a_damaged_row_is_a_sentence(tmp_path, what):
    folder = copied(made(tmp_path / "run"))
    with closing(sqlite3.connect(folder / "run.sqlite")) as db:
        db.execute("INSERT INTO checkpoints VALUES ('a', 'b', 'c', 1, 1, '[]')")
        db.execute(ROWS[what])
        db.commit()
    for use in (open_run, lambda folder: Ledger(folder, adopt=True)):
        with pytest.raises(LedgerError, match="cannot be read"):
            use(folder)


@pytest.mark.parametrize("name", ["run.sqlite", "run.sqlite-journal"])
@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_links_and_pipes_are_not_opened(tmp_path, name):
    folder = made(tmp_path / "run")
    target = tmp_path / "target"
    target.write_bytes((folder / "run.sqlite").read_bytes())
    for make in (lambda path: path.symlink_to(target), os.mkfifo):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        for use in (*READERS, Ledger, lambda folder: Ledger(folder, adopt=True)):
            with pytest.raises(LedgerError, match="not a regular file"):
                use(folder)


def test_reading_a_copy_touches_nothing_in_it(tmp_path, monkeypatch):
    folder = copied(made(tmp_path / "run"))
    (folder / "run.sqlite").chmod(0o444)
    before, cells = contents(folder), open_run(tmp_path / "run").cells
    opened, connect = [], sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda at, **how: opened.append(str(at)) or connect(at, **how))
    assert open_run(folder).cells == cells
    assert (contents(folder), has_own_mark(folder / "run.sqlite")) == (before, False)
    assert [at for at in opened if at != ":memory:"]
    assert not [at for at in opened if folder.name in Path(at).parts]  # SQLite never opened it


CUT_OFF = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE cells SET infotext = replace(hex(zeroblob(100000)), '00', 'x')")
os._exit(0)
"""


def test_a_run_that_was_cut_off_elsewhere_has_its_committed_cells(tmp_path):
    folder = made(tmp_path / "run")
    cells = open_run(folder).cells
    subprocess.run([sys.executable, "-c", CUT_OFF, str(folder / "run.sqlite")], check=True)
    copy = copied(folder)
    before = contents(copy)
    assert before["run.sqlite-journal"]
    assert open_run(copy).cells == cells
    assert contents(copy) == before
    with Ledger(copy, adopt=True) as ledger:
        assert len(ledger.adopted.undone) == 4  # there are no pictures
    assert not (copy / "run.sqlite-journal").exists()
    assert open_run(folder).cells == cells  # and here, where it is ours, it is rolled back in its place
    assert not (folder / "run.sqlite-journal").exists()


def test_a_folder_that_is_renamed_or_moved_stays_ours(tmp_path):
    folder = made(tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    for name in ("renamed", "elsewhere/moved ä"):
        folder = folder.rename(tmp_path / name)
        with Ledger(folder) as ledger:
            assert ledger.adopted is None


def stolen(folder):
    """A mark that was once ours, beside files that are others."""
    other = copied(folder, "stolen")
    (other / "run.mark").write_bytes((folder / "run.mark").read_bytes())
    return other


def unpacked_over(folder):
    """Another ledger in the place of ours."""
    other = (folder / "run.sqlite").read_bytes()
    (folder / "new").write_bytes(other)
    (folder / "new").replace(folder / "run.sqlite")
    return folder


def returned(folder):
    """Deleted, and unpacked again under its name, perhaps with the same file numbers."""
    kept = contents(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    for name, data in kept.items():
        (folder / name).write_bytes(data)
    return folder


def numbered_again(folder):
    """The same, where the file system gives all numbers again: only the lock's time tells."""
    time.sleep(0.05)  # longer than its tick
    (folder / "run.lock").touch()
    return folder


def forged(folder):
    other = copied(folder, "forged")
    (other / "run.mark").write_bytes(b"0" * 64)
    return other


def linked(folder):
    """Even to the folder's own mark: it could be a pipe as well."""
    (folder / "run.mark").rename(folder.parent / "mark")
    (folder / "run.mark").symlink_to(folder.parent / "mark")
    return folder


ON_POSIX = () if os.name == "nt" else (numbered_again, linked)  # a touch moves its ctime, and all may make links


@pytest.mark.parametrize("make", [copied, stolen, unpacked_over, returned, forged, *ON_POSIX])
def test_a_mark_cannot_be_had_by_others(tmp_path, make):
    folder = made(tmp_path / "run")
    assert has_own_mark(folder / "run.sqlite")
    folder = make(folder)
    assert not has_own_mark(folder / "run.sqlite")
    with pytest.raises(ElsewhereError, match="was made elsewhere"):
        Ledger(folder)
    with Ledger(folder, adopt=True):
        assert has_own_mark(folder / "run.sqlite")


@pytest.mark.parametrize("kind", ["another user's", "gone", "cannot be written to"])
def test_without_the_key_a_folder_is_adopted_once_more(tmp_path, monkeypatch, kind):
    folder = made(tmp_path / "run")
    if kind == "cannot be written to":
        (tmp_path / "file").touch()
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / ("file" if kind == "cannot be written to" else kind)))
    assert len(open_run(folder).cells) == 4
    with pytest.raises(ElsewhereError):
        Ledger(folder)
    with Ledger(folder, adopt=True):
        pass
    with Ledger(folder) as ledger:  # and it is known again, where the key cannot be kept by this process alone
        assert ledger.adopted is None


def test_the_key_is_the_users_own(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    made(tmp_path / "run")
    (key,) = (tmp_path / "cache").rglob("key")
    assert len(key.read_bytes()) == 32
    assert os.name == "nt" or key.stat().st_mode & 0o777 == 0o600


def test_an_empty_ledger_is_a_new_one(tmp_path):
    """A kill between the two first writes leaves one."""
    (tmp_path / "run.sqlite").touch()
    with Ledger(tmp_path) as ledger:
        assert ledger.adopted is None
    assert has_own_mark(tmp_path / "run.sqlite")


def test_a_journal_without_a_ledger_is_not_made_one_of_ours(tmp_path):
    made(tmp_path / "run")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "run.sqlite-journal").write_bytes(journal(tmp_path / "run" / "run.sqlite"))
    with pytest.raises(LedgerError, match="belongs to no ledger"):
        Ledger(tmp_path / "new")


def test_copies_are_private_and_removed_at_the_end(tmp_path):
    folder = copied(made(tmp_path / "run"))
    code = "import sys; from pathlib import Path; from ohwx_compare.files.ledger.reader import open_run; "
    code += "f = Path(sys.argv[1]); [open_run(f) for _ in range(5)]; "
    code += "found, = Path(sys.argv[2]).iterdir(); print(oct(found.stat().st_mode & 0o777))"
    (tmp_path / "temp").mkdir()
    names = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(tmp_path / "temp"))
    told = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "temp")],
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        check=True,
    )
    assert os.name == "nt" or told.stdout.strip() == "0o700"
    assert not list((tmp_path / "temp").iterdir())


def of(number):
    """A result of several pages of the database that tells its cell."""
    return replace(RESULT, infotext=f"{number} " * 3000)


WRITER = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_elsewhere import of
from test_ledger import experiment
from ohwx_compare.files.ledger.writer import Ledger
plan = experiment(tuple(range(1, 151)))
with Ledger(Path(sys.argv[1])) as ledger:
    ledger.plan(plan)
    for cell in plan.cells()[len(ledger.results()):]:
        print(cell.number, flush=True)
        ledger.commit(cell, of(cell.number))
        print(-cell.number, flush=True)
        time.sleep(0.02)
"""


def test_a_journal_that_is_gone_at_the_second_look_is_no_fault(tmp_path, monkeypatch):
    """A run makes and removes its journal at each commit."""
    monkeypatch.setattr(os.path, "lexists", lambda path: str(path).endswith("-journal"))
    require_harmless(tmp_path / "run.sqlite")


@pytest.mark.slow
def test_a_thousand_reads_during_a_run_and_after_kills_see_the_committed_cells(tmp_path):
    """Each reading shows whole cells, no fewer than were committed before it and no more than were begun after it."""
    code, reads = WRITER.format(tests=str(Path(__file__).parent)), 0
    for life in range(20):  # five of each run folder
        folder, log = tmp_path / str(life // 5), tmp_path / f"{life // 5}.log"
        with log.open("a") as out:
            writer = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=out)
        while not said(log)[0]:
            time.sleep(0.01)
        least = 0
        for _ in range(50):
            committed, _ = said(log)
            cells = [cell for cell in open_run(folder).cells if cell.result.outcome is not Outcome.PENDING]
            _, begun = said(log)
            reads += 1
            assert [cell.cell.number for cell in cells] == list(range(1, len(cells) + 1))
            assert max(committed, least) <= len(cells) <= begun + 1
            assert [cell.cell.number for cell in cells if cell.result != of(cell.cell.number)] == []
            least = len(cells)
        writer.kill()
        writer.wait()
        assert has_own_mark(folder / "run.sqlite")
    assert reads == 1000


def said(log):
    """The number of the last cell that was committed for certain, and of the last that was begun."""
    numbers = [int(line) for line in log.read_text().splitlines()[:-1] if line]
    return max((-n for n in numbers), default=0), max(numbers, default=0)


def test_a_marked_folder_is_not_read_from_a_copy(tmp_path, monkeypatch):
    folder = made(tmp_path / "run")
    monkeypatch.setattr("ohwx_compare.files.ledger.access.tempfile.mkdtemp", None)
    assert len(open_run(folder).cells) == 4
    (folder / "run.mark").unlink()
    with pytest.raises(TypeError):
        open_run(folder)
    mark(folder / "run.sqlite")
    assert len(open_run(folder).cells) == 4
