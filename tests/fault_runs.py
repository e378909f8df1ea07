"""Commands over a disk with a fault: what each leaves, what it says, and what the next one makes of it."""

import io
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from ohwx_compare.cli.main import main
from ohwx_compare.files.atomic import UNFINISHED
from ohwx_compare.files.images import load_rgb
from ohwx_compare.testing.faults import KILLED, Fault, faulty

REASONS = (
    "No space left on device", "Input/output error", "disk I/O error", "database or disk is full", "File too large",
)  # fmt: skip


resource = pytest.importorskip("resource")  # Windows has no such limits, and cannot fork


@dataclass(frozen=True)
class Faulty:
    """One command line, and how what it makes is read."""

    line: Callable  # out -> the arguments
    read: Callable  # out -> all that must be the same
    folder: Path

    def run(self, out, fault=None, line=None):
        """(status, all that was said); line: the arguments, where they were made before."""
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said), faulty(fault or Fault(out, 0, 0)):
            status = main(line or self.line(out))
        return status, said.getvalue()

    def killed(self, out, fault):
        """The exit status of a process of its own."""
        child = os.fork()
        if not child:
            try:
                os._exit(self.run(out, fault)[0])
            finally:
                os._exit(99)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def limited(self, out, size, *, kills):
        """(status, all that was said) of a process in which no file grows beyond `size` bytes: a write breaks off.

        kills: it ends there by a signal; else the write fails, SQLite's own too.
        """
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            status = 99
            try:
                line = self.line(out)  # which may write a file of the test's own
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL if kills else signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
                status, said = self.run(out, line=line)
                os.write(writer, said.encode())
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return (KILLED if status == -signal.SIGXFSZ else status), said

    def sweep_sizes(self, sizes, *, kills):
        """No file may grow beyond each of `sizes`; each time the laws hold. Returns how many runs that ended."""
        expected, out, hits = self.expected(), self.folder / "again" / "out", 0
        for size in sizes:
            shutil.rmtree(out.parent, ignore_errors=True)
            out.parent.mkdir()
            status, said = self.limited(out, size, kills=kills)
            assert status == KILLED if kills and status else status in (0, 1), (size, said)
            hits += status != 0
            self.check(out, status, said, expected)
            self.finish(out, expected, size)
        return hits

    def expected(self):
        """What a run on a healthy disk ends with."""
        whole = self.folder / "whole" / "out"
        if not whole.exists():
            whole.parent.mkdir()
            assert self.run(whole)[0] == 0
        return self.read(whole)

    def finish(self, out, expected, fault):
        """The next run ends the same, and leaves nothing unfinished."""
        again, said = self.run(out)
        assert again == 0, (fault, said)
        assert self.read(out) == expected, fault
        assert not left(out), fault

    def sweep(self, *, error, every=1, first=1, **fault):
        """A fault at every so-manieth operation; each time the laws hold. Returns how many there were."""
        expected, out, number, hits = self.expected(), self.folder / "again" / "out", first, 0
        while True:
            shutil.rmtree(out.parent, ignore_errors=True)
            out.parent.mkdir()
            planned = Fault(out, number, error, **fault)
            if error is None:
                status, said = self.killed(out, planned), ""
                if status != KILLED:
                    assert status == 0
                    break
            else:
                status, said = self.run(out, planned)
                if planned.seen < number:
                    break
            hits += 1
            self.check(out, status, said, expected)
            self.finish(out, expected, planned)
            number += every
        return hits

    def check(self, out, status, said, expected):
        """What was made is whole, and what was not made is said."""
        for path in (*out.rglob("*.png"), *out.rglob("*.jpg")):
            load_rgb(path)
        for path in out.rglob("*.html"):
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), path
        assert "Traceback" not in said
        if status == 0:
            assert self.read(out) == expected
        elif status != KILLED:
            told = [line for line in said.splitlines() if line.startswith("ohwx: ")]
            assert len(told) <= 1
            assert any(reason in said for reason in REASONS), said
            assert not [line for line in told if "damaged" in line or "a fault of the program" in line], told


def left(out):
    return [path.name for path in out.rglob("*" + UNFINISHED)]


def files(out):
    """All files by name, with their bytes."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
