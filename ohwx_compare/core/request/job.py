"""What is requested of one picture.

A job names everything that a host needs besides the checkpoint. Hosts apply it to what they have: the native
engine generates exactly it, the webui host applies it to a copy of the user's own processing object.
"""

from dataclasses import dataclass

__all__ = ["InpaintJob", "Job"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One picture; all values are the webui's, under the webui's meaning."""

    prompt: str
    negative: str = ""
    seed: int
    steps: int = 20  # as the user set them; `steps.sampling_steps` says how many of them run
    sampler: str = "DPM++ 2M SDE"  # without schedule
    schedule: str = "Automatic"  # "Automatic" (the sampler's own), "Uniform", "Karras", "Exponential"
    cfg: float = 7.0
    width: int = 1024  # px, a multiple of 8
    height: int = 1024
    denoise: float | None = None  # img2img and inpaint only, 0..1
    subseed: int = 0
    subseed_strength: float = 0.0  # 0..1
    rng: str = "GPU"  # who draws the noise: "GPU", "CPU" or "NV"
    clip_skip: int = 1  # written and kept; without effect on SDXL
    vae: str | None = None  # a file's name; None is the checkpoint's own, or what the host was told to use


@dataclass(frozen=True, kw_only=True)
class InpaintJob:
    """A job that inpaints the white of a mask, at the size `job.width` x `job.height`."""

    job: Job  # with denoise set
    mask_blur: int = 4  # sigma, px of the whole picture
    only_masked: bool = True  # crop to the mask, draw at the job's size, paste back
    padding: int = 32  # px around the mask, only_masked only
