"""Every setting of kohya_ss and of sdxl_train.py in three classes, and the marks of other kinds of training.

A setting is honoured; or without influence on what is learnt here; or it changes the training and is not built: then
it is refused until it is given up by name. A setting that stands nowhere here is refused as well.
Read from https://github.com/kohya-ss/sd-scripts/blob/48d368fa/sdxl_train.py (setup_parser) and
https://github.com/bmaltais/kohya_ss/blob/45088f04/kohya_gui/dreambooth_gui.py.
docs/training.md shows the same table, held to it by a test.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["CHANGING", "HONOURED", "OTHERS", "OTHER_FAMILIES", "QUIET", "SCRIPTS", "family", "is_unset"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


HONOURED = _names("""
    adaptive_noise_scale additional_parameters alpha_mask block_lr bucket_no_upscale bucket_reso_steps
    caption_dropout_rate caption_extension caption_extention caption_prefix caption_suffix caption_tag_dropout_rate
    dataset_config debiased_estimation_loss enable_bucket epoch flip_aug full_bf16 fused_backward_pass
    fused_optimizer_groups gradient_accumulation_steps gradient_checkpointing huber_c huber_scale huber_schedule
    ip_noise_gamma ip_noise_gamma_random_strength keep_tokens keep_tokens_separator learning_rate learning_rate_te1
    learning_rate_te2 loss_type lr_scheduler lr_scheduler_num_cycles lr_scheduler_power lr_warmup lr_warmup_steps
    masked_loss max_bucket_reso max_grad_norm max_timestep max_train_epochs max_train_steps min_bucket_reso
    min_snr_gamma min_timestep mixed_precision multires_noise_discount multires_noise_iterations noise_offset
    noise_offset_random_strength optimizer_args optimizer_type output_dir output_name pretrained_model_name_or_path
    prior_loss_weight reg_data_dir resolution save_every_n_epochs save_every_n_steps save_last_n_epochs
    save_last_n_steps save_precision scale_v_pred_loss_like_noise_pred seed shuffle_caption train_batch_size
    train_data_dir train_text_encoder use_8bit_adam v_parameterization v_pred_like_loss vae zero_terminal_snr
""")

QUIET = _names("""
    async_upload batch_size cache_info cache_latents cache_latents_to_disk cache_text_encoder_outputs
    cache_text_encoder_outputs_to_disk clip_skip conditioning_data_dir config_file console_log_file console_log_level
    console_log_simple create_buckets create_caption custom_attributes dataset_repeats ddp_gradient_as_bucket_view
    ddp_static_graph ddp_timeout debug_dataset diffusers_xformers disable_mmap_load_safetensors dynamo_backend
    dynamo_mode dynamo_use_dynamic dynamo_use_fullgraph extra_accelerate_launch_args file_path fp8_base full_path
    gpu_ids highvram huggingface_path_in_repo huggingface_repo_id huggingface_repo_type huggingface_repo_visibility
    huggingface_token learning_rate_te log_config log_prefix log_tracker_config log_tracker_name log_with logging_dir
    lowram lr_decay_steps lr_scheduler_min_lr_ratio lr_scheduler_timescale main_process_port max_data_loader_n_workers
    mem_eff_attn mem_eff_save metadata_author metadata_description metadata_is_negative_embedding metadata_license
    metadata_merged_from metadata_preprocessor metadata_tags metadata_thumbnail metadata_title metadata_trigger_phrase
    metadata_usage_hint model_list network_multiplier no_half_vae no_token_padding noise_offset_type
    num_cpu_threads_per_process offload_optimizer_device offload_optimizer_nvme_path offload_param_device
    offload_param_nvme_path output_config persistent_data_loader_workers sample_at_first sample_every_n_epochs
    sample_every_n_steps sample_prompts sample_sampler save_as_bool save_last_n_epochs_state save_last_n_steps_state
    save_model_as save_state save_state_on_train_end save_state_to_huggingface sdpa sdxl sdxl_cache_text_encoder_outputs
    sdxl_checkbox skip_cache_check stop_text_encoder_training text_encoder_lr tokenizer_cache_dir torch_compile
    use_latent_files use_safetensors use_wandb vae_batch_size validation_seed wandb_api_key wandb_run_name xformers
    zero3_init_flag zero3_save_16bit_model zero_stage
""")

# kohya_ss' fields of other families, which it saves with every configuration
OTHERS = _names("""
    ae apply_t5_attn_mask blocks_to_swap blockwise_fused_optimizers clip_g clip_l cpu_offload_checkpointing
    discrete_flow_shift double_blocks_to_swap flux1_cache_text_encoder_outputs flux1_cache_text_encoder_outputs_to_disk
    flux1_clip_l flux1_t5xxl flux_fused_backward_pass guidance_scale logit_mean logit_std mode_scale
    model_prediction_type save_clip save_t5xxl sd3_cache_text_encoder_outputs sd3_cache_text_encoder_outputs_to_disk
    sd3_fused_backward_pass sd3_text_encoder_batch_size show_timesteps show_timesteps_resolution
    single_blocks_to_swap split_mode t5xxl t5xxl_device t5xxl_dtype t5xxl_max_token_length timestep_sampling
    train_blocks weighting_scheme
