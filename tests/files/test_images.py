"""Pictures on disk: what is written is what is read, by us and by Pillow; broken files are named as such."""

import contextlib
import io
import json
import struct
import zlib

import numpy as np
import piexif
import piexif.helper
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from ohwx_compare.errors import ImageError
from ohwx_compare.files import atomic
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.images import flattened, load_mask, load_rgb, load_rgba, write_png, write_thumbnail
from ohwx_compare.files.infotexts import read_infotext

TEXTS = ["a man, Steps: 3", "ohwx мужчина 男 😀\nNegative prompt: x", "é: latin, still tEXt", "", "Ã©, meant so"]


def noise(width=24, height=16):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("text", TEXTS)
def test_png_keeps_pixels_and_text(tmp_path, text):
    path = tmp_path / "Bild ä 1.png"
    write_png(path, noise(), text)
    assert read_infotext(path) == text
    assert load_rgb(path).tobytes() == noise().tobytes()
    with Image.open(path) as image:
        assert image.text["parameters"] == text
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_chunk_kind_is_the_webuis(tmp_path):
    for text, kind in ((TEXTS[2], b"tEXt"), (TEXTS[1], b"iTXt")):
        write_png(tmp_path / "a.png", noise(), text)
        assert kind in (tmp_path / "a.png").read_bytes()


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",))), st.booleans())
def test_packed_chunks_are_read_as_pillow_reads_them(tmp_path_factory, text, zipped):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("parameters", text, zip=zipped)
    path = tmp_path_factory.mktemp("p") / "a.png"
    noise().save(path, pnginfo=chunks)
    assert read_infotext(path) == text


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_user_comment(tmp_path, kind):
    comment = piexif.helper.UserComment.dump(TEXTS[1], encoding="unicode")
    path = tmp_path / "a"
    noise().save(path, format=kind, exif=piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}}))
    assert read_infotext(path) == TEXTS[1]
    noise().save(path, format=kind)
    assert read_infotext(path) is None


def test_webuis_own_pictures(goldens):
    text = json.loads((goldens / "article.json").read_text(encoding="utf-8"))["infotexts"][0]
    assert read_infotext(goldens / "article.png") == text


@pytest.mark.parametrize(
    ("data", "says"), [(b"", "0 bytes"), (b"hello", "not a"), (b"\x89PNG\r\n\x1a\n" + b"x" * 30, "cannot|not a")]
)
def test_broken_files(tmp_path, data, says):
    path = tmp_path / "broken.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=says):
        load_rgb(path)


def test_cut_and_absurd_pictures(tmp_path):
    memory = io.BytesIO()
    noise(200, 200).save(memory, "PNG")
    (tmp_path / "cut.png").write_bytes(memory.getvalue()[:5000])
    with pytest.raises(ImageError, match="cannot be read"):
        load_rgb(tmp_path / "cut.png")
    data = bytearray(memory.getvalue())
    data[16:24] = (20000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(ImageError, match="too large"):
        load_rgb(tmp_path / "bomb.png")
    with pytest.raises(ImageError, match="cannot be read"):
        load_rgb(tmp_path / "missing.png")


@pytest.mark.parametrize("kind", ["EPS", "PCX", "SGI"])
def test_only_formats_of_pictures_are_opened_whatever_the_name(tmp_path, kind):
    """Pillow goes by the first bytes, and starts another program for an EPS."""
    noise().save(tmp_path / "a.png", kind)
    with pytest.raises(ImageError, match="is not a picture"):
        load_rgb(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_those_are(tmp_path, kind):
    noise().save(tmp_path / "a", kind)
    assert load_rgb(tmp_path / "a").size == (24, 16)


def test_a_png_of_countless_chunks_is_refused_before_pillow_reads_them(tmp_path):
    memory = io.BytesIO()
    noise().save(memory, "PNG")
    head, rest = memory.getvalue()[:33], memory.getvalue()[33:]
    empty = struct.pack(">I4sI", 0, b"abCd", zlib.crc32(b"abCd"))
    for count in (40_000, 50_000):
        (tmp_path / f"{count}.png").write_bytes(head + empty * count + rest)
    assert load_rgb(tmp_path / "40000.png").size == (24, 16)
    with pytest.raises(ImageError, match="over 50,000 chunks"):
        load_rgb(tmp_path / "50000.png")


def test_thumbnail_fits(tmp_path):
    write_thumbnail(tmp_path / "t.jpg", noise(832, 1216))
    with Image.open(tmp_path / "t.jpg") as small:
        assert max(small.size) == 384
        assert abs(small.width / small.height - 832 / 1216) < 0.01


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old\n")

    def no_room(*_):
        raise OSError("disk full")

    monkeypatch.setattr(atomic.os, "fsync", no_room)
    with pytest.raises(OSError, match="disk full"):
        atomic.write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old\n"


def test_sweep_takes_leftovers_only(tmp_path):
    (tmp_path / "a.png").write_bytes(b"whole")
    (tmp_path / ("b.png" + atomic.UNFINISHED)).write_bytes(b"part")
    assert [p.name for p in atomic.sweep(tmp_path)] == ["b.png" + atomic.UNFINISHED]
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_damaged_comment_is_read_or_not_but_ends(kind, tmp_path):
    """Whatever a count claims, reading ends: all single-byte faults in the EXIF block are tried."""
    path = tmp_path / "a.bin"
    comment = piexif.helper.UserComment.dump("a cat, Steps: 1", encoding="unicode")
    noise().save(path, format=kind, exif=piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}}))
    whole = path.read_bytes()
    start = whole.index(b"Exif\0\0" if kind == "JPEG" else b"EXIF")
    for at in range(start, start + 80):
        path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        with contextlib.suppress(ImageError):
            assert isinstance(read_infotext(path), str | None)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(path, kind, data, at=33):
    """A picture with one more chunk, by default behind its header."""
    write_png(path, noise(), "")
    content = path.read_bytes().replace(chunk(b"tEXt", b"parameters\0"), b"")
    path.write_bytes(content[:at] + chunk(kind, data) + content[at:])
    return path


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        (b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 11_000_000, 9), "damaged infotext.*no end"),
        (b"zTXt", b"parameters\0\0no zlib", "damaged infotext"),
        (b"iTXt", b"parameters\0\0\0\0\0\xff\xfe", "damaged infotext.*utf-8"),
        (b"iTXt", b"parameters\0\0\0de", "damaged infotext"),
        (b"tEXt", b"parameters\0" + b"a" * 10_000_001, "claims an infotext of 10,000,012 bytes"),
    ],
)
def test_a_damaged_infotext_is_named(tmp_path, kind, data, says):
    with pytest.raises(ImageError, match=says):
        read_infotext(with_chunk(tmp_path / "a.png", kind, data))


