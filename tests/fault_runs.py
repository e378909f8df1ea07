"""Commands over a disk with a fault: what each leaves, what it says, and what the next one makes of it."""

import io
import os
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.cli.main import main
from ohwx_compare.files.atomic import UNFINISHED
from ohwx_compare.files.images import load_rgb
from ohwx_compare.testing.faults import KILLED, Fault, faulty

REASONS = ("No space left on device", "Input/output error", "disk I/O error")


@dataclass(frozen=True)
class Faulty:
    """One command line, and how what it makes is read."""

    line: Callable  # out -> the arguments
    read: Callable  # out -> all that must be the same
    folder: Path

    def run(self, out, fault=None):
        """(status, all that was said)."""
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said), faulty(fault or Fault(out, 0, 0)):
            status = main(self.line(out))
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

    def sweep(self, *, error, every=1, first=1, **fault):
        """A fault at every so-manieth operation; each time the laws hold. Returns how many there were."""
        whole, out = self.folder / "whole" / "out", self.folder / "again" / "out"
        if not whole.exists():
            whole.parent.mkdir()
            assert self.run(whole)[0] == 0
        expected, number, hits = self.read(whole), first, 0
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
            again, said = self.run(out)
            assert again == 0, (planned, said)
            assert self.read(out) == expected, planned
            assert not left(out), planned
            number += every
        return hits

    def check(self, out, status, said, expected):
        """What was made is whole, and what was not made is said."""
        for path in (*out.rglob("*.png"), *out.rglob("*.jpg")):
            load_rgb(path)
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
