import io
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict

import pytest
import torch

from ohwx_compare.engine.opcodes import opcodes
from ohwx_compare.engine.unpickle import read_pt
from ohwx_compare.errors import DetectorError, UnsafePickleError


def saved(value, protocol):
    memory = io.BytesIO()
    torch.save(value, memory, pickle_protocol=protocol)
    with zipfile.ZipFile(memory) as archive:
        return archive.read("archive/data.pkl")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_they_are_what_pythons_own_decoder_reads(goldens, protocol):
    values = [1, -1, 300, 70_000, -(2**40), 1.5, None, True, False, "ä" * 300, b"x", b"y" * 300, frozenset({1}), {2}]
    data = saved({"values": values, "order": OrderedDict(a=torch.ones(2)), "net": torch.nn.Linear(2, 2)}, protocol)
    for pickled in (data, pickle.dumps([*values, "long" * 70_000], protocol)):
        assert list(opcodes(pickled)) == [(code.name, argument) for code, argument, _ in pickletools.genops(pickled)]


@pytest.mark.parametrize("name", ["drawn_yolov8", "drawn_yolov8-seg", "drawn_yolov8_old"])
def test_so_are_those_of_detectors(detector_file, name):
    with zipfile.ZipFile(detector_file(name)) as archive:
        data = next(archive.read(member) for member in archive.namelist() if member.endswith("data.pkl"))
    assert list(opcodes(data)) == [(code.name, argument) for code, argument, _ in pickletools.genops(data)]


@pytest.mark.parametrize("data", [b"", b"\x80\x02", b"X\xff\0\0\0abc.", b"M\x01", b"\xff.", b"cos\nsystem", b"G\0\0"])
def test_what_is_cut_off_is_said(data):
    with pytest.raises((ValueError, struct.error)):
        list(opcodes(data))


# What a small file may not cost


def pt(path, data, members=(), storages=()):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x04" + data)
        for key, raw in dict(storages).items():
            archive.writestr(f"archive/data/{key}", raw)
        for name in members:
            archive.writestr(name, b"")
    return path


def storage(kind, key=b"0"):
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n%s\nX\1\0\0\0%cX\x03\0\0\0cpuK\x01tQK\0)"
        % (
            kind,
            key,
        )
        + b")tR"
    )


def test_an_argument_is_not_read_before_its_opcode_is_allowed(tmp_path):
    """Python before 3.10.7 takes a minute for two million digits."""
    for opcode in (b"L" + b"9" * 3_000_000 + b"L\n", b"I" + b"9" * 3_000_000 + b"\n", b"\x8b" + struct.pack("<I", 9)):
        with pytest.raises(UnsafePickleError, match=r"opcode (LONG4|LONG|INT),"):
            read_pt(pt(tmp_path / "a.pt", opcode + b"."))


def test_a_pickle_of_more_opcodes_than_any_detectors_is_refused(tmp_path):
    with pytest.raises(DetectorError, match="over 250,000 opcodes"):
        read_pt(pt(tmp_path / "a.pt", b")" + b"\x85" * 900_000 + b"."))


def test_keys_that_share_one_hash_are_refused(tmp_path):
    keys = b"".join(b"\x8a\x0c" + (n * (2**61 - 1)).to_bytes(12, "little") + b"N" for n in range(1, 50_000))
    with pytest.raises(DetectorError, match="key of many digits"):
        read_pt(pt(tmp_path / "a.pt", b"}(" + keys + b"u."))


def test_a_storage_is_read_once_in_one_dtype(tmp_path):
    both = b"(" + storage(b"FloatStorage") + storage(b"HalfStorage") + b"t."
    with pytest.raises(DetectorError, match=r"is used as torch\.float32 and as torch\.float16"):
        read_pt(pt(tmp_path / "a.pt", both, storages={"0": bytes(4)}))


def test_a_directory_of_more_members_than_any_detectors_is_refused(tmp_path):
    with pytest.raises(DetectorError, match="directory claims"):
        read_pt(pt(tmp_path / "a.pt", b"N.", members=(f"archive/{n:0100}" for n in range(9_000))))
