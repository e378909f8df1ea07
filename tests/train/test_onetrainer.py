"""Configurations of OneTrainer as recipes: what is kept, what is refused by name, older files like newer ones."""

import json

import pytest

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.forms import read_any, read_pasted

CONCEPT = {
    "name": "me", "path": "/img/me", "enabled": True, "balancing": 3.0, "balancing_strategy": "REPEATS",
    "loss_weight": 1.0,
    "image": {"enable_crop_jitter": False, "enable_random_flip": False},
    "text": {"prompt_source": "sample", "enable_tag_shuffling": True, "keep_tags_count": 2},
}  # fmt: skip
NEW = {  # as OneTrainer saves it, of which a few settings
    "__version": 12, "training_method": "FINE_TUNE", "model_type": "STABLE_DIFFUSION_XL_10_BASE",
    "base_model_name": "/models/sdxl.safetensors", "output_model_destination": "models\\me.safetensors",
    "output_dtype": "BFLOAT_16", "concepts": [CONCEPT], "epochs": 200, "batch_size": 2, "learning_rate": 1e-5,
    "learning_rate_warmup_steps": 100.0, "train_dtype": "BFLOAT_16", "resolution": "1024", "ema": "CPU",
    "unet": {"train": True, "weight_dtype": "BFLOAT_16", "stop_training_after_unit": "NEVER"},
    "text_encoder": {"learning_rate": 3e-6, "stop_training_after": 200, "stop_training_after_unit": "EPOCH"},
    "text_encoder_2": {"train": False, "weight_dtype": "BFLOAT_16"}, "vae": {"weight_dtype": "FLOAT_32"},
    "optimizer": {"optimizer": "ADAFACTOR", "eps": 1e-30, "eps2": 1e-3, "clip_threshold": 1.0, "decay_rate": -0.8,
                  "weight_decay": 0.0, "fused_back_pass": True, "stochastic_rounding": True, "relative_step": False},
    "offset_noise_weight": 0.05, "loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 5.0, "save_every": 30,
    "save_every_unit": "EPOCH", "prior": {"train": True}, "lora_rank": 16, "sample_after": 10,
    "layer_filter_preset": "full",
}  # fmt: skip


def read(**changes):
    return read_pasted(json.dumps({**NEW, **changes}))


def concept(**changes):
    return {"concepts": [{**CONCEPT, **changes}]}


def test_a_fine_tune_is_kept():
    recipe = read().recipe
    assert (recipe.base, recipe.name, recipe.resolution) == ("/models/sdxl.safetensors", "me", (1024, 1024))
    assert (recipe.epochs, recipe.batch, recipe.warmup, recipe.schedule) == (200, 2, 100, "constant")
    assert (recipe.lr_unet, recipe.lr_te1, recipe.lr_te2) == (1e-5, 3e-6, None)
    assert (recipe.optimizer, recipe.fused, recipe.clip, recipe.clip_by) == ("adafactor", True, 1.0, "tensor")
    assert recipe.optimizer_args == {"clip_threshold": 1.0, "decay_rate": -0.8, "eps": 1e-30, "weight_decay": 0.0}
    assert (recipe.precision, recipe.save_precision, recipe.save_every_epochs) == ("bf16-stochastic", "bf16", 30)
    assert (recipe.ema, recipe.ema_ramp, recipe.ema_every, recipe.noise_offset) == (0.999, True, 5, 0.05)
    assert (recipe.loss_weighting, recipe.min_snr_gamma, recipe.compat) == ("min-snr", 5.0, ("tokens",))
    assert recipe.concepts == ({
        "folder": "/img/me", "words": "", "repeats": 3, "flip": False, "shuffle": True, "keep_tokens": 2,
        "tag_dropout": 0.0,
    },)  # fmt: skip


