"""Killed twenty times at moments uniform in wall time, a run of twelve cells ends as if nobody had touched it.

The engine, the checkpoints, the detector and the files are real; the disk is made as slow as a hard disk (`FLUSH`), so
that the short moments of writing are hit too. Where twenty kills miss one of `MUST`, more follow until it is hit.
"""

import multiprocessing
import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import phased_run
import pytest
from drawing_runs import contents
from phased_run import PHASES, Phases

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files import atomic
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.reader import open_run

KILLS = 20
MUST = {"render", "inpaint", "PNG write", "commit"}


class Run:
    """One run folder, and the process that draws into it."""

    def __init__(self, folder: Path, tiny: Path, goldens: Path):
        folder.mkdir()
        self.out, self.file, self.log = folder / "out", folder / "phase", folder / "phase.log"
        self.file.write_bytes(bytes(len(PHASES)))
        self.phases = Phases(self.file)
        self.arguments = (tiny, goldens, self.out, self.file)

    def start(self, context) -> None:
        """Start; back once the run has begun."""
        self.process = context.Process(target=phased_run.draw, args=self.arguments)
        self.process.start()
        while self.process.is_alive() and not self.phases.names():
            time.sleep(0.001)

    def finish(self) -> None:
        self.process.join(300)
        assert self.process.exitcode == 0

    def kill_at(self, moment: float) -> set[str]:
        """SIGKILL `moment` s from now; the phases it hit, none if the run was over before."""
        self.process.join(moment)
        self.process.kill()
        self.process.join()
        return self.phases.names() if self.process.exitcode else set()

    def drawn(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []

    def committed(self) -> set[str]:
        """What the log must not have again; every file is whole, the ledger too, and its cells' files are there."""
        for path in (*self.out.rglob("*.png"), *self.out.rglob("*.jpg")):
            load_rgb(path)
        if not (self.out / "images").exists():
            return set()
        with closing(sqlite3.connect(self.out / "run.sqlite")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        done = [c for c in open_run(self.out).cells if c.result.outcome is not Outcome.PENDING]
        assert all((self.out / name).is_file() for c in done for name in (c.result.before, c.result.after))
        return {f"{what} {c.checkpoint.sha256} {c.cell.job.seed}" for c in done for what in ("render", "inpaint")}


@pytest.mark.slow(first=True)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL and a fork server are POSIX's")
def test_killed_twenty_times(tiny, goldens, tmp_path, capsys):
    def say(line):
        with capsys.disabled():
            print(line, flush=True)  # noqa: T201

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["phased_run"])
    whole = Run(tmp_path / "whole", tiny, goldens)
    whole.start(context)
    began = time.monotonic()
    whole.finish()
    seconds = time.monotonic() - began
    expected = contents(whole.out)
    assert [c.result.outcome for c in expected[2]] == [Outcome.FACES] * 12

    say(f"\n12 cells in {seconds:.1f} s")
    chance, kills, hits = random.Random(0), 0, Counter()
    while kills < KILLS or not set(hits) >= MUST:
        assert kills < 4 * KILLS, f"not hit: {MUST - set(hits)}"
        run, moment = Run(tmp_path / str(kills), tiny, goldens), chance.uniform(0, seconds)
        run.start(context)
        if not (phases := run.kill_at(moment)):
            run.file.parent.rename(tmp_path / f"over {time.monotonic_ns()}")
            continue
        committed, before = run.committed(), run.drawn()
        left = [path.name for path in run.out.rglob("*" + atomic.UNFINISHED)]
        run.phases.clear()
        run.start(context)
        run.finish()
        again = run.drawn()[len(before) :]
        assert not committed & set(again)
        assert not list(run.out.rglob("*" + atomic.UNFINISHED))
        assert contents(run.out) == expected
        kills += 1
        hits.update(phases)
        done = f"{len(committed) // 2:2} cells committed, {len(set(before) & set(again))} pictures drawn again"
        say(f"{kills:3}  {moment:5.2f} s  {' + '.join(sorted(phases)):<20} {done} {' '.join(left)}")
    say(f"{kills} SIGKILLs hit: " + ", ".join(f"{name} {hits[name]}" for name in PHASES if hits[name]))
