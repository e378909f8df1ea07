"""Runs with the fake host: draw, and tell what was done and what came of it."""

from dataclasses import replace

from killed_run import EXPERIMENT, Detector

from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.testing.fake_host import FakeHost

PLAIN = replace(EXPERIMENT, axes=EXPERIMENT.axes[:2], faces=())


def draw(experiment, models, out, *, host=None, **options):
    """Run and return (result, run as read, host's log lines of this run, events)."""
    log = out.with_suffix(".log")
    start = len(lines(log))
    host = host or FakeHost(models)
    host.log = log
    told = options.pop("told", [])
    options = {"resolve": in_folder(models, {}), "options": Options(batch=2), **options}
    result = draw_run(experiment, host, lambda name: Detector(), out, told.append, **options)
    return result, open_run(out), lines(log)[start:], told


def lines(log):
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def contents(out):
    """All that a run folder holds, but for times: file bytes, and the ledger's rows."""
    files = {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*.*g"))}
    opened = open_run(out)

    def timeless(row):
        return row and replace(row, identity=())  # known only of files that are some seconds old

    cells = [
        replace(c, result=replace(c.result, seconds=None), checkpoint=timeless(c.checkpoint)) for c in opened.cells
    ]
    return files, opened.experiment, cells, [timeless(row) for row in opened.checkpoints]
