"""Hires fix: a picture is generated small, made larger, and redrawn at that size.

The webui's arithmetic: `calculate_target_resolution` and `sample_hr_pass` in
https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/modules/processing.py
"""

from dataclasses import dataclass, replace

from ohwx_compare.core.request.job import Job

__all__ = [
    "DIFFUSION_UPSCALER", "LATENT_UPSCALERS", "REFINED_PASSES", "UPSCALER_FOLDERS", "Enlarged", "enlarged",
    "first_pass", "second_pass",
]  # fmt: skip

LATENT_UPSCALERS = (
    "Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (bicubic antialiased)", "Latent (nearest)",
    "Latent (nearest-exact)",
)  # fmt: skip
"""They stretch the latents; every other upscaler works on the decoded picture."""
UPSCALER_FOLDERS = ("ESRGAN", "RealESRGAN", "DAT", "HAT", "SwinIR", "ScuNET")
"""Of a webui's models folder, one for each kind."""
DIFFUSION_UPSCALER = "LDSR"
"""A diffusion model of the webui's own, which only the webui draws with."""
REFINED_PASSES = ("first pass", "second pass", "both passes")
"""In which the refiner takes over, where there are two."""


@dataclass(frozen=True)
class Enlarged:
    """What the first picture becomes, px; then `cut_x` and `cut_y` latents (8 px) are cut away, half at each end."""

    width: int
    height: int
    cut_x: int = 0
    cut_y: int = 0


def enlarged(job: Job) -> Enlarged:
    """The size of the second pass: a factor, one side of which the other follows, or both, which cuts what is over."""
    wide, high = job.hires_width, job.hires_height
    if not wide and not high:
        return Enlarged(int(job.width * job.hires_scale), int(job.height * job.hires_scale))
    by_width = wide, wide * job.height // job.width
    by_height = high * job.width // job.height, high
    if not wide or not high:
        return Enlarged(*(by_height if high else by_width))
    width, height = by_width if job.width / job.height < wide / high else by_height
    return Enlarged(width, height, (width - wide) // 8, (height - high) // 8)


def first_pass(job: Job) -> Job:
    """The first pass; without the refiner where that is for the second one alone."""
    is_second = job.hires_upscaler is not None and job.refiner_passes == "second pass"
    return replace(job, refiner=None) if is_second else job


def second_pass(job: Job) -> Job:
    """The second pass as an img2img job of its own, in which all its steps run."""
    size = enlarged(job)
    return replace(
        job,
        checkpoint=job.hires_checkpoint or job.checkpoint,
        vae=job.hires_vae or job.vae,
        refiner=None if job.refiner_passes == "first pass" else job.refiner,
        prompt=job.hires_prompt or job.prompt,
        negative=job.hires_negative or job.negative,
        width=(size.width // 8 - size.cut_x) * 8,
        height=(size.height // 8 - size.cut_y) * 8,
        steps=job.hires_steps or job.steps,
        sampler=job.hires_sampler or job.sampler,
        schedule=job.hires_schedule or job.schedule,
        denoise=job.hires_denoise,
        cfg=job.cfg if job.hires_cfg is None else job.hires_cfg,
        fix_steps=True,
        noise_multiplier=1.0,
        hires_upscaler=None,
    )
