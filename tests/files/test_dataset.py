"""Training folders: what is read, in which form, and what is left out by name."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.core.buckets import Buckets
from ohwx_compare.errors import ExperimentError, ImageError, Interrupted
from ohwx_compare.files import identity, looked
from ohwx_compare.files.dataset import ReadingRules, load_picture, pixels, read_dataset

RED, GREEN = (200, 40, 30), (20, 180, 60)


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "Zug ünd Bild" / "3_ohwx 男"
    inside.mkdir(parents=True)
    return inside


def halves(size=(80, 64)) -> Image.Image:
    """Left half red, right half green."""
    image = Image.new("RGB", size, GREEN)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    return image


def read(folder, **reading):
    return read_dataset(folder.parent, None, ReadingRules(**reading))


def test_folders_say_repeats_and_class(folder):
    for name in ("b.PNG", "a.Jpg", "c.webp", "._c.webp", "notes.md"):
        if name != "notes.md":
            halves().save(folder / name, format={"G": "PNG", "g": "JPEG", "p": "WEBP"}[name[-1]])
    (folder.parent / "holiday").mkdir()
    data = read(folder)
    assert [one.path.name for one in data.train] == ["a.Jpg", "b.PNG", "c.webp"]
    assert {(one.repeats, one.caption, one.size) for one in data.train} == {(3, "ohwx 男", (80, 64))}
    assert "holiday" in data.notes[0]
    assert read_dataset(folder.parent, None, ReadingRules(), repeats=150).train[0].repeats == 150


def test_captions_follow_their_rule(folder):
    for name in ("a", "b", "c"):
        halves().save(folder / f"{name}.png")
    (folder / "a.TXT").write_text("\ufeffphoto of öhwx\nsecond line", encoding="utf-8")
    (folder / "b.caption").write_text("", encoding="utf-8")
    assert [one.caption for one in read(folder).train] == ["photo of öhwx", "", "ohwx 男"]
    assert {one.caption for one in read(folder, captions="folder").train} == {"ohwx 男"}
    with pytest.raises(ExperimentError, match=r"c\.png has no caption file \(c\.txt or c\.caption\)"):
        read(folder, captions="file")
    (folder / "c.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ExperimentError, match=r"c\.txt cannot be read as UTF-8"):
        read(folder)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(folder, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # what the camera did to the scene
    image = halves() if lying is None else halves().transpose(Image.Transpose(lying))
    image.save(folder / f"a.{suffix}", exif=exif)
    data = read(folder)
    assert data.train[0].size == (80, 64)
    np.testing.assert_array_equal(load_picture(data.train[0].path, ReadingRules()), halves())
    if suffix == "png":
        assert read(folder, upright=False).train[0].size == image.size


def test_transparency_becomes_the_colour(folder):
    image = halves().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(folder / "a.png")
    top, bottom = (0, 0), (0, image.height - 1)
    flat = load_picture(folder / "a.png", ReadingRules(background="#0000ff"))
    assert flat.getpixel(top)[2] > 240
    assert flat.getpixel(bottom) == pytest.approx(RED, abs=2)
    assert load_picture(folder / "a.png", ReadingRules(background=None)).getpixel(top) == RED
    image.quantize(8).save(folder / "p.png", transparency=0)
    assert load_picture(folder / "p.png", ReadingRules()).mode == "RGB"


def test_every_depth_and_colour_model_comes_as_8_bit_rgb(folder):
    ramp = np.linspace(0, 65535, 80 * 64, dtype=np.uint16).reshape(64, 80)
    Image.fromarray(ramp).save(folder / "grey16.png")
    halves().convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    halves().convert("1").save(folder / "bilevel.png")
    halves().save(folder / "moving.gif", save_all=True, append_images=[Image.new("RGB", (80, 64))])
    data = read(folder)
    assert len(data.train) == 4
    assert ["moving.gif has 2 frames" in note for note in data.notes] == [True]
    np.testing.assert_array_equal(np.asarray(load_picture(folder / "grey16.png", ReadingRules()))[..., 1], ramp >> 8)
    assert load_picture(folder / "cmyk.jpg", ReadingRules()).getpixel((10, 30)) == pytest.approx(RED, abs=6)
    assert load_picture(folder / "moving.gif", ReadingRules()).getpixel((10, 30)) == pytest.approx(RED, abs=6)


def test_damaged_files_are_named_and_left_out(folder):
    halves((300, 200)).save(folder / "good.png")
    noisy = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 300, 3), np.uint8))
    for name in ("cut.png", "cut.jpg", "cut.webp"):
        noisy.save(folder / name)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    noisy.save(folder / "flipped.png")
    flipped = bytearray((folder / "flipped.png").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (folder / "flipped.png").write_bytes(flipped)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "page.png").write_text("<html>", encoding="utf-8")
    data = read(folder)
    assert [one.path.name for one in data.train] == ["good.png"]
    assert sorted(line.split(" is left out")[0].rpartition("/")[2] for line in data.skipped) == [
        "cut.jpg", "cut.png", "cut.webp", "empty.jpg", "flipped.png", "page.png",
    ]  # fmt: skip
    with pytest.raises(ImageError, match=r"cut\.png cannot be read"):
        load_picture(folder / "cut.png", ReadingRules())


def test_folders_without_pictures_are_one_sentence(folder, tmp_path):
    with pytest.raises(ExperimentError, match="holds no training images"):
        read(folder)
    with pytest.raises(ExperimentError, match=r"training folder .* does not exist"):
        read_dataset(tmp_path / "none", None, ReadingRules())
    halves().save(folder / "a.png")
    (tmp_path / "reg" / "1_man").mkdir(parents=True)
    with pytest.raises(ExperimentError, match="holds no regularization images"):
        read_dataset(folder.parent, tmp_path / "reg", ReadingRules())
    halves().save(tmp_path / "reg" / "1_man" / "r.png")
    assert read_dataset(folder.parent, tmp_path / "reg", ReadingRules()).reg[0].reg


@pytest.mark.parametrize("size", [(80, 64), (256, 128), (64, 200), (33, 31)])
def test_pixels_fill_their_bucket(size):
    placed = Buckets(resolution=(128, 128), smallest=64, largest=256).place(size)
    array = pixels(halves(size), placed)
    assert array.shape == (placed.bucket[1], placed.bucket[0], 3)
    assert array.dtype == np.uint8
    assert array[0, 0] == pytest.approx(RED, abs=2)
    assert array[0, -1] == pytest.approx(GREEN, abs=2)
    with pytest.raises(ImageError, match="was the file changed"):
        pixels(halves((50, 50)), placed)


def test_every_file_of_a_folder_is_read_or_named(folder):
    """Pictures under every ending, and what lies beside and below them."""
    halves().save(folder / "a.jfif", format="JPEG")
    halves().save(folder / "b.jpe", format="JPEG")
    for name in ("phone.heic", "phone.JXL", "new.avif"):
        (folder / name).write_bytes(b"not a picture")
    below = folder / "more" / "deeper"
    below.mkdir(parents=True)
    for place in (below / "c.png", folder.parent / "beside.png", folder.parent / "._beside.png"):
        halves().save(place)
    for name in ("a.txt", "orphan.txt", "raw.CR2", "Thumbs.db", ".DS_Store"):
        (folder / name).write_text("x", encoding="utf-8")
    data = read(folder)
    assert [one.path.name for one in data.train] == ["a.jfif", "b.jpe"]
    assert [line.split(": ")[1] for line in data.skipped] == [
        f"it cannot be read here as {kind}; save it as JPEG or PNG." for kind in ("AVIF", "JXL", "HEIC")
    ]
    beside, others, deeper = data.notes
    assert "beside.png is not read" in beside
    assert "orphan.txt, raw.CR2 are not read" in others
    assert "(1 picture in it)" in deeper
    assert "db" not in "".join(data.notes)


def test_many_files_are_counted(folder):
    halves().save(folder / "a.png")
    for number in range(12):
        (folder / f"{number:02}.npz").touch()
    (note,) = read(folder).notes
    assert "00.npz" in note
    assert "09.npz and 2 more are not read" in note


def test_pictures_right_in_the_folder_are_told(folder):
    halves().save(folder.parent / "a.png")
    with pytest.raises(ExperimentError, match="holds 1 picture and no folders"):
        read(folder)


def test_a_picture_is_decoded_once_until_it_changes(tmp_path, monkeypatch):
    folder = tmp_path / "1_ohwx man"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (64, 64 + number)).save(folder / f"{number}.jpg")
    (folder / "bad.jpg").write_bytes(b"no picture")
    opened = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read_bytes(path))
    first = read_dataset(tmp_path, None, ReadingRules())
    assert sorted(opened) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "bad.jpg"]
    opened.clear()
    assert read_dataset(tmp_path, None, ReadingRules()) == first
    assert opened == ["bad.jpg"]  # what failed is tried again
    Image.new("RGB", (96, 128), "red").save(folder / "2.jpg")
    opened.clear()
    again = read_dataset(tmp_path, None, ReadingRules())
    assert sorted(opened) == ["2.jpg", "bad.jpg"]
    assert [one.size for one in again.train] == [(64, 64), (64, 65), (96, 128), (64, 67)]


@pytest.mark.skipif(not hasattr(os, "major"), reason="nothing is proof here")
def test_another_process_decodes_only_what_changed(tmp_path, monkeypatch):
    folder, table = tmp_path / "img" / "1_ohwx man", tmp_path / "mounts"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (64, 64 + number)).save(folder / f"{number}.jpg")
    (folder / "bad.jpg").write_bytes(b"no picture")
    device = folder.stat().st_dev
    table.write_text(f"1 1 {os.major(device)}:{os.minor(device)} / / rw - ext4 x rw\n", encoding="utf-8")
    for where, name, value in ((identity, "_MOUNTS", table), (identity, "SETTLED", 0.02)):
        monkeypatch.setattr(where, name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    read_bytes = Path.read_bytes

    def decoded():
        time.sleep(0.05)
        looked._seen.cache_clear()  # as another process has none
        opened = []
        monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read_bytes(path))
        return read_dataset(folder.parent, None, ReadingRules()), sorted(opened)

    first, opened = decoded()
    assert opened == ["0.jpg", "1.jpg", "2.jpg", "bad.jpg"]
    assert decoded() == (first, ["bad.jpg"])
    stat = (folder / "1.jpg").stat()
    data = bytearray(read_bytes(folder / "1.jpg"))
    data[-3] ^= 1
    (folder / "1.jpg").write_bytes(data)
    os.utime(folder / "1.jpg", ns=(stat.st_atime_ns, stat.st_mtime_ns))  # its own time says nothing
    assert decoded()[1] == ["1.jpg", "bad.jpg"]
    (memory,) = (tmp_path / "cache").rglob("pictures-*.json")
    memory.write_text('{"made_by": "1", "pictures": {}}', encoding="utf-8")
    assert len(decoded()[1]) == 4
    monkeypatch.setattr(identity, "_MOUNTS", tmp_path / "no table")
    assert len(decoded()[1]) == 4


def test_reading_ends_where_it_is_told_to(tmp_path, monkeypatch):
    (tmp_path / "1_ohwx man").mkdir()
    for number in range(50):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(tmp_path / "1_ohwx man" / f"{number}.png")
    looks, opened = [], []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read_bytes(path))

    def check():
        looks.append(1)
        if len(looks) > 5:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        read_dataset(tmp_path, None, ReadingRules(), None, check)
    assert len(opened) <= 5


def test_a_caption_tells_no_byte_and_has_a_bound(tmp_path):
    folder = tmp_path / "1_ohwx man"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.png")
    (folder / "a.txt").write_bytes(b"\xff\xfe\x31")
    with pytest.raises(ExperimentError, match=r"read as UTF-8; save it as UTF-8\.$"):
        read_dataset(tmp_path, None, ReadingRules())
    with (folder / "a.txt").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(ExperimentError, match="bytes, expected at most"):
        read_dataset(tmp_path, None, ReadingRules())
    (folder / "a.txt").unlink()
    with (folder / "b.png").open("wb") as file:
        file.truncate(2 << 30)
    assert "expected at most" in read_dataset(tmp_path, None, ReadingRules()).skipped[0]
