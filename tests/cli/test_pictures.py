"""`ohwx face`, `detect`, `pnginfo`: pictures that exist already."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import piexif
import piexif.helper
import pytest
from PIL import Image

from ohwx_compare.cli.main import main
from ohwx_compare.compare.existing import extended
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.files.images import load_rgb, write_png
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.testing.drawn_detector import draw_detector

TEXT = "ohwx man, ß日本\nNegative prompt: hat\nSteps: 3, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x64, Model: m"
TAB = {"model": "drawn_face.safetensors", "top_k": 1, "denoise": 0.5, "steps": 2}


@pytest.fixture(scope="session")
def detectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detectors")
    draw_detector(folder / "drawn_face.safetensors")
    return folder


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def save(path, form):
    """A picture with TEXT as the webui saves it in each format."""
    image = Image.effect_noise((64, 64), 60).convert("RGB")
    if form == "PNG":
        write_png(path, image, TEXT)
        return
    comment = piexif.helper.UserComment.dump(TEXT, encoding="unicode")
    image.save(path, form, exif=piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}}))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WebP"])
def test_pnginfo_reads_every_format_of_the_webui(form, tmp_path, capsys):
    path = tmp_path / "ä b" / f"x.{form.lower()}"
    path.parent.mkdir()
    save(path, form)
    assert main(["pnginfo", str(tmp_path), "--jsonl"]) == 0
    (info,) = lines(capsys)
    assert (info["prompt"], info["negative"], info["parameters"]["Seed"]) == ("ohwx man, ß日本", "hat", "5")
    assert main(["pnginfo", str(path)]) == 0
    assert TEXT in capsys.readouterr().out


def test_pnginfo_as_a_table_knows_pairs_and_goes_on_after_a_broken_picture(tmp_path, capsys):
    save(tmp_path / "a.png", "PNG")
    save(tmp_path / "a-before.png", "PNG")
    (tmp_path / "empty.png").touch()
    assert main(["pnginfo", str(tmp_path), "--csv"]) == 1
    said = capsys.readouterr()
    assert "0 bytes" in said.err
    before, after, empty = csv.DictReader(io.StringIO(said.out))
    assert after["before"] == before["file"]
    assert before["after"] == after["file"]
    assert after["Sampler"] == "Euler a"
    assert "0 bytes" in empty["error"]


def test_detect_prints_boxes_and_draws_them(detectors, goldens, tmp_path, capsys):
    picture = str(goldens / "portrait.png")
    flags = ["--detectors", str(detectors), "--detector", "drawn_face.safetensors", "--preview", str(tmp_path / "vör")]
    assert main(["detect", picture, *flags]) == 0
    (found,) = lines(capsys)
    image, drawn = load_rgb(goldens / "portrait.png"), load_rgb(tmp_path / "vör" / "portrait.png")
    assert found["faces"]
    assert (found["width"], found["height"]) == image.size
    for face in found["faces"]:
        x1, y1, x2, y2 = face["box"]
        assert 0 <= x1 < x2 <= image.width
        assert 0 <= y1 < y2 <= image.height
        assert drawn.getpixel((int(x1), min(int(y1) + 1, image.height - 1))) == (0, 255, 102)
    chosen = ["detect", picture, str(tmp_path / "vör"), "--detector", "opencv-frontalface", "--json"]
    assert main(chosen) == 0
    assert {one["detector"] for one in json.loads(capsys.readouterr().out)} == {"opencv-frontalface"}


@pytest.fixture(scope="module")
def drawn(tiny, detectors, tmp_path_factory):
    """A run of one cell with a face pass; its folder and the flags that name the models."""
    tmp_path = tmp_path_factory.mktemp("drawn")
    file = tmp_path / "experiment.json"
    job = {"prompt": "ohwx man", "seed": 5, "steps": 3, "width": 64, "height": 64, "rng": "CPU"}
    axes = [{"kind": "checkpoint", "values": ["tiny_base"]}]
    file.write_text(json.dumps({"job": job, "axes": axes, "faces": [TAB]}), encoding="utf-8")
    flags = ["--checkpoints", str(tiny), "--detectors", str(detectors), "--device", "cpu"]
    assert main(["compare", str(file), *flags, "--out", str(tmp_path / "run")]) == 0
    return tmp_path / "run", flags


def test_the_face_pass_afterwards_is_that_of_the_run(drawn, tmp_path, capsys):
    run, flags = drawn
    settings = tmp_path / "face.json"
    settings.write_text(json.dumps(TAB), encoding="utf-8")
    (cell,) = open_run(run).cells
    assert cell.result.after != cell.result.before
    out, before = tmp_path / "faces ü", str(run / cell.result.before)
    capsys.readouterr()
    assert main(["face", before, *flags, "--out", str(out), "--settings", str(settings), "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["outcome"] == cell.result.outcome.value
    ours, theirs = (np.asarray(load_rgb(path), int) for path in (Path(result["file"]), run / cell.result.after))
    assert abs(ours - theirs).max() <= 2
    text = infotext.parse(read_infotext(Path(result["file"])))
    assert infotext.faces(text) == infotext.faces(infotext.parse(cell.result.infotext)) == (FaceSettings(**TAB),)
    assert text.get("ohwx") is None  # what the run's key says is of the picture before

    again = ["face", result["file"], *flags, "--out", str(tmp_path / "more"), "--checkpoint", "tiny_reg"]
    assert main(again) == 0  # settings from the infotext
    text = read_infotext(tmp_path / "more" / f"{cell.result.before.split('/')[1]}")
    assert "Model: tiny_base" in text
    assert "ADetailer checkpoint: tiny_reg" in text


def test_pictures_are_never_overwritten(drawn, capsys):
    run, flags = drawn
    (cell,) = open_run(run).cells
    picture = run / cell.result.before
    content = picture.read_bytes()
    assert main(["face", str(picture), *flags, "--out", str(picture.parent)]) == 1
    assert "choose another --out" in capsys.readouterr().out
    assert picture.read_bytes() == content


def test_a_photograph_needs_a_prompt_and_a_checkpoint(drawn, tmp_path, capsys):
    run, flags = drawn
    (cell,) = open_run(run).cells
    photo, settings = tmp_path / "photo.jpg", tmp_path / "face.json"
    load_rgb(run / cell.result.before).save(photo)
    settings.write_text(json.dumps(TAB | {"prompt": "a man", "width": 64, "height": 64}), encoding="utf-8")
    capsys.readouterr()
    given = ["face", str(photo), *flags, "--settings", str(settings), "--json"]
    assert main([*given, "--out", str(tmp_path / "a")]) == 1
    assert "Give a face prompt and a checkpoint" in json.loads(capsys.readouterr().out)[0]["error"]
    assert main([*given, "--out", str(tmp_path / "a"), "--checkpoint", "tiny_reg"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["notes"][0].startswith("it has no infotext")
    assert infotext.parse(read_infotext(Path(result["file"]))).prompt == "a man"


def test_the_rest_of_an_infotext_stays():
    text = infotext.parse(
        f"{TEXT}, ADetailer model: old.pt, ADetailer confidence: 0.9, Lora hashes: x, Version: 1.10.1"
    )
    new = infotext.render(extended(text, infotext.to_job(text), [FaceSettings(sort="Left to right")]))
    assert new.startswith(TEXT + ", Lora hashes: x, ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3")
    assert new.endswith("Version: 1.10.1")
    assert infotext.faces(infotext.parse(new)) == (FaceSettings(sort="Left to right"),)
