"""Writing behind: pictures and cells are written in order while the next batches are generated, two at most waiting."""

import threading
from dataclasses import replace

import pytest
from drawing_runs import PLAIN, draw
from killed_run import EXPERIMENT

from ohwx_compare.compare.behind import MOST, Behind
from ohwx_compare.compare.commit import Commits
from ohwx_compare.compare.run import Options
from ohwx_compare.compare.shelf import Shelf
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.errors import ImageError, LedgerError
from ohwx_compare.testing.fake_host import FakeHost

EIGHT = replace(PLAIN, axes=(Axis("checkpoint", (CheckpointRef("a"),)), Axis("seed", tuple(range(8)))))
ONE_EACH = {"options": Options(batch=1)}


class Waiting(FakeHost):
    """Tells how many pictures it has generated."""

    def __init__(self, models):
        super().__init__(models)
        self.drawn, self.moved = 0, threading.Condition()

    def render(self, jobs):
        with self.moved:
            self.drawn += len(jobs)
            self.moved.notify_all()
        yield from super().render(jobs)


def test_it_generates_while_it_writes_but_no_further_than_two_batches(models, tmp_path, monkeypatch):
    host, keep, seen = Waiting(models), Commits.keep, []

    def slow(self, wanted, drawn, loaded):
        with host.moved:
            first = not seen
            assert host.moved.wait_for(lambda: not first or host.drawn == MOST + 1, 30)
            if first:
                host.moved.wait(0.2)  # time to go too far in
            seen.append(host.drawn)
        keep(self, wanted, drawn, loaded)

    monkeypatch.setattr(Commits, "keep", slow)
    told = []
    result, *_ = draw(EIGHT, models, tmp_path / "out", host=host, told=told, **ONE_EACH)
    assert seen[0] == MOST + 1
    assert result.drawn == 8
    assert [e.number for e in told if isinstance(e, events.Image)] == list(range(1, 9))


def test_no_picture_is_read_back(models, tmp_path, monkeypatch):
    monkeypatch.setattr(Shelf, "load", lambda self, stored: pytest.fail(f"{stored.path} is read"))
    assert draw(EXPERIMENT, models, tmp_path / "out")[0].failed == 0


def test_a_folder_that_cannot_be_written_ends_the_run_and_what_follows_is_not_written(models, tmp_path, monkeypatch):
    keep, kept = Commits.keep, []

    def full(self, wanted, drawn, loaded):
        if len(kept) == 2:
            raise LedgerError("The disk is full.")
        keep(self, wanted, drawn, loaded)
        kept.append(wanted)

    monkeypatch.setattr(Commits, "keep", full)
    host = Waiting(models)
    with pytest.raises(LedgerError, match="full"):
        draw(EIGHT, models, tmp_path / "out", host=host, **ONE_EACH)
    assert len(kept) == 2
    assert host.drawn < 8
    monkeypatch.setattr(Commits, "keep", keep)
    assert draw(EIGHT, models, tmp_path / "out", **ONE_EACH)[0].drawn == 6


@pytest.mark.parametrize("size", [1, 2])
def test_an_error_of_one_batch_is_that_batchs(size, models, tmp_path, monkeypatch):
    commit = Commits.commit

    def broken(self, cell, *others):
        if cell.number == 3 and (size == 1 or len(self.results) < 8):
            raise ImageError("A picture vanished.")
        commit(self, cell, *others)

    monkeypatch.setattr(Commits, "commit", broken)
    result, opened, *_ = draw(EIGHT, models, tmp_path / "out", options=Options(batch=size))
    failed = [c.cell.number for c in opened.cells if c.result.error]
    assert failed == [3]
    assert (result.drawn, result.failed) == (7, 1)


def test_what_was_handed_over_is_written_whatever_ends_the_run():
    done = []

    def interrupted():
        with Behind() as behind, behind.batch(None, 1) as batch:
            behind.hand(batch, lambda: done.append(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [1]
