"""What is requested of one picture.

A job names everything that a host needs besides the checkpoint. Hosts apply it to what they have: the native
engine generates exactly it, the webui host applies it to a copy of the user's own processing object.
"""

from dataclasses import dataclass

__all__ = ["InpaintJob", "Job", "SoftInpaint"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One picture; all values are the webui's, under the webui's meaning."""

    prompt: str
    negative: str = ""
    seed: int
    steps: int = 20  # as the user set them; `steps.sampling_steps` says how many of them run
    sampler: str = "DPM++ 2M SDE"  # without schedule
    schedule: str = "Automatic"  # "Automatic" is the sampler's own
    cfg: float = 7.0
    width: int = 1024  # px; what is over a multiple of 8 is known to the encoders and not drawn
    height: int = 1024
    denoise: float | None = None  # img2img and inpaint only, 0..1
    subseed: int = 0
    subseed_strength: float = 0.0  # 0..1
    rng: str = "GPU"  # who draws the noise: "GPU", "CPU" or "NV"
    clip_skip: int = 1  # written and kept; without effect on SDXL unless `clip_l_skip` is on
    vae: str | None = None  # a file's name; None is the checkpoint's own, or what the host was told to use
    checkpoint: str | None = None  # of a pass that has its own, never of a whole picture; None is the one in use
    # how the sampler walks: 0 is off where nothing else is said
    eta: float = 1.0  # share of fresh noise in ancestral and SDE samplers
    eta_ddim: float = 0.0  # the same in DDIM
    s_churn: float = 0.0  # noise that Euler, Heun and DPM2 add before a step
    s_tmin: float = 0.0  # levels between which they do
    s_tmax: float = 0.0  # 0: no end
    s_noise: float = 1.0  # factor on the noise of a step
    ensd: int = 0  # added to the seed of the noise of steps
    sde_drawn_seed: bool = False  # the seed of an SDE sampler's noise is drawn by the picture's
    # which levels it visits
    sigma_min: float = 0.0  # 0: the model's own
    sigma_max: float = 0.0
    rho: float = 0.0  # 0: the schedule's own
    beta_alpha: float = 0.6  # of the schedule Beta
    beta_beta: float = 0.6
    discard_penultimate: bool = False  # leave out the last level but one
    zero_snr: bool = False  # rescale the model's levels so that the last one is next to pure noise
    half_levels: bool = False  # of the model's, rounded to half precision: what the webui before 1.8 sampled with
    sgm_noise: bool = False  # start with noise of variance 1 + sigma^2
    unipc_variant: str = "bh1"  # "bh1", "bh2", "vary_coeff"
    unipc_skip_type: str = "time_uniform"  # "time_uniform", "time_quadratic", "logSNR"
    unipc_order: int = 3
    unipc_lower_order_final: bool = True
    # how the texts guide it
    ngms: float = 0.0  # below this level every second step goes without the negative prompt
    ngms_all: bool = False  # every step
    skip_early_cfg: float = 0.0  # share of the steps, from the first, that go without it
    emphasis: str = "Original"  # "Original", "No norm", "Ignore", "None"
    comma_backtrack: int = 20  # tokens back to a comma that takes what follows it to the next chunk
    pad_texts: bool = False  # prompt and negative get equal lengths by empty text
    pad_negative: bool = False  # or the negative alone, by its last vector, or by cutting it
    old_timelines: bool = False  # [a:b:when]: below 1 a share, in hires fix too, as the webui read it before 1.6
    clip_l_skip: bool = False  # take CLIP-L's state before its last `clip_skip` layers
    # the picture
    tiling: bool = False  # its edges fit together
    seed_resize_width: int = 0  # px of the picture whose noise this one has in its middle; 0: its own
    seed_resize_height: int = 0
    # img2img
    fix_steps: bool = False  # all `steps` run, of a schedule that is so much longer
    noise_multiplier: float = 1.0  # on the noise that the picture is given
    extra_noise: float = 0.0  # of the same noise, on top of it, in hires fix too
    resize_mode: str = "stretch"  # how the picture gets the size: "stretch", "crop", "fill", "latent"
    background: str = "#ffffff"  # what of that picture is transparent lies on it
    img2img_upscaler: str = "None"  # makes what is smaller larger, faces too: an upscaler's name; "None" is Lanczos
    overlay: bool = True  # what an inpaint drew lies in the picture that it started from; else it is the whole answer
    color_correction: bool = False  # the colours of what was drawn follow the picture's
    # without effect on SDXL, whose attention begins where tokens are not merged, and which has no mask among its inputs
    mask_weight: float = 1.0  # conditional mask weight, 0..1
    token_merging: float = 0.0  # its ratio, 0..0.9
    token_merging_hires: float = 0.0  # in the second pass; 0: the first's
    # a checkpoint that takes over on the way
    refiner: str | None = None  # its name
    refiner_at: float = 0.8  # 0..1, of the way from noise by training timesteps
    refiner_by_steps: bool = False  # or of the steps
    refiner_passes: str = "second pass"  # of hires fix: "first pass", "second pass", "both passes"
    # hires fix, a second pass at a larger size; "", 0 and None are the first pass's own
    hires_upscaler: str | None = None  # its name; None: no second pass
    hires_scale: float = 2.0
    hires_width: int = 0  # px; where one is given, both count instead of the scale
    hires_height: int = 0
    hires_steps: int = 0
    hires_denoise: float = 0.7  # 0..1
    hires_cfg: float | None = None  # told by Forge
    hires_sampler: str | None = None
    hires_schedule: str | None = None
    hires_prompt: str = ""
    hires_negative: str = ""
    hires_checkpoint: str | None = None
    hires_vae: str | None = None  # a file's name, "None" for the checkpoint's own; told by Forge
    hires_first_loras: bool = False  # its prompts are encoded with the first pass's LoRAs, where it has no checkpoint
    upscaler_tile: int = -1  # px, of a network that makes larger; 0: in one piece, -1: as the webui does by default
    upscaler_overlap: int = 8  # px, of its tiles


@dataclass(frozen=True, kw_only=True)
class SoftInpaint:
    """How the webui's soft inpainting blends; its names and defaults."""

    bias: float = 1.0  # schedule bias: above 1 the picture is kept at first, below 1 at the end
    preservation: float = 0.5  # of what lies under grey
    boost: float = 4.0  # transition contrast boost
    mask_influence: float = 0.0  # 0..1, of the mask on what is shown in the end
    threshold: float = 0.5  # how much has to change to be shown by half
    contrast: float = 2.0  # how sudden that is


@dataclass(frozen=True, kw_only=True)
class InpaintJob:
    """A job that inpaints the white of a mask, at the size `job.width` x `job.height`."""

    job: Job  # with denoise set
    mask_blur: int = 4  # sigma, px of the whole picture
    only_masked: bool = True  # crop to the mask, draw at the job's size, paste back
    padding: int = 32  # px around the mask, only_masked only
    inverted: bool = False  # the black of the mask is inpainted instead
    content: str = "original"  # what lies under it at first: "original", "fill", "latent noise", "latent nothing"
    soft: SoftInpaint | None = None
