"""What sentences of every room share."""

from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare import words
from ohwx_compare.words import did_you_mean


def test_worked_examples():
    assert did_you_mean("sede", ["seed", "steps"]) == "did you mean 'seed'? Known: seed, steps."
    many = [f"field {number}" for number in range(60)]
    assert did_you_mean("feild 7", many) == "did you mean 'field 7'?"


@given(st.text() | st.integers() | st.none(), st.lists(st.text(min_size=1), min_size=1))
def test_there_is_always_a_name_to_offer(name, known):
    assert any(did_you_mean(name, known).startswith(f"did you mean {one!r}?") for one in known)


def test_of_a_name_without_end_the_beginning_is_compared(monkeypatch):
    """The comparison takes time with the square of the length."""
    lengths, real = [], words.get_close_matches
    monkeypatch.setattr(words, "get_close_matches", lambda name, *more: lengths.append(len(name)) or real(name, *more))
    assert did_you_mean("seed" * 1_000_000, ["seed"]).startswith("did you mean 'seed'?")
    assert lengths == [100]
