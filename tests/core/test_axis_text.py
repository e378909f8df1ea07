"""Values of an axis as a person types them."""

import pytest
from experiments import TEXT, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

from ohwx_compare.core.experiment.axes import KINDS, Axis
from ohwx_compare.core.experiment.axis_text import given_axis, kind_called, read_axis_lines, read_values, write_values
from ohwx_compare.errors import ExperimentError


@pytest.mark.parametrize("kind", sorted(set(VALUES) - {"styles"} | {"prompt s/r"}))
@settings(max_examples=25)
@given(st.data())
def test_what_is_written_reads_back(kind, data):
    values = data.draw(st.lists(VALUES.get(kind, TEXT), min_size=1, max_size=3, unique=True))
    axis = Axis(kind, tuple(values))
    assert Axis.read(kind, read_values(kind, write_values(axis))) == axis


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        ("seed", " 7-8, 10 ,", [7, 8, 10]),
        ("cfg", "5-6 (+0.5)", [5, 5.5, 6]),
        ("sampler", "Euler a, DPM++ 2M Karras", ["Euler a", "DPM++ 2M Karras"]),
        ("prompt", "a man, tall\n\n  a woman \n", ["a man, tall", "a woman"]),
        ("prompt", "{red|blue} man", ["{red|blue} man"]),
        ("prompt s/r", 'man, "a, b", ', ["man", "a, b", ""]),
        ("face pass", "on, Off, true", [True, False, True]),
        ("face steps", "same, 10-20 (+10)", [None, 10, 20]),
        ("face dilate", "-4, 4", [-4, 4]),
        ("styles", '"anime,film", None', ["anime,film", "None"]),
        ("seed", "", []),
    ],
)
def test_typed_as_in_xyz(kind, text, values):
    assert read_values(kind, text) == values


@pytest.mark.parametrize(
    ("kind", "text"), [("seed", "a"), ("cfg", "1-2 (+0)"), ("face pass", "maybe"), ("cfg", "1-9999999")]
)
def test_nonsense_is_named(kind, text):
    with pytest.raises(ExperimentError, match=f"axis '{kind}'"):
        read_values(kind, text)


def test_kinds_answer_to_name_and_title():
    for kind in KINDS.values():
        assert kind_called(kind.title.upper()) == kind_called(kind.name) == kind.name


@pytest.mark.parametrize("name", ["Face restore", "face restore", "FP8 mode", "Image CFG Scale"])
def test_an_axis_of_the_script_that_is_not_drawn_says_what_helps(name):
    for read in (lambda: given_axis(name, "a, b"), lambda: read_axis_lines(f"{name}: a, b")):
        with pytest.raises(ExperimentError, match=f"The axis '{name}' .*drop the axis"):
            read()
