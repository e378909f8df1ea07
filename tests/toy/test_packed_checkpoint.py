"""The toy checkpoint: packed and unpacked, only what can be drawn is new."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ohwx_compare.core.prompt.chunks import END, START
from ohwx_compare.engine.weights import load
from ohwx_compare.files.tokenizer import tokenizer_l
from ohwx_compare.toy.checkpoint import VAE_CONFIG, pack, toy_shapes, unpack
from ohwx_compare.toy.drawn import EXTRA, draw_tensor

TABLE = "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A drawn file of the toy's shapes, float32, and the same after packing and unpacking."""
    folder = tmp_path_factory.mktemp("toy")
    state = {name: draw_tensor(name, shape, 5).astype(np.float32) for name, shape in toy_shapes().items()}
    save_file(state, folder / "drawn.safetensors")
    pack(folder / "drawn.safetensors", folder / "packed.safetensors", ["photo of a man"], {"modelspec.title": "toy"})
    unpack(folder / "packed.safetensors", folder / "whole.safetensors")
    assert (folder / "packed.safetensors").stat().st_size < 12e6
    return state, folder / "whole.safetensors"


STEPS = {"model.diffusion_model.": 31, "first_stage_model.": 63, "conditioner.": 63}  # 6 and 7 bits


def test_matrices_are_rounded_in_steps_of_a_row_and_the_rest_to_float16(both):
    drawn, whole = both[0], load_file(both[1])
    assert whole.keys() == drawn.keys()
    for name in drawn.keys() - EXTRA.keys() - {TABLE, "conditioner.embedders.1.model.token_embedding.weight"}:
        rows = drawn[name].reshape(len(drawn[name]), -1)
        steps = next((n for prefix, n in STEPS.items() if name.startswith(prefix) and drawn[name].ndim > 1), np.inf)
        bound = np.abs(rows) / 1000 + 1e-6 + np.abs(rows).max(axis=1, keepdims=True) / (1.99 * steps)
        assert (np.abs(whole[name].reshape(rows.shape) - rows) <= bound).all(), name


def test_words_that_were_taught_keep_their_rows_and_others_are_drawn(both):
    drawn, table = both[0][TABLE], load_file(both[1])[TABLE]
    known = [START, END, *tokenizer_l()("photo of a man")]
    assert np.array_equal(table[known], drawn[known].astype(np.float16))
    strange = tokenizer_l()("ohwx")
    assert not np.isclose(table[strange], drawn[strange]).all(axis=1).any()
    assert table.std(dtype=np.float64) == pytest.approx(0.3, rel=0.01)


def test_what_was_unpacked_packs_again_without_loss(both, tmp_path):
    state = load_file(both[1])
    state["first_stage_model.quant_conv.weight"][4:] = 0  # in float16 a row of zeros has no scale
    save_file(state, tmp_path / "float16.safetensors")
    pack(tmp_path / "float16.safetensors", tmp_path / "packed.safetensors", ["photo of a man"], {})
    unpack(tmp_path / "packed.safetensors", tmp_path / "again.safetensors")
    for name, value in load_file(tmp_path / "again.safetensors").items():
        assert np.allclose(value.astype(np.float32), state[name].astype(np.float32), rtol=2e-3, atol=1e-6), name


def test_it_loads_strictly(both):
    model = load(both[1])
    assert model.prediction == "eps"
    assert model.vae.config == VAE_CONFIG
