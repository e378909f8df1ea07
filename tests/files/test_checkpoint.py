"""Headers are checked before they are believed; a reference finds its file or says why not."""

import hashlib
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from ohwx_compare.errors import CheckpointError, UnknownCheckpointError, WrongCheckpointError
from ohwx_compare.files.checkpoint import describe, read_header, require_sdxl, rewrite, sha256, short_hash
from ohwx_compare.files.finding import find
from ohwx_compare.files.listing import list_checkpoints


def raw(header, data=b""):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return len(text).to_bytes(8, "little") + text + data


def entry(shape, start, end):
    return {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_linked_folders_are_listed_once(tmp_path):
    (tmp_path / "drive" / "sdxl").mkdir(parents=True)
    (tmp_path / "drive" / "sdxl" / "Me.SafeTensors").write_bytes(b"x")
    (tmp_path / "drive" / "circle").symlink_to(tmp_path / "drive")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "linked").symlink_to(tmp_path / "drive")
    assert list_checkpoints(tmp_path / "models") == ["linked/sdxl/Me.SafeTensors"]


def test_header_is_what_was_written(tmp_path):
    path = tmp_path / "né 1.safetensors"
    tensors = {
        "b": np.arange(6, dtype=np.float16).reshape(2, 3),
        "a": np.ones(2, np.int64),
        "c": np.asarray(np.float32(3)),
    }
    save_file(tensors, path, metadata={"format": "pt"})
    header = read_header(path)
    assert header.shapes == {"b": (2, 3), "a": (2,), "c": ()}
    assert header.metadata == {"format": "pt"}
    content = path.read_bytes()
    assert all(content[t.start : t.end] == tensors[name].tobytes() for name, t in header.tensors.items())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"abc", "it begins with text; choose another"),
        (b"\x01\x02\x03", "cut short"),
        (raw({"a": entry([2], 0, 4)}, b"12"), "cut short: .* bytes of"),
        (raw({"a": entry([2], 0, 4)}, b"1234")[:40], "cut short"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "header"),
        (raw(b"[1, 2]"), "header"),
        (raw(b"[" * 50_000), "header"),
        (raw(b"\xff\xfe{}"), "header"),
        (raw({"a": entry([2], 4, 0)}), "header"),
        (raw({"a": entry([-2], 0, 4)}, b"1234"), "header"),
        (raw({"a": {"shape": [2]}}), "header"),
        (raw({"a": 3}), "header"),
        (raw({"a": entry([0, 2**40], 0, 0)}), "header"),
        (raw({"a": entry([1] * 65, 0, 2)}, b"12"), "header"),
        (raw({"a": entry([3], 0, 4)}, b"1234"), r"damaged: a takes 4 bytes, which does not fit F16 \[3\]"),
        (raw({"a": entry([2], 0, 4), "b": entry([2], 2, 6)}, b"123456"), "damaged: b overlaps the tensor before it"),
        (raw({str(n): 0 for n in range(100_001)}), "lists 100,001 tensors"),
        (raw({"__metadata__": 3}), "header"),
        (b"PK\x03\x04" + bytes(60), "pickle"),
        (b"\x80\x02}q\x00" + bytes(60), "pickle"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
    ],
)
def test_what_is_no_safetensors_is_refused_in_one_sentence(tmp_path, content, why):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=why):
        read_header(path)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.safetensors"
    path.write_bytes(content)
    try:
        read_header(path)
    except CheckpointError:
        return
    length = int.from_bytes(content[:8], "little")
    assert isinstance(json.loads(content[8 : 8 + length]), dict)


def test_a_file_that_became_shorter_since_is_not_copied(tmp_path):
    save_file({"a": np.ones(9, np.float32)}, tmp_path / "x.safetensors")
    header = read_header(tmp_path / "x.safetensors")
    os.truncate(header.path, header.path.stat().st_size - 4)
    with pytest.raises(CheckpointError, match="became shorter"):
        rewrite(tmp_path / "y.safetensors", header, lambda name, tensor: None, {})
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_file_that_is_not_there(tmp_path):
    for read in (read_header, sha256):
        with pytest.raises(CheckpointError, match="cannot be read"):
            read(tmp_path / "none.safetensors")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 21) + 5])
