"""A small `bench/judge.py`: the judge's errors are as rare as it says, on experiments whose truth is known."""

import importlib.util
import sys
from math import sqrt
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "bench" / "judge.py"


def load():
    spec = importlib.util.spec_from_file_location("bench_judge", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


TABLES = load().TABLES
SHARES = [name for name in TABLES if name != "chosen"]  # that one is a mean: tests/judge/test_keep.py


def slack(bound: float, experiments: int) -> float:
    """Four standard deviations, in percent, of a share that is `bound` in truth: 300 rows stay inside in 99 of 100."""
    share = min(max(bound, 0), 100) / 100
    return 400 * sqrt(share * (1 - share) / experiments)


def outside(name: str, experiments: int) -> list:
    rows = list(TABLES[name](experiments))
    assert rows
    return [
        row for row in rows
        if not row.least - slack(row.least, row.experiments) <= row.value <= row.most + slack(row.most, row.experiments)
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHARES)
def test_errors_are_rare(name):
    assert not outside(name, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARES)
def test_errors_are_as_rare_as_is_said(name):
    assert not outside(name, 2000)
