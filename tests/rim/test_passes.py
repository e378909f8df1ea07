"""What the webui is told of one picture or face pass: the job's own settings, and the user's where it has none."""

from dataclasses import replace

import pytest
from fake_webui import Txt2Img
from PIL import Image

from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import HostError


def test_settings_of_sampling_that_a_job_has_are_the_pictures(webui):
    from ohwx_compare.hosts.webui.generation.passes import Template

    for name in ("eta_ancestral", "sd_noise_schedule", "s_min_uncond"):
        webui.opts.add_option(name, webui.opts.data_labels["return_mask"])
    template = Template(Txt2Img(), own_faces=True)
    template.use({})
    job = Job(prompt="a", seed=1, eta=0.5, zero_snr=True, ngms=1.5, tiling=True, seed_resize_width=512)
    for p in (
        template.picture([job]),
        template.face(InpaintJob(job=replace(job, denoise=0.4)), Image.new("RGB", (64, 64)), Image.new("L", (64, 64))),
    ):
        own = {"eta_ancestral": 0.5, "sd_noise_schedule": "Zero Terminal SNR", "s_min_uncond": 1.5}
        assert own.items() <= p.override_settings.items()
        assert (p.tiling, p.s_min_uncond) == (True, 1.5)
    assert template.picture([replace(job, resize_mode="crop")]).resize_mode == 1
    assert not own.keys() & template.picture([Job(prompt="a", seed=1)]).override_settings.keys()
    with pytest.raises(HostError, match="no setting for ensd"):
        template.picture([replace(job, ensd=1)])


def test_what_only_other_models_heed_is_set_for_the_picture_and_is_the_users_again(webui):
    """Token merging, the conditional mask weight, how texts are padded and prompts edited: settings of one picture."""
    from ohwx_compare.hosts.webui.generation.passes import Template

    own = {
        "token_merging_ratio": 0.5, "token_merging_ratio_hr": 0.3, "inpainting_mask_weight": 0.2,
        "pad_cond_uncond": True, "pad_cond_uncond_v0": True, "use_old_scheduling": True,
        "use_downcasted_alpha_bar": True,
    }  # fmt: skip
    for name in own:
        webui.opts.add_option(name, webui.opts.data_labels["return_mask"])
    users, template = dict(webui.opts.data), Template(Txt2Img(), own_faces=True)
    template.use({})
    plain = Job(prompt="a", seed=1)
    job = replace(
        plain, token_merging=0.5, token_merging_hires=0.3, mask_weight=0.2, pad_texts=True, pad_negative=True,
        old_timelines=True, half_levels=True,
    )  # fmt: skip
    p = template.picture([job])
    assert own.items() <= p.override_settings.items()
    assert (p.token_merging_ratio, p.token_merging_ratio_hr, p.inpainting_mask_weight) == (0.5, 0.3, 0.2)
    assert not own.keys() & template.picture([plain]).override_settings.keys()
    assert p.override_settings_restore_afterwards
    assert dict(webui.opts.data) == users


def test_a_face_pass_has_its_jobs_upscaler_and_background_else_none_of_the_users(webui):
    from ohwx_compare.hosts.webui.generation.passes import Template

    for name in ("upscaler_for_img2img", "img2img_background_color"):
        webui.opts.add_option(name, webui.opts.data_labels["return_mask"])
    template, plain = Template(Txt2Img(), own_faces=True), Job(prompt="a", seed=1, denoise=0.4)
    template.use({})
    picture, mask = Image.new("RGB", (64, 64)), Image.new("L", (64, 64))
    own = template.face(InpaintJob(job=replace(plain, img2img_upscaler="4x", background="#000000")), picture, mask)
    assert own.override_settings["upscaler_for_img2img"] == "4x"
    assert own.override_settings["img2img_background_color"] == "#000000"
    assert template.face(InpaintJob(job=plain), picture, mask).override_settings["upscaler_for_img2img"] is None


def test_a_face_pass_follows_its_jobs_steps_and_noise(webui):
    from ohwx_compare.hosts.webui.generation.passes import Template

    webui.opts.add_option("img2img_extra_noise", webui.opts.data_labels["return_mask"])
    template, job = Template(Txt2Img(), own_faces=True), Job(prompt="a", seed=1, denoise=0.4)
    template.use({})
    for asked, expected in ((job, (False, 0.0)), (replace(job, fix_steps=True, extra_noise=0.1), (True, 0.1))):
        p = template.face(InpaintJob(job=asked), Image.new("RGB", (64, 64)), Image.new("L", (64, 64)))
        given = p.override_settings
        assert (given["img2img_fix_steps"], given["img2img_extra_noise"]) == expected


def test_a_jobs_hires_fix_and_vae_are_the_pictures_and_the_users_own_where_it_has_none(webui):
    from ohwx_compare.hosts.webui.generation.passes import Template

    webui.opts.add_option("sd_vae", webui.opts.data_labels["return_mask"])
    template = Template(Txt2Img(), own_faces=True)
    template.use({})
    plain = Job(prompt="a", seed=1)
    job = replace(
        plain, vae="v.safetensors", hires_upscaler="Latent", hires_scale=1.5, hires_denoise=0.4, hires_prompt="b"
    )
    p = template.picture([job])
    assert (p.enable_hr, p.hr_upscaler, p.hr_scale, p.hr_prompt) == (True, "Latent", 1.5, "b")
    assert (p.denoising_strength, p.override_settings["sd_vae"]) == (0.4, "v.safetensors")
    own = template.picture([plain])
    assert not getattr(own, "enable_hr", False)
    assert "sd_vae" not in own.override_settings
    face = InpaintJob(job=replace(plain, denoise=0.4, vae="w.pt", noise_multiplier=1.1))
    pass_ = template.face(face, Image.new("RGB", (64, 64)), Image.new("L", (64, 64)))
    assert (pass_.override_settings["sd_vae"], pass_.initial_noise_multiplier) == ("w.pt", 1.1)
    with pytest.raises(HostError, match="no CFG scale of hires fix's own"):
        template.picture([replace(job, hires_cfg=3.0)])
