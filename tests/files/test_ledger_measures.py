"""Scores and votes in the ledger: kept by picture and measure, never mixed, in ledgers of every version."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.measures import JUDGE_FILE, MeasureLedger, MeasureRow, ScoreRow, VoteRow, ledger_votes
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Result
from ohwx_compare.files.ledger.schema import LEDGER_FILE, SCHEMA
from ohwx_compare.files.ledger.writer import Ledger

LIKENESS = MeasureRow(key="1" * 64, name="likeness", version=1, sha256="a" * 64, licence="CC0", settings={"é": [1]})
OTHER = replace(LIKENESS, key="2" * 64, sha256="b" * 64)
SEEN = ScoreRow(picture="p", value=0.25, outcome="measured", details={"nearest": "ä.jpg", "nearest_distance": 0.5})
FACELESS = ScoreRow(picture="q", control="c", value=None, outcome="no face")
VOTE = VoteRow(rater="me", question="keep it", style="ink", shown=("p", "q"), answer="chosen", best=1, seconds=2.5)


def small(seeds=(1, 2)):
    refs = Axis("checkpoint", (CheckpointRef("a.safetensors"),))
    return Experiment(job=Job(prompt="ohwx", seed=1), axes=(Axis("seed", seeds), refs))


def scores_of(folder, *measures):
    with MeasureLedger(folder) as ledger:
        for one in measures:
            ledger.remember(one)
        return [ledger.scores(one.key) for one in measures]


@pytest.fixture
def folder(tmp_path):
    """A run folder of one finished cell whose picture is "p"."""
    with Ledger(tmp_path / "läuf 1") as ledger:
        ledger.plan(small())
        ledger.commit(small().cells()[0], Result(outcome=Outcome.DRAWN, before_key="p", key="p"))
    return tmp_path / "läuf 1"


def test_scores_are_read_as_they_were_written(folder):
    with MeasureLedger(folder) as ledger:
        ledger.remember(LIKENESS)
        ledger.add(LIKENESS.key, [SEEN, FACELESS])
        ledger.remember(LIKENESS)  # a second time changes nothing
    assert scores_of(folder, LIKENESS) == [{("p", ""): SEEN, ("q", "c"): FACELESS}]
    with MeasureLedger(folder) as ledger:
        assert ledger.measures() == (LIKENESS,)


def test_scores_of_other_weights_are_not_mixed(folder):
    with MeasureLedger(folder) as ledger:
        for one, value in ((LIKENESS, 0.25), (OTHER, 0.75)):
            ledger.remember(one)
            ledger.add(one.key, [replace(SEEN, value=value)])
    first, second = scores_of(folder, LIKENESS, OTHER)
    assert (first["p", ""].value, second["p", ""].value) == (0.25, 0.75)


def test_scores_stay_with_their_picture_when_cells_are_renumbered(folder):
    with MeasureLedger(folder) as ledger:
        ledger.remember(LIKENESS)
        ledger.add(LIKENESS.key, [SEEN])
    with Ledger(folder) as ledger:
        ledger.plan(small(seeds=(3, 2, 1)))
    moved = next(cell for cell in open_run(folder).cells if cell.result.key == "p")
    assert moved.cell.number == 3
    assert scores_of(folder, LIKENESS)[0][moved.result.key, ""] == SEEN


def test_half_a_batch_is_no_batch(folder):
    with MeasureLedger(folder) as ledger:
        ledger.remember(LIKENESS)
        with pytest.raises(LedgerError):
            ledger.add(LIKENESS.key, [SEEN, replace(FACELESS, value=object())])
        assert ledger.scores(LIKENESS.key) == {}


def test_a_score_needs_its_measure(folder):
    with MeasureLedger(folder) as ledger, pytest.raises(LedgerError):
        ledger.add("3" * 64, [SEEN])


def test_votes_are_read_but_those_taken_back(folder):
    with MeasureLedger(folder) as ledger:
        number = ledger.vote(replace(VOTE, best=0))
        ledger.vote(VOTE)
        four = replace(VOTE, shown=("p", "q", "r", "s"), best=2, worst=0, is_repeat=True)
        ledger.vote(four)
        ledger.take_back(number)
    assert ledger_votes(folder) == (VOTE, four)


def test_a_folder_of_pictures_gets_a_ledger_that_makes_it_no_run(tmp_path):
    with MeasureLedger(tmp_path) as ledger:
        ledger.remember(LIKENESS)
    assert (tmp_path / JUDGE_FILE).is_file()
    with pytest.raises(LedgerError, match="not a run folder"):
        open_run(tmp_path)


def test_a_ledger_of_schema_2_gets_the_tables(folder):
    path = folder / LEDGER_FILE
    with closing(sqlite3.connect(path)) as db:
        tables = ("marks", "pictures", "votes", "scores", "measures")
        db.executescript(" ".join(f"DROP TABLE {table};" for table in tables) + "PRAGMA user_version = 2;")
    as_it_was, cells = path.read_bytes(), open_run(folder).cells
    assert ledger_votes(folder) == ()
    assert path.read_bytes() == as_it_was  # reading writes nothing
    with MeasureLedger(folder) as ledger:
        ledger.vote(VOTE)
    assert (ledger_votes(folder), open_run(folder).cells) == ((VOTE,), cells)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)


def test_a_run_that_is_being_written_is_left_alone(folder):
    with Ledger(folder), pytest.raises(LedgerError, match="Another run is writing"):
        MeasureLedger(folder)
