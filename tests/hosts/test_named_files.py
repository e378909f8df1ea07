"""LoRAs, embeddings and VAEs by name: the webui's pictures, and weights that come back bit for bit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.keys import PictureKeys
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.prompt.networks import Network, networks
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import render
from ohwx_compare.engine.networks.extract import extract
from ohwx_compare.engine.networks.lora_file import write_lora
from ohwx_compare.engine.networks.wear import Chosen, put_on
from ohwx_compare.engine.weights import PREFIXES, load
from ohwx_compare.errors import CheckpointError, HostError, PromptError, UnknownNameError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.hosts.native import Beside, NativeHost
from ohwx_compare.testing.parts import draw_parts

JOB = Job(prompt="ohwx man", seed=1, steps=2, sampler="Euler", width=64, height=64, rng="CPU")
FAST = ("lora_two", "embedding")
SLOW = ("lora_lora", "lora_locon", "lora_dora", "lora_loha", "lora_lokr", "lora_te_unet", "vae")


@pytest.fixture(scope="session")
def tiny_models(tiny, tmp_path_factory) -> Path:
    """A webui's models folder with tiny checkpoints and drawn files beside them."""
    folder = tmp_path_factory.mktemp("webui") / "models"
    draw_parts(folder)
    shutil.copytree(tiny, folder / "Stable-diffusion")
    return folder


@pytest.fixture(scope="session")
def models(mini, tmp_path_factory) -> Path:
    """The same with one checkpoint that is smaller still."""
    folder = tmp_path_factory.mktemp("small") / "models"
    draw_parts(folder, read_header(mini).shapes)
    (folder / "Stable-diffusion").mkdir()
    shutil.copy(mini, folder / "Stable-diffusion")
    return folder


def host_of(models):
    return NativeHost(
        [models / "Stable-diffusion"],
        device="cpu",
        beside=Beside(vaes=[models / "VAE"], loras=[models / "Lora"], embeddings=[models.parent / "embeddings"]),
    )


@pytest.fixture
def host(models):
    found = host_of(models)
    yield found
    found.close()


@pytest.fixture
def base(host):
    (checkpoint,) = host.checkpoints()
    host.use(checkpoint)
    return checkpoint


@pytest.fixture(scope="module")
def webui(tiny_models):
    """The engine with what the webui had when it drew the goldens."""
    found = host_of(tiny_models)
    found.use(next(c for c in found.checkpoints() if c.name.startswith("tiny_base")))
    yield found
    found.close()


def drawn(host, *jobs):
    return [result.image for result in host.render(jobs)]


def asked_and_drawn(host, job):
    host.fingerprint(job)
    drawn(host, job)


def tensors(model):
    return {
        prefix + name: tensor.clone()
        for part, prefix in PREFIXES.items()
        for name, tensor in getattr(model, part).state_dict().items()
    }


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_the_webuis_pictures(webui, goldens, name):
    folder = goldens / "parity"
    (text,) = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["infotexts"]
    asked = infotext.parse(text)
    infotext.require_supported(asked)
    (result,) = webui.render([infotext.to_job(asked)])
    with Image.open(folder / f"{name}.png") as picture:
        apart = np.abs(np.asarray(result.image, int) - np.asarray(picture.convert("RGB"), int))
    assert apart.max() <= 2
    assert apart.mean() <= 0.002
    for key, value in result.keys:
        assert set(value.split(", ")) == set((asked.get(key) or "").split(", "))


@pytest.mark.slow
def test_img2img_with_a_lora(webui, goldens):
    folder = goldens / "parity"
    job = infotext.to_job(infotext.parse(json.loads((folder / "i2i_lora.json").read_text("utf-8"))["infotexts"][0]))
    with Image.open(goldens / "portrait.png") as portrait, Image.open(folder / "i2i_lora.png") as picture:
        redrawn = render.img2img(webui.model_of(job), [job], [portrait])[0].image
        apart = np.abs(np.asarray(redrawn, int) - np.asarray(picture.convert("RGB"), int))
    assert apart.max() <= 2
    assert apart.mean() <= 0.002


