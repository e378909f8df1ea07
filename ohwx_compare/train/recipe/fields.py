"""The fields of a recipe, each with its default and what it means; docs/training.md has the same table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Fields"]


@dataclass(frozen=True, kw_only=True)
class Fields:
    """One training run, as its file says it."""

    # what goes in and out
    base: str  # single-file SDXL checkpoint to start from
    train: str | None = None  # folder of `{repeats}_{token class}` folders; needed without `concepts`
    reg: str | None = None  # the same for regularization images; None trains without
    output: str  # run folder, made if need be
    name: str = "ohwx"  # of the checkpoints: {name}-000030.safetensors
    preset: str | None = None  # where the values came from; read, then only a remark

    # pictures
    resolution: tuple[int, int] = (1024, 1024)  # width, height px; one number stands for both
    buckets: bool = True  # False crops all to `resolution`
    bucket_no_upscale: bool = False  # small pictures keep their size
    bucket_min: int = 256  # px, shortest and longest side of a bucket; without meaning under bucket_no_upscale
    bucket_max: int = 2048
    bucket_step: int = 64  # px, a multiple of 32
    vae: str | None = None  # file of another VAE than the base's; the checkpoints get it
    masks: str | None = None  # "alpha", "beside" (photo-masklabel.png), or a folder: how much each spot's loss counts
    alpha: str = "#ffffff"  # colour behind transparent pixels
    repeats: int | None = None  # instead of those in the names of the train folders
    held_out: int = 0  # training images that are not trained on, only validated with
    captions: str = "file-or-folder"  # "file": a caption file beside each picture is a must; "folder": none is read
    flip: bool = False  # each picture mirrored half of the time
    caption_dropout: float = 0.0  # share of the times that a picture is shown without its caption
    shuffle: bool = False  # the parts of a caption between commas, in another order each time
    keep_tokens: int = 0  # so many of the first parts stay in front
    keep_tokens_separator: str | None = None  # in a caption: what stands before it, and behind a second one, stays
    tag_dropout: float = 0.0  # share of the other parts that are left out each time
    caption_prefix: str = ""  # words before each caption
    caption_suffix: str = ""  # words behind each caption
    concepts: tuple[Mapping[str, Any], ...] = ()  # folders with settings of their own, see concepts.py
    cache_gb: float = 20.0  # 1e9 bytes of encoded pictures and captions kept on the disk for the next start
    caption_extensions: tuple[str, ...] = (".txt", ".caption")  # the first that exists

    # regularization
    reg_ratio: float = 1.0  # reg images for each train image shown
    prior_loss_weight: float = 1.0  # of a reg image's loss

    # length
    epochs: int | None = 150  # either epochs or steps
    steps: int | None = None  # optimiser steps
    batch: int = 1  # pictures
    accumulation: int = 1  # batches for each optimiser step

    # what is trained, and how fast; None leaves the part frozen
    lr_unet: float | None = 3e-6
    lr_blocks: tuple[float, ...] | None = None  # a rate for each of the UNet's 23 blocks, instead of lr_unet
    lr_te1: float | None = None  # CLIP-L
    lr_te2: float | None = None  # OpenCLIP bigG
    network: str | None = None  # "lora" or "dora": low ranks beside the layers learn and are saved, not the weights
    network_rank: int = 16
    network_alpha: float | None = None  # what they add is multiplied by this over the rank; None: by 1
    schedule: str = "constant"  # or "linear", "cosine", "cosine-restarts", "polynomial"
    schedule_cycles: int = 1  # of "cosine-restarts"
    schedule_power: float = 1.0  # of "polynomial"
    warmup: int | float = 0  # steps from 0 to the full rate, or below 1 a share of all steps
    optimizer: str = "adafactor"  # or "adamw", "adamw8bit", "came", "prodigy"
    optimizer_args: Mapping[str, Any] = field(default_factory=lambda: {"weight_decay": 0.01})  # see OPTIMIZER_ARGS
    fused: bool = True  # tensors step within the last backward pass of a step; needs clip_by "tensor"
    clip: float = 1.0  # largest norm of a gradient; 0 does not clip
    clip_by: str = "tensor"  # the norm of each tensor, or of all: "global"
    precision: str = "bf16-stochastic"  # 16 bits rounded at random or to nearest, or of an fp32 master; fp32
    compile: bool = False  # the UNet's transformer blocks, for the bucket of most steps
    checkpointing: bool = True  # compute activations again in the backward pass instead of keeping them
    shard: int | None = None  # so many cards hold the UNet together, each a part; None: each holds all of it
    memory_gb: float | None = None  # instead: keep as many as fit into so much memory (1e9 bytes) of the device

    # loss
    prediction: str | None = None  # "eps" or "v"; None asks the file
    zero_snr: bool | None = None  # a schedule that ends in pure noise; None asks the file
    loss: str = "l2"  # or "l1", "huber", "smooth-l1"
    huber_schedule: str = "snr"  # how the bend moves with the noise level; or "exponential", "constant"
    huber_c: float = 0.1  # where "huber" and "smooth-l1" bend from square to straight
    huber_scale: float = 1.0  # what "exponential" and "constant" multiply it by
    loss_weighting: str = "none"  # "min-snr" (Hang et al. 2023), "debiased" (Yu et al. 2023)
    min_snr_gamma: float = 5.0
    scale_v_loss: bool = False  # v's loss in the units of the noise's
    v_like_loss: float = 0.0  # share of v's loss that is added to the noise's
    min_timestep: int = 0  # noise levels that are trained: from this one
    max_timestep: int = 1000  # to the one before this

    # noise
    noise_offset: float = 0.0
    noise_offset_random: bool = False  # for each picture a random share of it
    adaptive_noise_scale: float = 0.0  # more offset where a channel's mean is far from 0; needs noise_offset
    multires_iterations: int = 0  # noise of lower resolutions added, at most this often
    multires_discount: float = 0.3  # each to the power of its number
    ip_noise_gamma: float = 0.0  # noise in the input that the target does not know
    ip_noise_gamma_random: bool = False  # for each picture a random share of it

    # keeping
    save_every_epochs: int | None = 30
    save_every_steps: int | None = None
    log: tuple[str, ...] = ()  # "csv", "tensorboard", "wandb": where the numbers are written too
    keep_last: int | None = None  # saves kept besides the final one; None keeps all
    state_every: int | None = 250  # optimiser steps between the states from which a killed run resumes; None: none
    state_count: int = 2  # states that stay while the run lasts
    state_gb: float | None = None  # 1e9 bytes that states may take, the one that is being written included
    state_at_end: bool = False  # the last state stays, so that the run can be extended or branched from
    from_state: str | None = None  # a state of another run, or its folder: this run branches from it
    save_precision: str | None = None  # "fp16", "bf16" or "fp32" for all tensors; None: the base's own
    ema: float | None = None  # decay of averaged weights, in fp32 on the CPU, saved instead; None keeps none
    ema_ramp: bool = False  # in step n the decay is n / (n + 9) while that is less
    ema_every: int = 1  # steps from average to average
    ema_raw: bool = False  # the weights as they are are saved too: {name}-000030-raw.safetensors
    seed: int = 42

    # watching: samples and losses during training, of the averaged weights if there are any; no weight depends on it
    watch_every_epochs: int | None = None  # without either: with each checkpoint. Before the first step in any case
    watch_every_steps: int | None = None
    sample_prompts: tuple[str, ...] = ()  # each generated with each seed, at `resolution`
    sample_negative: str = ""
    sample_seeds: tuple[int, ...] = (1,)
    sample_steps: int = 20  # of DPM++ 2M Karras
    sample_cfg: float = 7.0
    validation: int = 4  # pictures of each kind (training, held out, regularization) whose loss is taken at fixed noise

    compat: tuple[str, ...] = ()  # names of COMPAT; "kohya" in the file means all of them
