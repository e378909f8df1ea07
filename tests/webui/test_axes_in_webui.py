"""In a real webui: pictures along our axes are those of the X/Y/Z script, and what it does not know is refused."""

import base64
import shutil
import time

import pytest
from webui_api import NAMES, difference

from ohwx_compare.testing.parts import draw_parts


@pytest.fixture(scope="module")
def parts(webui, tmp_path_factory):
    """A LoRA and a VAE in the running webui's folders; taken away at the end."""
    made, drawn = [], tmp_path_factory.mktemp("parts")
    draw_parts(drawn / "models")
    for kind, name in (("Lora", "drawn_lora"), ("VAE", "drawn_vae")):
        target = webui.folder.parent / kind / f"{name}.safetensors"
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(drawn / "models" / kind / target.name, target)
            made.append(target)
    for kind in ("loras", "vae"):
        webui.post(f"/sdapi/v1/refresh-{kind}")
    yield
    for path in made:
        path.unlink()
    for kind in ("loras", "vae"):
        webui.post(f"/sdapi/v1/refresh-{kind}")


@pytest.fixture(scope="module", autouse=True)
def entered(webui):
    """The settings that the axes vary, in the webui's file: the X/Y/Z script leaves one that is not there changed."""
    varied = ("rho", "sigma_max", "s_churn", "s_noise", "s_min_uncond", "eta_ancestral", "eta_ddim", "sd_vae",
              "sgm_noise_multiplier", "always_discard_next_to_last_sigma", "randn_source", "k_sched_type")  # fmt: skip
    now = webui.defaults | webui.get("/sdapi/v1/options")
    webui.post("/sdapi/v1/options", {name: now[name] for name in varied if name in now})


def by_script(webui, payload, axes, kind="txt2img"):
    """What the X/Y/Z script draws along `axes` (its names, X first), cell by cell, the last axis the slowest."""
    described = webui.get("/sdapi/v1/script-info")
    (script,) = [s for s in described if s["name"] == "x/y/z plot" and s["is_img2img"] == (kind == "img2img")]
    types = next(arg["choices"] for arg in script["args"] if arg["label"] == "X type")
    named = [(types.index(name), values, "") for name, values in (*axes, *[("Nothing", "")] * (3 - len(axes)))]
    given = {"Draw legend": False, "Include Sub Images": True, "Include Sub Grids": False, "Keep -1 for seeds": False,
             "Use text inputs instead of dropdowns": True}  # fmt: skip
    rest = [given.get(arg["label"], arg["value"]) for arg in script["args"][9:]]
    arguments = [*(value for axis in named for value in axis), *rest]
    drawn = webui.draw({**payload, "script_name": "x/y/z plot", "script_args": arguments}, kind)
    count = 1
    for _, values in axes:
        count *= len(values.split(","))
    return drawn.images[-count:]


def by_ours(webui, asking, payload, axes, kind="txt2img"):
    """The same along our axes, the first the slowest, so that they come in the script's order."""
    named = dict(reversed([(name, values) for name, values in axes]))
    body = asking(webui, {"checkpoints": NAMES[:1], "axes": named, "faces": []}, **payload)
    answer = webui.draw(body, kind)
    assert answer.more["failed"] == []
    return answer.images[1:]


def require_equal(ours, theirs, most=2, mean=0.01):
    assert len(ours) == len(theirs) > 0
    assert len({image.tobytes() for image in theirs}) == len(theirs)  # every value of every axis moves something
    for number, pair in enumerate(zip(ours, theirs, strict=True)):
        apart = difference(*pair)
        assert apart[0] <= most, (number, apart)
        assert apart[1] <= mean, (number, apart)


@pytest.fixture
def small(webui, case):
    """A quick picture with a fixed seed."""
    payload = {n: v for n, v in case["payload"].items() if not n.startswith("script_") and n != "alwayson_scripts"}
    small = {**payload, "steps": 6, "seed": 5, "prompt": "photo of ohwx man, red", "width": 64, "height": 64}
    return {**webui.body(small), "override_settings": {"sd_model_checkpoint": NAMES[0]}}


def test_img2img_along_denoising_and_vaes(webui, asking, small, goldens, parts):
    start = base64.b64encode((goldens / "portrait.png").read_bytes()).decode()
    payload = {**small, "init_images": [start], "denoising_strength": 0.5}
    webui.draw(payload, "img2img")  # an encode draws from where the picture before left the generator
    axes = [("VAE", "None,drawn_vae.safetensors"), ("Denoising", "0.4,0.7")]
    if webui.takes_modules:
        del axes[0]  # a whole run has the VAE that was chosen
    theirs = by_script(webui, payload, axes, "img2img")
    require_equal(by_ours(webui, asking, payload, axes, "img2img"), theirs)


