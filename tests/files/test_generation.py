"""How a picture was generated, whichever program wrote it: every format, drawn here, and collected in the wild."""

import html
import io
import json
import shlex
import zlib
from pathlib import Path

import numpy as np
import piexif
import piexif.helper
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ohwx_compare.cli.main import main
from ohwx_compare.errors import ImageError
from ohwx_compare.files.bare import bare_file, bare_picture, with_infotext
from ohwx_compare.files.folder_infos import infos
from ohwx_compare.files.generation import generation_of
from ohwx_compare.files.infotexts import find_infotext, read_infotext
from ohwx_compare.files.prompt_lines import prompt_line

WILD = Path(__file__).parents[1] / "wild" / "pictures"
TEXT = "photo of a fox 狐\nNegative prompt: blurry\nSteps: 4, Sampler: Euler a, CFG scale: 5, Seed: 7, Size: 64x64"
ASKED = {"Steps": "20", "CFG scale": "7", "Seed": "5", "Size": "512x768", "Model": "m.safetensors"}
NODES = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "m.safetensors"}},
    "2": {"class_type": "LoraLoader", "inputs": {
        "lora_name": "l.safetensors", "strength_model": 0.5, "model": ["1", 0]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["4", 0], "clip": ["1", 1]}},
    "4": {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}},
    "5": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
    "6": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
    "7": {"class_type": "KSampler", "inputs": {
        "seed": ["8", 0], "steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "karras", "denoise": 1,
        "positive": ["3", 0], "negative": ["5", 0], "model": ["2", 0], "latent_image": ["6", 0]}},
    "8": {"class_type": "PrimitiveInt", "inputs": {"value": 5}},
    "9": {"class_type": "LatentUpscale", "inputs": {"samples": ["7", 0], "width": 1024, "height": 1536}},
    "10": {"class_type": "KSampler", "inputs": {
        "seed": 99, "steps": 9, "cfg": 3, "sampler_name": "lcm", "scheduler": "simple", "denoise": 0.4,
        "positive": ["3", 0], "negative": ["5", 0], "model": ["2", 0], "latent_image": ["9", 0]}},
    "11": {"class_type": "VAEDecode", "inputs": {"samples": ["10", 0], "vae": ["1", 2]}},
    "12": {"class_type": "SaveImage", "inputs": {"images": ["11", 0]}},
}  # fmt: skip
FLUX = {
    "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "m.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox"}},
    "3": {"class_type": "BasicGuider", "inputs": {"conditioning": ["2", 0], "model": ["1", 0]}},
    "4": {"class_type": "RandomNoise", "inputs": {"noise_seed": 5}},
    "5": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
    "6": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 20, "denoise": 1.0}},
    "7": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 512, "height": 768}},
    "8": {"class_type": "SamplerCustomAdvanced", "inputs": {
        "noise": ["4", 0], "guider": ["3", 0], "sampler": ["5", 0], "sigmas": ["6", 0], "latent_image": ["7", 0]}},
}  # fmt: skip
FOOOCUS = {
    "prompt": "a fox", "negative_prompt": "blurry", "steps": 20, "guidance_scale": 7, "seed": "5",
    "resolution": "(512, 768)", "base_model": "m.safetensors", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras",
    "styles": "['Fooocus V2']", "adm_guidance": "(1.5, 0.8, 0.3)", "metadata_scheme": "fooocus",
    "lora_combined_1": "l.safetensors : 0.5",
}  # fmt: skip
NOVEL = {"prompt": "a fox", "uc": "blurry", "steps": 20, "scale": 7, "seed": 5, "width": 512, "height": 768,
         "sampler": "k_euler", "noise_schedule": "karras", "request_type": "PromptGenerateRequest"}  # fmt: skip
