import builtins
import contextlib
import io
import os
import pathlib
import pickle
import re
import struct
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ohwx_compare.engine.detect import Yolo
from ohwx_compare.engine.unpickle import Record, read_pt
from ohwx_compare.errors import DetectorError, UnsafePickleError


def pt(path, data, storages=(), byteorder=b"little", compression=zipfile.ZIP_STORED):
    """A `.pt` around the pickle `data`."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", byteorder)
        for key, raw in dict(storages).items():
            archive.writestr(f"archive/data/{key}", raw)
    return path


def storage(kind="FloatStorage", key="0", length=4):
    """Opcodes of a storage of torch."""
    return (
        b"((X\x07\0\0\0storagectorch\n%sX%sX\x03\0\0\0cpuK%ct"
        % (
            kind.encode() + b"\n",
            struct.pack("<I", len(key)) + key.encode(),
            length,
        )
        + b"Q"
    )


def tensor(size=b"K\x02K\x02\x86", stride=b"K\x02K\x01\x86", offset=b"K\x00", **kwargs):
    """A pickle of one tensor; no opcode for hooks is needed by our reader."""
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + storage(**kwargs) + offset + size + stride + b"tR."


FOUR = {"0": struct.pack("<4f", 1, 2, 3, 4)}


# What is right


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_torch_saves_comes_back(tmp_path, protocol):
    base = torch.arange(24.0).view(4, 6)
    data = {
        "half": torch.randn(3, 5).half(),
        "bfloat": torch.randn(7).bfloat16(),
        "view": base[1:3, ::2],
        "transposed": base.T,
        "scalar": torch.tensor(5),
        "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "flags": torch.tensor([True, False]),
    }
    plain = {"list": [1, -1, 2**40, 1.5, None, True], "names": {0: "ä"}, "set": {1, 2}, "tuple": (1, (2, 3, 4, 5))}
    torch.save({**data, "plain": plain, "order": OrderedDict(a=1)}, tmp_path / "a.pt", pickle_protocol=protocol)
    back = read_pt(tmp_path / "a.pt")
    assert back["plain"] == plain
    assert back["order"] == {"a": 1}
    for key, value in data.items():
        assert torch.equal(back[key], value.detach()), key
        assert back[key].dtype == value.dtype


def test_a_module_becomes_a_record_with_its_tensors(tmp_path):
    layer = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3))
    torch.save({"model": layer}, tmp_path / "a.pt")
    record = read_pt(tmp_path / "a.pt")["model"]
    assert isinstance(record, Record)
    assert record.kind == "torch.nn.modules.container.Sequential"
    inner = record.state["_modules"]["0"].state["_parameters"]
    assert torch.equal(inner["weight"], layer[0].weight)


def test_values_of_train_arguments_are_kept_inert(tmp_path):
    path = pathlib.PurePosixPath("runs/face")
    torch.save({"path": path, "dtype": torch.float16, "device": torch.device("cpu")}, tmp_path / "a.pt")
    back = read_pt(tmp_path / "a.pt")
    assert isinstance(back["path"], Record)
    assert back["path"].kind.startswith("pathlib.")
    assert back["device"].arguments == ("cpu",)


@pytest.mark.parametrize(("order", "letter"), [(b"little", "<"), (b"big", ">")])
def test_the_files_byte_order_is_followed(tmp_path, order, letter):
    path = pt(tmp_path / "a.pt", tensor(), {"0": struct.pack(letter + "4f", 1, 2, 3, 4)}, order)
    assert read_pt(path).tolist() == [[1, 2], [3, 4]]


# What is hostile


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def text(word):
    return b"\x8c" + bytes([len(word)]) + word.encode()


SYSTEM = f"{os.system.__module__}.system"  # posix or nt


def hostile(touch):
    """Hostile pickles by what they name; the first four create the file `touch` where they are unpickled."""
    code = f"__import__('pathlib').Path({str(touch)!r}).touch()"
    return {
        SYSTEM: pickle.dumps(Call(os.system, f'echo x > "{touch}"'), 2),
        "builtins.eval": pickle.dumps(Call(eval, code), 2),
        "builtins.exec": pickle.dumps(Call(exec, code), 4),
        "subprocess.call": pickle.dumps(Call(subprocess.call, [sys.executable, "-c", code]), 4),
        "builtins.getattr": pickle.dumps(Call(getattr, "", "join"), 2),
        "builtins.__import__": pickle.dumps(Call(builtins.__import__, "os"), 2),
        "builtins.open": pickle.dumps(Call(open, str(touch), "w"), 2).replace(b"cio\n", b"c__builtin__\n"),
        "torch.serialization.load": pickle.dumps(Call(torch.load, str(touch)), 2),
        "torch.storage._load_from_bytes": pickle.dumps(Call(torch.storage._load_from_bytes, b"x"), 2),
        "torch.hub.load": pickle.dumps(Call(torch.hub.load, "a/b", "c"), 2),
        "torch.jit._serialization.load": pickle.dumps(Call(torch.jit.load, str(touch)), 2),
        "torch._utils._rebuild_tensor": b"\x80\x02ctorch._utils\n_rebuild_tensor\n.",
        "pickle.loads": b"\x80\x02cpickle\nloads\nC\x01.\x85R.",
        "collections.OrderedDict.__init__": b"\x80\x04" + text("collections") + text("OrderedDict.__init__") + b"\x93.",
        "torch.nn.modules.module.torch.hub": b"\x80\x04"
        + text("torch.nn.modules.module")
        + text("torch.hub")
        + b"\x93.",
        "functools.partial": b"\x80\x02cfunctools\npartial\n.",
        "operator.attrgetter": b"\x80\x02coperator\nattrgetter\n.",
    }


NAMES = list(hostile("x"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("nested", [False, True])
def test_code_is_refused_by_name_and_nothing_ran(tmp_path, name, nested):
    touch = tmp_path / "canary"
    data = hostile(touch)[name]
    if nested:  # in the state of a class that is allowed
        body = data[2:-1] if data[2:3] != b"\x95" else data[11:-1]
        data = b"\x80\x04cultralytics.nn.tasks\nDetectionModel\n)\x81}X\x01\0\0\0a" + body + b"sb."
    with pytest.raises(UnsafePickleError, match=re.escape(name)):
        read_pt(pt(tmp_path / "bad.pt", data))
    assert not touch.exists()


@pytest.mark.parametrize("name", NAMES[:4])
def test_the_canary_would_sing(tmp_path, name):
    """The pickles above are real: Python's own unpickler runs them."""
    pickle.loads(hostile(tmp_path / "canary")[name])
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("opcodes", "words"),
    [
        (b"\x82\x01.", "EXT1"),
        (b"\x83\x01\x00.", "EXT2"),
        (b"\x84\x01\x00\x00\x00.", "EXT4"),
        (b"(ios\nsystem\n.", "INST"),
        (b"(cultralytics.nn\nA\no.", "OBJ"),
        (b")}\x92.", "NEWOBJ_EX"),
        (b"Pcanary\n.", "PERSID"),
        (b"\x96\x00\x00\x00\x00\x00\x00\x00\x00.", "BYTEARRAY8"),
        (b"\x97.", "NEXT_BUFFER"),
        (b"K\x01)R.", "calls a int"),
        (b"cultralytics.nn\nA\n)R)R.", "calls a Record"),
        (b"cultralytics.nn\nA\n}X\x01\0\0\0acos\nsystem\nsb.", "os.system"),
        (b"ccollections\nOrderedDict\n}X\x07\0\0\0__new__K\x01sb.", "state of a _Name"),
        (b"]}X\x01\0\0\0aK\x01sb.", "state of a list"),
        (b"X\x01\0\0\0aQ.", "not a torch storage"),
        (
            b"(X\x07\0\0\0storagecultralytics.nn\nFloatStorage\nX\x01\0\0\0aX\x03\0\0\0cpuK\x01tQ.",
            "not a torch storage",
        ),
        (b"(X\x06\0\0\0modulectorch\nFloatStorage\nX\x01\0\0\0aX\x03\0\0\0cpuK\x01tQ.", "not a torch storage"),
        (b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x05\0\0\0../..X\x03\0\0\0cpuK\x01tQ.", "plain number"),
    ],
)
def test_opcodes_and_shapes_that_torch_never_writes_are_refused(tmp_path, opcodes, words):
    with pytest.raises(UnsafePickleError, match=words):
        read_pt(pt(tmp_path / "bad.pt", b"\x80\x02" + opcodes))


