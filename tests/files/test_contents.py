"""Contents: the file's sha256 and each tensor's hash, from one reading."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from ohwx_compare.errors import CheckpointError, Interrupted
from ohwx_compare.files import contents
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.contents import read_contents, seal

STATE = {
    "a": np.arange(7, dtype=np.float16),
    "b": np.arange(300, dtype=np.float32).reshape(20, 15),
    "empty": np.zeros((0, 4), np.float32),
    "scalar": np.array(4.6, np.float32),
    "z": np.arange(5, dtype=np.int64),
}


@pytest.fixture
def write(tmp_path):
    def write(name="a.safetensors", **changes):
        save_file({**STATE, **changes}, tmp_path / name)
        return tmp_path / name

    return write


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 22])
def test_every_hash_is_that_of_its_own_bytes(write, monkeypatch, block):
    monkeypatch.setattr(contents, "BLOCK", block)
    path = write()
    data, found = path.read_bytes(), read_contents(path)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    for name, tensor in read_header(path).tensors.items():
        expected = seal(tensor)
        expected.update(data[tensor.start : tensor.end])
        assert found.tensors[name] == expected.hexdigest()[:32]
    assert found.tensors.keys() == STATE.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("b", STATE["b"] + 1),
        ("b", STATE["b"].reshape(15, 20)),
        ("b", STATE["b"].view(np.int32)),
        ("empty", np.zeros((4, 0), np.float32)),
    ],
)
def test_value_shape_and_dtype_tell_tensors_apart_and_nothing_else(write, name, value):
    one, other = read_contents(write()).tensors, read_contents(write("b.safetensors", **{name: value})).tensors
    assert {key for key in one if one[key] != other[key]} == {name}


def test_what_is_no_safetensors_has_a_sha256_alone(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"<html>")
    assert read_contents(path) == contents.Contents(hashlib.sha256(b"<html>").hexdigest())
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_contents(tmp_path / "none")


def test_reading_ends_where_the_caller_says(write):
    def stop():
        raise Interrupted("enough")

    with pytest.raises(Interrupted):
        read_contents(write(), stop)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("after", [0, 20])
def test_a_hash_that_fails_is_never_taken_for_one(write, monkeypatch, after):
    taken = []

    def failing(self, block):
        taken.append(block)
        if len(taken) > after:
            raise MemoryError

    monkeypatch.setattr(contents, "BLOCK", 32)
    monkeypatch.setattr(contents._Tensors, "update", failing)
    with pytest.raises(RuntimeError, match="could not be hashed"):
        read_contents(write())