DRAW = {"c": "a fox", "uc": "blurry", "steps": 20, "scale": 7, "seed": 5, "size": "512x768", "model": "m.safetensors",
        "sampler": "Euler A", "lora": [{"model": "l.ckpt", "weight": 0.5}], "v2": {"clipSkip": 1}}  # fmt: skip
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description><xmp:CreatorTool>Draw Things</xmp:CreatorTool>'
    f'<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{html.escape(json.dumps(DRAW))}</rdf:li></rdf:Alt>'
    "</exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"
)
CORPUS = {
    "ComfyUI": {"prompt": json.dumps(NODES), "workflow": '{"nodes": []}'},
    "ComfyUI, flow": {"prompt": json.dumps(FLUX)},
    "InvokeAI": {"invokeai_metadata": json.dumps({
        "positive_prompt": "a fox", "negative_prompt": "blurry", "steps": 20, "cfg_scale": 7, "seed": 5, "width": 512,
        "height": 768, "scheduler": "euler", "model": {"name": "m.safetensors", "hash": "blake3:ab"},
        "loras": [{"model": {"name": "l"}, "weight": 0.5}]})},
    "InvokeAI, 2": {"sd-metadata": json.dumps({"model_weights": "m.safetensors", "image": {
        "prompt": [{"prompt": "a fox [blurry]", "weight": 1}], "steps": 20, "cfg_scale": 7, "seed": 5, "width": 512,
        "height": 768, "sampler": "k_lms"}})},
    "InvokeAI, 1": {"Dream": '"a fox [blurry]" -s 20 -S 5 -W 512 -H 768 -C 7 -A k_lms'},
    "NovelAI": {"Software": "NovelAI", "Source": "m.safetensors", "Description": "a fox", "Comment": json.dumps(NOVEL)},
    "Fooocus": {"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"},
    "SwarmUI": {"parameters": json.dumps({"sui_image_params": {
        "prompt": "a fox", "negativeprompt": "blurry", "steps": 20, "cfgscale": 7, "seed": 5, "width": 512,
        "height": 768, "model": "m.safetensors", "loras": ["l"], "loraweights": ["0.5"]}})},
    "Draw Things": {"XML:com.adobe.xmp": XMP},
    "Easy Diffusion": {"prompt": "a fox", "negative_prompt": "blurry", "num_inference_steps": "20", "seed": "5",
                       "guidance_scale": "7", "width": "512", "height": "768", "sampler_name": "euler_a",
                       "use_stable_diffusion_model": "/models/m.safetensors"},
    "NMKD": {"NMKDiffusion": json.dumps({
        "prompt": "a fox", "promptNeg": "blurry", "steps": 20, "seed": 5, "scaleTxt": 7, "w": 512, "h": 768,
        "model": "m.safetensors", "sampler": "Euler_A"})},
}  # fmt: skip


def drawn(mode="RGB", side=32):
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, len(mode)), np.uint8)
    return Image.fromarray(pixels, mode)


def png(path, texts, image=None):
    told = PngInfo()
    for key, text in texts.items():
        (told.add_text if text.isascii() else told.add_itxt)(key, text)
    (image or drawn()).save(path, pnginfo=told)
    return path


def hidden(text, form, channels=(3,)):
    """A picture with `text` in its lowest bits, as the webui's extension hides it."""
    data = text.encode()
    if form.endswith("comp"):
        data = zlib.compress(data, wbits=31)
    whole = form.encode() + (8 * len(data)).to_bytes(4, "big") + data
    bits = np.unpackbits(np.frombuffer(whole, np.uint8))
    columns = np.asarray(drawn("RGBA", 96)).transpose(1, 0, 2).copy()
    chosen = columns[..., list(channels)].reshape(-1)
    chosen[: bits.size] = chosen[: bits.size] & 254 | bits
    columns[..., list(channels)] = chosen.reshape(96, 96, len(channels))
    return Image.fromarray(columns.transpose(1, 0, 2))


@pytest.mark.parametrize("name", CORPUS)
def test_every_programs_picture_is_told_by_the_webuis_keys(name, tmp_path):
    (info,) = infos([png(tmp_path / "one.png", CORPUS[name])])
    assert (info.program, info.infotext, info.error) == (name.partition(",")[0], None, None)
    assert (info.prompt, info.negative) == ("a fox", "" if name == "ComfyUI, flow" else "blurry")
    expected = dict(ASKED)
    if name == "InvokeAI, 1":
        del expected["Model"]
    if name == "ComfyUI, flow":
        del expected["CFG scale"]
    assert {key: info.parameters.get(key) for key in expected} == expected
    assert info.raw in CORPUS[name].values()


def test_a_graph_tells_its_sampler_loras_and_how_many_passes():
    values = generation_of({"prompt": json.dumps(NODES)}).values
    told = [values[key] for key in ("Sampler", "Schedule type", "LoRAs", "Passes")]
    assert told == ["euler", "karras", "l.safetensors:0.5", "2"]
    assert "Denoising strength" not in values


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_the_same_in_exif(kind, tmp_path):
    fooocus = piexif.helper.UserComment.dump(json.dumps(FOOOCUS), "unicode")
    for number, (exif, program) in enumerate([
        ({"Exif": {piexif.ExifIFD.UserComment: fooocus, piexif.ExifIFD.MakerNote: b"fooocus"}}, "Fooocus"),
        ({"0th": {piexif.ImageIFD.Make: b"workflow:{}", piexif.ImageIFD.Model: f"prompt:{json.dumps(NODES)}".encode()}},
         "ComfyUI"),
    ]):  # fmt: skip
        path = tmp_path / f"{number}.{kind}"
        drawn().save(path, exif=piexif.dump(exif))
        (info,) = infos([path])
        assert (info.program, info.prompt, info.parameters["Seed"]) == (program, "a fox", "5")


