"""A webui's own note of hashes says which file to read first, and nothing else."""

import hashlib
import json

import pytest

from ohwx_compare.errors import UnknownCheckpointError
from ohwx_compare.files.finding import find

NAMES = ("a.safetensors", "b.safetensors", "sub/c.safetensors")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models" / "Stable-diffusion"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def note(folder, **told):
    hashes = {f"checkpoint/{name}": {"mtime": 1.0, "sha256": value} for name, value in told.items()}
    (folder.parent.parent / "cache.json").write_text(json.dumps({"hashes": hashes}), encoding="utf-8")


def read(folder, wanted):
    """What is found, and which files were read for it."""
    seen = []
    found = find(wanted, folder, digest=lambda path: seen.append(path.name) or digest_of(path))
    return found.name, seen


def test_the_file_that_is_noted_is_read_first(folder):
    wanted = digest_of(folder / "sub" / "c.safetensors")[:10]
    assert read(folder, wanted)[1] == ["a.safetensors", "b.safetensors", "c.safetensors"]
    note(folder, **{"sub\\c.safetensors": digest_of(folder / "sub" / "c.safetensors")})
    assert read(folder, wanted) == ("c.safetensors", ["c.safetensors"])


def test_a_wrong_note_is_not_believed(folder):
    wanted = digest_of(folder / "a.safetensors")[:10]
    note(folder, **{"b.safetensors": wanted.ljust(64, "0")})
    assert read(folder, wanted) == ("a.safetensors", ["b.safetensors", "a.safetensors"])
    note(folder, **{"b.safetensors": "f" * 64})
    with pytest.raises(UnknownCheckpointError):
        read(folder, "f" * 10)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hashes": [1]}', '{"hashes": {"checkpoint/a.safetensors": 3}}'])
def test_a_note_that_cannot_be_read_changes_nothing(folder, text):
    (folder.parent.parent / "cache.json").write_text(text, encoding="utf-8")
    assert read(folder, digest_of(folder / "b.safetensors")[:10])[0] == "b.safetensors"
