import math
import tracemalloc

import dlib_writer as write
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.engine.dlib_stream import DlibStream, integers, read_dlib
from ohwx_compare.errors import MeasureError


def stream(data: bytes) -> DlibStream:
    return DlibStream(data, "some.dat")


@given(st.integers(-(2**63), 2**63))
def test_a_whole_number_comes_back(value):
    assert stream(write.integer(value)).integer() == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_a_float32_comes_back(value):
    assert stream(write.number(value)).number() == value


def test_worked_examples():
    """0.04 and 0.6 as the real file has them, and the three that are no numbers."""
    assert stream(bytes.fromhex("030ad7a3811c")).number() == pytest.approx(0.04)
    assert stream(bytes.fromhex("039a99998118")).number() == pytest.approx(0.6)
    ends = [stream(write.integer(0) + write.integer(power)).number() for power in (32000, 32001, 32002)]
    assert ends[:2] == [math.inf, -math.inf]
    assert math.isnan(ends[2])


def test_a_tensor_is_its_bytes():
    values = np.arange(6, dtype="<f4")
    read = stream(write.sizes(2, 1, 2, 3, 1) + values.tobytes()).tensor()
    assert read.shape == (1, 2, 3, 1)
    assert read.ravel().tolist() == values.tolist()


@given(st.lists(st.integers(-(2**55), 2**55), min_size=1))
def test_all_numbers_at_once_are_those_one_by_one(values):
    assert integers(b"".join(map(write.integer, values)), "some.dat").tolist() == values


@pytest.mark.parametrize("data", [b"", b"\x02\x01", b"\x00", b"\x01\x01\x08" + bytes(8)])
def test_what_is_no_row_of_numbers_is_refused(data):
    with pytest.raises(MeasureError, match=r"some\.dat"):
        integers(data, "some.dat")


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("integer", b""),
        ("integer", b"\x05\x01"),
        ("integer", b"\x00"),
        ("text", write.integer(10**9)),
        ("text", write.integer(5) + b"abc"),
        ("flag", b"2"),
        ("number", write.integer(1) + write.integer(10**9)),
        ("tensor", write.sizes(1, 1, 1, 1, 1) + bytes(4)),
        ("tensor", write.sizes(2, 10**6, 10**6, 10**6, 10**6)),
        ("tensor", write.sizes(2, -1, -1, 1, 1) + bytes(4)),
    ],
)
def test_what_is_not_there_is_refused_in_little_memory(what, data):
    tracemalloc.start()
    with pytest.raises(MeasureError, match=r"some\.dat is no readable file of dlib's: at byte \d+"):
        getattr(stream(data), what)()
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_a_file_that_is_too_long_is_not_read(tmp_path):
    with (tmp_path / "long.dat").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(MeasureError, match="1,000,000,000 bytes"):
        read_dlib(tmp_path / "long.dat")
    with pytest.raises(MeasureError, match="cannot be read"):
        read_dlib(tmp_path / "none.dat")
