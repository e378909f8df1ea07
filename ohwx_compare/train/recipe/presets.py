"""What a recipe can choose from: faults of sd-scripts, optimisers and their arguments, presets, named values."""

from collections.abc import Mapping
from typing import Any

__all__ = ["CHOICES", "COMPAT", "FREE_SIDES", "OPTIMIZER_ARGS", "PRESETS", "WATCHING"]

COMPAT = {  # each fault of sd-scripts that users may have tuned to
    "alpha": "transparent pixels keep the colour stored under them",
    "crop": "crop conditioning on the wrong axis (BucketManager.get_crop_ltrb)",
    "exif": "the camera's orientation is ignored",
    "latents": "each picture is one random draw of its latents, the same for the whole run",
    "pooled": "the pooled text vector is projected with the transposed matrix",
    "prior": "prior_loss_weight is ignored",
    "reg": "the first regularization images, the same in every epoch",
    "snr": "with zero_snr, the loss is weighted by the noise levels of before",
    "tokens": "a caption ends after 75 tokens",
}

FREE_SIDES = (
    "area"  # a name for `compat` too, outside of "kohya": with buckets `resolution` is an area, its sides are free
)

OPTIMIZER_ARGS: Mapping[str, Mapping[str, Any]] = {  # names and defaults
    "adafactor": {
        "clip_threshold": 1.0,  # root mean square of a tensor's update is kept below
        "decay_rate": -0.8,
        "eps": 1e-30,  # added to the squared gradient
        "flatten": False,  # factor a convolution's kernel as one matrix; False factors its last two sides, as HF does
        "weight_decay": 0.0,
    },
    "adamw": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
    "adamw8bit": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},  # its moments in 8 bits
    "came": {"betas": (0.9, 0.999, 0.9999), "clip_threshold": 1.0, "eps": (1e-30, 1e-16), "weight_decay": 0.0},
    "prodigy": {
        "betas": (0.9, 0.999), "d0": 1e-6, "d_coef": 1.0, "eps": 1e-8,
        "growth_rate": 0.0,  # of the rate in a step, such as 1.02; 0 bounds nothing
        "safeguard_warmup": False, "slice_p": 1, "use_bias_correction": False, "weight_decay": 0.0,
    },
}  # fmt: skip

_ARTICLE = {
    "bucket_no_upscale": True,
    "lr_unet": 1e-5,
    "optimizer": "adafactor",
    "optimizer_args": {"weight_decay": 0.01},
    "precision": "bf16-nearest",
    "fused": False,
    "clip": 1.0,
    "clip_by": "global",
    "compat": tuple(COMPAT),
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "corrected": {},
    "lean": {"optimizer_args": {"flatten": True, "weight_decay": 0.01}, "memory_gb": 8.0},
    "10 GB": {"optimizer_args": {"flatten": True, "weight_decay": 0.01}, "memory_gb": 9.5},  # for cards of 10 GB
    "fast": {"memory_gb": 22.0},  # for cards of 24 GB
    # for the toy model; the demo trains like this (demo/sizes.py), and its rate was chosen by tools/toy_rates.py
    "toy": {
        "resolution": (128, 128), "bucket_no_upscale": True, "bucket_step": 32, "epochs": 60, "save_every_epochs": 20,
        "batch": 15, "lr_unet": 1e-3, "loss_weighting": "min-snr", "ema": 0.95, "precision": "fp32",
        "checkpointing": False, "validation": 0,
    },
    "article-no-reg": {**_ARTICLE, "repeats": 1, "epochs": 150, "save_every_epochs": 30},
    # 901 = 15 images * 30 exposures * 2 (train and reg) + 1
    "article-reg": {**_ARTICLE, "repeats": 150, "epochs": 1, "save_every_epochs": None, "save_every_steps": 901},
}  # fmt: skip

WATCHING = (  # fields that no weight depends on
    "watch_every_epochs", "watch_every_steps", "sample_prompts", "sample_negative", "sample_seeds", "sample_steps",
    "sample_cfg", "validation",
)  # fmt: skip

CHOICES = {
    "captions": ("file-or-folder", "file", "folder"),
    "clip_by": ("tensor", "global"),
    "log": ("csv", "tensorboard", "wandb"),
    "huber_schedule": ("snr", "exponential", "constant"),
    "loss": ("l2", "l1", "huber", "smooth-l1"),
    "loss_weighting": ("none", "min-snr", "debiased"),
    "network": (None, "lora", "dora"),
    "optimizer": tuple(OPTIMIZER_ARGS),
    "precision": ("bf16-stochastic", "bf16-nearest", "fp32-master", "fp16", "fp16-stochastic", "fp32"),
    "prediction": (None, "eps", "v"),
    "save_precision": (None, "fp16", "bf16", "fp32"),
    "schedule": ("constant", "linear", "cosine", "cosine-restarts", "polynomial"),
}
