"""A training on a disk that fails, fills or loses its process at any operation: it ends with the same bytes.

See tests/compare/test_faults.py; no fault leaves anything behind, not even one at the very end.
"""

import errno
import json
import os

import pytest
from fault_runs import Faulty

FORKS = pytest.mark.skipif(os.name == "nt", reason="Windows cannot fork")


@pytest.fixture
def training(small, tmp_path):
    """Three steps of one picture each, with a state after each and two checkpoints."""
    steps = {"epochs": None, "steps": 3, "save_every_epochs": None, "save_every_steps": 2, "state_every": 1}

    def line(out):
        recipe = out.parent / "recipe.json"
        recipe.write_text(json.dumps({**small, **steps, "reg": None, "output": str(out)}), encoding="utf-8")
        return ["train", str(recipe), "--device", "cpu"]

    return Faulty(line, lambda out: {path.name: path.read_bytes() for path in out.glob("*.safetensors")}, tmp_path)


def test_a_full_disk_at_some(training):
    assert training.sweep(error=errno.ENOSPC, first=12, every=30) >= 1


@pytest.mark.slow
@FORKS
def test_a_kill_at_the_last_names(training):
    """When the checkpoint is there and the states are gone, the next run has nothing to do but to sweep."""
    assert training.sweep(error=None, first=9, operations=("rename",)) >= 1


@pytest.mark.slow(first=True)
@pytest.mark.parametrize(
    ("error", "first", "every"), [(errno.ENOSPC, 2, 2), (errno.EIO, 3, 4), pytest.param(None, 1, 2, marks=FORKS)]
)
def test_at_every(training, error, first, every):
    """Killed at every second operation, a full disk at those between; another error at every fourth one."""
    assert training.sweep(error=error, first=first, every=every) >= 20 // every


@pytest.mark.slow(first=True)
@FORKS
@pytest.mark.parametrize("kills", [False, True])
def test_a_write_that_breaks_off(training, kills):
    """Of the record, of a state and of a checkpoint, at its beginning, in the midst and in its last bytes."""
    training.expected()
    sizes = {path.stat().st_size for path in (training.folder / "whole").rglob("*") if path.is_file()}
    tried = sorted({size * share // 8 for size in sizes for share in (1, 4)} | {max(size - 9, 1) for size in sizes})
    assert training.sweep_sizes(tried, kills=kills) >= 10