def test_a_record_with_a_setstate_is_only_a_record(tmp_path):
    data = (
        b"\x80\x02cultralytics.nn\nA\n)\x81}(X\x0c\0\0\0__setstate__cultralytics.nn\nevil\nX\x09\0\0\0__class__K\x01ub."
    )
    record = read_pt(pt(tmp_path / "a.pt", data))
    assert type(record) is Record
    assert record.state["__class__"] == 1
    assert isinstance(read_pt(pt(tmp_path / "b.pt", data[:-1] + b"}b.")), Record)


# What would cost memory or time


def test_members_on_one_another_are_refused(tmp_path):
    """A directory that names one storage's bytes a thousand times."""
    pt(tmp_path / "a.pt", tensor(), {str(n): bytes(1000) for n in range(9)})
    content = bytearray((tmp_path / "a.pt").read_bytes())
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        first = archive.getinfo("archive/data/0").header_offset
        at = archive.start_dir
    for _ in range(11):  # the last nine entries of the directory are the storages
        name, extra, comment = struct.unpack_from("<3H", content, at + 28)
        if b"/data/" in content[at + 46 : at + 46 + name]:
            struct.pack_into("<I", content, at + 42, first)
        at += 46 + name + extra + comment
    (tmp_path / "b.pt").write_bytes(content)
    with pytest.raises(DetectorError, match="overlaps"):
        read_pt(tmp_path / "b.pt")


