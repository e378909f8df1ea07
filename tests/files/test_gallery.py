"""Which pictures there are, and which is the other's state before."""

import pytest

from ohwx_compare.errors import ImageError
from ohwx_compare.files.gallery import befores, pictures


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def test_folders_give_their_pictures_once_and_sorted(tmp_path):
    b, a, deep, _ = touch(tmp_path, "b.PNG", "ä b.webp", "deep/er/c.jpeg", "notes.txt")
    assert pictures([tmp_path]) == [b, deep, a]
    assert pictures([a, tmp_path, a]) == [a, b, deep]
    with pytest.raises(ImageError, match="There is no file or folder"):
        pictures([tmp_path / "gone"])


def test_before_and_after_by_name(tmp_path):
    names = ("x.png", "x-before.png", "y-before.png", "00012-7-ad-before.png", "00013-7.png", "00014-8-ad-before.png")
    x, x_before, _, ad_before, ad_after, _ = paths = touch(tmp_path, *names)
    elsewhere = touch(tmp_path, "other/y.png")
    assert befores([*paths, *elsewhere]) == {x: x_before, ad_after: ad_before}
