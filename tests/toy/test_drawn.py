"""The drawn checkpoints are the reference's, byte for byte, and follow from their seeds."""

import json

import pytest

from ohwx_compare.files.checkpoint import describe, read_header, sha256
from ohwx_compare.testing.tiny import TINY, tiny_shapes
from ohwx_compare.toy.drawn import draw_tensor


@pytest.mark.parametrize(
    ("name", "digest"),
    [("tiny_base", "e26d253423bec555"), ("tiny_reg", "495366dcd9ae1e05"), ("tiny_noreg", "cfdfc721e5532b09")],
)
def test_files_are_the_references(tiny, name, digest):
    assert sha256(tiny / f"{name}.safetensors").startswith(digest)


def test_names_and_shapes_are_those_of_the_reference(goldens):
    manifest = json.loads((goldens / "tiny_manifest.json").read_text(encoding="utf-8"))
    assert tiny_shapes() == {name: tuple(shape) for name, (_, shape) in manifest.items()}


def test_it_is_an_sdxl_checkpoint(tiny):
    assert {describe(read_header(tiny / f"{name}.safetensors")) for name, *_ in TINY} == {"an SDXL checkpoint"}


def test_another_seed_or_name_is_another_draw():
    draws = [draw_tensor(*args).tobytes() for args in (("a", (4, 4), 1), ("a", (4, 4), 2), ("b", (4, 4), 1))]
    assert len(set(draws)) == 3
    assert draw_tensor("a", (4, 4), 1).tobytes() == draws[0]