def test_a_chunk_whose_key_has_no_end_is_no_infotext(tmp_path):
    for data in (b"parameters", b"parametersa man"):
        assert read_infotext(with_chunk(tmp_path / "a.png", b"tEXt", data)) is None


def test_a_picture_cut_before_its_text_is_named(tmp_path):
    whole = with_chunk(tmp_path / "a.png", b"tEXt", b"parameters\0a man", at=-12).read_bytes()  # behind the pixels
    assert read_infotext(tmp_path / "a.png") == "a man"
    (tmp_path / "a.png").write_bytes(whole[:-40])
    with pytest.raises(ImageError, match="cut short"):
        read_infotext(tmp_path / "a.png")


TEXT = TEXTS[1]
COMMENTS = {
    "as piexif writes it": b"UNICODE\0" + TEXT.encode("utf-16-be"),
    "low byte first": b"UNICODE\0" + TEXT.encode("utf-16-le"),
    "with a mark of the order": b"UNICODE\0" + TEXT.encode("utf-16"),
    "UTF-8 without code": TEXT.encode(),
    "UTF-8 called ASCII": b"ASCII\0\0\0" + TEXT.encode(),
    "UTF-8 of undefined code": bytes(8) + TEXT.encode(),
    "UTF-8 called UTF-16": b"UNICODE\0" + TEXT.encode(),
}


@pytest.mark.parametrize("name", COMMENTS)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "AVIF", "JXL"])
def test_every_way_to_write_a_comment(tmp_path, kind, name):
    if kind == "JXL":
        pytest.importorskip("pillow_jxl", reason="Pillow reads JPEG XL with pillow-jxl-plugin")
    if kind == "AVIF" and ".avif" not in Image.registered_extensions():
        pytest.skip("this Pillow reads no AVIF")
    exif = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: COMMENTS[name]}})
    noise().save(tmp_path / "a", format=kind, exif=exif)
    assert read_infotext(tmp_path / "a") == TEXT


def test_jpeg_xl_without_a_text_damaged_or_unread_is_one_sentence(tmp_path, monkeypatch):
    path = tmp_path / "a.jxl"
    path.write_bytes(b"\xff\x0a" + bytes(20))
    with pytest.raises(ImageError, match=r"is damaged|install pillow-jxl-plugin"):
        read_infotext(path)
    with pytest.raises(ImageError):
        load_rgb(path)
    pytest.importorskip("pillow_jxl", reason="Pillow reads JPEG XL with pillow-jxl-plugin")
    noise().save(path)
    assert read_infotext(path) is None
    assert load_rgb(path).size == noise().size
    assert pictures([tmp_path]) == [path]


def test_a_comment_in_the_first_directory_and_one_with_swapped_bytes(tmp_path):
    for exif in (
        {
            "0th": {},
            "Exif": {piexif.ExifIFD.UserComment: bytes(8) + TEXTS[0].encode("utf-16-le").decode("utf-16-be").encode()},
        },
        None,
    ):
        path = tmp_path / "a.jpg"
        noise().save(path, format="JPEG", exif=piexif.dump(exif) if exif else first_directory(TEXTS[0]))
        assert read_infotext(path) == TEXTS[0]


def first_directory(text):
    """An EXIF block whose comment stands beside the pointer to EXIF's own directory, not in it."""
    comment = b"UNICODE\0" + text.encode("utf-16-be")
    return b"Exif\0\0MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x9286, 1, len(comment), 26, 0) + comment


def test_utf_8_in_a_latin_chunk_is_read_as_such(tmp_path):
    assert read_infotext(with_chunk(tmp_path / "a.png", b"tEXt", b"parameters\0" + TEXTS[1].encode())) == TEXTS[1]


def test_what_is_transparent_is_the_colour_in_a_picture_and_the_rest_of_a_mask(tmp_path):
    half = Image.new("RGBA", (8, 4), (10, 20, 30, 255))
    half.paste((10, 20, 30, 0), (4, 0, 8, 4))
    half.save(tmp_path / "half.png")
    Image.new("L", (8, 4), 77).save(tmp_path / "grey.png")
    picture, mask = flattened(load_rgba(tmp_path / "half.png"), "#ff8000"), load_mask(tmp_path / "half.png")
    assert [picture.getpixel((x, 0)) for x in (0, 7)] == [(10, 20, 30), (255, 128, 0)]
    assert [mask.getpixel((x, 0)) for x in (0, 7)] == [255, 0]
    assert load_mask(tmp_path / "grey.png").getpixel((0, 0)) == 77
