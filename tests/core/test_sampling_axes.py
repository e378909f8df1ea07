"""Axes for how a picture is sampled: the X/Y/Z script's, by its names and in its syntax."""

import json
from dataclasses import replace

import pytest
from experiments import JOB

from ohwx_compare.core.experiment.axes import KINDS, Axis, CheckpointRef
from ohwx_compare.core.experiment.axis_text import kind_called, read_values, write_values
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.plotted import as_xyz
from ohwx_compare.core.infotext.infotext import XyzAxis, from_job, parse, render, require_drawn, to_job, with_xyz
from ohwx_compare.core.infotext.xyz import Xyz
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import ExperimentError, OhwxError, UnsupportedKeyError

LARGE = replace(JOB, hires_upscaler="Latent")
# of 1.10.1, in its order, but Nothing, Image CFG Scale, Face restore and FP8 mode
SCRIPTS = (
    "Seed", "Var. seed", "Var. strength", "Steps", "Hires steps", "CFG Scale", "Prompt S/R", "Prompt order", "Sampler",
    "Hires sampler", "Checkpoint name", "Negative Guidance minimum sigma", "Sigma Churn", "Sigma min", "Sigma max",
    "Sigma noise", "Schedule type", "Schedule min sigma", "Schedule max sigma", "Schedule rho", "Beta schedule alpha",
    "Beta schedule beta", "Eta", "Clip skip", "Denoising", "Initial noise multiplier", "Extra noise", "Hires upscaler",
    "Cond. Image Mask Weight", "VAE", "Styles", "UniPC Order", "Token merging ratio", "Token merging ratio high-res",
    "Always discard next-to-last sigma", "SGM noise multiplier", "Refiner checkpoint", "Refiner switch at",
    "RNG source", "Size",
)  # fmt: skip


def made(kind, *values, job=JOB, faces=(), more=()):
    axes = (Axis("checkpoint", (CheckpointRef("a"),)), *more, Axis.read(kind, list(values)))
    return [(cell.job, cell.faces) for cell in Experiment(job=job, axes=axes, faces=faces).cells()]


def jobs(kind, *values, **more):
    return [job for job, _ in made(kind, *values, **more)]


def test_every_axis_of_the_script_has_its_kind():
    assert {kind.xyz for kind in KINDS.values() if kind.xyz and not kind.xyz.startswith("[")} == set(SCRIPTS)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("size", "64x128", {"width": 64, "height": 128}),
        ("subseed", 7, {"subseed": 7}),
        ("subseed strength", 0.5, {"subseed_strength": 0.5}),
        ("clip skip", 2, {"clip_skip": 2}),
        ("rng", "NV", {"rng": "NV"}),
        ("eta", 0.5, {"eta": 0.5}),
        ("s churn", 2.0, {"s_churn": 2.0}),
        ("s tmax", 2.0, {"s_tmax": 2.0}),
        ("schedule max sigma", 9.0, {"sigma_max": 9.0}),
        ("beta beta", 0.5, {"beta_beta": 0.5}),
        ("discard penultimate", True, {"discard_penultimate": True}),
        ("sgm noise", True, {"sgm_noise": True}),
        ("unipc order", 2, {"unipc_order": 2}),
        ("ngms", 1.5, {"ngms": 1.5}),
        ("noise multiplier", 0.9, {"noise_multiplier": 0.9}),
        ("extra noise", 0.1, {"extra_noise": 0.1}),
        ("token merging", 0.5, {"token_merging": 0.5}),
        ("mask weight", 0.5, {"mask_weight": 0.5}),
        ("refiner", "x", {"refiner": "x"}),
    ],
)
def test_what_an_axis_sets(kind, value, expected):
    assert jobs(kind, value) == [replace(JOB, **expected)]


@pytest.mark.parametrize(
    ("kind", "value", "field"),
    [
        ("hires upscaler", "Lanczos", "hires_upscaler"),
        ("hires steps", 5, "hires_steps"),
        ("hires sampler", "DDIM", "hires_sampler"),
        ("hires schedule", "Beta", "hires_schedule"),
        ("hires scale", 1.5, "hires_scale"),
        ("hires checkpoint", "x", "hires_checkpoint"),
        ("denoise", 0.4, "hires_denoise"),
        ("token merging hires", 0.5, "token_merging_hires"),
    ],
)
def test_what_an_axis_of_hires_fix_sets(kind, value, field):
    assert jobs(kind, value, job=LARGE) == [replace(LARGE, **{field: value})]


