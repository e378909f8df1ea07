"""Likeness at matched style: the trap, planted and in the demo's own numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from ohwx_compare.judge.effects import Unit
from ohwx_compare.judge.matching import match

DEMO = json.loads(Path(__file__).with_name("demo_likeness.json").read_text(encoding="utf-8"))  # as `ohwx demo` reads it


def demo():
    """The demo's likeness and styles: with minus without regularization images."""
    likeness = [np.array(DEMO[arm]["likeness"]) for arm in ("no-reg", "reg")]
    return match(DEMO["styles"], likeness[1] - likeness[0], *(DEMO[arm]["kept"] for arm in ("no-reg", "reg")))


def test_the_trap_in_the_demo():
    """Regularization images seem to help in pencil; where both drew pencil they do not."""
    pencil = next(each for each in demo().styles if each.style == "pencil sketch")
    assert pencil.raw.value == pytest.approx(0.17, abs=0.01)
    assert abs(pencil.matched.value) < 0.05
    assert pencil.matched.low < 0 < pencil.matched.high
    assert pencil.pairs == 9


def test_styles_with_too_few_pairs_are_missing_not_dropped():
    found = demo()
    assert found.missing == ("pixel art",)
    assert (found.matched.missing, found.matched.styles, found.raw.styles) == (1, 5, 6)
    assert (found.raw.unit, found.matched.unit) == (Unit.STYLE, Unit.SEED)  # five styles speak of themselves
    assert found.pairs == sum(each.pairs for each in found.styles if each.style != "pixel art") == 64


def planted(share: float):
    """Two arms alike; a picture that ignores its style scores .4 more, and the second keeps it in `share`."""
    random = np.random.RandomState(0)
    kept = [random.random_sample((8, 6, 5)) < chance for chance in (0.8, share)]
    likeness = [0.4 * ~each + 0.05 * random.standard_normal(each.shape) for each in kept]
    return match([str(place) for place in range(8)], likeness[1] - likeness[0], *kept)


def test_ignoring_the_style_is_no_likeness():
    found = planted(0.4)
    assert found.raw.low > 0.1
    assert abs(found.matched.value) < 0.02
    assert found.matched.low < 0 < found.matched.high


def test_where_no_pair_matches_there_is_no_matched_effect():
    found = planted(0)
    assert found.matched is None
    assert (found.pairs, len(found.missing)) == (0, 8)
    assert found.raw.value == pytest.approx(0.32, abs=0.05)


def test_without_pairs_missing_a_match_of_all_is_raw():
    found = match(["a", "b"], np.array(DEMO["reg"]["likeness"])[:2], *np.ones((2, 2, 4, 5)))
    assert found.matched == found.raw
    assert found.pairs == 40
