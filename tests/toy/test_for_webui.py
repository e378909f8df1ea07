"""What a webui reads beside a toy checkpoint says the sizes that the file has."""

import json

import pytest

from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.tokenizer import tokenizer_l
from ohwx_compare.toy.checkpoint import TOY, toy_sha256, toy_shapes
from ohwx_compare.toy.for_webui import ARCHITECTURE, put_into_webui, write_config, write_encoders


def test_the_yaml_has_the_sizes_of_the_file(tmp_path):
    config = json.loads(write_config(tmp_path / "toy é.safetensors", tmp_path / "models").read_text(encoding="utf-8"))
    params, shapes = config["model"]["params"], toy_shapes()
    unet, vae = params["network_config"]["params"], params["first_stage_config"]["params"]["ddconfig"]
    assert shapes["model.diffusion_model.label_emb.0.0.weight"][1] == unet["adm_in_channels"]
    assert shapes["model.diffusion_model.input_blocks.0.0.weight"][0] == unet["model_channels"]
    bottom = shapes["model.diffusion_model.middle_block.0.in_layers.2.weight"][0]
    assert bottom == unet["model_channels"] * unet["channel_mult"][-1]
    attending = {name.split(".")[3] for name in shapes if "input_blocks" in name and "transformer_blocks" in name}
    assert attending == {"3", "5"}
    assert unet["attention_resolutions"] == [2, 4]
    assert vae["num_res_blocks"] == sum(f"encoder.down.0.block.{i}.conv1.weight" in str(shapes) for i in range(3))
    assert vae["ch"] == shapes["first_stage_model.encoder.conv_in.weight"][0]


def test_the_encoders_folder_holds_the_tokenizer_and_both_sizes(tmp_path):
    folder = write_encoders(tmp_path / "models")
    config = json.loads(write_config(tmp_path / "toy.safetensors", tmp_path / "models").read_text(encoding="utf-8"))
    first, second = config["model"]["params"]["conditioner_config"]["params"]["emb_models"][:2]
    assert first["params"]["version"] == str(folder)
    assert (folder / f"{second['params']['arch']}.json").is_file()
    assert second["params"]["arch"] == ARCHITECTURE
    ids = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    assert [ids["photo</w>"]] == tokenizer_l()("photo")
    assert len(ids) == json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]


@pytest.mark.slow
def test_what_is_there_and_equal_stays_and_all_else_is_put_there(tmp_path):
    models, arm = tmp_path / "models é", tmp_path / "reg.safetensors"

    def put():
        assert put_into_webui(models, [arm]) == folder
        return {path.relative_to(models).as_posix(): path.stat().st_mtime_ns for path in models.rglob("*.*")}

    folder = models / "Stable-diffusion" / "ohwx-toy"
    arm.write_bytes(b"one")
    first = put()
    assert {
        f"{name}/{file}"
        for name, file in (
            ("adetailer", "toy_face_yolov8.pt"),
            ("ohwx-toy", "ohwx-toy-bigG.json"),
            *(
                ("Stable-diffusion/ohwx-toy", f"{stem}.{suffix}")
                for stem in ("toy", "reg")
                for suffix in ("safetensors", "yaml")
            ),
        )
    } <= set(first)
    assert put() == first
    arm.unlink()
    arm.write_bytes(b"two")
    (folder / TOY).write_bytes(b"cut short")
    again = put()
    assert {name for name in first if again[name] != first[name]} == {
        f"Stable-diffusion/ohwx-toy/{name}.safetensors" for name in ("toy", "reg")
    }
    assert (folder / arm.name).read_bytes() == b"two"
    assert sha256(folder / TOY) == toy_sha256()
