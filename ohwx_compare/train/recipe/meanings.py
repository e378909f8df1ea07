"""What each field of a recipe means, for the tab; docs/training.md has the same, held to it by tests/house."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MEANINGS"]

MEANINGS: Mapping[str, str] = MappingProxyType({
    "base": "the SDXL checkpoint to start from, one file",
    "train": "folder of {repeats}_{token class} folders",
    "reg": "the same for regularization images; null trains without",
    "output": "the run's folder; it is made",
    "name": "of the checkpoints: ohwx-000030.safetensors",
    "preset": "where the other values come from",
    "resolution": "width and height in px, multiples of 64; one number stands for both",
    "buckets": "sort the pictures into buckets by their shape; false crops all to resolution",
    "bucket_no_upscale": "small pictures keep their size",
    "bucket_min": "px, the shortest side of a bucket; without meaning under bucket_no_upscale",
    "bucket_max": "px, the longest side of a bucket; the same",
    "bucket_step": "px between buckets, a multiple of 32",
    "vae": "file of another VAE than the base's; the checkpoints get it",
    "masks": (
        "\"alpha\", \"beside\" (photo1-masklabel.png), or a folder of files with the pictures' names: how much "
        "each spot's loss counts, white whole and black not at all"
    ),
    "alpha": "colour behind transparent pixels",
    "repeats": "of every training folder, instead of the number in its name",
    "held_out": "training pictures that are only validated with",
    "captions": '"file": each picture must have a caption file; "folder": none is read',
    "flip": "each picture mirrored half of the time",
    "caption_dropout": "share of the times that a picture is shown without its caption",
    "cache_gb": "GB of encoded pictures and captions that stay on the disk for the next start; 0 for none",
    "shuffle": "the parts of a caption between commas come in another order each time",
    "keep_tokens": "so many of the first parts stay in front",
    "keep_tokens_separator": (
        "in a caption: what stands before it, and behind a second one, stays; then keep_tokens does not count"
    ),
    "tag_dropout": "share of the other parts that are left out each time",
    "caption_prefix": "words before each caption, a blank between",
    "caption_suffix": "words behind each caption",
    "concepts": "folders with settings of their own, in place of train and reg, see above",
    "caption_extensions": "of caption files; the first that exists counts",
    "reg_ratio": "regularization images for each training picture shown",
    "prior_loss_weight": "of a regularization image's loss",
    "epochs": "length in epochs",
    "steps": "length in optimiser steps, instead of epochs",
    "batch": "pictures in a batch",
    "accumulation": "batches in an optimiser step",
    "lr_unet": "learning rate of the UNet; null leaves it frozen",
    "lr_blocks": (
        "a rate for each of the UNet's 23 blocks in sd-scripts' order (embeddings, 9 down, 3 in the middle, 9"
        " up, output), instead of lr_unet; 0 leaves a block frozen"
    ),
    "lr_te1": "of the first text encoder (CLIP-L)",
    "lr_te2": "of the second text encoder (OpenCLIP bigG)",
    "network": (
        '"lora" or "dora": two small matrices beside each layer of the transformers learn, and are saved as a'
        " LoRA, in place of the weights"
    ),
    "network_rank": "how wide they are",
    "network_alpha": "what they add is multiplied by this over the rank; null: by 1",
    "schedule": 'of the learning rate; or "linear", "cosine", "cosine-restarts", "polynomial", down to 0 at the end',
    "schedule_cycles": 'of "cosine-restarts": how often it starts again, the first included',
    "schedule_power": 'of "polynomial"',
    "warmup": "steps from 0 to the full rate; below 1, a share of all steps",
    "optimizer": 'or "adamw", "adamw8bit" (its moments in 8 bits), "came", "prodigy" (which finds its rate: lr_unet 1)',
    "optimizer_args": (
        "Adafactor: clip_threshold, decay_rate, eps, flatten, weight_decay; AdamW in both forms: betas, eps, "
        "weight_decay; CAME: betas, clip_threshold, eps, weight_decay; Prodigy: betas, d0, d_coef, eps, growth_rate, "
        "safeguard_warmup, slice_p, use_bias_correction, weight_decay"
    ),
    "fused": (
        "tensors step within the last backward pass of a step, when enough gradients of one shape are there; "
        'needs clip_by "tensor". With accumulation above 1 it spares no memory'
    ),
    "clip": "largest norm of a gradient; 0 does not clip",
    "clip_by": 'the norm of each tensor, or of all together: "global"',
    "precision": (
        'bfloat16 rounded at random, "bf16-nearest", "fp32-master" (bfloat16 of a float32 master), for cards without '
        'bfloat16 "fp16" (float16 of a float32 master) or "fp16-stochastic" (without one), or "fp32"'
    ),
    "compile": (
        "torch compiles the UNet's transformer blocks for the bucket of most steps; others run as ever. Sums are "
        "rounded otherwise. Needs torch 2.6 and a compiler"
    ),
    "checkpointing": "compute activations again in the backward pass instead of keeping them",
    "memory_gb": (
        "instead of checkpointing: keep as many activations as fit into so many GB; the gradients are the "
        "same"
    ),
    "shard": (
        "so many cards, a process each, hold the UNet together, each a part of it; null: each holds all of it. See "
        "above"
    ),
    "prediction": '"eps" or "v"; null asks the file',
    "zero_snr": "a schedule of noise that ends in pure noise (Lin et al. 2023); needs v-prediction. null asks the file",
    "loss": 'the squared error, or "l1", "huber", "smooth-l1"',
    "huber_schedule": 'how the bend of the latter two moves with the noise level; or "exponential", "constant"',
    "huber_c": "where they bend from square to straight",
    "huber_scale": 'what "exponential" and "constant" multiply it by',
    "loss_weighting": '"min-snr" (Hang et al. 2023) or "debiased" (Yu et al. 2023)',
    "min_snr_gamma": "of min-SNR",
    "scale_v_loss": "v's loss in the units of the noise's",
    "v_like_loss": "share of v's loss that is added to the noise's",
    "min_timestep": "noise levels that are trained: from this one",
    "max_timestep": "to the one before this",
    "noise_offset": "a constant more or less in each channel of the noise",
    "noise_offset_random": "for each picture a random share of it",
    "adaptive_noise_scale": "more offset where a channel's mean is far from 0; needs noise_offset",
    "multires_iterations": "noise of lower resolutions is added, at most so often",
    "multires_discount": "each counts this to the power of its number",
    "ip_noise_gamma": "noise in the input that the target does not know",
    "ip_noise_gamma_random": "for each picture a random share of it",
    "save_every_epochs": "epochs between checkpoints",
    "save_every_steps": "steps between checkpoints, instead of save_every_epochs",
    "log": (
        'where the numbers are written too: "csv" (losses.csv), "tensorboard" (the folder logs), "wandb" (its'
        " package must be installed)"
    ),
    "keep_last": "checkpoints that are kept beside the final one; null keeps all",
    "state_every": "steps between the states that a killed run resumes from; null: only when it is stopped or paused",
    "state_count": "states that stay while the run lasts",
    "state_gb": "GB that states may take, the one that is being written included",
    "state_at_end": "the last state stays, so that the run can be extended or branched from",
    "from_state": "a state of another run, or that run's folder: this run branches from it",
    "save_precision": '"fp16", "bf16" or "fp32" for all weights; null: each tensor as the base stores it',
    "ema": (
        "decay of averaged weights, for example 0.999; they are saved in place of the plain ones. Refused "
        "where more than half of the base would be left in them at the end"
    ),
    "ema_ramp": "in step n the decay is n / (n + 9) while that is less: the base is forgotten soon",
    "ema_every": "steps from average to average",
    "ema_raw": "the plain weights are saved beside: ohwx-000030-raw.safetensors",
    "seed": "of order, noise, timesteps and rounding",
    "watch_every_epochs": "epochs between samples and validation; without either, with each checkpoint",
    "watch_every_steps": "steps between samples and validation",
    "sample_prompts": "generated on the way, each with each seed",
    "sample_negative": "their negative prompt",
    "sample_seeds": "their seeds",
    "sample_steps": "their steps, of DPM++ 2M Karras",
    "sample_cfg": "their CFG scale",
    "validation": "pictures of each kind whose loss is taken at fixed noise; 0 for none",
    "compat": "faults of sd-scripts to repeat, see above",
})  # fmt: skip
