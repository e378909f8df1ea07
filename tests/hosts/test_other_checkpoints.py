"""Pictures of two checkpoints: a refiner, a second pass's and a face's own."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from ohwx_compare.compare.face_pass import detail
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.keys import PictureKeys
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.request.hires import second_pass
from ohwx_compare.core.request.job import InpaintJob, Job, SoftInpaint
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.engine.weights import PREFIXES, load
from ohwx_compare.errors import CheckpointError, ExperimentError, HostError, UnknownCheckpointError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.webui_config import share_config
from ohwx_compare.hosts.native import Beside, NativeHost
from ohwx_compare.testing.parts import draw_lora, draw_parts

JOB = Job(prompt="ohwx man", seed=1, steps=4, sampler="Euler", width=64, height=64, rng="CPU")
REFINED = replace(JOB, refiner="other", refiner_at=0.3)
CASES = ("refiner", "refiner_hires_latent", "hires_checkpoint", "face_checkpoint_vae")


@pytest.fixture(scope="module")
def folder(mini, tmp_path_factory):
    """Two checkpoints of which every part differs, and a LoRA for both."""
    found = tmp_path_factory.mktemp("two")
    shutil.copy(mini, found / "mini.safetensors")
    drawn = torch.Generator().manual_seed(2)
    other = {
        name: tensor + 0.02 * torch.randn(tensor.shape, generator=drawn).to(tensor.dtype)
        for name, tensor in load_file(mini).items()
    }
    save_file(other, found / "other.safetensors", metadata={"format": "pt"})
    lora = draw_lora("drawn_lora", read_header(mini).shapes)
    save_file({name: torch.from_numpy(tensor) for name, tensor in lora.items()}, found / "lora.lora")
    (found / "Lora").mkdir()
    (found / "lora.lora").rename(found / "Lora" / "drawn.safetensors")
    return found


@pytest.fixture
def host(folder):
    found = host_of(folder)
    yield found
    found.close()


def host_of(folder, name="mini"):
    found = NativeHost([folder], device="cpu", beside=Beside(loras=[folder / "Lora"]))
    found.use(next(one for one in found.checkpoints() if one.path.stem == name))
    return found


def drawn(host, *jobs):
    return [result.image for result in host.render(jobs)]


def apart(one, other):
    return np.abs(np.asarray(one.convert("RGB"), int) - np.asarray(other.convert("RGB"), int))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_webuis_pictures(tiny, goldens, tmp_path, name):
    draw_parts(tmp_path / "models")
    webui = NativeHost([tiny], device="cpu", beside=Beside(vaes=[tmp_path / "models" / "VAE"]))
    webui.use(next(one for one in webui.checkpoints() if one.path.stem == "tiny_base"))
    (text,) = json.loads((goldens / "parity" / f"{name}.json").read_text(encoding="utf-8"))["infotexts"]
    asked = infotext.parse(text)
    infotext.require_supported(asked)
    job, tabs = infotext.to_job(asked), infotext.faces(asked)
    (result,) = webui.render([job])
    detectors = [find_detector(tab.model, [goldens]) for tab in tabs]
    image = detail(webui, detectors, tabs, [job], [result.image])[0].image if tabs else result.image
    with Image.open(goldens / "parity" / f"{name}.png") as answer:
        far = apart(image, answer)
    assert far.max() <= (4 if tabs else 2)
    assert far.mean() <= (0.02 if tabs else 0.002)
    assert all(asked.get(key) == value for key, value in result.keys)


@pytest.mark.slow
def test_a_refiner_from_the_start_is_that_checkpoint_and_one_at_the_end_is_none(host, folder):
    (plain,), (other,) = drawn(host, JOB), drawn(host_of(folder, "other"), JOB)
    assert plain != other
    for sampler in ("Euler", "DDIM"):
        asked = replace(JOB, sampler=sampler, refiner="other")
        alone = replace(asked, refiner=None)
        assert drawn(host, replace(asked, refiner_at=0.0)) == drawn(host_of(folder, "other"), alone)
        assert drawn(host, replace(asked, refiner_at=1.0)) == drawn(host, alone)
        assert drawn(host, replace(asked, refiner_at=1.0, refiner_by_steps=True)) == drawn(host, alone)


@pytest.mark.slow
def test_a_refiner_of_another_configuration_has_neither_loras_nor_tiling(host):
    """Asked: pictures of the webui 1.10.1 with both are 1 and 0.0002 away, with LoRAs 24 and 2.4."""
    at_once = replace(REFINED, refiner_at=0.0)
    plain = drawn(host, at_once)
    assert drawn(host, replace(at_once, prompt="ohwx man <lora:drawn:1>")) == plain
    assert drawn(host, replace(at_once, tiling=True)) == plain
    assert host.fingerprint(replace(at_once, prompt="ohwx man <lora:drawn:1>"))["refiner's loras"] == "none"
    assert [host.fingerprint(replace(job, tiling=True)).get("tiled") for job in (JOB, REFINED)] == [None, "the first"]
    twice = replace(
        JOB, hires_upscaler="Latent", hires_scale=1.5, hires_checkpoint="other", prompt="ohwx man <lora:drawn:1>"
    )
    assert drawn(host, twice) != drawn(host, replace(twice, prompt="ohwx man"))


def test_two_of_sdxls_sizes_share_the_webuis_configuration_unless_one_has_its_own(tmp_path):
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "two", "small")]
    for path, width in zip(paths, (320, 320, 64), strict=True):
        save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(width, 4)}, path)
    one, two, small = paths
    assert share_config(one, two)
    assert not share_config(one, small)
    assert not share_config(small, small)
    two.with_suffix(".yaml").touch()
    assert not share_config(one, two)
    assert share_config(two, two.with_suffix(".ckpt"))


def test_it_takes_over_by_timesteps_or_by_steps(host):
    """Euler's four levels of Automatic stand at the timesteps 999, 666, 333 and 0."""
    by_share = {share: drawn(host, replace(REFINED, refiner_at=share))[0] for share in (0.01, 0.3, 0.34, 0.66, 0.67)}
    assert by_share[0.01] == by_share[0.3] != by_share[0.34] == by_share[0.66] != by_share[0.67]
    by_step = replace(REFINED, refiner_by_steps=True)
    assert drawn(host, replace(by_step, refiner_at=0.25)) == [by_share[0.3]]
    assert drawn(host, replace(by_step, refiner_at=0.26)) == [by_share[0.34]]


