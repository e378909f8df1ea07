"""Which pictures there are, and which is the other's state before."""

from pathlib import Path

import pytest

from ohwx_compare.errors import ImageError
from ohwx_compare.files.gallery import befores, by_name, pictures


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


def test_the_names_of_a_run_that_grew_past_9999_cells_stay_in_order(tmp_path):
    names = [f"{n:04d} epoch {e} 7.png" for n in (1, 999, 9999) for e in (2, 10)] + ["10000 a 1.png", "10001 a 1.png"]
    grown = sorted([*names, "00002 a 1.png", "05000 a 1.png"], key=lambda name: (int(name[:5]), len(name)))
    for name in grown:
        (tmp_path / name).touch()
    assert [path.name for path in pictures([tmp_path])] == grown
    assert sorted(map(Path, ["b", "a1", "A01", "a", "a" + "9" * 5000]), key=by_name)[0] == Path("a")