def test_an_axis_of_what_no_picture_has_is_refused():
    for kind, value in (("hires steps", 5), ("denoise", 0.4), ("refiner at", 0.5), ("hires sampler", "DDIM")):
        with pytest.raises(ExperimentError, match=rf"The axis '{kind}' varies .*, which no picture has"):
            made(kind, value)
    assert jobs("denoise", 0.4, job=replace(JOB, denoise=0.7)) == [replace(JOB, denoise=0.4)]
    refined = [Axis("refiner", ("None", "x"))]
    found = jobs("refiner at", 0.3, 0.5, more=refined)
    assert found == [JOB, JOB, *(replace(JOB, refiner="x", refiner_at=at) for at in (0.3, 0.5))]
    assert jobs("hires steps", 5, more=[Axis("hires upscaler", ("Latent",))]) == [replace(LARGE, hires_steps=5)]


def test_eta_is_the_samplers_own():
    assert jobs("eta", 0.5, more=[Axis("sampler", ("Euler a", "DDIM"))]) == [
        replace(JOB, sampler="Euler a", eta=0.5), replace(JOB, sampler="DDIM", eta_ddim=0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        ("subseed", "1-10 (+3)", [1, 4, 7, 10]),
        ("subseed strength", "0-1 [3]", [0, 0.5, 1]),
        ("hires steps", "5-15 [3]", [5, 10, 15]),
        ("size", "512x512, 768 x 1024", ["512x512", "768 x 1024"]),
        ("discard penultimate", "False, true", [False, True]),
        ("prompt order", 'a, "b, c"', [("a", "b, c"), ("b, c", "a")]),
        ("hires upscaler", '"4x, sharp", Latent', ["4x, sharp", "Latent"]),
    ],
)
def test_typed_as_in_xyz(kind, text, values):
    assert read_values(kind, text) == values
    data = {
        "job": {"prompt": "a b, c", "seed": 1, "hires_upscaler": "Latent"},
        "axes": [{"kind": kind, "values": text}],
    }
    assert Experiment.from_dict(data).axes == (Axis.read(kind, list(values)),)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("size", "64"), ("rng", "TPU"), ("clip skip", 0), ("clip skip", 13), ("subseed", -2), ("unipc order", 0.5),
     ("eta", "a"), ("sgm noise", "maybe"), ("prompt order", "a"), ("prompt order", [])],
)  # fmt: skip
def test_what_an_axis_cannot_take_is_named(kind, value):
    with pytest.raises(ExperimentError, match=f"The axis '{kind}' cannot take"):
        Axis.read(kind, [value])


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [("size", "7x64", "width is 7"), ("eta", -1, "eta is -1"), ("subseed strength", 1.5, "subseed_strength is 1.5"),
     ("token merging", 1, "token_merging is 1"), ("noise multiplier", 3, "noise_multiplier is 3"),
     ("beta alpha", 0, "beta_alpha is 0"), ("extra noise", 2, "extra_noise is 2")],
)  # fmt: skip
def test_ranges_are_checked_before_anything_is_drawn(kind, value, words):
    with pytest.raises(ExperimentError, match=words):
        made(kind, value)


def test_the_command_line_refuses_by_name_what_it_does_not_know():
    require_drawn(made("token merging", 0.0, 0.5))
    with pytest.raises(UnsupportedKeyError, match="hires_sampler: Eulre"):
        require_drawn(made("hires sampler", "Eulre", job=LARGE))