@pytest.mark.parametrize("claimed", [10_000, 2**32 - 2])
def test_a_member_larger_than_the_file_is_refused(tmp_path, claimed):
    content = bytearray(pt(tmp_path / "a.pt", tensor(), FOUR).read_bytes())
    at = content.rindex(b"PK\x01\x02")  # the storage's entry in the directory
    struct.pack_into("<II", content, at + 20, claimed, claimed)
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(DetectorError, match="overlaps"):
        read_pt(tmp_path / "a.pt")


ONE = tensor(length=250, size=b"K\xfa\x85", stride=b"K\x01\x85")[2:-1]  # a tensor of 1,000 bytes in 80
NUMBERS = b"](" + b"K\x01" * 999 + b"eq\x00"
COPY = b"ctorch\nSize\nh\x00\x85R"
DOUBLE = b"q\x00h\x00\x86"  # a pair of what is there
MODULE = b"cultralytics.nn.tasks\nDetectionModel\n)\x81"
STATE = b"}(X\x0b\0\0\0_parameters}X\x08\0\0\0_buffers}X\x08\0\0\0_modules"


def family(generations):
    """A model with two children, each with the same two, and so on."""
    child = b"(K\x00%bq%cK\x01h%cu" % (family(generations - 1), generations, generations) if generations else b""
    return MODULE + STATE + b"}" + child + b"ub"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"(" + ONE * 500 + b"t.", "same bytes again"),
        (NUMBERS + COPY * 999 + b".", "same values again"),
        (b"}X\x05\0\0\0model" + family(60) + b"s.", "100,000 modules"),
        (b")" + DOUBLE * 60 + b"Q.", "not a torch storage"),
        (b")" + DOUBLE * 60 + b"h\x00\x93.", "by a tuple and a tuple"),
        (b"N" * 4_000_000 + b".", "4,000,003 bytes"),
    ],
    ids=["views", "copies", "family", "identity", "name", "long"],
)
def test_a_small_file_cannot_cost_much(tmp_path, data, words):
    started = time.process_time()
    with pytest.raises(DetectorError, match=words):
        Yolo(pt(tmp_path / "bomb.pt", b"\x80\x04" + data, {"0": bytes(1_000)}))
    assert time.process_time() - started < 5


