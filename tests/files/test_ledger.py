"""The ledger: what is committed is read back, one writer at a time, other schemas refused."""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace

import pytest
from PIL import Image

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import FaceRecord, Fate, Outcome
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import LedgerError
from ohwx_compare.files.images import write_png
from ohwx_compare.files.ledger.reader import experiment_in, open_run, read_cells, read_summary
from ohwx_compare.files.ledger.rows import CheckpointRow, Result
from ohwx_compare.files.ledger.schema import SCHEMA
from ohwx_compare.files.ledger.writer import Ledger

FACE = FaceRecord(tab=1, box=(1.0, 2.5, 3.0, 4.0), confidence=0.5, detector="d.pt", fate=Fate.INPAINTED, mask=0, seed=4)
RESULT = Result(
    outcome=Outcome.FACES, before_key="b", key="k", before="images/ä.png", after="images/å.png",
    before_thumb="thumbs/ä.jpg", after_thumb="thumbs/å.jpg",
    faces=(FACE, replace(FACE, fate=Fate.FILTERED, mask=None, reason="too small")),
    infotext="男\nSteps: 1", notes=("VAE ran in float32", "é"), seconds=1.5,
)  # fmt: skip
ROW = CheckpointRow(ref="a.safetensors", path="C:\\modèles\\a.safetensors", sha256="0" * 64, size=1, modified_ns=2**60)


def experiment(seeds=(1, 2)):
    refs = (CheckpointRef("a.safetensors"), CheckpointRef("b.safetensors", "0123456789"))
    return Experiment(job=Job(prompt="ohwx", seed=1), axes=(Axis("seed", seeds), Axis("checkpoint", refs)))


def test_what_is_committed_is_read(tmp_path):
    folder = tmp_path / "run 1 ä"
    cells = experiment().cells()
    with Ledger(folder) as ledger:
        ledger.plan(experiment())
        ledger.remember(ROW)
        ledger.commit(cells[0], RESULT)
        failed = Result(outcome=Outcome.FAILED, error="no memory")
        ledger.commit(cells[3], RESULT)
        ledger.commit(cells[3], failed)  # replaces
        run = open_run(folder)  # while it is held
    assert run == open_run(folder)
    assert run.experiment == experiment()
    assert [c.cell for c in run.cells] == list(cells)
    pending = Result(outcome=Outcome.PENDING)
    assert [c.result for c in run.cells] == [RESULT, pending, pending, failed]
    assert [c.checkpoint for c in run.cells] == [ROW, ROW, None, None]
    assert (RESULT.image, failed.image, replace(RESULT, after=None).image) == ("images/å.png", None, "images/ä.png")


