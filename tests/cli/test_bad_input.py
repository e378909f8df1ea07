"""Nonsense in: one clear sentence, a status that is not 0, and never a traceback."""

import json
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from ohwx_compare.cli.answer import words_of
from ohwx_compare.cli.main import main
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import (
    MissingVaeError,
    OtherExperimentError,
    UnknownCheckpointError,
    WrongCheckpointError,
)
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.images import write_png
from ohwx_compare.files.ledger.reader import open_run

TEXT = "a man\nSteps: 1, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Model: bad, RNG: CPU, Version: 1.10.1"
UNET = "model.diffusion_model.input_blocks.0.0.weight"


def some(*names: str) -> dict[str, np.ndarray]:
    """A safetensors file's tensors, just enough to be known by."""
    return {name: np.zeros((4, 4, 3, 3), np.float16) for name in names}


def cut(at):
    return lambda path, tiny: path.write_bytes(tiny.read_bytes()[:at])


def with_tensors(*names):
    return lambda path, tiny: save_file(some(*names), path)


def without(prefix):
    def write(path, tiny):
        save_file({name: t for name, t in load_file(tiny).items() if not name.startswith(prefix)}, path)

    return write


def with_nan(path, tiny):
    content = bytearray(tiny.read_bytes())
    tensor = read_header(tiny).tensors["model.diffusion_model.out.2.weight"]
    content[tensor.start : tensor.end] = b"\xff\x7f" * ((tensor.end - tensor.start) // 2)
    path.write_bytes(content)


CHECKPOINTS = {
    "cut in the header": (cut(1000), "copy or download it again"),
    "cut in the data": (cut(-1000), "cut short"),
    "SD 1.5": (with_tensors(UNET, "cond_stage_model.transformer.text_model.x"), "an SD 1.x checkpoint"),
    "SD 3": (with_tensors("model.diffusion_model.joint_blocks.0.x"), "an SD3 checkpoint"),
    "LoRA": (with_tensors("lora_unet_down.lora_down.weight"), "a LoRA"),
    "no text encoders": (without("conditioner."), "without text encoders"),
    "no first text encoder": (without("conditioner.embedders.0."), "lacks"),
    "no VAE": (without("first_stage_model."), "holds no VAE; choose a VAE file"),
    "a text file": (
        lambda path, tiny: path.write_text("these are not the weights"),
        "it begins with text; choose another",
    ),
    "a header of 2 GB": (
        lambda path, tiny: path.write_bytes((2**31).to_bytes(8, "little") + b"{}"),
        "claims over 20,000,000 bytes",
    ),
    "0 bytes": (lambda path, tiny: path.touch(), "is empty (0 bytes)"),
    "more data than tensors": (lambda path, tiny: path.write_bytes(tiny.read_bytes() + bytes(99)), "is damaged"),
    "NaN": (with_nan, "NaN"),
}


def said(capsys) -> str:
    """All that was said; no traceback."""
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out + captured.err


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_wrong_checkpoint_fails_its_cells_and_says_what_it_is(name, tiny, tmp_path, capsys):
    write, words = CHECKPOINTS[name]
    write(tmp_path / "bad.safetensors", tiny / "tiny_base.safetensors")
    flags = ["--from", TEXT, "--checkpoints", str(tmp_path), "--device", "cpu"]
    assert main(["compare", *flags, "--out", str(tmp_path / "run")]) == 1
    assert words in said(capsys)
    (cell,) = open_run(tmp_path / "run").cells
    assert cell.result.outcome is Outcome.FAILED
    assert words in cell.result.error
    assert "\n" not in cell.result.error


@pytest.mark.parametrize(
    ("error", "flags"),
    [
        (MissingVaeError, ["--vae"]),
        (UnknownCheckpointError, ["--checkpoint-map"]),
        (WrongCheckpointError, ["--checkpoint-map"]),
        (OtherExperimentError, ["--out", "--reuse"]),
    ],
)
def test_the_command_line_names_the_flag_that_helps(error, flags):
    assert all(flag in words_of(error("What happened.")) for flag in flags)


IN_THE_WEIGHTS = ("no first text encoder", "no VAE", "more data than tensors", "NaN")  # which plan does not read
PARTS = ("no text encoders", "no first text encoder", "NaN")  # whose VAE is as good as any


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_other_command_says_it_too(name, tiny, tmp_path, capsys):
    write, words = CHECKPOINTS[name]
    bad = tmp_path / "models ü" / "bad.safetensors"
    bad.parent.mkdir()
    write(bad, tiny / "tiny_base.safetensors")
    picture = tmp_path / "picture.png"
    write_png(picture, Image.new("RGB", (64, 64)), TEXT)
    flags = ["--checkpoints", str(bad.parent), "--device", "cpu"]

    def refused(*command, words=words):
        assert main([*map(str, command)]) == 1, command
        assert words in said(capsys), command

    if name not in IN_THE_WEIGHTS:
        refused("plan", "--from", TEXT, *flags)
    flag = "--vae FILE" if name == "no VAE" else words
    refused("replay", picture, *flags, "--out", tmp_path / "o")
    refused("replay", picture, *flags, "--out", tmp_path / "o", words=flag)
    if name != "NaN":  # no face, nothing to draw
        refused("face", picture, *flags, "--out", tmp_path / "o")
        refused("face", picture, *flags, "--out", tmp_path / "o", words=flag)
    if name not in PARTS:
        vae = "expected a VAE" if name == "no VAE" else words
        elsewhere = ["--checkpoints", tiny, "--checkpoint-map", "bad=tiny_base.safetensors", "--device", "cpu"]
        refused("replay", picture, *elsewhere, "--vae", bad, "--out", tmp_path / "o", words=vae)
    refused("detect", picture, "--detector", bad, words="detector")
    assert not (tmp_path / "o" / "picture.png").exists()


@pytest.mark.parametrize("below", [False, True], ids=["a file", "below a file"])
@pytest.mark.parametrize("command", ["compare", "plan", "replay", "face", "detect", "demo"])
def test_an_output_that_is_no_folder_is_one_sentence(command, below, tiny, tmp_path, capsys):
    picture, taken = tmp_path / "picture.png", text(tmp_path / "taken", "kept")
    write_png(picture, Image.new("RGB", (64, 64)), TEXT)
    source = {"compare": ["--from"], "plan": ["--from"], "demo": []}.get(command)
    arguments = [] if command == "demo" else [*(source or []), str(picture)]
    models = [] if command in ("detect", "demo") else ["--checkpoints", str(tiny), "--device", "cpu"]
    flag = "--preview" if command == "detect" else "--out"
    assert main([command, *arguments, *models, flag, str(taken / "x" if below else taken)]) == 1
    lines = said(capsys).strip().splitlines()
    assert len(lines) == 1
    assert "taken is a file, expected a folder; choose another" in lines[0]
    assert taken.read_text(encoding="utf-8") == "kept"


def test_more_than_the_disk_holds_is_told_before(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    flags = ["--from", TEXT, "--all", "--checkpoints", str(tiny), "--device", "cpu", "--out", str(tmp_path / "run")]
    for command in ("plan", "compare"):
        assert main([command, *flags]) == 0
        assert "0 MB are free" in said(capsys)


def bomb(path: Path, infotext: str = TEXT) -> Path:
    """A PNG of 60,000 x 60,000 px in 200 bytes."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))]
    chunks += [(b"tEXt", b"parameters\0" + infotext.encode("latin-1")), (b"IDAT", zlib.compress(b"\0" * 99))]
    chunks += [(b"IEND", b"")]
    content = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def plain(path: Path) -> Path:
    """A picture without metadata."""
    Image.new("RGB", (64, 64)).save(path)
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def experiment(path: Path, axis: str = "checkpoint", **job: object) -> Path:
    data = {"job": {"prompt": "a", "seed": 1, **job}, "axes": [{"kind": axis, "values": ["tiny_base"]}]}
    return text(path, json.dumps(data))


MANY = "Script: X/Y/Z plot, X Type: Seed, X Values: 1-300, Y Type: CFG Scale, Y Values: 1-300"
INPUTS = {
    "unknown sampler in an infotext": (lambda p: ["--from", TEXT.replace("Euler a", "Heun++")], "Heun++"),
    "unknown sampler in a file": (lambda p: [experiment(p / "e.json", sampler="Heun++")], "Heun++"),
    "text without parameters": (lambda p: ["--from", text(p / "t.txt", "just a prompt")], "No generation parameters"),
    "picture without metadata": (lambda p: ["--from", plain(p / "p.png")], "has no infotext"),
    "picture of 0 bytes": (lambda p: ["--from", empty(p / "p.png")], "0 bytes"),
    "no such file": (lambda p: ["--from", p / "gone.png"], "There is no file"),
    "empty folder": (lambda p: ["--from", TEXT, "--checkpoints", p], "holds no .safetensors"),
    "empty folder, all": (lambda p: ["--from", TEXT, "--all", "--checkpoints", p], "holds no .safetensors"),
    "more pixels than anybody has": (lambda p: ["--from", TEXT.replace("64x64", "800000x800000")], "8 to 16384"),
    "unknown axis": (
        lambda p: ["--from", f"{TEXT}, Script: X/Y/Z plot, X Type: Sede, X Values: 1"],
        "'Sede' is not supported yet; supported: Checkpoint name",
    ),
    "unknown axis in a file": (lambda p: [experiment(p / "e.json", axis="sede")], "did you mean 'seed'"),
    "too many cells": (lambda p: ["--from", f"{TEXT}, {MANY}"], "90,000 cells"),
    "no folder": (lambda p: ["--from", TEXT, "--checkpoints", p / "gone"], "is not a folder"),
}


@pytest.mark.parametrize("command", ["compare", "plan"])
@pytest.mark.parametrize("name", INPUTS)
def test_a_wrong_request_is_one_sentence_and_nothing_is_made(name, command, tiny, tmp_path, capsys):
    make, words = INPUTS[name]
    flags = ["--checkpoints", str(tiny), "--out", str(tmp_path / "run"), "--device", "cpu"]
    status = main([command, *flags, *map(str, make(tmp_path))])
    if command == "plan" and name == "empty folder":  # there a checkpoint that is missing is an answer
        assert "missing: bad" in said(capsys)
        return
    assert status == 1
    lines = said(capsys).strip().splitlines()
    assert words in lines[-1]
    assert lines[-1].startswith("ohwx: ")
    assert not (tmp_path / "run").exists()


PICTURES = {
    "no metadata": (plain, "has no infotext"),
    "0 bytes": (empty, "0 bytes"),
    "a decompression bomb": (bomb, "too large"),
    "a text file": (lambda p: text(p, "no picture"), "PNG"),
}


@pytest.mark.parametrize("command", ["face", "detect", "pnginfo"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_wrong_picture_is_one_sentence(name, command, tiny, tmp_path, capsys):
    make, words = PICTURES[name]
    picture = make(tmp_path / "picture ü.png")
    settings = tmp_path / "settings.json"
    settings.write_text('[{"model": "opencv-frontalface"}]', encoding="utf-8")
    flags = ["--checkpoints", str(tiny), "--checkpoint", "tiny_base", "--out", str(tmp_path / "o"), "--device", "cpu"]
    more = {"face": [*flags, "--settings", str(settings)], "detect": ["--detector", "opencv-frontalface"]}
    status = main([command, str(picture), *more.get(command, ())])
    output = said(capsys)
    if (command, name) in {("detect", "no metadata"), ("pnginfo", "a decompression bomb")}:
        assert status == 0  # no pixels, or no text, is needed
        return
    assert status == 1
    assert words in output or (command == "pnginfo" and "infotext" in output)


def test_a_compressed_text_that_never_ends_is_no_text(tmp_path, capsys):
    packed = zlib.compress(b"a" * 50_000_000, 9)
    data = b"parameters\0\0" + packed
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    plain(tmp_path / "p.png")
    content = (tmp_path / "p.png").read_bytes()
    (tmp_path / "p.png").write_bytes(content[:33] + chunk + content[33:])
    assert main(["pnginfo", str(tmp_path)]) == 1
    assert len(said(capsys)) < 1000


@pytest.mark.slow
def test_a_prompt_of_100000_characters_is_drawn(tiny, tmp_path):
    prompt = "wonderful " * 10_000
    file = experiment(tmp_path / "e.json", prompt=prompt, steps=1, width=64, height=64, rng="CPU")
    flags = ["--checkpoints", str(tiny), "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(["compare", str(file), *flags]) == 0


def test_any_letters_in_any_path(tiny, tmp_path):
    models = tmp_path / "Modelle für 日本 #1" / "ein Ordner"
    models.mkdir(parents=True)
    (models / "Größe 100% мужчина.safetensors").write_bytes((tiny / "tiny_base.safetensors").read_bytes())
    file = text(tmp_path / "ein Text ü.txt", TEXT.replace("bad", "Größe 100% мужчина"))
    flags = ["--checkpoints", str(models.parent), "--device", "cpu", "--out", str(tmp_path / "Läufe 星" / "nr. 1")]
    assert main(["compare", "--from", str(file), *flags]) == 0


def test_a_device_that_is_not_here_is_one_sentence(goldens, capsys):
    command = ["detect", str(goldens / "article.png"), "--detector", str(goldens / "drawn_yolov8.pt")]
    assert main([*command, "--device", "foo"]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("ohwx: --device foo cannot be used here")
    assert "\n" not in said


@pytest.mark.parametrize("command", [["pnginfo"], ["detect", "--detector", "any.pt"]])
def test_a_folder_without_pictures_is_one_sentence(command, tmp_path, capsys):
    assert main([command[0], str(tmp_path), *command[1:]]) == 1
    assert "no PNG, JPEG, WebP or AVIF found" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["not there", "no VAE"])
def test_a_vae_that_cannot_serve_is_refused_before_anything_is_made(kind, tiny, tmp_path, capsys):
    vae, run = tmp_path / "wrong.safetensors", tmp_path / "run"
    if kind == "no VAE":
        vae.write_text('{"not": "weights"}')
    flags = ["--from", TEXT, "--checkpoints", str(tiny), "--checkpoint-map", "bad=tiny_base.safetensors"]
    assert main(["compare", *flags, "--device", "cpu", "--vae", str(vae), "--out", str(run)]) == 1
    assert ("There is no VAE" if kind == "not there" else "it begins with text") in said(capsys)
    assert not run.exists()