def test_an_older_file_is_read_as_a_newer_one():
    older = {
        "training_method": "FINE_TUNE", "model_type": "STABLE_DIFFUSION_XL_10_BASE", "base_model_name": "b.safetensors",
        "concepts": [CONCEPT], "weight_dtype": "BFLOAT_16", "unet_weight_dtype": "NONE", "optimizer": "ADAMW_8BIT",
        "weight_decay": 0.02, "train_text_encoder": False, "train_text_encoder_2": False, "train_unet": True,
        "train_unet_epochs": 100000, "unet_learning_rate": 3e-6, "resolution": 1024, "latent_caching": True,
        "train_dtype": "FLOAT_16", "attention_mechanism": "XFORMERS", "min_snr_gamma": 3.0, "token_count": 1,
    }  # fmt: skip
    told = read_pasted(json.dumps(older))
    recipe = told.recipe
    assert (recipe.lr_unet, recipe.lr_te1, recipe.lr_te2, recipe.warmup) == (3e-6, None, None, 200)
    assert (recipe.optimizer, recipe.precision, recipe.min_snr_gamma) == ("adamw8bit", "bf16-stochastic", 3.0)
    assert recipe.optimizer_args == {"weight_decay": 0.02, "betas": (0.9, 0.999)}
    assert "train_dtype FLOAT_16 is computed in bf16." in told.notes
    assert any("latent_caching" in note for note in told.notes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"training_method": "LORA"}, "only FINE_TUNE is read. A recipe with"),
        ({"model_type": "FLUX_DEV_1"}, "trains FLUX_DEV_1"),
        ({"optimizer": {"optimizer": "PRODIGY"}}, "The optimizer 'PRODIGY' is not supported"),
        ({"timestep_distribution": "LOGIT_NORMAL"}, "timestep_distribution = 'LOGIT_NORMAL'"),
        ({"learning_rate_scheduler": "COSINE"}, "learning_rate_scheduler = 'COSINE'"),
        ({"masked_training": True}, "unmasked_probability = 0.1 .*; unmasked_weight = 0.1"),
        ({"resolution": "768,1024"}, "resolution = '768,1024' .several sizes"),
        ({"resolution": "big"}, "resolution is 'big'"),
        ({"text_encoder": {"train": True}}, "text_encoder.stop_training_after = 30"),
        ({"new_setting": 3}, "new_setting = 3 .not known here"),
        ({"unet": 3}, "unet is 3, expected a JSON object"),
        ({"epochs": "many"}, "epochs is 'many', expected a number"),
        ({"unet": {"stop_training_after": [], "stop_training_after_unit": "EPOCH"}}, "unet.stop_training_after is"),
        ({"learning_rate_scheduler": []}, "learning_rate_scheduler is .*, expected text"),
        ({"optimizer": {"optimizer": {}}}, "optimizer.optimizer is .*, expected text"),
        ({"concepts": None}, "training_concepts/concepts.json' cannot be read; put its list into"),
        (concept(enabled=False), "no concept to train on"),
        (concept(image={}), "image.enable_crop_jitter = True .crops at random places"),
        (concept(balancing=0.5), "balancing = 0.5"),
        (concept(type="PRIOR_PREDICTION"), "type = 'PRIOR_PREDICTION'"),
        (concept(path=""), "lacks its path"),
        (concept(text={"prompt_source": "filename"}), "text.prompt_source = 'filename'"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_named(changes, says):
    with pytest.raises(ExperimentError, match=says) as told:
        read(**changes)
    assert "\n" not in str(told.value)


def test_what_is_given_up_is_said():
    changes = {"timestep_distribution": "SIGMOID", **concept(image={})}
    told = read(**changes, ohwx_without="timestep_distribution,image.enable_crop_jitter")
    assert any("Given up, though set: timestep_distribution = 'SIGMOID'" in note for note in told.notes)
    text = json.dumps({**NEW, **changes})
    assert read_pasted(text, ["timestep_distribution", "image.enable_crop_jitter"]).recipe == told.recipe
    assert told.recipe.concepts[0]["flip"] is True  # OneTrainer's own default


def test_concepts_lie_in_a_file_and_captions_in_another(tmp_path):
    (tmp_path / "training_presets").mkdir()
    (tmp_path / "training_concepts").mkdir()
    (tmp_path / "img" / "in ü").mkdir(parents=True)
    (tmp_path / "img" / "in ü" / "a.png").touch()
    words = tmp_path / "words.txt"
    words.write_text("ohwx man\n", encoding="utf-8")
    text = {"prompt_source": "concept", "prompt_path": str(words)}
    one = {**CONCEPT, "path": str(tmp_path / "img"), "include_subdirectories": True, "text": text}
    off = {**CONCEPT, "enabled": False}
    (tmp_path / "training_concepts" / "concepts.json").write_text(json.dumps([one, off]), encoding="utf-8")
    file = tmp_path / "training_presets" / "mine.json"
    file.write_text(json.dumps({name: value for name, value in NEW.items() if name != "concepts"}), encoding="utf-8")
    told = read_any(file)
    assert [(one["folder"], one["words"]) for one in told.recipe.concepts] == [
        (str(tmp_path / "img" / "in ü"), "ohwx man")
    ]
    assert told.recipe.captions == "folder"
    assert "The concept 'me' is not enabled; it is left out." in told.notes
    words.write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match="2 captions, of which one is drawn each time"):
        read_any(file)
