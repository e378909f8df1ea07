"""Numbers in sentences."""

import pytest

from ohwx_compare.words import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 cells"), (1, "1 cell"), (2, "2 cells"), (50_000, "50,000 cells")])
def test_plurals_are_plurals(number, said):
    assert counted(number, "cell") == said


def test_a_noun_may_have_its_own_plural():
    assert [counted(n, "batch", "batches") for n in (1, 2)] == ["1 batch", "2 batches"]