def test_xmp_in_a_jpeg(tmp_path):
    path = tmp_path / "one.jpg"
    drawn().save(path, xmp=XMP.encode())
    (info,) = infos([path])
    assert (info.program, info.prompt, info.parameters["LoRAs"]) == ("Draw Things", "a fox", "l.ckpt:0.5")


@pytest.mark.parametrize("form", ["stealth_pnginfo", "stealth_pngcomp", "stealth_rgbinfo", "stealth_rgbcomp"])
def test_a_text_hidden_in_the_pixels_is_read(form, tmp_path):
    channels = (0, 1, 2) if "rgb" in form else (3,)
    hidden(TEXT, form, channels).save(tmp_path / "webui.png")
    novel = {"Software": "NovelAI", "Description": "a fox", "Comment": json.dumps(NOVEL)}
    hidden(json.dumps(novel), form, channels).save(tmp_path / "novel.webp", lossless=True, exact=True)
    novel_info, webui = infos([tmp_path / "novel.webp", tmp_path / "webui.png"])
    assert (webui.infotext, webui.prompt) == (TEXT, "photo of a fox 狐")
    assert (novel_info.program, novel_info.prompt, novel_info.parameters["Seed"]) == ("NovelAI", "a fox", "5")


def test_pixels_are_decoded_for_a_picture_with_alpha_and_no_text_alone(tmp_path, monkeypatch):
    from ohwx_compare.files import stealth

    opened = []
    real = stealth._read
    monkeypatch.setattr(stealth, "_read", lambda bits: opened.append(bits.shape) or real(bits))
    told = [({"parameters": TEXT}, "RGBA"), ({}, "RGB"), (CORPUS["SwarmUI"], "RGBA"), ({"Comment": "hello"}, "RGBA")]
    list(infos([png(tmp_path / f"{n}.png", texts, drawn(mode)) for n, (texts, mode) in enumerate(told)]))
    assert opened == []
    assert [info.reason for info in infos([png(tmp_path / "c.png", {}, drawn("RGBA"))])] == [
        "It has no infotext: it was saved without, or by a program that drops it."
    ]
    assert opened == [(32, 32), (32, 32, 3)]


@pytest.mark.parametrize(
    ("name", "seed", "steps"),
    [("comfyui.png", "5", "20"), ("swarmui.png", "1", "20"), ("nmkd.png", "1", "25"), ("easydiffusion.png", "1", "25"),
     ("invokeai-metadata.png", "12", "30"), ("invokeai-sd-metadata.png", "1", "50"), ("fooocus-json.jpg", None, None)],
)  # fmt: skip
def test_pictures_from_the_wild_have_their_fields(name, seed, steps):
    (info,) = infos([WILD / name])
    assert info.program
    assert info.infotext is None
    if seed:
        assert (info.parameters["Seed"], info.parameters["Steps"]) == (seed, steps)
    assert {"Model", "Sampler"} <= info.parameters.keys()


@pytest.mark.parametrize("text", [
    '{"class_type": 1}', '{"1": {"class_type": "KSampler", "inputs": {"positive": ["1", 0], "model": ["1", 0]}}}',
    '{"a":' * 3000 + "1" + "}" * 3000, '{"sui_image_params": [1]}',
    '{"sui_image_params": {"seed": ' + "9" * 5000 + "}}",
    '{"metadata_scheme": "x", "loras": 5, "resolution": {}}', '{"v2": [], "c": {}}', '{"uc": 1, "request_type": []}',
])  # fmt: skip
def test_hostile_metadata_is_no_error(text, tmp_path):
    for key in ("prompt", "parameters", "Comment", "invokeai_metadata", "sd-metadata", "NMKDiffusion", "Dream"):
        (info,) = infos([png(tmp_path / "one.png", {key: text, "Software": "NovelAI" if key == "Comment" else "x"})])
        assert info.error is None
        assert all(isinstance(value, str) for value in info.parameters.values())