def test_taken_off_leaves_every_bit(host, base):
    plain, (before,) = tensors(host._held), drawn(host, JOB)
    for tag in ("<lora:drawn_lora:0.8>", "<lora:drawn_dora:1><lora:drawn_locon:-2>"):
        assert drawn(host, replace(JOB, prompt=f"ohwx man {tag}")) != [before]
        changed = [name for name, tensor in tensors(host._held).items() if not torch.equal(tensor, plain[name])]
        assert changed
    assert drawn(host, JOB) == [before]
    assert all(torch.equal(tensor, plain[name]) for name, tensor in tensors(host._held).items())


def test_the_same_as_a_merged_checkpoint(host, base, models, tmp_path):
    job = replace(JOB, prompt="ohwx man <lora:drawn_locon:0.7>")
    (worn,) = drawn(host, job)
    merged = load_file(base.path)
    for name, tensor in tensors(host._held).items():
        merged[name] = tensor
    save_file(merged, tmp_path / "merged.safetensors")
    alone = NativeHost([tmp_path], device="cpu")
    alone.use(alone.checkpoints()[0])
    apart = np.abs(np.asarray(drawn(alone, JOB)[0], int) - np.asarray(worn, int))
    assert apart.max() <= 2


def test_a_lora_of_all_ranks_draws_the_fine_tunes_picture(tiny, tmp_path):
    base, tuned = (tiny / f"tiny_{name}.safetensors" for name in ("base", "reg"))
    write_lora(tmp_path / "all.safetensors", extract(tuned, base, rank=128).tensors, "tiny_base", {})
    host = NativeHost([tiny], device="cpu", beside=Beside(loras=[tmp_path]))
    pictures = {}
    for path, prompt in ((tuned, "ohwx man"), (base, "ohwx man"), (base, "ohwx man <lora:all:1>")):
        host.use(next(one for one in host.checkpoints() if one.path == path))
        pictures[path, prompt] = np.asarray(drawn(host, replace(JOB, prompt=prompt))[0], int)
    host.close()
    whole, plain, ours = pictures.values()
    assert np.abs(ours - whole).max() <= 2 < np.abs(plain - whole).max()


@pytest.mark.slow
def test_a_checkpoint_switched_under_a_lora_is_whole(tiny_models):
    host = host_of(tiny_models)
    host.use(host.checkpoints()[0])
    drawn(host, replace(JOB, prompt="ohwx man <lora:drawn_lora:1>"))
    other = next(c for c in host.checkpoints() if c.name.startswith("tiny_reg"))
    host.use(other)
    fresh = tensors(load(other.path))
    drawn(host, JOB)
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in tensors(host._held).items())


def test_mixed_jobs_equal_single_ones(host, base):
    tags = ("", "<lora:drawn_lora:0.8>", "<lora:drawn_lora:0.8>", "<lora:drawn_loha:1>")
    jobs = [replace(JOB, prompt=f"ohwx man {tag}", seed=seed) for seed, tag in enumerate((*tags, *reversed(tags)))]
    jobs[5] = replace(jobs[5], steps=3)
    together = drawn(host, *jobs)
    for job, picture in zip(jobs, together, strict=True):
        apart = np.abs(np.asarray(drawn(host, job)[0], int) - np.asarray(picture, int))
        assert apart.max() <= 2


@pytest.mark.parametrize(("name", "in_texts"), [("drawn_lora", True), ("drawn_lora_unet", False)])
def test_the_second_pass_may_be_encoded_with_the_first_ones_loras(host, base, name, in_texts):
    job = replace(JOB, prompt=f"ohwx man <lora:{name}:1>", hires_upscaler="Latent", hires_prompt="ohwx man")
    plain, early = (drawn(host, replace(job, hires_first_loras=is_on))[0] for is_on in (False, True))
    assert (plain.tobytes() != early.tobytes()) == in_texts


