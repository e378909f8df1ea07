"""Texts of the webui's earlier versions and of Forge, where the same key or none means something else."""

from dataclasses import replace

import pytest
from test_infotext import read

from ohwx_compare.core.infotext import infotext as it
from ohwx_compare.core.infotext.earlier import as_of_its_version


@pytest.mark.parametrize(
    ("prompt", "sampler", "version", "said"),
    [
        ("a [b:5]", "Euler a", "v1.5.2", {"old_timelines", "half_levels"}),
        ("a", "DDIM", "v1.5.2", {"pad_negative", "half_levels"}),
        ("a [b:5]", "Euler a", "v1.6.0", {"half_levels"}),
        ("a", "Euler a", "v1.7.0-133-gde03882d", {"half_levels"}),
        ("a", "UniPC", "v1.7.0", {"half_levels"}),
        ("a [b:5]", "Euler a", "v1.7.0-225-gabcdef12", set()),
        ("a [b:5]", "Euler a", "1.8.0-RC", set()),
        ("a [b:5]", "Euler a", "f0.0.17v1.5.2", set()),
        ("a [b:5]", "Euler a", "", set()),
    ],
)
def test_a_text_means_what_its_webui_did(prompt, sampler, version, said):
    """`backcompat` in modules/infotext_versions.py, 82a973c."""
    text = replace(read().with_value("Sampler", sampler).with_value("Version", version), prompt=prompt)
    assert as_of_its_version(text, it.to_job(text)) == dict.fromkeys(said, True)


@pytest.mark.parametrize(
    ("told", "first", "second"),
    [
        ("First pass size: 64x96", (64, 96), (512, 768)),
        ("First pass size: 0x0", (448, 640), (512, 768)),
        ("Hires resize: 100x0", (512, 768), (100, 0)),
    ],
)
def test_before_1_0_the_size_was_the_second_passs(told, first, second):
    """`restore_old_hires_fix_params` in modules/infotext_utils.py, 82a973c."""
    text = read(f"Denoising strength: 0.6, {told}").with_value("Size", "512x768")
    job = it.to_job(text)
    assert it.unsupported(text) == []
    assert ((job.width, job.height), (job.hires_width, job.hires_height)) == (first, second)
    assert (job.hires_upscaler, job.hires_denoise, job.denoise) == ("Latent", 0.6, None)


@pytest.mark.parametrize(
    ("module", "vae"),
    [("Use same choices", None), ("Built-in", "None"), ("sdxl_vae", "sdxl_vae"), ("clip_l", "refused")],
)
def test_forges_second_pass_has_its_own_vae(module, vae):
    text = read(f"Denoising strength: 0.6, Hires upscale: 2, Module 1: first, Hires Module 1: {module}")
    refused = it.unsupported(text)
    assert [what.partition(":")[0] for what in refused] == (["Hires Module 1"] if vae == "refused" else [])
    if not refused:
        job = it.to_job(text)
        assert (job.vae, job.hires_vae) == ("first", vae)
        assert it.to_job(it.from_job(job, model="m", model_hash=None)) == job


def test_a_hash_alone_names_no_vae():
    assert it.unsupported(read("VAE hash: 63aeecb90f")) == ["VAE hash: 63aeecb90f"]