def test_a_graph_in_a_circle_ends():
    ring = {
        str(n): {
            "class_type": "KSampler",
            "inputs": {"positive": [str(n + 1), 0], "latent_image": [str((n + 1) % 500), 0]},
        }
        for n in range(500)
    }
    assert generation_of({"prompt": json.dumps(ring)}).program == "ComfyUI"


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "lossless.webp", "alpha.png"])
def test_metadata_is_taken_out_and_put_in_without_touching_a_pixel(kind, tmp_path):
    path, exif = tmp_path / f"one.{kind}", piexif.dump({"Exif": {piexif.ExifIFD.UserComment: b"ASCII\0\0\0secret"}})
    image = drawn("RGBA" if "alpha" in kind else "RGB")
    if path.suffix == ".png":
        png(path, {"parameters": TEXT, "workflow": "secret", "XML:com.adobe.xmp": XMP}, image)
    else:
        image.save(path, exif=exif, xmp=XMP.encode(), lossless="lossless" in kind)
    before = np.asarray(Image.open(path))
    for data, text in (
        (bare_picture(path.read_bytes()), None),
        (with_infotext(path.read_bytes(), TEXT), TEXT),
        (with_infotext(bare_picture(path.read_bytes()), "ä Steps: 1"), "ä Steps: 1"),
    ):
        changed = path.with_name(f"changed.{kind}")
        changed.write_bytes(data)
        assert (np.asarray(Image.open(io.BytesIO(data))) == before).all()
        assert (b"secret" in data, b"Draw Things" in data, read_infotext(changed)) == (False, False, text)


def test_what_turns_a_picture_stays(tmp_path):
    for kind in ("jpg", "webp", "png"):
        path = tmp_path / f"one.{kind}"
        drawn().save(path, exif=piexif.dump({"0th": {0x0112: 6, piexif.ImageIFD.Make: b"secret camera"}}))
        data = bare_picture(path.read_bytes())
        assert (Image.open(io.BytesIO(data)).getexif()[0x0112], b"secret" in data) == (6, False)


def test_nothing_is_overwritten_without_being_asked_and_what_is_damaged_is_a_sentence(tmp_path, capsys):
    source = png(tmp_path / "a.png", {"parameters": TEXT})
    whole = source.read_bytes()
    for _ in range(2):
        status = main(["strip", str(source), "--out", str(tmp_path / "out")])
    assert (status, source.read_bytes()) == (1, whole)
    assert "is there already" in capsys.readouterr().err
    assert main(["strip", str(source), "--in-place"]) == 0
    assert read_infotext(source) is None
    for data in (whole[:-20], b"GIF89a", b"\xff\xd8\xff\xe1\x00", b"RIFF\x10\0\0\0WEBPVP8 \xff\0\0\0", b""):
        (tmp_path / "bad.png").write_bytes(data)
        with pytest.raises(ImageError, match=r"bad\.png"):
            bare_file(tmp_path / "bad.png", tmp_path / "new.png")
        assert not (tmp_path / "new.png").exists()


def test_a_line_of_prompts_is_what_the_webuis_script_takes(tmp_path, capsys):
    nasty = 'a "fox" \\ $HOME `x`\n--seed 3'
    path = png(tmp_path / "a.png", {"parameters": TEXT.replace("photo of a fox 狐", nasty)})
    assert main(["pnginfo", "--prompts", str(path)]) == 0
    words = shlex.split(capsys.readouterr().out.strip())
    told = dict(zip(words[::2], words[1::2], strict=True))
    assert told == {
        "--prompt": 'a "fox" \\ $HOME `x` --seed 3', "--negative_prompt": "blurry", "--seed": "7", "--steps": "4",
        "--cfg_scale": "5", "--sampler_name": "Euler a", "--width": "64", "--height": "64",
    }  # fmt: skip
    assert prompt_line(next(infos([png(tmp_path / "b.png", {})]))) == ""


def test_the_table_names_the_program(tmp_path, capsys):
    png(tmp_path / "a.png", {"parameters": TEXT + ", Version: v1.10.1"})
    png(tmp_path / "b.png", {"parameters": TEXT + ", Version: f2.0.1v1.10.1-previous-1"})
    png(tmp_path / "c.png", CORPUS["SwarmUI"])
    png(tmp_path / "d.png", {})
    assert main(["pnginfo", "--csv", str(tmp_path)]) == 0
    head, *rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert [row[head.index("program")] for row in rows] == ["webui", "Forge", "SwarmUI", ""]
    assert find_infotext(tmp_path / "c.png").reason == "It has SwarmUI's metadata and no infotext of the webui."