def test_sha256_is_of_the_whole_file(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "x").write_bytes(content)
    assert sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()


UNET = "model.diffusion_model.input_blocks.0.0.weight"
BIG_G = "conditioner.embedders.1.model.ln_final.weight"


@pytest.mark.parametrize(
    ("shapes", "what"),
    [
        ({UNET: [2, 4, 3, 3], BIG_G: [2]}, "an SDXL checkpoint"),
        ({UNET: [2, 9, 3, 3], BIG_G: [2]}, "an SDXL checkpoint for inpainting (9 input channels)"),
        ({UNET: [2, 8, 3, 3], BIG_G: [2]}, "an SDXL checkpoint for editing (8 input channels)"),
        ({UNET: [2, 4, 3, 3], "conditioner.embedders.0.model.ln_final.weight": [2]}, "an SDXL refiner"),
        ({UNET: [2, 4, 3, 3], "model.diffusion_model.label_emb.0.0.weight": [2]}, "an SDXL UNet without text encoders"),
        ({UNET: [2, 4, 3, 3], "cond_stage_model.transformer.text_model.x": [2]}, "an SD 1.x checkpoint"),
        ({UNET: [2, 4, 3, 3], "cond_stage_model.model.ln_final.weight": [2]}, "an SD 2.x checkpoint"),
        ({"model.diffusion_model.joint_blocks.0.x": [2]}, "an SD3 checkpoint"),
        ({"double_blocks.0.img_attn.proj.weight": [2]}, "a Flux checkpoint"),
        ({"lora_unet_down.lora_down.weight": [2]}, "a LoRA"),
        ({"encoder.conv_in.weight": [2], "decoder.up.0.block.0.norm1.weight": [2]}, "a VAE"),
        ({"first_stage_model.decoder.conv_in.weight": [2]}, "a VAE"),
        ({"down_blocks.0.resnets.0.norm1.weight": [2]}, "one part of a model in diffusers' layout"),
        ({"clip_g": [2, 1280], "clip_l": [2, 768]}, "an embedding (textual inversion)"),
        ({"control_model.x": [2]}, "a ControlNet"),
        ({"x": [2]}, "not a model that is known here"),
        ({UNET: [2], BIG_G: [2]}, "an SDXL checkpoint with 0 input channels"),
    ],
)
def test_what_a_file_holds_is_said_by_name(tmp_path, shapes, what):
    path = tmp_path / "x.safetensors"
    save_file({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}, path)
    header = read_header(path)
    assert describe(header) == what
    if what != "an SDXL checkpoint":
        with pytest.raises(CheckpointError, match=r"x\.safetensors is an? |is no|is one"):
            require_sdxl(header)
    else:
        require_sdxl(header)


@pytest.fixture
def folder(tmp_path):
    """Checkpoints in folders, some of one name; each file's content is its own path."""
    for name in ("base.safetensors", "me/step-0901.safetensors", "me/v1.5.SAFETENSORS", "old/Step-0901.safetensors",
                 "me/step-1802.safetensors", "me/notes.txt", "ümlaut ß/a b.safetensors"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


def shorten(folder, name):
    return short_hash(sha256(folder / name))


def test_every_checkpoint_is_listed(folder):
    assert list_checkpoints(folder) == [
        "base.safetensors", "me/step-0901.safetensors", "me/step-1802.safetensors", "me/v1.5.SAFETENSORS",
        "old/Step-0901.safetensors", "ümlaut ß/a b.safetensors",
    ]  # fmt: skip
    with pytest.raises(CheckpointError, match="is not a folder"):
        list_checkpoints(folder / "none")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("base", "base.safetensors"),
        ("BASE.safetensors", "base.safetensors"),
        ("base.ckpt", "base.safetensors"),
        ("v1.5", "me/v1.5.SAFETENSORS"),
        (r"me\step-0901.safetensors", "me/step-0901.safetensors"),
        ("old/step-0901", "old/Step-0901.safetensors"),
        (r"me15img\model\step-1802.safetensors", "me/step-1802.safetensors"),
        ("ümlaut ß/a b.safetensors", "ümlaut ß/a b.safetensors"),
        ("a b", "ümlaut ß/a b.safetensors"),
    ],
)
def test_found_by_path_then_name_then_stem(folder, reference, name):
    assert find(reference, folder) == folder / name


