"""Settings of OneTrainer: what each does where it is not at its neutral value, and those without influence here.

Names and defaults: https://github.com/Nerogar/OneTrainer/blob/00f380ac/modules/util/config/TrainConfig.py and
ConceptConfig.py beside it. Dots lead into an object of the file.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = [
    "CONCEPT_CHANGING",
    "CONCEPT_READ",
    "ONETRAINER_CHANGING",
    "ONETRAINER_PARTS",
    "ONETRAINER_QUIET",
    "ONETRAINER_READ",
    "QUIET_BEGINS",
]

ONETRAINER_PARTS = (
    "unet",
    "text_encoder",
    "text_encoder_2",
    "vae",
)  # of SDXL; the file has those of other families too

ONETRAINER_READ = frozenset({
    "training_method", "model_type", "base_model_name", "output_model_destination", "output_dtype", "concept_file_name",
    "concepts", "aspect_ratio_bucketing", "learning_rate_scheduler", "learning_rate", "learning_rate_warmup_steps",
    "learning_rate_cycles", "epochs", "batch_size", "gradient_accumulation_steps", "ema", "ema_decay",
    "ema_update_step_interval", "train_dtype", "resolution", "mse_strength", "mae_strength", "loss_weight_fn",
    "loss_weight_strength", "clip_grad_norm", "offset_noise_weight", "rescale_noise_scheduler_to_zero_terminal_snr",
    "force_v_prediction", "force_epsilon_prediction", "min_noising_strength", "max_noising_strength", "masked_training",
    "optimizer", "save_every", "save_every_unit", "gradient_checkpointing", "weight_dtype", *ONETRAINER_PARTS,
})  # fmt: skip
"""Honoured."""

ONETRAINER_CHANGING: Mapping[str, tuple[Any, str]] = MappingProxyType({  # -> neutral value, what another one does
    "learning_rate_min_factor": (0.0, "the rate ends above 0"),
    "learning_rate_scaler": ("NONE", "the rate is multiplied by the size of the batch"),
    "loss_scaler": ("NONE", "the loss is multiplied by the size of the batch"),
    "log_cosh_strength": (0.0, "another loss"),
    "huber_strength": (0.0, "another bend of the Huber loss"),
    "generalized_offset_noise": (False, "offset noise by the noise level"),
    "perturbation_noise_weight": (0.0, "noise that the target knows"),
    "k_noise_sampling": (1, "the nearest of several noises"),
    "timestep_distribution": ("UNIFORM", "some noise levels more often than others"),
    "timestep_shift": (1.0, "the same"),
    "dynamic_timestep_shifting": (False, "the same"),
    "unmasked_probability": (0.1, "some steps without a mask"),
    "unmasked_weight": (0.1, "what is masked off counts a little"),
    "normalize_masked_area_loss": (False, "small masks count as much as large ones"),
    "masked_prior_preservation_weight": (0.0, "what is masked off is held to the base"),
    "layer_filter": ("", "some layers alone are trained"),
    "text_encoder_layer_skip": (0, "another layer of the text encoder"),
    "text_encoder_2_layer_skip": (0, "another layer of the text encoder"),
    "force_circular_padding": (False, "pictures that tile"),
    "additional_embeddings": ([], "textual inversions beside"),
    "multi_gpu": (False, "a batch on each of several GPUs"),
    "custom_conditioning_image": (False, "pictures as a condition"),
    "circular_mask_generation": (False, "masks made at random"),
    "random_rotate_and_crop": (False, "pictures turned and cropped at random"),
    "text_encoder.dropout_probability": (0.0, "captions left out for one text encoder"),
    "text_encoder_2.dropout_probability": (0.0, "captions left out for one text encoder"),
})  # fmt: skip

ONETRAINER_QUIET = frozenset({
    "__version", "debug_mode", "debug_dir", "workspace_dir", "cache_dir", "validation", "validate_after",
    "validate_after_unit", "continue_last_backup", "prevent_overwrites", "include_train_config", "only_cache",
    "output_model_format", "async_offloading", "compile", "image_caching", "text_caching", "latent_caching",
    "latent_caching_epochs", "clear_cache_before_training", "caching_threads", "dataloader_threads",
    "prefetch_next_batch", "train_device", "temp_device", "fallback_train_dtype", "enable_autocast_cache",
    "attention_mechanism", "frames", "vb_loss_strength", "layer_filter_preset", "layer_filter_regex", "noising_weight",
    "noising_bias", "secrets", "cloud", "quantization", "optimizer_defaults", "custom_learning_rate_scheduler",
    "scheduler_params", "samples", "non_ema_sampling", "save_skip_first", "save_filename_prefix", "device_indexes",
    "extra_model_name", "enable_activation_offloading", "enable_async_offloading", "layer_offload_fraction",
    "gradient_reduce_precision", "fused_gradient_reduce", "async_gradient_reduce", "async_gradient_reduce_buffer",
    "dropout_probability", "peft_type", "bundle_additional_embeddings", "dora_oft", "cep_gamma", "token_count",
    "initial_embedding_text", "preserve_embedding_norm", "text_encoder_sequence_length",
    "text_encoder_2_sequence_length",
})  # fmt: skip
"""Without influence on what is learnt here."""

QUIET_BEGINS = (
    "tensorboard", "sample_", "samples_", "backup_", "rolling_backup", "lora_", "lokr_", "oft_", "embedding", "prior",
    "transformer", "unconditional_transformer", "text_encoder_3", "text_encoder_4", "effnet_encoder", "decoder",
)  # fmt: skip
"""Beginnings of the same: watching, backups, and what belongs to LoRAs and to models of other families."""

CONCEPT_READ = frozenset({
    "name", "path", "seed", "enabled", "validation_concept", "type", "include_subdirectories", "image_variations",
    "text_variations", "balancing", "repeats", "image.enable_random_flip", "image.enable_resolution_override",
    "image.resolution_override", "text.prompt_source", "text.prompt_path", "text.enable_tag_shuffling",
    "text.keep_tags_count", "text.tag_dropout_enable", "text.tag_dropout_probability", "concept_stats", "__version",
})  # fmt: skip

CONCEPT_CHANGING: Mapping[str, tuple[Any, str]] = MappingProxyType({
    "balancing_strategy": ("REPEATS", "some of the pictures, others in each epoch"),
    "loss_weight": (1.0, "a concept counts more or less"),
    "image.enable_crop_jitter": (False, "crops at random places"),
    "image.enable_fixed_flip": (False, "every picture mirrored"),
    **{
        f"image.enable_{how}_{what}": (False, f"{said} changed")
        for how in ("random", "fixed")
        for what, said in (
            ("rotate", "pictures are turned"), ("brightness", "brightness is"), ("contrast", "contrast is"),
            ("saturation", "saturation is"), ("hue", "colours are"),
        )
    },
    "image.enable_random_circular_mask_shrink": (False, "masks made at random"),
    "image.enable_random_mask_rotate_crop": (False, "pictures turned and cropped at random"),
    "text.tag_delimiter": (",", "tags between other signs than commas"),
    "text.tag_dropout_special_tags_mode": ("NONE", "some tags are left out otherwise"),
    "text.caps_randomize_enable": (False, "capital letters at random"),
})  # fmt: skip