def test_parts_of_the_prompt_change_places():
    """As `apply_order` of the script: what stands between the parts stays."""
    job = replace(JOB, prompt="x, red hair; blue eyes, y")
    prompts = [one.prompt for one in jobs("prompt order", *read_values("prompt order", "blue eyes, red hair"), job=job)]
    assert prompts == ["x, blue eyes; red hair, y", "x, red hair; blue eyes, y"]
    for parts, words in ((["green"], "'green' is not in the prompt"), (["red hair", "hair;"], "overlaps another part")):
        with pytest.raises(ExperimentError, match=words):
            jobs("prompt order", parts, job=job)
    with pytest.raises(OhwxError, match="expected at most 10000"):
        read_values("prompt order", "a, b, c, d, e, f, g, h")
    three = Axis.read("prompt order", read_values("prompt order", "a, b, c"))
    two = Axis("prompt order", three.values[:2])
    assert write_values(three) == "a,b,c"
    assert as_xyz(three) == XyzAxis("Prompt order", ("a", "b", "c"))
    assert Axis.read("prompt order", read_values("prompt order", write_values(two))) == two
    assert json.loads(json.dumps(two.to_json())) == two.to_json() | {"values": [["a", "b", "c"], ["a", "c", "b"]]}
    assert as_xyz(two) is None


def test_search_and_replace_in_the_prompts_of_faces():
    """As ADetailer: a prompt that stands for the picture's is searched too."""
    job = replace(JOB, prompt="a red man", negative="red")
    tabs = (FaceSettings(prompt="[PROMPT], face [SEP] [SEP] red"), FaceSettings())
    found = made("face prompt s/r", "red", "old", job=job, faces=tabs)
    assert found[1] == (job, (
        replace(tabs[0], prompt="a old man, face [SEP]a old man[SEP] old", negative="old"),
        replace(tabs[1], prompt="a old man", negative="old"),
    ))  # fmt: skip
    assert made("prompt s/r everywhere", "red", "old", job=job, faces=tabs[1:])[1] == (
        replace(job, prompt="a old man", negative="old"), (replace(tabs[1], prompt="a old man", negative="old"),)
    )  # fmt: skip
    with pytest.raises(ExperimentError, match="'blue' is in no prompt of the face pass"):
        made("face prompt s/r", "blue", job=job, faces=tabs)


@pytest.mark.parametrize(
    ("job", "axis", "kind"),
    [
        (JOB, XyzAxis("Size", ("64x64", "64x128")), "size"),
        (JOB, XyzAxis("SGM noise multiplier", ("False", "True")), "sgm noise"),
        (JOB, XyzAxis("Prompt order", ("ohwx", "man")), "prompt order"),
        (LARGE, XyzAxis("Hires steps", (5, 10)), "hires steps"),
        (LARGE, XyzAxis("Denoising", (0.3, 0.5)), "denoise"),
        (replace(JOB, refiner="x"), XyzAxis("Refiner switch at", (0.3, 0.5)), "refiner at"),
    ],
)
def test_a_grids_text_is_read_as_its_axes(job, axis, kind):
    text = render(with_xyz(from_job(job, model="a", model_hash="0" * 64, version="1.10.1"), Xyz(axis)))
    experiment = Experiment.from_infotext(parse(text))
    assert experiment.columns == kind
    assert experiment.job == to_job(parse(text))
    assert as_xyz(experiment.axes[0]) == axis


def test_an_axis_of_hires_fix_changed_nothing_in_a_grid_without():
    for axis in (XyzAxis("Hires upscaler", ("Latent",)), XyzAxis("Hires steps", (5,))):
        text = with_xyz(from_job(JOB, model="a", model_hash="0" * 64, version="1.10.1"), Xyz(axis))
        with pytest.raises(UnsupportedKeyError, match="changed nothing: hires fix was off"):
            Experiment.from_infotext(text)


def test_a_kind_is_called_by_the_scripts_name_too():
    for kind in KINDS.values():
        if kind.xyz:
            assert kind_called(kind.xyz) == kind.name
    assert kind_called("Sigma min") == "s tmin"  # of churn; the schedule's has "Schedule" before it


def test_unipcs_order_falls_with_the_steps_but_not_to_none():
    experiment = Experiment(job=replace(JOB, steps=1), axes=(Axis("unipc order", (3,)),))
    checkpoint = experiment.with_checkpoints([CheckpointRef("a.safetensors", None)])
    assert [cell.job.unipc_order for cell in checkpoint.cells()] == [1]