def test_a_larger_plan_takes_all_results_along(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.plan(experiment())
        for cell in experiment().cells():
            ledger.commit(cell, replace(RESULT, key=f"{cell.checkpoint} {cell.job.seed}"))
        more = experiment(seeds=(3, 2, 1))
        ledger.plan(more)
        wanted = {c.number: f"{c.checkpoint} {c.job.seed}" for c in more.cells() if c.job.seed != 3}
        assert {number: result.key for number, result in ledger.results().items()} == wanted


def test_a_plan_that_leaves_drawn_cells_out_is_refused(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.plan(experiment())
        ledger.commit(experiment().cells()[0], Result(outcome=Outcome.FAILED, error="no memory"))
        ledger.plan(experiment(seeds=(2,)))  # only a failure is left out
        ledger.plan(experiment())
        ledger.commit(experiment().cells()[0], RESULT)
        with pytest.raises(LedgerError, match=r"holds 1 cell that .* \(the first: seed 1, a\)"):
            ledger.plan(experiment(seeds=(2,)))
        assert ledger.results() == {1: RESULT}
    assert open_run(tmp_path).experiment == experiment()


OF_SCHEMA_1 = """
CREATE TABLE experiment (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);
CREATE TABLE checkpoints (
    ref TEXT PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL
);
CREATE TABLE cells (
    number INTEGER PRIMARY KEY, request TEXT NOT NULL, before_key TEXT, key TEXT, before TEXT, after TEXT,
    before_thumb TEXT, after_thumb TEXT, outcome TEXT NOT NULL, infotext TEXT NOT NULL, notes TEXT NOT NULL,
    error TEXT, seconds REAL
);
CREATE TABLE faces (
    cell INTEGER NOT NULL REFERENCES cells (number) ON DELETE CASCADE, place INTEGER NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (cell, place)
);
INSERT INTO checkpoints VALUES ('a.safetensors', 'C:\\modèles\\a.safetensors', :sha256, 1, 1152921504606846976);
INSERT INTO cells VALUES (1, :request, 'b', 'k', 'images/ä.png', 'images/å.png', 'thumbs/ä.jpg', 'thumbs/å.jpg',
    'faces inpainted', '男' || char(10) || 'Steps: 1', '["VAE ran in float32", "é"]', NULL, 1.5);
INSERT INTO faces VALUES (1, 0, '{"tab": 1, "box": [1.0, 2.5, 3.0, 4.0], "confidence": 0.5, "detector": "d.pt",
    "fate": "inpainted", "reason": "", "mask": 0, "prompt": "", "seed": 4}');
INSERT INTO faces VALUES (1, 1, '{"tab": 1, "box": [1.0, 2.5, 3.0, 4.0], "confidence": 0.5, "detector": "d.pt",
    "fate": "filtered", "reason": "too small", "mask": null, "prompt": "", "seed": 4}');
PRAGMA user_version = 1;
"""
REQUEST = (
    '["a.safetensors",{"cfg":7,"clip_skip":1,"denoise":null,"height":1024,"negative":"","prompt":"ohwx","rng":"GPU",'
    '"sampler":"DPM++ 2M SDE","schedule":"Automatic","seed":1,"steps":20,"subseed":0,"subseed_strength":0,'
    '"width":1024},[]]'
)


def test_a_ledger_of_the_first_schema_is_read_and_brought_up_to_date(tmp_path):
    path = tmp_path / "run.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OF_SCHEMA_1.replace(":sha256", f"'{ROW.sha256}'").replace(":request", f"'{REQUEST}'"))
        db.execute("INSERT INTO experiment VALUES (1, ?)", (json.dumps(experiment().to_dict()),))
        db.commit()
    (tmp_path / "images").mkdir()
    for name, key in (("ä", "b"), ("å", "k")):
        text = f'Steps: 1, Seed: 1, Size: 8x8, ohwx: "{{\\"key\\": \\"{key}\\"}}"'
        write_png(tmp_path / "images" / f"{name}.png", Image.new("RGB", (8, 8)), text)
    as_it_was = path.read_bytes()
    old = open_run(tmp_path)
    assert path.read_bytes() == as_it_was  # reading writes nothing
    assert (old.experiment, old.checkpoints, old.cells[0].result) == (experiment(), (ROW,), RESULT)
    proven = replace(ROW, identity=(1, 2, 2**60))
    with Ledger(tmp_path) as ledger:
        assert (ledger.results(), ledger.checkpoints()) == ({1: RESULT}, {ROW.ref: ROW})
        ledger.plan(experiment(seeds=(1, 2, 3)))
        ledger.remember(proven)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
    new = open_run(tmp_path)
    assert (new.checkpoints, new.cells[0].result) == ((proven,), RESULT)


def test_one_writer_at_a_time(tmp_path):
    code = "from pathlib import Path; from ohwx_compare.files.ledger.writer import Ledger; "
    code += f"Ledger(Path({str(tmp_path)!r}))"
    with Ledger(tmp_path):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "LedgerError: Another run is writing to" in other.stderr
        with pytest.raises(LedgerError, match="Another run"):
            Ledger(tmp_path)
    with Ledger(tmp_path):  # free again
        pass


def test_a_half_done_change_is_no_change(tmp_path, monkeypatch):
    with Ledger(tmp_path) as ledger:
        ledger.plan(experiment())
        ledger.commit(experiment().cells()[0], RESULT)
        broken = replace(RESULT, seconds=object())
        with pytest.raises(LedgerError):
            ledger.commit(experiment().cells()[0], broken)
        assert ledger.results() == {1: RESULT}


def commit_all(ledger, cells):
    for cell in cells:
        ledger.commit(cell, RESULT)


def test_a_disk_that_sqlite_finds_full_within_a_transaction_loses_nothing(tmp_path):
    cells = experiment(tuple(range(200))).cells()
    with Ledger(tmp_path) as ledger:
        ledger.plan(experiment(tuple(range(200))))
        ledger._db.execute("PRAGMA max_page_count = 1")  # no page more than there are
        with pytest.raises(LedgerError, match=r"database or disk is full\. Free some space"):
            commit_all(ledger, cells)
        kept = ledger.results()
    assert 0 < len(kept) < len(cells)
    with Ledger(tmp_path) as ledger:
        assert ledger.results() == kept
        commit_all(ledger, cells)
        assert len(ledger.results()) == len(cells)


def test_other_folders_are_refused(tmp_path):
    for read in (open_run, read_summary):
        with pytest.raises(LedgerError, match="is not a run folder"):
            read(tmp_path)
    (tmp_path / "run.sqlite").touch()  # killed before it held anything
    with pytest.raises(LedgerError, match="holds no experiment"):
        open_run(tmp_path)
    with Ledger(tmp_path):
        pass
    for read in (open_run, read_summary):
        with pytest.raises(LedgerError, match="holds no experiment"):
            read(tmp_path)
    db = sqlite3.connect(tmp_path / "run.sqlite")
    db.execute("PRAGMA user_version = 7")
    db.close()
    for use in (open_run, Ledger):
        with pytest.raises(LedgerError, match=r"schema 7, this version reads at most \d; update"):
            use(tmp_path)
    with Ledger(tmp_path / "other"):  # the refused one let go of its lock
        pass
    (tmp_path / "run.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 20)
    with pytest.raises(LedgerError, match="cannot be used"):
        open_run(tmp_path)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(tmp_path / "file")


def test_the_plan_is_the_experiment_file(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.plan(experiment())
    db = sqlite3.connect(tmp_path / "run.sqlite")
    text = db.execute("SELECT json FROM experiment").fetchone()[0]
    db.close()
    assert Experiment.from_dict(json.loads(text)) == experiment()


def test_rows_find_their_cells_whatever_the_numbers(tmp_path):
    """Face pass off makes cells that ask for the same: each has a row of its own, and keeps it."""
    tab = FaceSettings(denoise=0.3)
    axes = (*experiment().axes, Axis("face denoise", (0.3, 0.5)), Axis("face pass", (True, False)))
    first = replace(experiment(), axes=axes, faces=(tab,))
    with Ledger(tmp_path) as ledger:
        ledger.plan(first)
        for cell in first.cells():
            ledger.commit(cell, replace(RESULT, key=f"{cell.checkpoint} {cell.job.seed} {cell.faces}"))
        rows = ledger.results()
        ledger.plan(first)
        assert ledger.results() == rows
        for order in ((3, 2, 1), (2, 1, 3)):
            more = replace(first, axes=(Axis("seed", order), axes[1], axes[3], axes[2]))
            ledger.plan(more)
            wanted = {c.number: f"{c.checkpoint} {c.job.seed} {c.faces}" for c in more.cells() if c.job.seed != 3}
            found = ledger.results()
            assert {number: result.key for number, result in found.items()} == wanted
            assert all(result.faces == RESULT.faces for result in found.values())


def partly_drawn(folder):
    """Eight cells: drawn, failed, drawn without a time, failed; four pending."""
    axes = (*experiment().axes, Axis("cfg", (5.0, 9.0)))
    outcomes = (
        replace(RESULT, after_thumb=None, before_thumb=None),
        Result(outcome=Outcome.FAILED, error="no memory"),
        replace(RESULT, seconds=None),
        Result(outcome=Outcome.FAILED, error="no file"),
    )
    with Ledger(folder) as ledger:
        ledger.plan(replace(experiment(), axes=axes))
        ledger.remember(ROW)
        for cell, result in zip(replace(experiment(), axes=axes).cells(), outcomes, strict=False):
            ledger.commit(cell, result)
        yield
    yield


def test_a_summary_tells_what_the_cells_do(tmp_path):
    for _ in partly_drawn(tmp_path):  # while it is held, and after
        run, told = open_run(tmp_path), read_summary(tmp_path)
        ended = [cell.result for cell in run.cells if cell.result.outcome is not Outcome.PENDING]
        assert (told.cells, told.done, told.failed) == (len(run.cells), len(ended), 2)
        assert told.noted == sum(bool(one.notes) for one in ended if one.outcome is not Outcome.FAILED) == 2
        assert told.outcomes == Counter(result.outcome for result in ended)
        assert told.axes == tuple((axis.kind, len(axis.values)) for axis in run.experiment.axes)
        assert (told.seconds, told.thumb, told.error) == (1.5, "thumbs/å.jpg", "no memory")
        assert experiment_in(tmp_path) == run.experiment


def test_an_empty_run_has_a_summary_too(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.plan(experiment())
    told = read_summary(tmp_path)
    assert (told.cells, told.done, told.outcomes, told.seconds, told.thumb, told.error) == (4, 0, {}, None, None, None)


def test_a_slice_of_cells_is_a_slice_of_the_run(tmp_path):
    for _ in partly_drawn(tmp_path):
        cells = open_run(tmp_path).cells
        for start in range(10):
            for stop in range(10):
                assert read_cells(tmp_path, start, stop) == cells[start:stop]


def test_a_ledger_without_the_index_is_read_and_gets_it(tmp_path):
    """Those that 44c9ee7 made have none."""
    list(partly_drawn(tmp_path))
    told = read_summary(tmp_path)
    with closing(sqlite3.connect(tmp_path / "run.sqlite")) as db:
        for index in ("cells_in_short", "cells_with_notes"):
            db.execute(f"DROP INDEX {index}")
    assert read_summary(tmp_path) == told
    with Ledger(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "run.sqlite")) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT outcome, sum(seconds) FROM cells GROUP BY outcome").fetchall()
        notes = "EXPLAIN QUERY PLAN SELECT count(*) FROM cells WHERE notes <> '[]' AND outcome <> 'failed'"
        noted = db.execute(notes).fetchall()
    assert "COVERING INDEX cells_in_short" in plan[0][3]
    assert "INDEX cells_with_notes" in noted[0][3]
