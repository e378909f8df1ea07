"""The toy checkpoint's learned weights: the file is always the same, and its pictures show what they should."""

import pytest

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.render import txt2img
from ohwx_compare.engine.weights import load
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.toy import checkpoint
from ohwx_compare.toy.reader import load_reader
from ohwx_compare.toy.styles import STYLES


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    written = tmp_path_factory.mktemp("toy") / "toy.safetensors"
    checkpoint.write_checkpoint(written)
    return written


def test_the_file_is_the_one_of_its_record(path):
    assert sha256(path) == checkpoint.toy_sha256()


@pytest.mark.slow
def test_most_pictures_show_the_style_and_the_clothes_asked_for(path):
    asked = {style: f"picture of a woman, wearing a red shirt, {style} style" for style in STYLES if style != "photo"}
    asked["photo"] = "photo of a woman, wearing a red shirt"
    jobs = [
        Job(
            prompt=prompt,
            seed=seed,
            steps=10,
            cfg=3,
            width=96,
            height=96,
            rng="CPU",
            sampler="DPM++ 2M",
            schedule="Karras",
        )
        for prompt in asked.values()
        for seed in (1, 2)
    ]
    readings = load_reader().read([picture.image for picture in txt2img(load(path), jobs)])
    styles = [style for style in asked for _ in (1, 2)]
    assert sum(max(r["style"], key=r["style"].get) == style for r, style in zip(readings, styles, strict=True)) >= 10
    red = [r["colour"]["red"] > 0.5 for r, style in zip(readings, styles, strict=True) if style != "pencil sketch"]
    assert sum(red) >= 7
