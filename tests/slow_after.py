"""Of several values of a test the first few run by default, the rest with the slow tests."""

from collections.abc import Iterable

import pytest


def slow_after(number: int, values: Iterable) -> list:
    """All the values; those beyond the first `number` are marked slow."""
    values = list(values)
    rest = (value if isinstance(value, tuple) else (value,) for value in values[number:])
    return [*values[:number], *(pytest.param(*value, marks=pytest.mark.slow) for value in rest)]