def test_encoded_prompts_are_not_taken_for_those_of_other_loras(host, base):
    """The cache of encoded prompts knows what the encoders wear."""
    first, second, again = (replace(JOB, prompt=f"ohwx man <lora:drawn_lora:{w}>") for w in (0.4, 0.9, 0.4))
    one, two, three = drawn(host, first)[0], drawn(host, second)[0], drawn(host, again)[0]
    assert one == three != two


def test_a_file_replaced_under_its_name_is_another_key(models, tmp_path):
    shutil.copytree(models / "Lora", tmp_path / "Lora")
    job = replace(JOB, prompt="ohwx man <lora:drawn_lora:1>")
    face = replace(JOB, prompt="<lora:drawn_lora:1>")

    def said(asked):
        return NativeHost(
            [models / "Stable-diffusion"], device="cpu", beside=Beside(loras=[tmp_path / "Lora"])
        ).fingerprint(asked)

    before = said(job), said(face), said(JOB)
    shutil.copy(tmp_path / "Lora" / "drawn_dora.safetensors", tmp_path / "Lora" / "drawn_lora.safetensors")
    assert [one == two for one, two in zip(before, (said(job), said(face), said(JOB)), strict=True)] == [
        False, False, True,
    ]  # fmt: skip
    assert "loras" not in before[2]  # what was drawn before this came is still found


def test_a_face_prompts_lora_is_in_the_key(models, tmp_path):
    shutil.copytree(models / "Lora", tmp_path / "Lora")
    data = {"job": {"prompt": "a", "seed": 1}, "faces": [{"prompt": "<lora:drawn_lora:1>"}],
            "axes": [{"kind": "checkpoint", "values": ["x"]}]}  # fmt: skip
    cell = Experiment.from_dict(data).cells()[0]

    def keys():
        host = NativeHost([models / "Stable-diffusion"], device="cpu", beside=Beside(loras=[tmp_path / "Lora"]))
        return PictureKeys(host.fingerprint, {"face_yolov8n.pt": "0"}).of(cell, "1")

    before, after = keys()
    shutil.copy(tmp_path / "Lora" / "drawn_dora.safetensors", tmp_path / "Lora" / "drawn_lora.safetensors")
    assert keys()[0] == before
    assert keys()[1] != after


def test_one_that_changes_while_a_run_goes_on_is_refused(models, tmp_path):
    shutil.copytree(models / "Lora", tmp_path / "Lora")
    host = NativeHost([models / "Stable-diffusion"], device="cpu", beside=Beside(loras=[tmp_path / "Lora"]))
    job = replace(JOB, prompt="ohwx man <lora:drawn_lora:1>")
    host.fingerprint(job)
    host.use(host.checkpoints()[0])
    shutil.copy(tmp_path / "Lora" / "drawn_dora.safetensors", tmp_path / "Lora" / "drawn_lora.safetensors")
    with pytest.raises(HostError, match=r"drawn_lora.safetensors changed since the run began"):
        drawn(host, job)


def test_what_cannot_be_put_on(host, base, models, tmp_path):
    for prompt, error, words in (
        ("<lora:drawn_lore:1>", UnknownNameError, "There is no LoRA 'drawn_lore'; did you mean 'drawn_lora'"),
        ("<lora:drawn_lora:much>", PromptError, "<lora:drawn_lora:much> cannot be read"),
        ("<lora:drawn_lora:nan>", PromptError, "cannot be read"),
        ("<hypernet:x:1>", PromptError, "a kind of network that is not supported"),
    ):
        with pytest.raises(error, match=words):
            asked_and_drawn(host, replace(JOB, prompt=prompt))
    first = next(iter(read_header(models / "Lora" / "drawn_lora.safetensors").tensors)).partition(".")[0]
    wide = {f"{first}.lora_down.weight": torch.zeros(4, 7), f"{first}.lora_up.weight": torch.zeros(9, 4)}
    files = {
        "sd15": wide,
        "odd": {f"{first}.oft_blocks": torch.zeros(2, 2, 2)},
        "picture": {"some.tensor": torch.zeros(2)},
    }
    expected = (
        "is a LoRA for another model",
        "holds oft_blocks, a kind of LoRA that is not supported",
        "expected a LoRA",
    )
    for (name, content), words in zip(files.items(), expected, strict=True):
        save_file(content, tmp_path / f"{name}.safetensors")
        with pytest.raises(CheckpointError, match=words):
            put_on(load(base.path), [Chosen(Network(name), tmp_path / f"{name}.safetensors", "0")])