def test_afterwards_the_checkpoint_in_use_is_whole(host, folder):
    (before,) = drawn(host, JOB)
    together = drawn(host, REFINED, replace(REFINED, seed=2), JOB)
    assert together[0] != before
    assert together[2] == before
    fresh = load(folder / "mini.safetensors")
    for part in PREFIXES:
        states = getattr(host.model_of(JOB), part).state_dict(), getattr(fresh, part).state_dict()
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    for job, picture in zip((REFINED, replace(REFINED, seed=2)), together, strict=False):
        assert apart(drawn(host, job)[0], picture).max() <= 2


@pytest.mark.slow
def test_in_img2img_and_inpaint_each_batch_begins_with_the_checkpoint_in_use(host):
    picture, mask = drawn(host, JOB)[0], Image.new("L", (64, 64), 255)
    redrawn = replace(REFINED, denoise=0.9)
    others = [replace(redrawn, seed=2), replace(redrawn, steps=5)]
    jobs = [redrawn, *others]
    for job, one in zip(jobs, host.img2img(jobs, [picture] * 3), strict=True):
        assert apart(next(iter(host.img2img([job], [picture]))).image, one.image).max() <= 2
    hard = InpaintJob(job=redrawn, only_masked=False)
    softly = [hard, replace(hard, soft=SoftInpaint())]
    for job, one in zip(softly, host.inpaint(softly, [picture] * 2, [mask] * 2), strict=True):
        assert next(iter(host.inpaint([job], [picture], [mask]))).image == one.image


@pytest.mark.slow
def test_hires_fix_with_a_checkpoint_of_its_own_is_img2img_with_that(host, folder):
    job = replace(JOB, hires_upscaler="None", hires_scale=1.5, hires_checkpoint="other")
    large = drawn(host, JOB)[0].resize((96, 96), Image.Resampling.LANCZOS)
    second = replace(second_pass(job), checkpoint=None)
    expected = next(iter(host_of(folder, "other").img2img([second], [large]))).image
    assert drawn(host, job) == [expected]
    assert drawn(host, replace(job, hires_checkpoint=None)) != [expected]


@pytest.mark.slow
def test_the_refiner_of_hires_fix_is_for_the_passes_asked_for(host):
    job = replace(REFINED, hires_upscaler="Latent", hires_scale=1.5, hires_denoise=0.9)
    passes = ("first pass", "second pass", "both passes")
    pictures = [drawn(host, replace(job, refiner_passes=name))[0] for name in passes]
    plain = drawn(host, replace(job, refiner=None))[0]
    assert len({picture.tobytes() for picture in (*pictures, plain)}) == 4


