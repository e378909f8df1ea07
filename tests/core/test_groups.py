"""Checkpoints that belong together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.experiment.groups import CheckpointGroup, groups


def test_the_articles_two_runs_are_two_groups():
    reg = [f"me15img/model/me_15-step{step:08d}.safetensors" for step in (901, 1802, 2703)]
    no_reg = [f"me_15_noREG-{epoch:06d}.safetensors" for epoch in (30, 60, 90, 120)]
    assert groups([*reg, "sd_xl_base_1.0.safetensors", *no_reg, "me_15_noREG.safetensors"]) == (
        CheckpointGroup("me15img/model/me_15 (3 checkpoints)", tuple(reg)),
        CheckpointGroup("me_15_noREG (5 checkpoints)", (*no_reg, "me_15_noREG.safetensors")),
    )


def test_a_folder_of_several_runs_is_a_group_too():
    names = ["x/a-e9.safetensors", "x/a-e10.safetensors", "x/b.safetensors", "y/b.safetensors"]
    found = {group.name: group.checkpoints for group in groups(names)}
    assert found == {"x/ (3 checkpoints)": tuple(names[:3]), "x/a (2 checkpoints)": tuple(names[:2])}


@pytest.mark.parametrize("names", [["sd_xl_base_1.0", "sd_xl_base_0.9"], ["style", "style2"], ["a-1", "a-2"], ["x/a"]])
def test_different_models_are_no_group(names):
    assert groups([f"{name}.safetensors" for name in names]) == ()


names = st.lists(
    st.builds(
        "".join, st.tuples(*map(st.sampled_from, (["", "f/"], ["a", "b"], ["", "-000003", "-step00000010", "_e7"])))
    )
)


@given(names.map(lambda stems: [f"{stem}.safetensors" for stem in stems]))
def test_groups_hold_given_names_once_and_do_not_depend_on_their_order(names):
    found = groups(names)
    assert found == groups(names[::-1])
    for group in found:
        assert 2 <= len(group.checkpoints) == len(set(group.checkpoints))
        assert set(group.checkpoints) <= set(names)
