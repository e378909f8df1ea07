"""One piece of work in a process of its own, which is killed beyond a limit of CPU time or memory.

Forked from this one, so that what is imported already costs nothing.
"""

import os
import re
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")  # Windows has no such limits, and cannot fork

SECONDS = 2  # of CPU time
MEMORY = 200_000_000  # bytes beyond those of the start
LARGE = re.compile(r"[MG]B|byte|illion|deep|nested|digit|pipe|circle|everything|device|without end|\^|0000")


def large_and_some(names):
    """The names of inputs that may cost much, and every fourth of the others: each is tried in this process anyway."""
    names = list(names)
    return [name for number, name in enumerate(names) if LARGE.search(name) or number % 4 == 0]


def alone(work, *, seconds=SECONDS, memory=MEMORY):
    """Run `work(told)` in a fork; `told()` gives what was written to stdout and stderr. Fails where it raises."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 of a fork beside threads
            child = os.fork()
        if not child:
            _live(work, (out, err), seconds, memory)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = "\n".join(_read(file)[-3_000:] for file in (out, err))
    assert status >= 0, f"{signal.Signals(-status).name}: {said}"
    assert status == 0, said


def _live(work, files, seconds, memory):
    status = 1
    try:
        for number, file in enumerate(files, 1):
            os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        if data := _private():
            resource.setrlimit(resource.RLIMIT_DATA, (data + memory, data + memory))
        work(lambda: tuple(map(_read, files)))
        status = 0
    except BaseException:  # noqa: BLE001  the end of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _private():
    """Bytes of private memory; None where the system does not tell them and holds nobody to a limit of them."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
    except OSError:
        return None


def _read(file):
    sys.stdout.flush()
    sys.stderr.flush()
    return os.pread(file.fileno(), 10_000_000, 0).decode("utf-8", "replace")
