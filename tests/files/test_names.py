"""Nothing that a user has is overwritten, no two inputs share an output, and the same call gives the same names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ohwx_compare.errors import ImageError
from ohwx_compare.files.images import write_png, write_result
from ohwx_compare.files.names import FreeNames

PICTURE = Image.new("RGB", (8, 8))


def test_inputs_of_one_stem_are_numbered(tmp_path):
    names = FreeNames(tmp_path)
    assert [names.take(stem).name for stem in ("a", "A", "a-2", "a")] == ["a.png", "A-2.png", "a-2-2.png", "a-3.png"]


@given(st.lists(st.sampled_from(["a", "A", "a-2", "a-2-2", "b", "-2", ""]), max_size=12))
def test_no_two_share_a_name(tmp_path_factory, stems):
    names = FreeNames(tmp_path_factory.getbasetemp())
    taken = [names.take(stem).name.casefold() for stem in stems]
    assert len(set(taken)) == len(stems)


@pytest.mark.parametrize("write", [write_png, write_result])  # theirs, and of an earlier call
def test_an_input_that_lies_there_keeps_its_name(tmp_path, write):
    other = tmp_path / "2.png"
    write(other, PICTURE, "")
    names = FreeNames(tmp_path, [tmp_path / "x" / "2.png", other])
    assert names.take("2", tmp_path / "x" / "2.png").name == "2-2.png"
    with pytest.raises(ImageError, match="choose another folder"):
        names.take("2", other)


def test_only_what_was_made_here_is_written_again(tmp_path):
    write_png(tmp_path / "theirs.png", PICTURE, "Steps: 20")
    write_result(tmp_path / "ours.png", PICTURE, "Steps: 20")
    (tmp_path / "link.png").symlink_to(tmp_path / "ours.png")
    for _ in range(2):  # the same call again
        names = FreeNames(tmp_path)
        found = [names.take(stem).name for stem in ("theirs", "ours", "link")]
        assert found == ["theirs-2.png", "ours.png", "link-2.png"]
