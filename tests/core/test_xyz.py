"""The X/Y/Z plot's keys: the webui's values, typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.infotext import infotext as it
from ohwx_compare.core.infotext.infotext import Xyz, XyzAxis
from ohwx_compare.errors import InfotextError

BASE = "a\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"
ARTICLE = (
    "me_15_StarlightXLAnimatedV3_noREG-000030.safetensors [f31347de70]",
    r"me15img\model\me_15_StarlightXLAnimatedV3-step00000901.safetensors [4610bf5599]",
)


def values(kind: str, text: str, version: str = "v1.10.1") -> tuple:
    named = it.parse(BASE).with_value("Script", "X/Y/Z plot").with_value("X Type", kind).with_value("X Values", text)
    return it.xyz(named.with_value("Version", version)).x.values


def test_the_articles_two_checkpoints_with_and_without_escapes():
    escaped = it.quote(",".join(ARTICLE))
    for quoted in (escaped, escaped.replace("\\\\", "\\")):
        text = it.parse(f"{BASE}, Script: X/Y/Z plot, X Type: Checkpoint name, X Values: {quoted}")
        assert it.xyz(text) == Xyz(XyzAxis("Checkpoint name", ARTICLE))


def test_a_folder_whose_name_would_be_an_escape():
    text = it.parse(f'{BASE}, Script: X/Y/Z plot, Y Type: Checkpoint name, Y Values: "new\\table\\a.pt,b"')
    assert it.xyz(text).y.values == (r"new\table\a.pt", "b")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("CFG Scale", "5,9", (5.0, 9.0)),
        ("CFG Scale", "1-2 (+0.4)", (1.0, 1.4, 1.7999999999999998, 2.1999999999999997)),
        ("CFG Scale", "7-8 [3]", (7.0, 7.5, 8.0)),
        ("CFG Scale", "5-7", (5.0, 6.0, 7.0)),
        ("Steps", "1-5 (+2)", (1, 3, 5)),
        ("Steps", "5-1 (-1)", (5, 4, 3)),
        ("Steps", "1-10 [5]", (1, 3, 5, 7, 10)),
        ("Steps", "10, ,20,3-4", (10, 20, 3, 4)),
        ("Steps", "5-1", ()),
        ("Seed", "-1,7", (-1, 7)),
        ("Prompt S/R", 'a,"b, c", d', ("a", "b, c", "d")),
        ("Prompt S/R", 'a, "b, c"\nd', ("a", "b, c", "d")),
        ("Sampler", "Euler a,DPM++ 2M SDE Karras", ("Euler a", "DPM++ 2M SDE Karras")),
    ],
)
def test_values_are_split_as_the_webui_splits_them(kind, text, expected):
    assert values(kind, text) == expected


def test_before_1_10_a_quote_had_to_follow_its_comma():
    assert values("Prompt S/R", 'a, "b, c"', "v1.9.4") == ("a", '"b', 'c"')


def test_fixed_seeds_stand_for_the_random_ones():
    keys = 'Script: X/Y/Z plot, X Type: Seed, X Values: "-1,-1", Fixed X Values: "10, 11", Z Type: Nothing'
    assert it.xyz(it.parse(f"{BASE}, {keys}")) == Xyz(XyzAxis("Seed", (10, 11)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("Steps", "x"), ("CFG Scale", "nan"), ("Steps", "1-99999"), ("Steps", "1-9 (+0)"), ("CFG Scale", "1-9 (+0)")),
        *(("Steps", f"1-{'9' * 400} [3]"), ("CFG Scale", "0-9 (+0.0001)"), ("Prompt S/R", "a\rb"), ("Seed", "1.5")),
    ],
)
def test_what_the_webui_would_refuse_is_refused(kind, text):
    with pytest.raises(InfotextError, match=r"X/Y/Z|expected"):
        values(kind, text)


def test_a_picture_without_plot_has_none():
    assert it.xyz(it.parse(BASE)) is None
    assert it.xyz(it.parse(f"{BASE}, Script: X/Y/Z plot")).axes == ()


def test_forge_classics_title_of_the_script_is_a_plot_too():
    text = it.parse(f'{BASE}, Script: X/Y/Z Plot, X Type: Seed, X Values: "1, 2", Version: classic')
    assert it.xyz(text).x == XyzAxis("Seed", (1, 2))
    assert it.unsupported(text) == []


plain = st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(str.strip).filter(bool)
axes = (
    st.builds(XyzAxis, st.just("Checkpoint name"), st.lists(plain, min_size=1).map(tuple))
    | st.builds(XyzAxis, st.just("Seed"), st.lists(st.integers(0, 2**32), min_size=1).map(tuple))
    | st.builds(XyzAxis, st.just("CFG Scale"), st.lists(st.floats(0, 30), min_size=1).map(tuple))
)


@given(axes, st.none() | axes)
def test_a_plot_comes_back_from_its_own_keys(x, z):
    plot = Xyz(x, None, z)
    assert it.xyz(it.parse(it.render(it.with_xyz(it.parse(BASE), plot)))) == plot