def test_names_that_differ_in_case_alone_are_two_files(tmp_path):
    for name in ("me.safetensors", "Me.safetensors"):
        (tmp_path / name).touch()
    names = list_checkpoints(tmp_path)
    if len(names) < 2:
        pytest.skip("the file system here takes them for one")
    assert [find(name, tmp_path).name for name in names] == names
    with pytest.raises(CheckpointError, match=r"could be Me\.safetensors or me\.safetensors"):
        find("ME", tmp_path)


def test_found_by_hash(folder):
    name = "me/step-1802.safetensors"
    digest = sha256(folder / name)
    for reference in (digest, digest[:10], digest[:10].upper(), f"renamed [{digest[:10]}]"):
        assert find(reference, folder) == folder / name


def test_the_hash_picks_among_equal_names(folder):
    for name in ("me/step-0901.safetensors", "old/Step-0901.safetensors"):
        assert find(f"step-0901 [{shorten(folder, name)}]", folder) == folder / name


def test_equal_names_without_hash_are_listed(folder):
    with pytest.raises(CheckpointError, match=r"me/step-0901.safetensors or old/Step-0901.safetensors"):
        find("step-0901", folder)


def test_another_hash_says_both(folder):
    mine = shorten(folder, "base.safetensors")
    said = rf"base \[4610bf5599\].*base.safetensors \[{mine}\].*Put the right file there"
    with pytest.raises(WrongCheckpointError, match=said):
        find("base [4610bf5599]", folder)


def test_a_missing_one_names_the_nearest_and_the_way_out(folder):
    reference = r"me15img\model\step-0902.safetensors [4610bf5599]"
    with pytest.raises(UnknownCheckpointError, match=r"named .*step-0902.*nearest .*tep-0901.*Put it there") as error:
        find(reference, folder)
    assert "notes" not in str(error.value)


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(UnknownCheckpointError, match=r"holds no \.safetensors"):
        find("base", tmp_path)


def test_files_are_hashed_only_where_it_matters(folder):
    def never(path):
        raise AssertionError(path)

    assert find("base", folder, digest=never) == folder / "base.safetensors"


def test_a_hash_is_looked_for_among_what_is_known_before_any_file_is_read(folder):
    def never(path):
        raise AssertionError(f"{path} is read")

    def seems(path):
        return "f" * 64 if path.stem == "base" else None

    assert find("renamed [ffffffffff]", folder, digest=never, seems=seems) == folder / "base.safetensors"
    assert find("base [ffffffffff]", folder, digest=never, seems=seems) == folder / "base.safetensors"
    with pytest.raises(AssertionError, match="is read"):
        find("renamed [0000000000]", folder, digest=never, seems=seems)


def test_where_nothing_may_be_read_a_name_whose_hash_is_not_known_is_taken(folder):
    assert find("base [4610bf5599]", folder, digest=None) == folder / "base.safetensors"
    with pytest.raises(WrongCheckpointError, match="another hash"):
        find("base [4610bf5599]", folder, digest=None, seems=lambda path: "f" * 64)
    with pytest.raises(UnknownCheckpointError):
        find("renamed [4610bf5599]", folder, digest=None)