def test_a_file_replaced_under_its_name_is_another_key(folder, tmp_path):
    for name in ("mini", "other"):
        shutil.copy(folder / f"{name}.safetensors", tmp_path)
    twice = replace(JOB, hires_upscaler="Latent", hires_checkpoint="other")
    asked = (REFINED, twice, JOB, replace(JOB, hires_checkpoint="other"))

    def said():
        return [NativeHost([tmp_path], device="cpu").fingerprint(job) for job in asked]

    before = said()
    shutil.copy(folder / "mini.safetensors", tmp_path / "other.safetensors")
    assert [one == two for one, two in zip(before, said(), strict=True)] == [False, False, True, True]
    assert before[2].keys() & {"refiner", "hires checkpoint", "face checkpoint"} == set()  # earlier keys stay


def test_a_faces_own_checkpoint_is_in_the_key_after_it_alone(folder, tmp_path):
    for name in ("mini", "other"):
        shutil.copy(folder / f"{name}.safetensors", tmp_path)
    data = {"job": {"prompt": "a", "seed": 1}, "faces": [{"checkpoint": "other"}],
            "axes": [{"kind": "checkpoint", "values": ["x"]}]}  # fmt: skip
    cell = Experiment.from_dict(data).cells()[0]

    def keys():
        host = NativeHost([tmp_path], device="cpu")
        return PictureKeys(host.fingerprint, {"face_yolov8n.pt": "0"}).of(cell, "1")

    before, after = keys()
    shutil.copy(folder / "mini.safetensors", tmp_path / "other.safetensors")
    assert keys()[0] == before
    assert keys()[1] != after


def test_what_cannot_be_one(host, folder, tmp_path):
    with pytest.raises(UnknownCheckpointError, match="no checkpoint named 'othre' here; the nearest names are other"):
        host.fingerprint(replace(JOB, refiner="othre"))
    with pytest.raises(CheckpointError, match=r"another hash than the file here, other\.safetensors \["):
        host.fingerprint(replace(JOB, refiner="other [0123456789]"))
    refiner = {
        "model.diffusion_model.label_emb.0.0.weight": torch.zeros(2, 2),
        "conditioner.embedders.0.model.ln_final.weight": torch.zeros(2),
    }
    save_file(refiner, tmp_path / "sd_xl_refiner.safetensors")
    alone = NativeHost([folder, tmp_path], device="cpu")
    with pytest.raises(CheckpointError, match="is an SDXL refiner; expected a single-file SDXL checkpoint"):
        alone.fingerprint(replace(JOB, refiner="sd_xl_refiner"))
    with pytest.raises(ExperimentError, match="checkpoint is 'x', expected none"):
        require_valid(replace(JOB, checkpoint="x"))


def test_one_that_changes_while_a_run_goes_on_is_refused(folder, tmp_path):
    for name in ("mini", "other"):
        shutil.copy(folder / f"{name}.safetensors", tmp_path)
    host = host_of(tmp_path)
    host.fingerprint(REFINED)
    shutil.copy(folder / "mini.safetensors", tmp_path / "other.safetensors")
    with pytest.raises(HostError, match=r"other.safetensors changed since the run began"):
        drawn(host, REFINED)


@pytest.mark.parametrize(
    "job",
    [
        replace(REFINED, refiner="other [0123456789]"),
        replace(REFINED, refiner_by_steps=True),
        replace(REFINED, hires_upscaler="Latent", refiner_passes="both passes", hires_checkpoint="third [0123456789]"),
    ],
)
def test_a_text_says_it_all(job):
    text = infotext.render(infotext.from_job(job, model="m", model_hash="0" * 64, version="1.10.1"))
    read = infotext.parse(text)
    assert infotext.to_job(read) == job
    assert infotext.unsupported(read) == []


def test_before_webui_1_8_a_refiner_took_over_by_steps():
    text = "a\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, Refiner: x [0123456789], Version: "
    assert infotext.to_job(infotext.parse(f"{text}v1.7.0")).refiner_by_steps
    assert not infotext.to_job(infotext.parse(f"{text}v1.8.0")).refiner_by_steps
    assert infotext.to_job(infotext.parse(f"{text}v1.8.0")).refiner_at == 0.0
