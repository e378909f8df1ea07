"""safetensors files written tensor by tensor: the library reads them back, the hash is theirs."""

import hashlib

import numpy as np
import pytest
from safetensors import safe_open

from ohwx_compare.files.tensors import write_tensors


def test_the_library_reads_what_was_written(tmp_path):
    state = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "ä": np.float16([1.5]),
        "empty": np.zeros(0, np.float32),
        "scalar": np.float32(7).reshape(()),
    }
    kinds = {name: ("F16" if x.dtype == np.float16 else "F32", x.shape) for name, x in state.items()}
    path = tmp_path / "é.safetensors"
    digest = write_tensors(path, kinds, lambda name: state[name].tobytes(), {"step": "12"})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"step": "12"}
        assert set(file.keys()) == set(state)
        for name, value in state.items():
            assert file.get_tensor(name).dtype == value.dtype
            assert np.array_equal(file.get_tensor(name), value)


def test_what_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")

    def data(name):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_tensors(path, {"a": ("F32", (2,))}, data, {})
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
    assert path.read_bytes() == b"old"
