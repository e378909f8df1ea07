"""`--models`: whatever a text names is found in a webui's models folder; so is each by a flag of its own."""

import json
import shutil

import pytest

from ohwx_compare.cli.main import main
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.images import load_rgb
from ohwx_compare.testing.parts import draw_parts

PLAIN = "ohwx man\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, Model: mini, RNG: CPU"
NAMED = PLAIN.replace("ohwx man", "ohwx man drawn-embedding <lora:drawn_lora:1>") + (
    ', VAE: drawn_vae.safetensors, TI hashes: "drawn-embedding: 0123"'
)


@pytest.fixture(scope="module")
def models(mini, tmp_path_factory):
    folder = tmp_path_factory.mktemp("web ui") / "models"
    draw_parts(folder, read_header(mini).shapes)
    (folder / "Stable-diffusion").mkdir()
    shutil.copy(mini, folder / "Stable-diffusion" / "mini.safetensors")
    return folder


def replayed(capsys, out, text, *flags):
    """The picture, None where it was refused, and what was said of it."""
    status = main(["replay", "--out", str(out), "--device", "cpu", "--json", *map(str, flags), text])
    (result,) = json.loads(capsys.readouterr().out)
    (picture,) = out.glob("*.png") if not status else (None,)
    return picture and load_rgb(picture), result["error"]


@pytest.mark.slow
def test_a_models_folder_is_enough(models, tmp_path, capsys):
    plain, _ = replayed(capsys, tmp_path / "plain", PLAIN, "--models", models)
    named, error = replayed(capsys, tmp_path / "named", NAMED, "--models", models)
    assert error is None
    assert named.tobytes() != plain.tobytes()
    apart = tmp_path / "apart"
    shutil.copytree(models / "Stable-diffusion", apart / "checkpoints")
    flags = (
        *("--checkpoints", apart / "checkpoints", "--vae", models / "VAE" / "drawn_vae.safetensors"),
        *("--loras", models / "Lora", "--embeddings", models.parent / "embeddings"),
    )
    assert replayed(capsys, tmp_path / "flags", NAMED, *flags)[0].tobytes() == named.tobytes()
    for left_out, lacking in ((4, "drawn_lora"), (6, "drawn-embedding"), (2, "drawn_vae")):
        fewer = flags[:left_out] + flags[left_out + 2 :]
        assert lacking in replayed(capsys, tmp_path / lacking, NAMED, *fewer)[1]
