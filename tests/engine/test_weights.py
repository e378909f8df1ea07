"""Loading is strict, with two lists: what may be missing, what may be left over."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import torch as torch_file
from safetensors.numpy import load_file, save_file

from ohwx_compare.engine.weights import PREFIXES, build, load, load_part, save
from ohwx_compare.errors import CheckpointError, MissingKeysError
from ohwx_compare.files.checkpoint import read_header, sha256

ROOT = Path(__file__).parents[2]
LOGIT = "conditioner.embedders.1.model.logit_scale"
POSITIONS = "conditioner.embedders.0.transformer.text_model.embeddings.position_ids"
UNET_KEY = "model.diffusion_model.middle_block.0.in_layers.2.weight"


@pytest.fixture(scope="module")
def state(tiny):
    return load_file(tiny / "tiny_base.safetensors")


@pytest.fixture
def write(tmp_path, state):
    """Saves the tiny checkpoint with some keys dropped and some added."""

    def write(*dropped, metadata=None, **added):
        path = tmp_path / "modèle 1.safetensors"
        kept = {name: value for name, value in state.items() if not name.startswith(dropped or "-")}
        save_file({**kept, **added}, path, metadata=metadata)
        return path

    return write


def weights(model):
    parts = (model.unet, model.vae, model.clip_l, model.clip_g)
    return {
        prefix + name: tensor
        for part, prefix in zip(parts, PREFIXES.values(), strict=True)
        for name, tensor in part.state_dict().items()
    }


def test_names_and_shapes_are_the_full_files(goldens):
    manifest = json.loads((goldens / "sdxl_manifest.json").read_text(encoding="utf-8"))
    shapes = {name: tuple(shape) for name, (_, shape) in manifest.items()}
    assert len(shapes) == 2515
    own = {}
    for part, prefix in PREFIXES.items():
        module = build(part, {name.removeprefix(prefix): s for name, s in shapes.items() if name.startswith(prefix)})
        own |= {prefix + name: tuple(t.shape) for name, t in module.state_dict().items()}
    assert own | {POSITIONS: (1, 77), LOGIT: ()} == shapes


def test_every_weight_is_the_files(tiny, state):
    model = load(tiny / "tiny_base.safetensors")
    loaded = weights(model)
    assert loaded.keys() | {POSITIONS, LOGIT} == state.keys()
    assert all(np.array_equal(tensor, state[name].astype(np.float32)) for name, tensor in loaded.items())
    assert (model.prediction, model.dtype, model.device.type) == ("eps", torch.float32, "cpu")


def test_models_are_ready_to_draw(tiny):
    model = load(tiny / "tiny_base.safetensors", dtype=torch.bfloat16)
    for part in (model.unet, model.vae, model.clip_l, model.clip_g):
        assert not part.training
        assert {(p.dtype, p.device.type, p.requires_grad) for p in part.parameters()} == {
            (torch.bfloat16, "cpu", False)
        }


def test_a_file_is_free_once_loaded(tiny, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes((tiny / "tiny_base.safetensors").read_bytes())
    model = load(path, dtype=torch.float16)
    before = model.unet.state_dict()["out.2.bias"].clone()
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert torch.equal(model.unet.state_dict()["out.2.bias"], before)


def test_as_sd_scripts_saves_it(write):
    load(write(POSITIONS, LOGIT))


def test_with_the_leftovers_of_training(write):
    names = ("betas", "alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "denoiser.sigmas", "model_ema.decay")
    load(write(**{name: np.zeros(1000, np.float32) for name in names}))


def test_v_prediction_is_read_from_the_markers(write):
    empty = np.zeros(0, np.float32)
    model = load(write(v_pred=empty, ztsnr=empty))
    assert (model.prediction, model.zero_snr) == ("v", True)
    assert load(write(metadata={"modelspec.prediction_type": "v"})).prediction == "v"


@pytest.mark.parametrize("name", ["stranger.weight", "model.diffusion_model.stranger.weight"])
def test_an_unknown_tensor_is_named(write, name):
    with pytest.raises(MissingKeysError, match=rf"1 tensor \({name}\)"):
        load(write(**{name: np.zeros(3, np.float16)}))


def test_a_missing_tensor_is_named(write):
    with pytest.raises(MissingKeysError, match=f"lacks 1 tensor .{UNET_KEY}"):
        load(write(UNET_KEY))


@pytest.mark.parametrize(
    "prefix",
    [
        "model.diffusion_model.label_emb",
        "model.diffusion_model.middle_block",
        "conditioner.embedders.0",
        "model.diffusion_model.input_blocks.1",
        "first_stage_model.encoder",
    ],
)
def test_a_missing_part_is_named(write, prefix):
    with pytest.raises(MissingKeysError, match=prefix):
        load(write(prefix))


def test_many_are_counted(write):
    with pytest.raises(MissingKeysError, match=r"lacks \d\d tensors .*, \.\.\."):
        load(write("model.diffusion_model.middle_block.2", "model.diffusion_model.output_blocks.0"))


def test_a_wrong_shape_is_named(write):
    with pytest.raises(CheckpointError, match=r"middle_block.*shape \[1, 2\], expected \[128, 128, 3, 3\]"):
        load(write(**{UNET_KEY: np.zeros((1, 2), np.float16)}))


def test_a_shape_without_sense_is_refused(write):
    with pytest.raises(CheckpointError, match=r"under model\.diffusion_model\. of a shape that no SDXL has"):
        load(write(**{"model.diffusion_model.label_emb.0.0.weight": np.zeros(3, np.float16)}))


def test_without_vae_one_must_be_named(write):
    with pytest.raises(CheckpointError, match="holds no VAE; choose a VAE file for it"):
        load(write("first_stage_model."))


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_vae_of_its_own(tiny, write, tmp_path, state, prefix):
    names = {name: value for name, value in state.items() if name.startswith("first_stage_model.")}
    other = {prefix + name.removeprefix("first_stage_model."): value + 1 for name, value in names.items()}
    other[prefix + "loss.logvar"] = np.zeros(1, np.float16)
    vae = tmp_path / "vae.safetensors"
    save_file(other, vae)
    for path in (tiny / "tiny_base.safetensors", write("first_stage_model.")):
        loaded = load(path, vae=vae).vae.state_dict()
        assert all(np.array_equal(loaded[n[18:]], (v + 1).astype(np.float32)) for n, v in names.items())


def test_a_lora_is_no_vae(tiny, tmp_path):
    save_file({"lora_unet_x.lora_down.weight": np.zeros(2, np.float16)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="is a LoRA; expected a VAE"):
        load(tiny / "tiny_base.safetensors", vae=tmp_path / "x.safetensors")


def test_saving_nothing_new_keeps_every_byte(tiny, tmp_path):
    source = tiny / "tiny_base.safetensors"
    save(tmp_path / "a.safetensors", {}, source, {"format": "pt"})
    assert (tmp_path / "a.safetensors").read_bytes() == source.read_bytes()


def test_saving_changes_the_named_tensors_only(tiny, tmp_path, state):
    source, path = tiny / "tiny_base.safetensors", tmp_path / "né.safetensors"
    save(path, {UNET_KEY: torch.full((128, 128, 3, 3), 0.1)}, source, {"ohwx": "ß"})
    saved = load_file(path)
    assert list(read_header(path).tensors) == list(read_header(source).tensors)
    assert read_header(path).metadata == {"ohwx": "ß"}
    assert [name for name in state if not np.array_equal(saved[name], state[name])] == [UNET_KEY]
    assert (saved[UNET_KEY] == np.float16(0.1)).all()


def test_bfloat16_survives_saving(tmp_path):
    source = {"a": torch.ones(3, dtype=torch.bfloat16), "b": torch.zeros(2)}
    torch_file.save_file(source, tmp_path / "a.safetensors")
    save(tmp_path / "a.safetensors", {"a": torch.tensor([1.0, 2.0, 3.0])}, tmp_path / "a.safetensors", {})
    saved = torch_file.load_file(tmp_path / "a.safetensors")
    assert torch.equal(saved["a"], torch.tensor([1, 2, 3], dtype=torch.bfloat16))
    assert torch.equal(saved["b"], source["b"])


@pytest.mark.parametrize("change", [{"stranger": torch.zeros(1)}, {UNET_KEY: torch.zeros(1)}])
def test_what_has_no_place_is_not_saved(tiny, tmp_path, change):
    with pytest.raises(CheckpointError, match=next(iter(change))):
        save(tmp_path / "a.safetensors", change, tiny / "tiny_base.safetensors", {})
    assert not list(tmp_path.iterdir())


def test_the_hash_taken_while_writing_is_the_files(tiny, tmp_path):
    path = tmp_path / "a.safetensors"
    assert save(path, {}, tiny / "tiny_base.safetensors", {"a": "b"}) == sha256(path)


def test_one_part_alone(tiny):
    path = tiny / "tiny_base.safetensors"
    whole, part = load(path).clip_l.state_dict(), load_part("clip_l", path, dtype=torch.float32).state_dict()
    assert whole.keys() == part.keys()
    assert all(torch.equal(whole[name], part[name]) for name in whole)


def test_a_part_that_is_not_there(write):
    with pytest.raises(CheckpointError, match="no tensors under first_stage_model"):
        load_part("vae", write("first_stage_model."), dtype=torch.float32)


def test_what_is_loaded_does_not_load_torchs_compiler(tiny, goldens):
    """It takes longer than all that a run does which has nothing left to generate."""
    code = (
        "import sys; from pathlib import Path; from ohwx_compare.engine import weights, detect;"
        f"weights.load(Path({str(tiny / 'tiny_base.safetensors')!r}));"
        f"detect.find_detector('drawn_yolov8.pt', [Path({str(goldens)!r})]);"
        "print('torch._dynamo' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert said.split() == ["False"]