def doubled(generations):
    """A model of two equal children each, the last of which holds one tensor."""
    if not generations:
        return MODULE + b"}(X\x0b\0\0\0_parameters}X\1\0\0\0wh\xffsX\x08\0\0\0_buffers}X\x08\0\0\0_modules}ub"
    number = generations
    return MODULE + STATE + b"}(X\1\0\0\0a%bq%cX\1\0\0\0bh%cuub" % (doubled(number - 1), number, number)


def test_one_tensor_under_many_names_does_not_grow(tmp_path):
    data = b"\x80\x04}X\x01\0\0\0t" + ONE + b"q\xffsX\x05\0\0\0model" + doubled(14) + b"s."
    with pytest.raises(DetectorError, match="16,384 tensors of 4,096,000 numbers in a file of"):
        Yolo(pt(tmp_path / "grown.pt", data, {"0": bytes(1_000)}))


# What is broken


@pytest.mark.parametrize(
    "data",
    [
        tensor(length=9),  # claims more than the storage holds
        tensor(offset=b"K\x01"),
        tensor(size=b"K\x03K\x02\x86"),
        tensor(stride=b"K\x09K\x01\x86"),
        tensor(stride=b"K\x00K\x00\x86", size=b"K\x63K\x63\x86"),  # few bytes, many elements
        tensor(offset=b"J\xff\xff\xff\xff"),
        tensor(stride=b"K\x01\x85"),
        tensor(key="7"),
        b"\x80\x02}" + b")" + b"\x85" * 50_000 + b"K\x01s.",  # a key that could not be hashed
        b"\x80\x02.",
        b"\x80\x02]",
        b"\x80\x02h\x07.",
        b"\x80\x02t.",
        b"",
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, data):
    with pytest.raises(DetectorError):
        read_pt(pt(tmp_path / "bad.pt", data, FOUR))


def test_compressed_members_are_refused(tmp_path):
    with pytest.raises(DetectorError, match="compressed"):
        read_pt(pt(tmp_path / "bomb.pt", tensor(), FOUR, compression=zipfile.ZIP_DEFLATED))


def test_a_file_cut_off_is_named_so(goldens, tmp_path):
    data = (goldens / "drawn_yolov8.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(DetectorError, match=r"cut off.*again"):
        Yolo(tmp_path / "cut.pt")


def test_the_old_format_is_read_and_other_files_are_named(tmp_path):
    buffer = io.BytesIO()
    torch.save({"a": 1}, buffer, _use_new_zipfile_serialization=False)
    (tmp_path / "old.pt").write_bytes(buffer.getvalue())
    (tmp_path / "page.pt").write_text("<html>404</html>")
    (tmp_path / "empty.pt").touch()
    assert read_pt(tmp_path / "old.pt") == {"a": 1}
    for name in ("page.pt", "empty.pt", "none.pt", "."):
        with pytest.raises(DetectorError):
            read_pt(tmp_path / name)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "small.pt"
    torch.save({"model": torch.nn.Linear(2, 2), "names": {0: "face"}, "ema": None}, path)
    return path


flips = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5)


def flipped(data, places):
    data = bytearray(data)
    for place, value in places:
        data[place % len(data)] = value
    return bytes(data)


@settings(max_examples=200, deadline=None)
@given(flips, st.integers(0, 20))
def test_a_damaged_file_is_our_error_or_harmless(small, places, cut):
    data = small.read_bytes()
    damaged = small.with_name("damaged.pt")
    damaged.write_bytes(flipped(data, places)[: len(data) - cut])
    with contextlib.suppress(DetectorError):
        read_pt(damaged)


@settings(max_examples=300, deadline=None)
@given(flips)
def test_so_is_a_damaged_pickle_in_a_whole_zip(small, places):
    with zipfile.ZipFile(small) as archive:
        data = archive.read("small/data.pkl")
        storages = {str(i): archive.read(f"small/data/{i}") for i in range(2)}
    with contextlib.suppress(DetectorError):
        read_pt(pt(small.with_name("damaged.pt"), flipped(data, places), storages))
