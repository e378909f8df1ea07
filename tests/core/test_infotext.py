"""Infotexts: the webui's own come back byte for byte, and mean what they meant there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ohwx_compare.core.infotext import infotext as it
from ohwx_compare.core.infotext.sampler_names import SAMPLERS, read_version, split_sampler
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.errors import ExperimentError, InfotextError, UnsupportedKeyError

TESTS = Path(__file__).parents[1]
SEED = (TESTS / "seed" / "infotexts.txt").read_text(encoding="utf-8").strip().split("\n\n---\n\n")
PAGE = (TESTS / "seed" / "page.md").read_text(encoding="utf-8")
GOLDEN = [
    pytest.param(text, id=f"{path.stem}-{i}")
    for path in sorted((TESTS / "goldens").glob("*.json"))
    if '"infotexts"' in path.read_text(encoding="utf-8")
    for i, text in enumerate(json.loads(path.read_text(encoding="utf-8"))["infotexts"])
]
BASE = "a\nNegative prompt: b\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"
PAIRS = BASE.rpartition("\n")[2]
JOB = Job(prompt="a", negative="b", seed=1, sampler="Euler a", cfg=7.0, width=512, height=768)


def read(more: str = "") -> it.Infotext:
    return it.parse(f"{BASE}{', ' if more else ''}{more}")


@pytest.mark.parametrize("text", [*SEED, *GOLDEN])
def test_what_the_webui_wrote_comes_back_byte_for_byte(text):
    assert it.render(it.parse(text)) == text


def test_the_seed_texts_are_the_articles_settings():
    jobs = [it.to_job(it.parse(text)) for text in SEED]
    assert len(jobs) == 12
    assert {(job.sampler, job.schedule, job.steps, job.rng, job.denoise) for job in jobs} == {
        ("DPM++ 2M SDE", "Karras", 20, "GPU", None)
    }
    assert not any(it.unsupported(it.parse(text)) for text in SEED)


def test_trailing_spaces_of_prompts_are_kept():
    text = next(text for text in SEED if "artstation" in text)
    assert (it.parse(text).prompt[-11:], it.parse(text).negative[-8:]) == ("artstation ", "topless ")


def test_a_page_of_prose_holds_two_infotexts_one_of_them_cut_off():
    first, second = map(it.parse, it.split(PAGE))
    assert it.to_job(first) == it.to_job(it.parse(SEED[0]))
    assert it.xyz(first) == it.xyz(it.parse(SEED[0]))
    assert it.faces(first) == it.faces(it.parse(SEED[0]))
    assert it.model(second) == ("me_15_StarlightXLAnimatedV3_noREG-000030", "f31347de70")
    assert it.to_job(second).cfg == 7.0
    assert it.unsupported(first) == []
    assert it.unsupported(second) == ["ADetail (without value; was the text cut?)"]


def test_fences_titles_and_windows_line_ends_come_off():
    wanted = it.parse(BASE)
    for text in (
        f"parameters: {BASE}",
        f"parameters\n\n{BASE}",
        f"```\n{BASE}\n```",
        f"```text\nparameters: {BASE}\n```\n",
    ):
        assert it.parse(text) == wanted
        assert it.parse(text.replace("\n", "\r\n")) == wanted


def test_a_document_is_split_at_its_rules():
    parts = it.split("\n\n---\n\n".join(SEED))
    assert [it.parse(part) for part in parts] == [it.parse(text) for text in SEED]
    assert it.split(BASE) == (BASE,)


def test_another_seed_gives_the_webuis_text_for_that_seed(goldens):
    texts = json.loads((goldens / "batch_2x2.json").read_text(encoding="utf-8"))["infotexts"]
    first = it.parse(texts[0])
    assert [it.render(first.with_value("Seed", 77 + i)) for i in range(4)] == texts


@pytest.mark.parametrize("text", GOLDEN)
def test_the_webuis_text_is_written_again_from_its_job(text):
    read = it.parse(text)
    if it.unsupported(read):
        assert it.to_job(read).sampler not in SAMPLERS
    job = it.to_inpaint_job(read) if it.is_inpaint(read) else it.to_job(read)
    name, short = it.model(read)
    plot = it.xyz(read)
    written = it.from_job(job, model=name, model_hash=short, faces=it.faces(read), version=read.get("Version"))
    assert it.render(it.with_xyz(written, plot) if plot else written) == text


@pytest.mark.parametrize(
    ("prompt", "negative"), [("", ""), ("", "n"), ("p", ""), ("p\n\n q", "n\n\nm "), ("p", " n"), ("p", "\n")]
)
def test_prompts_of_any_shape(prompt, negative):
    text = it.render(it.from_job(replace(JOB, prompt=prompt, negative=negative), model="m", model_hash=None))
    assert (it.parse(text).prompt, it.parse(text).negative) == (prompt, negative)


def test_lines_that_an_extension_wrote_below_are_kept():
    text = f"{BASE}, Version: v1.2.1\nTemplate: a {{b|c}}\nNegative Template: d"
    assert it.render(it.parse(text)) == text
    assert it.unsupported(it.parse(text)) == []
    assert it.unsupported(it.parse(f"{BASE}\nwhatever")) == ["line 'whatever'"]


def test_values_keep_their_place_and_new_ones_stand_before_the_version():
    text = read("Foo, Version: v1.10.1, User: me")
    assert it.render(text.with_value("Clip skip", 2)).endswith("Foo, Clip skip: 2, Version: v1.10.1, User: me")
    assert it.render(text.with_value("Steps", 5)).startswith("a\nNegative prompt: b\nSteps: 5, Sampler: Euler a")
    assert it.render(text.without("Foo", "User")).endswith("512x768, Version: v1.10.1")
    assert text.get("Foo") == "Foo"


def test_a_quoted_value_that_lost_its_escapes_is_literal():
    assert it.unquote(r'"a\model\b, c"') == r"a\model\b, c"
    assert it.unquote(r'"a\\model, \"c\""') == r'a\model, "c"'


def test_civitais_bare_json_is_one_value():
    text = f'{BASE}, Hashes: {{"vae": "63ae", "model": "0723"}}, Version: v1.6.0'
    assert it.parse(text).get("Hashes") == '{"vae": "63ae", "model": "0723"}'
    assert it.render(it.parse(text)) == text


@pytest.mark.parametrize(
    ("name", "schedule", "version", "expected"),
    [
        ("DPM++ 2M SDE Karras", None, "v1.7.0-133-gde03882d", ("DPM++ 2M SDE", "Karras")),
        ("DPM++ 2M SDE Exponential", None, "v1.6.0", ("DPM++ 2M SDE", "Exponential")),
        ("DPM++ 2M SDE", None, "v1.8.0", ("DPM++ 2M SDE", "Uniform")),
        ("DPM++ 2M", None, "1.5.1", ("DPM++ 2M", "Uniform")),
        ("DPM++ 2M SDE", "exponential", "v1.7.0", ("DPM++ 2M SDE", "Exponential")),
        ("DPM++ 2M", "Automatic", "v1.8.0-300-gabc", ("DPM++ 2M", "Automatic")),
        ("DPM++ 2M SDE", None, "v1.9.4", ("DPM++ 2M SDE", "Automatic")),
        ("DPM++ 2M SDE", None, None, ("DPM++ 2M SDE", "Automatic")),
        ("DPM++ 2M SDE", None, "ohwx 0.1.0", ("DPM++ 2M SDE", "Automatic")),
        ("DPM++ 2M SDE", "Karras", "1.10.1", ("DPM++ 2M SDE", "Karras")),
        ("DPM++ 2M SDE Karras", "Automatic", "v1.10.1", ("DPM++ 2M SDE", "Karras")),
        ("DPM++ 2M", "SGMUniform", "1.10.1", ("DPM++ 2M", "SGM Uniform")),
        ("DPM++ 2M", "kl_optimal", "1.10.1", ("DPM++ 2M", "KL Optimal")),
        ("DPM++ 2M SGM Uniform", None, "1.7.0", ("DPM++ 2M", "SGM Uniform")),
        ("DPM++ 2M", "SGM Uniform", "f2.0.1v1.10.1-previous-1-gab", ("DPM++ 2M", "SGM Uniform")),
        ("DPM++ 2M", None, "f0.0.17v1.8.0rc-latest-276-g29be1da7", ("DPM++ 2M", "Uniform")),
        ("Euler A Turbo", None, "f0.0.17v1.8.0rc-latest-276-g29be1da7", ("Euler a", "Turbo")),
        ("Euler", "align_your_steps_gits", "neo", ("Euler", "Align Your Steps GITS")),
        ("Restart", None, "v1.6.0", ("Restart", "Karras")),
        ("UniPC", None, "v1.6.0", ("UniPC", "Automatic")),
    ],
)
def test_the_version_decides_what_a_sampler_name_means(name, schedule, version, expected):
    assert split_sampler(name, schedule, read_version(version)) == expected


def test_defaults_of_what_is_not_said():
    assert it.to_job(read()) == replace(JOB, schedule="Automatic")
    job = it.to_job(read("Variation seed: 5, Variation seed strength: 0.3, Clip skip: 2, RNG: NV"))
    assert job == replace(JOB, schedule="Automatic", subseed=5, subseed_strength=0.3, clip_skip=2, rng="NV")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("Eta: 0.6, Eta DDIM: 0.5, ENSD: 31337", {"eta": 0.6, "eta_ddim": 0.5, "ensd": 31337}),
        ("Sigma churn: 4.0, Sigma tmin: 0.1, Sigma tmax: 10, Sigma noise: 1.02",
         {"s_churn": 4.0, "s_tmin": 0.1, "s_tmax": 10.0, "s_noise": 1.02}),
        ("Schedule min sigma: 0.1, Schedule max sigma: 10.0, Schedule rho: 5.0",
         {"sigma_min": 0.1, "sigma_max": 10.0, "rho": 5.0}),
        ("Beta schedule alpha: 0.8, Beta schedule beta: 0.5", {"beta_alpha": 0.8, "beta_beta": 0.5}),
        ("Discard penultimate sigma: True, SGM noise multiplier: true",
         {"discard_penultimate": True, "sgm_noise": True}),
        ("Noise Schedule: Zero Terminal SNR, Tiling: True, Emphasis: No norm",
         {"zero_snr": True, "tiling": True, "emphasis": "No norm"}),
        ("NGMS: 1.5, NGMS all steps: True, Skip Early CFG: 0.25",
         {"ngms": 1.5, "ngms_all": True, "skip_early_cfg": 0.25}),
        ("UniPC variant: bh2, UniPC skip type: logSNR, UniPC order: 2, UniPC lower order final: False",
         {"unipc_variant": "bh2", "unipc_skip_type": "logSNR", "unipc_order": 2, "unipc_lower_order_final": False}),
        ("Old prompt editing timelines: True, Downcast alphas_cumprod: True",
         {"old_timelines": True, "half_levels": True}),
        ("Pad conds: True, Pad conds v0: True", {"pad_texts": True, "pad_negative": True}),
        ("Token merging ratio: 0.5, Token merging ratio hr: 0.3", {}),
        ("Seed resize from: 192x96", {"seed_resize_width": 192, "seed_resize_height": 96}),
        ("Seed resize from: -1x-1, Tiling: False, Emphasis: Original, Noise Schedule: Default", {}),
    ],
)  # fmt: skip
def test_how_a_picture_was_sampled_is_read(more, said):
    assert it.unsupported(read(more)) == []
    assert it.to_job(read(more)) == replace(JOB, schedule="Automatic", **said)


@pytest.mark.parametrize(
    "wrong", ["Eta: much", "Emphasis: Loud", "Noise Schedule: Cosine", "Seed resize from: 5", "Tiling: 2", "ENSD: 0.5"]
)
def test_a_setting_of_sampling_that_cannot_be_is_named(wrong):
    with pytest.raises(InfotextError, match=wrong.partition(":")[0]):
        it.to_job(read(wrong))


def test_what_no_key_of_the_webuis_tells_stands_under_ours():
    job = replace(JOB, comma_backtrack=0, clip_l_skip=True)
    text = it.from_job(job, model="m", model_hash=None, extra={"cell": 3})
    assert json.loads(text.get("ohwx")) == {"cell": 3, "settings": {"comma_backtrack": 0, "clip_l_skip": True}}
    assert it.to_job(it.parse(it.render(text))) == job
    with pytest.raises(InfotextError, match="settings of a job"):
        it.to_job(read('ohwx: "{\\"settings\\": {\\"comma_backtrack\\": \\"x\\"}}"'))


@pytest.mark.parametrize("key", ["Steps", "Sampler", "CFG scale", "Seed", "Size"])
def test_a_missing_or_broken_key_is_named(key):
    with pytest.raises(InfotextError, match=key):
        it.to_job(read("RNG: CPU").without(key))
    if key != "Sampler":
        for value in ("x", "nan", "9" * 5000, ""):
            with pytest.raises(InfotextError, match=key):
                it.to_job(read().with_value(key, value))


@pytest.mark.parametrize(("seed", "drawn"), [(2**32 - 1, True), (2**32, True), (2**53 - 1, True), (2**53, False)])
def test_seeds_are_drawn_as_far_as_the_webuis_page_holds_them(seed, drawn):
    text = read("RNG: CPU").with_value("Seed", str(seed))
    assert [said.partition(":")[0] for said in it.unsupported(text)] == ([] if drawn else ["Seed"])
    if drawn:
        require_valid(it.to_job(text))
    else:
        with pytest.raises(ExperimentError, match="seed"):
            require_valid(it.to_job(text))


FACE = "ADetailer model: f.pt, ADetailer denoising strength: 0.4, ADetailer version: "


@pytest.mark.parametrize(
    ("more", "denoise"),
    [
        ("Denoising strength: 0.4", 0.4),
        ("Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent", None),
        (f"Denoising strength: 0.4, {FACE}23.11.1", None),
        (f"Denoising strength: 0.5, {FACE}23.11.1", 0.5),
        (f"Denoising strength: 0.4, {FACE}25.3.0", 0.4),
        ("Denoising strength: 0, Version: v1.6.0", None),
        ("Denoising strength: 0, Version: v1.10.0", 0.0),
        ("", None),
    ],
)
def test_denoising_strength_is_img2img_unless_hires_or_adetailer_left_it(more, denoise):
    assert it.to_job(read(more)).denoise == denoise
    assert it.is_img2img(read(more)) == (denoise is not None)


def test_inpaint_settings_and_their_defaults():
    assert it.is_inpaint(read("Denoising strength: 0.5, Soft inpainting enabled: True"))
    whole = it.to_inpaint_job(read("Denoising strength: 0.5, Mask blur: 8"))
    assert (whole.mask_blur, whole.only_masked) == (8, False)
    part = it.to_inpaint_job(read("Denoising strength: 0.5, Inpaint area: Only masked, Masked area padding: 0"))
    assert (part.mask_blur, part.only_masked, part.padding) == (0, True, 0)
    with pytest.raises(InfotextError, match="denoising strength"):
        it.to_inpaint_job(read())


REFUSED = [
    *("Hires steps: 10", "Hires upscaler: Latent", "Hires prompt: x"),  # without a size there was no second pass
    *("Hires checkpoint: x", "Hires sampler: Euler", "Hires schedule type: Karras"),
    *("Face restoration: CodeFormer", "FP8 weight: Enable"),
    *("Conditional mask weight: 0.5", "Dynamic thresholding enabled: True"),
    *("Hypertile U-Net: True", "VAE Decoder: TAESD"),
    *('ControlNet 0: "Module: none, Model: x"', "Mask mode: Both", "Masked content: clouds"),
    *(
        "RNG: TPU",
        "Schedule type: Laplace",
        "Script: SD upscale",
        "Nobody knows: 1",
        "ADetailer model: yolov8x-worldv2.pt",
    ),
]


@pytest.mark.parametrize("more", REFUSED)
def test_what_changes_pixels_and_is_not_built_is_refused_by_name(more):
    key = more.partition(": ")[0]
    refused = it.unsupported(read(more))
    assert len(refused) == 1
    assert key.removeprefix("ADetailer ") in refused[0]
    with pytest.raises(UnsupportedKeyError, match=key.removeprefix("ADetailer ")):
        it.require_supported(read(more))


def test_what_is_told_of_an_instruct_pix2pix_model_moves_nothing():
    assert it.unsupported(read("Image CFG scale: 1.5, Cache FP16 weight for LoRA: False")) == []


def test_a_samplers_letters_may_be_written_either_way():
    assert it.to_job(read().with_value("Sampler", "dpm++ 2m sde karras")).sampler == "DPM++ 2M SDE"
    assert it.to_job(read().with_value("Sampler", "Euler A")).sampler == "Euler a"


@pytest.mark.parametrize("sampler", ["IPNDM", "Heun++ 2", "Euler a Turbo", "DPM++ 2M CFG++ Karras"])
def test_other_samplers_are_refused_by_name(sampler):
    assert it.unsupported(read().with_value("Sampler", sampler)) == [f"Sampler: {sampler}"]


def test_networks_in_the_prompt_are_refused_but_not_in_the_negative_prompt_where_they_are_text():
    text = replace(read(), prompt="a <hypernet:x:0.8> <3", negative="<hypernet:y:1>")
    assert it.unsupported(text) == ["<hypernet:x:0.8> in the prompt"]


def test_what_names_files_is_read():
    told = 'Lora hashes: "a: 0123, b: 4567", TI hashes: "e: 01", VAE hash: 235745af8d, VAE: sdxl_vae.safetensors'
    hires = "Denoising strength: 0.5, Hires resize: 1024x768, Hires upscaler: Latent"
    text = replace(read(f"{told}, {hires}, Hires prompt: <lora:b:1>"), prompt="x <lora:a:0.5>")
    assert it.unsupported(text) == []
    assert it.notes_of(text) == ()
    assert (
        "lists the LoRAs b, which no prompt names" in it.notes_of(read(told).with_value("ohwx prompt", "<lora:a>"))[0]
    )
    job = it.to_job(text)
    assert (job.vae, job.denoise, job.hires_width, job.hires_denoise) == ("sdxl_vae.safetensors", None, 1024, 0.5)
    assert it.to_job(read("Module 1: sdxl_vae")).vae == "sdxl_vae"
    assert it.unsupported(read("Module 1: clip_l")) == ["Module 1: clip_l (a VAE or text encoder)"]


def test_what_leaves_the_picture_alone_is_not_refused():
    harmless = "Clip skip: 2, RNG: CPU, Init image hash: ab, Emphasis: Original, ohwx: {}, Version: v1.10.1, User: me"
    it.require_supported(read(f"Variation seed: 1, Variation seed strength: 0.1, Denoising strength: 0.5, {harmless}"))
    it.require_supported(read("ENSD: 31337").with_value("Sampler", "DPM++ 2M SDE"))


def test_an_old_inpaint_does_not_tell_its_area():
    assert it.unsupported(read("Denoising strength: 0.5, Mask blur: 4, Version: v1.7.0")) == [
        "Inpaint area (not written before webui 1.8)"
    ]


def test_the_extra_key_comes_back_and_does_not_disturb_the_rest():
    held = {"cell": 3, "note": 'a "b", c: d\n\\ 星', "list": [1.5, None]}
    text = it.render(it.from_job(JOB, model="m, n", model_hash="0" * 64, extra=held, version="ohwx 0.1.0"))
    assert it.extra(it.parse(text)) == held
    assert it.to_job(it.parse(text)) == JOB
    assert it.model(it.parse(text)) == ("m, n", "0" * 10)
    assert text.endswith(", Version: ohwx 0.1.0")
    assert it.extra(read()) == {}
    for bad in ("foo", "[1]", "[" * 100_000):
        with pytest.raises(InfotextError, match="ohwx"):
            it.extra(read().with_value("ohwx", bad))


def test_settings_that_are_told_again_keep_the_earlier_ones_and_may_go_back():
    said = it.with_settings(read(), {"fix_steps": True, "eta": 0.5})
    more = it.with_settings(said, {"comma_backtrack": 7})
    assert it.to_job(more) == replace(it.to_job(read()), fix_steps=True, eta=0.5, comma_backtrack=7)
    back = it.with_settings(more, {"fix_steps": False, "eta": Job.eta, "comma_backtrack": Job.comma_backtrack})
    assert it.render(back) == it.render(read())