""")

CHANGING: Mapping[str, str] = MappingProxyType({
    "caption_dropout_every_n_epochs": "epochs without captions",
    "caption_separator": "tags between other signs than commas",
    "color_aug": "colours changed at random",
    "dataset_class": "a dataset of somebody's own code",
    "deepspeed": "another way to compute and round",
    "enable_wildcard": "captions with alternatives",
    "face_crop_aug_range": "crops around faces at random",
    "fp16_master_weights_and_gradients": "master weights in fp16",
    "full_fp16": "weights in fp16; bf16 would be taken",
    "in_json": "captions and buckets from a metadata file",
    "lr_scheduler_args": "arguments of a schedule",
    "lr_scheduler_type": "a schedule from a library",
    "max_token_length": "every caption filled up to 150 or 225 tokens",
    "metadata_file": "captions and buckets from a metadata file",
    "multi_gpu": "a batch on each of several GPUs",
    "num_machines": "a batch on each of several machines",
    "num_processes": "a batch on each of several GPUs",
    "random_crop": "crops at random places",
    "resize_interpolation": "another way to resize",
    "resume": "resumes from a state of sd-scripts",
    "resume_from_huggingface": "resumes from a state of sd-scripts",
    "save_n_epoch_ratio": "saves as a share of all epochs",
    "secondary_separator": "captions changed",
    "token_warmup_min": "of token_warmup_step",
    "token_warmup_step": "captions that grow",
    "train_inpainting": "an inpainting model",
    "use_lion_optimizer": "the optimiser Lion",
    "validation_split": "pictures held out; held_out in a recipe",
    "weighted_captions": "brackets in captions weigh words",
})  # fmt: skip

_UNSET: tuple[Any, ...] = ("", None, 0, "0", False, "none", "None", "false", "False", [])
_OFF: Mapping[str, tuple[Any, ...]] = MappingProxyType({  # values that leave the training as it is
    "caption_separator": (",",), "max_token_length": (75,), "num_machines": (1,), "num_processes": (1,),
    "resize_interpolation": ("area",), "token_warmup_min": (1,),
})  # fmt: skip
_OWNER: Mapping[str, tuple[str, ...]] = MappingProxyType({  # without these beside it, a setting does nothing
    "resume_from_huggingface": ("resume",), "token_warmup_min": ("token_warmup_step",),
})  # fmt: skip

OTHER_FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType({  # kind of training -> settings that only it has
    "a LoRA or LyCORIS": (
        "network_module", "network_dim", "network_alpha", "network_args", "network_weights", "LoRA_type",
        "LyCORIS_preset", "unet_lr",
    ),
    "a textual inversion": ("num_vectors_per_token", "token_string", "init_word"),
    "a ControlNet": ("cond_emb_dim", "controlnet_model_name_or_path"),
    "an SD3 model": ("sd3_checkbox", "clip_g", "save_t5xxl", "sd3_cache_text_encoder_outputs"),
    "a Flux model": ("flux1_checkbox", "ae", "discrete_flow_shift", "guidance_scale", "apply_t5_attn_mask"),
    "a Lumina, HunyuanImage or Anima model": (
        "lumina_checkbox", "hunyuan_image_checkbox", "anima_checkbox", "gemma2", "qwen3", "llm_adapter_path",
    ),
    "an SD 2.x model": ("v2",),
})  # fmt: skip

SCRIPTS: Mapping[str, str | None] = MappingProxyType({  # script -> what it trains; None is what is read here
    "sdxl_train": None, "train_network": "a LoRA or LyCORIS", "sdxl_train_network": "a LoRA or LyCORIS",
    "flux_train_network": "a LoRA for Flux", "sd3_train_network": "a LoRA for SD3",
    "train_textual_inversion": "a textual inversion", "sdxl_train_textual_inversion": "a textual inversion",
    "train_db": "an SD 1.x or 2.x model", "fine_tune": "an SD 1.x or 2.x model", "sd3_train": "an SD3 model",
    "flux_train": "a Flux model", "train_controlnet": "a ControlNet", "train_control_net": "a ControlNet",
    "sdxl_train_control_net": "a ControlNet", "sdxl_train_control_net_lllite": "a ControlNet",
    "lumina_train": "a Lumina model", "anima_train": "an Anima model", "train_leco": "a LoRA or LyCORIS",
    "train_dreambooth": "a model with diffusers' script", "train_dreambooth_lora_sdxl": "a LoRA with diffusers' script",
    "train_text_to_image_sdxl": "a model with diffusers' script",
    "train_text_to_image_lora_sdxl": "a LoRA with diffusers' script",
})  # fmt: skip


def is_unset(key: str, values: Mapping[str, Any]) -> bool:
    """Whether this setting has no effect: empty, off, at a value that changes nothing, or of something that is off."""
    value = values.get(key)
    if value in _UNSET or _number(value) == 0:
        return True
    if str(value).strip() in map(str, _OFF.get(key, ())) or _number(value) in _OFF.get(key, ()):
        return True
    owners = _OWNER.get(key)
    return owners is not None and all(is_unset(owner, values) for owner in owners)


def family(values: Mapping[str, Any]) -> str | None:
    """What these settings train, where that is no full SDXL model; None for one."""
    ticked = any(key.endswith("_checkbox") for key in values)  # kohya_ss: it saves the fields of all families
    for kind, marks in OTHER_FAMILIES.items():
        if ticked and any(mark.endswith("_checkbox") for mark in marks):
            marks = tuple(mark for mark in marks if mark.endswith("_checkbox"))
        if any(not is_unset(mark, values) for mark in marks):
            return kind
    ticks = [values[key] for key in ("sdxl", "sdxl_checkbox") if key in values]
    return "an SD 1.x model" if ticks and not any(str(tick).lower() in ("true", "1") for tick in ticks) else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