def test_after_a_lora_that_failed_the_checkpoint_is_loaded_again(host, base, models, tmp_path):
    (plain,) = drawn(host, JOB)
    bad = NativeHost([models / "Stable-diffusion"], device="cpu", beside=Beside(loras=[tmp_path]))
    tensors = load_file(models / "Lora" / "drawn_lora.safetensors")
    *_, last = (name for name in tensors if name.endswith(".lora_up.weight"))
    tensors[last] = torch.zeros(9, tensors[last].shape[1])  # found out when the layers before it are changed
    save_file(tensors, tmp_path / "bad.safetensors")
    bad.use(base)
    with pytest.raises(CheckpointError):
        drawn(bad, replace(JOB, prompt="<lora:bad:1>"))
    bad.use(base)
    assert drawn(bad, JOB) == [plain]


def test_a_vae_by_name(host, base):
    own, other, again = (
        drawn(host, JOB)[0],
        drawn(host, replace(JOB, vae="drawn_vae.safetensors"))[0],
        drawn(host, JOB)[0],
    )
    assert own == again != other
    assert host.fingerprint(JOB)["vae"] is None
    assert drawn(host, replace(JOB, vae="None")) == [own]
    with pytest.raises(UnknownNameError, match="There is no VAE 'drawn_va'; did you mean 'drawn_vae'"):
        host.fingerprint(replace(JOB, vae="drawn_va"))


def test_a_second_pass_with_a_vae_of_its_own(host, base):
    twice = replace(JOB, hires_upscaler="Latent", hires_scale=1.5)  # decoded once, by the second
    own, other = drawn(host, twice)[0], drawn(host, replace(twice, vae="drawn_vae"))[0]
    assert own != other
    assert drawn(host, replace(twice, vae="drawn_vae", hires_vae="None")) == [own]
    assert drawn(host, replace(twice, hires_vae="drawn_vae")) == [other]
    assert "hires vae" in host.fingerprint(replace(twice, hires_vae="drawn_vae"))
    assert "hires vae" not in host.fingerprint(replace(JOB, hires_vae="drawn_vae"))


def test_an_alias_that_two_files_share_is_nobodys(models, tmp_path):
    for name, source in (("one", "drawn_lora"), ("two", "drawn_dora"), ("three", "drawn_loha")):
        save_file(load_file(models / "Lora" / f"{source}.safetensors"), tmp_path / f"{name}.safetensors",
                  metadata={"ss_output_name": "me" if name != "three" else "you"})  # fmt: skip
    host = NativeHost([models / "Stable-diffusion"], device="cpu", beside=Beside(loras=[tmp_path]))
    assert host.fingerprint(replace(JOB, prompt="<lora:you:1>"))["loras"].keys() == {"you"}
    with pytest.raises(UnknownNameError):
        host.fingerprint(replace(JOB, prompt="<lora:me:1>"))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a", ()),
        ("<lora:x>", (Network("x"),)),
        ("<lora:x:0.5> b <lyco:y:1:0>", (Network("x", 0.5, 0.5), Network("y", 1.0, 0.0))),
        ("<lyco:y> <lora:x> <lyco:z>", (Network("y"), Network("z"), Network("x"))),
        ("<lora:x:te=0.5:unet=1.1>", (Network("x", 0.5, 1.1),)),
        ("<lora:x:unet=2:dyn=4>", (Network("x", 1.0, 2.0, 4),)),
        ("<lora:x:1:2:3>", (Network("x", 1.0, 2.0, 3),)),
        ("<lora:x:1><lora:x:0.2>", (Network("x", 0.2, 0.2),) * 2),
        ("<Lora:x:1> <other:y>", ()),
    ],
)
def test_tags_as_the_webui_reads_them(prompt, expected):
    assert networks(prompt) == expected