def test_txt2img_along_upscalers_the_refiner_and_the_prompt(webui, asking, small):
    if not webui.get("/sdapi/v1/latent-upscale-modes"):
        pytest.skip("this webui has no upscaler Latent")
    payload = {**small, **webui.hires(hr_scale=1.5, denoising_strength=0.6)}
    axes = [("Hires upscaler", "Latent,Lanczos"), ("Prompt S/R", "red,blue")]
    if not webui.takes_modules:  # it draws no picture with a second checkpoint
        payload |= {"refiner_checkpoint": NAMES[1], "refiner_switch_at": 0.5}
        axes.insert(1, ("Refiner switch at", "0.75,0.9"))
    theirs = by_script(webui, payload, axes)
    require_equal(by_ours(webui, asking, payload, axes), theirs)


@pytest.mark.parametrize(
    "axes",
    [
        [("Var. seed", "1,2"), ("Var. strength", "0.2,0.5")],
        [("Size", "64x64,64x128"), ("Prompt order", "ohwx,red")],
        [("Sampler", "Euler a,DDIM"), ("Eta", "0.2,0.8")],
        [("Sigma Churn", "2,5"), ("Sigma noise", "0.9,1.1")],
        [("Schedule rho", "5,9"), ("Schedule max sigma", "8,12")],
        [("SGM noise multiplier", "False,True"), ("Always discard next-to-last sigma", "False,True")],
        [("RNG source", "CPU,NV"), ("Negative Guidance minimum sigma", "0,4")],
    ],
    ids=lambda axes: ", ".join(name for name, _ in axes),
)
def test_txt2img_along_the_others(webui, asking, small, axes):
    names = webui.get("/sdapi/v1/script-info")
    types = next(arg["choices"] for s in names if s["name"] == "x/y/z plot" for arg in s["args"][:1])
    if lacking := [name for name, _ in axes if name not in types]:
        pytest.skip(f"this webui's script has no axis {lacking[0]}")
    payload = {**small, "sampler_name": "Euler"} if axes[0][0] == "Sigma Churn" else small
    if axes[0][0] == "Schedule rho" and "k_sched_type" in webui.defaults:
        # before 1.9 they count where the setting "Scheduler type" names a schedule, and move nothing where it does not
        payload = {**small, "override_settings": {**small["override_settings"], "k_sched_type": "karras"}}
    theirs = by_script(webui, payload, axes)
    if axes[0][0] == "Size":  # the grid of the script has room for one size alone
        assert len(by_ours(webui, asking, payload, axes)) == 4
    else:
        require_equal(by_ours(webui, asking, payload, axes), theirs)


def test_a_users_setting_does_not_count_where_an_axis_varies_it(webui, asking, small):
    axes = [("Schedule rho", "7,9")]
    plain = by_ours(webui, asking, small, axes)
    webui.post("/sdapi/v1/options", {"rho": 5})
    try:
        assert [difference(*pair)[0] for pair in zip(by_ours(webui, asking, small, axes), plain, strict=True)] == [0, 0]
    finally:
        webui.post("/sdapi/v1/options", {"rho": 0})


def test_a_lora_axis_is_the_tag_in_the_prompt(webui, asking, small, parts):
    tags = ("", " <lora:drawn_lora:1>")
    theirs = [webui.draw({**small, "prompt": small["prompt"] + tag}).images[0] for tag in tags]
    require_equal(by_ours(webui, asking, small, [("LoRA", "None,drawn_lora")]), theirs)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"schedule": "Karas"}, "no schedule 'Karas'; did you mean"),
        ({"sampler": "Euler, Eulr"}, "no sampler 'Eulr'; did you mean"),
        ({"hires upscaler": "Latent, Latant"}, "no upscaler 'Latant'; did you mean"),
        ({"vae": "drawn_vea.safetensors, None"}, "no VAE 'drawn_vea.safetensors'"),
        ({"lora": "None, drawn_lroa"}, "no LoRA 'drawn_lroa'"),
        ({"refiner": "tiny_rag"}, "tiny_rag"),
        ({"eta": "-1"}, "eta is -1"),
        ({"rng": "TPU"}, "one of CPU, GPU, NV is needed"),
    ],
)
def test_what_this_webui_does_not_know_is_refused_before_the_first_picture(webui, asking, small, parts, axes, words):
    name = f"refused {time.time_ns()}"
    body = asking(webui, {"checkpoints": NAMES[:1], "axes": axes, "faces": [], "name": name}, **small)
    assert words in webui.refused(body)
    assert not (webui.folder.parents[1] / "outputs" / "ohwx" / "compare" / name).exists()
