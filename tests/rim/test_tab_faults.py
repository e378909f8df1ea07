"""The tab's worker on a disk that fails or fills at any operation: a sentence, and the same pixels once resumed."""

import errno
from itertools import count

import pytest
from tab_page import asked

from ohwx_compare.files.images import load_rgb
from ohwx_compare.testing.faults import Fault, faulty


def pixels(folder):
    return {path.name: load_rgb(path).tobytes() for path in (folder / "images").glob("*.png")}


def sweep(page, webui, error, first, every, *, stays):
    """A run for each fault, as in fault_runs.py; returns how many were met."""
    runs, hits = webui.data / "outputs" / "ohwx" / "compare", 0
    page.post("/ohwx/api/runs", asked("whole"))
    assert page.until("whole", "done")
    for number in count(first, every):
        name = f"run {number}"
        with faulty(Fault(runs / name, number, error, stays=stays)) as fault:
            answer = page.post("/ohwx/api/runs", asked(name))
            assert answer.status_code < 500, answer.text
            said = answer.text
            if answer.status_code == 200:
                found = page.until(name, "done", "failed")
                said = found["error"] or ""
        if fault.seen < number:
            return hits
        hits += 1
        if answer.status_code != 200 or found["state"] != "done":
            assert any(why in said for why in ("No space left", "Input/output error", "disk I/O error")), (number, said)
            assert "Traceback" not in said
        with webui.lock:  # the worker has let the run go
            pass
        page.post("/ohwx/api/runs", asked(name))
        assert page.until(name, "done", "failed")["error"] is None
        assert pixels(runs / name) == pixels(runs / "whole")
        assert not list((runs / name).rglob("*.unfinished"))
    return hits


@pytest.mark.parametrize(("error", "first", "stays"), [(errno.ENOSPC, 5, True), (errno.EIO, 12, False)])
def test_a_run_at_some(page, webui, error, first, stays):
    assert sweep(page, webui, error, first, 17, stays=stays) >= 2


@pytest.mark.slow(first=True)
@pytest.mark.parametrize(("error", "stays"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_run_at_every(page, webui, error, stays):
    assert sweep(page, webui, error, 1, 1, stays=stays) >= 20
