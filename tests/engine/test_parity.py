"""Every sampler, schedule and setting of sampling, from the webui's own infotext to the webui's own pixels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.infotext.sampler_names import SAMPLERS, SCHEDULE_NAMES
from ohwx_compare.core.request.limits import RESIZE_MODES
from ohwx_compare.engine import render
from ohwx_compare.engine.hires import draw_passes
from ohwx_compare.engine.inpaint import inpaint
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.masks import stretch
from ohwx_compare.testing.parts import OPTION_FIELDS

PARITY = Path(__file__).parents[1] / "goldens" / "parity"
FILES = ("cases.json", "cases_of_sizes.json")
CASES = {case["name"]: case for name in FILES for case in json.loads((PARITY / name).read_text(encoding="utf-8"))}
OWN_MIDDLE = ("sizes", "halved")  # sheets; earlier ones were kept from one place, whatever a picture's size
FAST = (
    "sampler_dpmpp_sde_kl_optimal", "sampler_plms_automatic", "opt_unipc", "i2i_color_correction",
    "inpaint_latent_noise", "inpaint_soft_only_masked", "odd_i2i_0", "half_plms",
)  # fmt: skip
SIDE, IN_A_ROW = 40, 8
ILL_POSED = "sampler_dpm_adaptive_automatic"  # its steps hang on the last bits: noise times 1.000001 is 0.023 away


def drawn(model, goldens, case) -> Image.Image:
    text = infotext.parse(case["infotext"])
    assert infotext.unsupported(text) == []
    own = {OPTION_FIELDS[name]: value for name, value in case["options"].items() if name in OPTION_FIELDS}
    own["resize_mode"] = RESIZE_MODES[case["payload"].get("resize_mode", 0)]
    job = replace(infotext.to_job(text), **own)
    if job.denoise is None:
        return draw_passes(lambda _: model, [job], lambda _: stretch)[0].image
    start = load_rgb(goldens / case["payload"]["init_images"][0][1:])
    if "mask" not in case["payload"]:
        return render.img2img(model, [job], [start])[0].image
    with Image.open(goldens / case["payload"]["mask"][1:]) as mask:
        asked = replace(infotext.to_inpaint_job(text), job=job)
        return inpaint(model, [asked], [start], [mask.convert("L")])[0].image


def middle_of_the_webuis(case) -> np.ndarray:
    y, x = (SIDE * place for place in divmod(case["place"], IN_A_ROW))
    return np.asarray(load_rgb(PARITY / f"{case['sheet']}.png").crop((x, y, x + SIDE, y + SIDE)), dtype=int)


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in CASES])
def test_the_picture_is_the_webuis(model, goldens, name):
    case = CASES[name]
    whole = drawn(model, goldens, case)
    x, y = ((side - SIDE) // 2 for side in (whole.size if case["sheet"] in OWN_MIDDLE else (128, 128)))
    ours = np.asarray(whole.crop((x, y, x + SIDE, y + SIDE)), dtype=int)
    apart = np.abs(ours - middle_of_the_webuis(case))
    is_loose = "mask" in case["payload"] or name == ILL_POSED
    assert apart.max() <= (4 if is_loose else 2)
    assert apart.mean() <= (0.02 if is_loose else 0.002)


def test_every_sampler_and_schedule_is_asked_for():
    jobs = [infotext.to_job(infotext.parse(case["infotext"])) for case in CASES.values()]
    assert {job.sampler for job in jobs} == set(SAMPLERS)
    assert {job.schedule for job in jobs} == set(SCHEDULE_NAMES)
