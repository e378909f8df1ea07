"""`ohwx replay`: the webui's pictures drawn again through the command line, and what it refuses."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from ohwx_compare.cli import replay as replay_of
from ohwx_compare.cli.main import main
from ohwx_compare.cli.replay import differences, draw_as_told, read_original
from ohwx_compare.cli.start import FROM_NOISE, StartPictures
from ohwx_compare.cli.texts import with_vae
from ohwx_compare.compare.host import Rendered
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.engine.render import Supply
from ohwx_compare.errors import UnsupportedKeyError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.images import load_rgb, write_png
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.vaes import named_vaes

PLAIN = [
    "article", "prompt_brk", "prompt_compose", "prompt_editing", "prompt_editing_weights", "prompt_empty_both",
    "prompt_empty_negative", "prompt_long", "prompt_unicode", "prompt_weights", "size_192x128", "subseed",
    "clip_skip_2", "rng_nv", "sampler_euler_a_automatic", "sampler_euler_automatic", "sampler_dpmpp_2m_karras",
    "sampler_dpmpp_2m_sde_exponential", "batch_2x2.0", "batch_2x2.1", "batch_2x2.2", "batch_2x2.3",
]  # fmt: skip
FACES = ["face_top1_050", "face_top1_070", "face_all_two_prompts", "face_options"]


def replay(tiny, goldens, out, *inputs):
    where = ["--checkpoints", str(tiny), "--detectors", str(goldens), "--out", str(out), "--device", "cpu", "--json"]
    return main(["replay", *where, *map(str, inputs)])


def check(results, names, largest, mean):
    assert [result["name"] for result in results] == names
    for result in results:
        assert result["error"] is None, result
        assert result["max_difference"] <= largest, result
        assert result["mean_difference"] <= mean, result


def test_the_articles_picture_and_one_with_a_face_pass(tiny, goldens, tmp_path, capsys):
    assert replay(tiny, goldens, tmp_path / "naïve 星 out", goldens / "article.png", goldens / "face_options.png") == 0
    results = json.loads(capsys.readouterr().out)
    check(results[:1], ["article"], 2, 0.002)
    check(results[1:], ["face_options"], 4, 0.02)
    written = tmp_path / "naïve 星 out" / "article.png"
    assert read_infotext(written) == read_infotext(goldens / "article.png")
    assert differences(load_rgb(written), load_rgb(goldens / "article.png"))[0] == results[0]["max_difference"]


@pytest.mark.slow
def test_every_picture_that_the_webui_drew_from_noise(tiny, goldens, tmp_path, capsys):
    assert replay(tiny, goldens, tmp_path, *(goldens / f"{name}.png" for name in PLAIN)) == 0
    check(json.loads(capsys.readouterr().out), PLAIN, 2, 0.002)


@pytest.mark.slow
def test_every_picture_with_a_face_pass(tiny, goldens, tmp_path, capsys):
    assert replay(tiny, goldens, tmp_path, *(goldens / f"{name}.png" for name in FACES)) == 0
    check(json.loads(capsys.readouterr().out), FACES, 4, 0.02)


def text(goldens, change=lambda t: t):
    return change(read_infotext(goldens / "article.png"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.replace("RNG: CPU", "RNG: CPU, Hires upscale: 2, Hires upscaler: 4x-x"),
            "There is no upscaler '4x-x'",
        ),
        (lambda t: t.replace("Negative", "<lora:me:1>\nNegative"), "There is no LoRA 'me'"),
        (lambda t: t.replace("RNG: CPU", 'RNG: CPU, TI hashes: "me: 0123456789ab"'), "with the embedding 'me'"),
        (lambda t: t.replace("RNG: CPU", "RNG: CPU, VAE: mine.safetensors"), "VAE"),
        (lambda t: t.replace("RNG: CPU", "RNG: CPU, Refiner: sdxl_refiner"), "no checkpoint named 'sdxl_refiner'"),
        (lambda t: t.replace("DPM++ 2M SDE", "ER SDE"), "ER SDE"),
        (lambda t: t.replace("RNG: CPU", "RNG: CPU, Emphasis: Loud"), "expected one of Original"),
        (lambda t: t.replace("RNG: CPU", "Denoising strength: 0.5, RNG: CPU"), "Denoising strength"),
        (lambda t: t.replace("Model: tiny_base", "Model: other").replace("e26d253423", "0123456789"), "other"),
        (lambda t: t.replace("e26d253423", "0123456789"), "e26d253423"),
        (lambda t: t.replace("RNG: CPU", "RNG: CPU, Script: X/Y/Z plot, X Type: Seed, X Values: 1-3"), "ohwx compare"),
    ],
)
def test_what_cannot_be_drawn_again_is_named(change, said, tiny, goldens, tmp_path, capsys):
    assert replay(tiny, goldens, tmp_path, text(goldens, change)) == 1
    (result,) = json.loads(capsys.readouterr().out)
    assert said in result["error"]
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.slow
def test_settings_that_no_infotext_tells_are_set_and_told(tiny, goldens, tmp_path, capsys):
    one = text(goldens, lambda t: t.replace("Steps: 12", "Steps: 4").replace("Size: 256x256", "Size: 64x64"))
    one = one.replace("DPM++ 2M SDE", "UniPC")
    given = tmp_path / "one.txt"
    given.write_text(one, encoding="utf-8")
    own = ("--set", "unipc_order=2", "--set", "comma_backtrack=0")
    assert replay(tiny, goldens, tmp_path / "own", given, *own) == 0
    told = read_infotext(tmp_path / "own" / "one.png")
    assert "UniPC order: 2" in told
    assert "comma_backtrack" in told
    assert replay(tiny, goldens, tmp_path / "again", tmp_path / "own" / "one.png") == 0
    first, again = (load_rgb(tmp_path / folder / "one.png") for folder in ("own", "again"))
    assert differences(first, again)[0] == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [("unipc_odrer=2", "unipc_order"), ("unipc_order=two", "a whole number"), ("unipc_order", "NAME=VALUE"),
     ("clip_l_skip=1", "true or false"), ("seed=1", "--set takes"), ("ESRGAN_tile=0", "called upscaler_tile here"),
     ("eta_ancestral=1", "add 'Eta: ...'"), ("use_old_karras_scheduler_sigmas=true", "Schedule min sigma: 0.1"),
     ("background=green", "such as #ffffff")],
)  # fmt: skip
def test_a_setting_that_cannot_be_set_is_one_sentence(given, said, tiny, goldens, tmp_path, capsys):
    assert replay(tiny, goldens, tmp_path, goldens / "article.png", "--set", given) == 1
    assert said in capsys.readouterr().err


def test_what_is_transparent_of_the_start_lies_on_the_background_that_is_set(goldens):
    text = json.loads((goldens / "i2i_050.json").read_text(encoding="utf-8"))["infotexts"][0]
    clear = StartPictures(Image.new("RGBA", (64, 64), (10, 20, 30, 0)))
    for settings, colour in (({}, (255, 255, 255)), ({"background": "#00ff00"}, (0, 255, 0))):
        found = read_original(text, stem="a", start=clear, settings=settings)
        assert found.start.image.getcolors() == [(64 * 64, colour)]
        again = read_original(found.text, stem="a", start=clear)  # our text tells it
        assert again.start.image == found.start.image


def test_originals_are_never_overwritten(tiny, goldens, tmp_path, capsys):
    original = tmp_path / "a.png"
    original.write_bytes((goldens / "prompt_empty_both.png").read_bytes())
    assert replay(tiny, goldens, tmp_path, original) == 1
    assert original.read_bytes() == (goldens / "prompt_empty_both.png").read_bytes()


def test_every_infotext_of_a_file_is_drawn_and_stand_ins_are_named(tiny, goldens, tmp_path, capsys):
    file = tmp_path / "two.txt"
    one = text(goldens, lambda t: t.replace("Steps: 12", "Steps: 1").replace("Size: 256x256", "Size: 64x64"))
    file.write_text(f"{one}\n\n---\n\n{one.replace('e26d253423', '0123456789')}", encoding="utf-8")
    assert replay(tiny, goldens, tmp_path / "out", file, "--checkpoint-map", "0123456789=tiny_reg") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert [Path(result["file"]).name for result in (first, second)] == ["two.png", "two-2.png"]
    assert read_infotext(Path(first["file"])) == one
    assert "in place of tiny_base" in " ".join(second["notes"])
    assert "Model: tiny_reg" in read_infotext(Path(second["file"]))


def test_another_input_in_the_folder_is_not_overwritten(tiny, goldens, tmp_path, capsys):
    out, elsewhere = tmp_path / "out", tmp_path / "x"
    for folder in (out, elsewhere):
        folder.mkdir()
    content = (goldens / "prompt_empty_both.png").read_bytes()
    (elsewhere / "2.png").write_bytes((goldens / "prompt_weights.png").read_bytes())
    (out / "2.png").write_bytes(content)
    assert replay(tiny, goldens, out, elsewhere / "2.png", out / "2.png") == 1  # the second would lie on itself
    assert (out / "2.png").read_bytes() == content
    first, second = json.loads(capsys.readouterr().out)
    named = {result["name"]: result for result in (first, second)}
    assert named["2-2"]["max_difference"] <= 2
    assert (out / "2-2.png").is_file()


def test_no_input_and_no_device_ends_in_a_traceback(tiny, goldens, tmp_path, capsys):
    assert replay(tiny, goldens, tmp_path, "a prompt instead of a file, " * 200) == 1
    assert "There is no file" in json.loads(capsys.readouterr().out)[0]["error"]
    for device in ("foo", "cuda:99"):
        assert replay(tiny, goldens, tmp_path, goldens / "article.png", "--device", device) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert f"--device {device}" in said[0]


def test_a_missing_file_and_a_picture_without_infotext_are_named(tiny, goldens, tmp_path, capsys):
    assert replay(tiny, goldens, tmp_path, tmp_path / "no such.png", goldens / "mask_box.png") == 1
    missing, bare = json.loads(capsys.readouterr().out)
    assert "no such.png" in missing["error"]
    assert "no infotext" in bare["error"]


@pytest.mark.parametrize(("change", "note"), [
    (lambda image: image.resize((4 * image.width, 4 * image.height), Image.Resampling.NEAREST), "resized to compare"),
    (lambda image: batch_of(image), "its first picture was compared"),
    (lambda image: image.crop((0, 0, 50, 40)), "not compared"),
])  # fmt: skip
def test_an_original_of_another_size_is_a_note(tiny, goldens, tmp_path, capsys, change, note):
    write_png(tmp_path / "upscaled.png", change(load_rgb(goldens / "article.png")), text(goldens))
    assert replay(tiny, goldens, tmp_path / "out", tmp_path / "upscaled.png") == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["error"] is None
    assert note in " ".join(result["notes"])
    assert (result["max_difference"] is None) == (note == "not compared")
    assert result["max_difference"] is None or result["mean_difference"] < (2 if "resized" in note else 0.002)


def batch_of(image):
    """The grid of a batch: this picture and one of noise."""
    grid = Image.new("RGB", (2 * image.width, image.height), "red")
    grid.paste(image, (0, 0))
    return grid


@pytest.mark.slow
def test_the_vae_given_stands_for_the_one_that_a_text_names(tiny, goldens, tmp_path, capsys):
    vae = tmp_path / "mine.safetensors"
    parts = load_file(tiny / "tiny_base.safetensors")
    save_file({name: part for name, part in parts.items() if name.startswith("first_stage_model.")}, vae)
    own = hashlib.sha256(vae.read_bytes()).hexdigest()[:10]
    for short, notes in ((own, False), ("235745af8d", True)):
        named = text(goldens, lambda t, short=short: f"{t}, VAE hash: {short}, VAE: sdxl_vae.safetensors")
        assert replay(tiny, goldens, tmp_path / "none", named) == 1
        assert "VAE 'sdxl_vae.safetensors'" in (said := json.loads(capsys.readouterr().out)[0]["error"])
        assert "--vae FILE" in said
        assert replay(tiny, goldens, tmp_path / short, named, "--vae", vae) == 0
        said = " ".join(json.loads(capsys.readouterr().out)[0]["notes"])
        assert ("names the VAE sdxl_vae.safetensors [235745af8d]; mine.safetensors" in said) == notes


def test_a_hash_alone_is_the_file_that_has_it(tmp_path):
    save_file({"one": torch.zeros(2)}, tmp_path / "one.safetensors")
    digest = sha256(tmp_path / "one.safetensors")
    text, vaes = (
        parse(f"a\nSteps: 2, Sampler: Euler, Seed: 1, VAE hash: {digest[:10]}"),
        named_vaes([tmp_path], [], sha256),
    )
    assert with_vae(text, None, vaes)[0].get("VAE") == "one.safetensors"
    assert with_vae(text.with_value("VAE hash", "0123456789"), None, vaes)[0].get("VAE") is None
    assert with_vae(text, tmp_path / "one.safetensors", vaes) == (text.without("VAE hash"), ())


def start(goldens, mask=None):
    return "--init", goldens / "portrait.png", *(("--mask", goldens / f"{mask}.png") if mask else ())


@pytest.mark.parametrize(
    ("name", "mask", "largest", "mean"),
    [("i2i_050", None, 2, 0.002), ("inpaint_masked_nopad_noblur", "mask_box", 4, 0.02)],
)
def test_what_started_from_a_picture_is_drawn_from_the_one_given(
    name, mask, largest, mean, tiny, goldens, tmp_path, capsys
):
    assert replay(tiny, goldens, tmp_path, goldens / f"{name}.png", *start(goldens, mask)) == 0
    check(json.loads(capsys.readouterr().out), [name], largest, mean)


def test_a_picture_or_mask_that_is_missing_or_does_not_fit_is_one_sentence(tiny, goldens, tmp_path, capsys):
    wanted = goldens / "inpaint_masked_nopad_noblur.png"
    for given, said in ((), "--init IMAGE"), (start(goldens), "give it with --mask IMAGE"):
        assert replay(tiny, goldens, tmp_path, wanted, *given) == 1
        assert said in json.loads(capsys.readouterr().out)[0]["error"]
    Image.new("L", (64, 64)).save(tmp_path / "small.png")
    for given, said in (
        (("--mask", goldens / "mask_box.png"), "--init IMAGE"),
        ((*start(goldens), "--mask", tmp_path / "small.png"), "64x64 px, expected --init's 128x128"),
    ):
        assert replay(tiny, goldens, tmp_path, wanted, *given) == 1
        assert said in capsys.readouterr().err


def test_a_picture_given_to_a_text_that_starts_from_noise_is_a_note(goldens):
    found = read_original(text(goldens), stem="a", start=StartPictures(Image.new("RGB", (8, 8))))
    assert found.start == FROM_NOISE
    assert "--init is left aside" in found.notes[-1]


SKIPPED = (
    "a face\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 128x128, Model: tiny_base, "
    "Denoising strength: 0.5, ADetailer model: x.pt, ADetailer use separate steps: True, ADetailer steps: 16, "
    "ADetailer version: 25.3.0"
)
TOLD = (
    "ADetailer use separate sampler: True, ADetailer sampler: Euler a, ADetailer use inpaint width height: True, "
    "ADetailer inpaint width: 512, ADetailer inpaint height: 512, ADetailer version"
)


def test_of_a_picture_whose_img2img_was_skipped_the_faces_are_drawn(monkeypatch):
    given = StartPictures(Image.new("RGB", (64, 96), "red"))
    asked = []
    monkeypatch.setattr(replay_of, "_detailed", lambda *_: asked.append(_[-2]) or Rendered(_[-2], ("1 face",)))
    found = read_original(SKIPPED.replace("ADetailer version", TOLD), stem="a", start=given)
    assert draw_as_told(None, [], found).notes == ("1 face",)
    assert asked == [given.image]


def test_what_the_text_of_a_skipped_img2img_does_not_tell_is_named():
    given = StartPictures(Image.new("RGB", (64, 96)))
    with pytest.raises(UnsupportedKeyError, match=r"sampler, width, height of its tab 1.*ohwx face"):
        read_original(SKIPPED, stem="a", start=given)
    of_its_size = StartPictures(Image.new("RGB", (128, 128)))
    assert not read_original(SKIPPED, stem="a", start=of_its_size).is_skipped


def test_colours_are_corrected_after_the_faces(monkeypatch, goldens):
    text = json.loads((goldens / "i2i_050.json").read_text(encoding="utf-8"))["infotexts"][0]
    given = StartPictures(load_rgb(goldens / "portrait.png"))
    red = Image.new("RGB", given.image.size, "red")

    class Host:
        supply = Supply()

        def img2img(self, jobs, images):
            assert not jobs[0].color_correction
            return [Rendered(images[0])]

    monkeypatch.setattr(replay_of, "_detailed", lambda *_: Rendered(red))
    for is_on, is_red in ((True, False), (False, True)):
        found = read_original(text, stem="a", start=given, settings={"color_correction": is_on})
        assert (draw_as_told(Host(), [], found).image.tobytes() == red.tobytes()) is is_red
