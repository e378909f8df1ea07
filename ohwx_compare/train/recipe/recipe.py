"""The recipe of a training: one flat, documented JSON, complete with `{"preset", "base", "train", "output"}`.

A preset is a set of values that the user's own override; what neither names has the default below, which is our advice
("corrected"). Relative paths start at the folder of the recipe file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from ohwx_compare.core.request.limits import is_unicode
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.atomic import write_text
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.files.regular import load_json
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["COMPAT", "FREE_SIDES", "OPTIMIZER_ARGS", "PRESETS", "WATCHING", "Recipe", "read_recipe", "write_recipe"]

COMPAT = {  # each fault of sd-scripts that users may have tuned to
    "alpha": "transparent pixels keep the colour stored under them",
    "crop": "crop conditioning on the wrong axis (BucketManager.get_crop_ltrb)",
    "exif": "the camera's orientation is ignored",
    "latents": "each picture is one random draw of its latents, the same for the whole run",
    "pooled": "the pooled text vector is projected with the transposed matrix",
    "prior": "prior_loss_weight is ignored",
    "reg": "the first regularization images, the same in every epoch",
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
}

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

_CHOICES = {
    "captions": ("file-or-folder", "file", "folder"),
    "clip_by": ("tensor", "global"),
    "loss_weighting": ("none", "min-snr", "debiased"),
    "optimizer": tuple(OPTIMIZER_ARGS),
    "precision": ("bf16-stochastic", "bf16-nearest", "fp32-master", "fp32"),
    "prediction": (None, "eps", "v"),
    "schedule": ("constant", "cosine"),
}
_MOST = 10_000_000
_LONGEST_NAME = 150  # bytes of the checkpoints' name, to which a step is added
_LARGEST_SIDE = 16_384  # px, as of pictures
_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    tuple[int, int]: "two numbers",
    tuple[int, ...]: "a list of whole numbers",
    tuple[str, ...]: "a list of texts",
}
_COUNTS = (
    "repeats", "epochs", "steps", "batch", "accumulation", "keep_last", "save_every_epochs", "save_every_steps",
    "state_every", "watch_every_epochs", "watch_every_steps", "sample_steps",
)  # fmt: skip
_PAIRS = (
    ("epochs", "steps"),
    ("save_every_epochs", "save_every_steps"),
    ("watch_every_epochs", "watch_every_steps"),
)  # naming one drops the preset's other


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training run. Raises ExperimentError for what cannot be run as written, in one sentence."""

    # what goes in and out
    base: str  # single-file SDXL checkpoint to start from
    train: str  # folder of `{repeats}_{token class}` folders
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
    alpha: str = "#ffffff"  # colour behind transparent pixels
    repeats: int | None = None  # instead of those in the names of the train folders
    held_out: int = 0  # training images that are not trained on, only validated with
    captions: str = "file-or-folder"  # "file": a caption file beside each picture is a must; "folder": none is read
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
    lr_te1: float | None = None  # CLIP-L
    lr_te2: float | None = None  # OpenCLIP bigG
    schedule: str = "constant"  # or "cosine", to 0 at the end
    warmup: int | float = 0  # steps from 0 to the full rate, or below 1 a share of all steps
    optimizer: str = "adafactor"  # or "adamw", "adamw8bit"
    optimizer_args: Mapping[str, Any] = field(default_factory=lambda: {"weight_decay": 0.01})  # see OPTIMIZER_ARGS
    fused: bool = True  # tensors step within the backward pass; needs accumulation 1 and clip_by "tensor"
    clip: float = 1.0  # largest norm of a gradient; 0 does not clip
    clip_by: str = "tensor"  # the norm of each tensor, or of all: "global"
    precision: str = "bf16-stochastic"  # weights in bf16 rounded at random or to nearest, bf16 of an fp32 master, fp32
    checkpointing: bool = True  # compute activations again in the backward pass instead of keeping them
    memory_gb: float | None = None  # instead: keep as many as fit into so much memory (1e9 bytes) of the device

    # loss
    prediction: str | None = None  # "eps" or "v"; None asks the file
    loss_weighting: str = "none"  # "min-snr" (Hang et al. 2023), "debiased" (Yu et al. 2023)
    min_snr_gamma: float = 5.0
    noise_offset: float = 0.0

    # keeping
    save_every_epochs: int | None = 30
    save_every_steps: int | None = None
    keep_last: int | None = None  # saves kept besides the final one; None keeps all
    state_every: int = 250  # optimiser steps between the states from which a killed run resumes
    ema: float | None = None  # decay a step of averaged weights, in fp32 on the CPU, saved instead; None keeps none
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

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and not 1 <= value <= _MOST:
                raise ExperimentError(f"{name} is {quoted(value)}, expected 1 to {_MOST:,}.")
        for name, known in _CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise ExperimentError(f"{name} is {quoted(value)}, expected {_listed(known)}.")
        if (self.epochs is None) == (self.steps is None):
            raise ExperimentError("The recipe needs either `epochs` or `steps`: set one, and the other to null.")
        for name in ("base", "train", "reg", "output", "name"):
            if (value := getattr(self, name)) and (not is_unicode(value) or "\0" in value):
                raise ExperimentError(f"{name} is {quoted(value)}, which no file can be called.")
        if not is_plain_name(self.name) or len(self.name.encode()) > _LONGEST_NAME:
            raise ExperimentError(f"name is {quoted(self.name)}, expected a file name without folder and suffix.")
        self._check_sizes()
        self._check_numbers()
        self._check_together()

    def compatible(self, fault: str) -> bool:
        """Whether this fault of sd-scripts (a name of COMPAT) is wanted."""
        return fault in self.compat

    @property
    def optimizer_settings(self) -> dict[str, Any]:
        """All of the optimiser's arguments, defaults included."""
        return {**OPTIMIZER_ARGS[self.optimizer], **self.optimizer_args}

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON values; `from_dict` gives the same recipe back."""
        return decode_json(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, data: Any) -> "Recipe":
        """Read a recipe: fields of this class, over the values of `preset`. Raises ExperimentError."""
        known = {each.name: each for each in fields(cls)}
        if not isinstance(data, dict):
            raise ExperimentError(f"A recipe must be a JSON object, got {quoted(data)}.")
        for name in data:
            if name not in known:
                raise ExperimentError(f"The recipe has no {quoted(name)}; {did_you_mean(name, known)}")
        missing = [name for name in ("base", "train", "output") if not data.get(name)]
        if missing:
            raise ExperimentError(f"The recipe lacks {', '.join(missing)}.")
        values = {**_preset(data), **data}
        return cls(**{name: _typed(name, value, known[name].type) for name, value in values.items()})

    def _check_sizes(self) -> None:
        for side in self.resolution:
            if not 64 <= side <= _LARGEST_SIDE or (side % 64 and not (self.buckets and self.compatible(FREE_SIDES))):
                got = quoted(self.resolution)
                raise ExperimentError(f"resolution is {got}, expected positive multiples of 64 up to {_LARGEST_SIDE}.")
        if self.bucket_step < 32 or self.bucket_step % 32:
            raise ExperimentError(f"bucket_step is {self.bucket_step}, expected a multiple of 32.")
        sides = [self.bucket_step, self.bucket_min, *sorted(self.resolution), self.bucket_max]
        if self.buckets and not self.bucket_no_upscale and sides != sorted(sides):
            raise ExperimentError(
                f"Buckets go from {self.bucket_min} to {self.bucket_max} px, which must enclose the resolution "
                f"{self.resolution}; change bucket_min or bucket_max."
            )

    def _check_numbers(self) -> None:
        for name in ("reg_ratio", "prior_loss_weight", "lr_unet", "lr_te1", "lr_te2", "min_snr_gamma", "clip",
                     "noise_offset", "warmup", "seed", "held_out", "validation", "sample_cfg",
                     "memory_gb"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not 0 <= value < 2**63:
                raise ExperimentError(f"{name} is {quoted(value)}, expected 0 or more, below 2^63.")
        if not all(0 <= seed < 2**63 for seed in self.sample_seeds):
            raise ExperimentError(
                f"sample_seeds is {quoted(list(self.sample_seeds))}, expected numbers from 0, below 2^63."
            )
        if isinstance(self.warmup, float) and self.warmup > 1:
            raise ExperimentError(f"warmup is {self.warmup}, expected whole steps, or a share of all steps below 1.")
        if self.reg_ratio > 100:
            raise ExperimentError(f"reg_ratio is {self.reg_ratio}, expected at most 100 (for each training image).")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ExperimentError(f"ema is {self.ema}, expected a decay between 0 and 1, such as 0.999.")
        hexadecimal = set("0123456789abcdefABCDEF")
        if len(self.alpha) != 7 or self.alpha[0] != "#" or not set(self.alpha[1:]) <= hexadecimal:
            raise ExperimentError(f"alpha is {quoted(self.alpha)}, expected a colour such as '#ffffff'.")
        for name in self.optimizer_args:
            if name not in OPTIMIZER_ARGS[self.optimizer]:
                hint = did_you_mean(name, OPTIMIZER_ARGS[self.optimizer])
                raise ExperimentError(f"optimizer_args of {self.optimizer} has no {quoted(name)}; {hint}")
            if not _alike(self.optimizer_args[name], OPTIMIZER_ARGS[self.optimizer][name]):
                like = OPTIMIZER_ARGS[self.optimizer][name]
                raise ExperimentError(
                    f"optimizer_args.{name} is {quoted(self.optimizer_args[name])}, expected a value such as {like!r}."
                )
        for fault in self.compat:
            if fault not in COMPAT and fault != FREE_SIDES:
                near = did_you_mean(fault, [*COMPAT, FREE_SIDES, "kohya"])
                raise ExperimentError(f"compat has no {quoted(fault)}; {near}")

    def _check_together(self) -> None:
        if not any((self.lr_unet, self.lr_te1, self.lr_te2)):
            raise ExperimentError("Nothing would be trained: lr_unet, lr_te1 and lr_te2 are all null or 0; set one.")
        if self.fused and self.accumulation > 1:
            raise ExperimentError(
                f"fused steps each tensor inside the backward pass, so accumulation must be 1, got "
                f"{self.accumulation}; set fused to false."
            )
        if self.fused and self.clip and self.clip_by == "global":
            raise ExperimentError(
                "fused never has all gradients at once, so clip_by must be 'tensor', got 'global'; "
                "change one of them, or set clip to 0."
            )


_PATHS = ("base", "train", "reg", "output")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file (UTF-8 JSON); relative paths are taken from its folder. Raises ExperimentError."""
    try:
        data = load_json(path)
    except OSError as error:
        raise ExperimentError(f"The recipe {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ExperimentError(f"The recipe {path} is not JSON: {error}.") from error
    if isinstance(data, dict):
        for name in _PATHS:
            if isinstance(data.get(name), str) and data[name]:
                data[name] = str(path.absolute().parent / Path(data[name]).expanduser())
    return Recipe.from_dict(data)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write every field as UTF-8 JSON, whole or not at all; paths are written whole, from the root. Raises OSError."""
    said = recipe.to_dict()
    said |= {name: str(Path(said[name]).absolute()) for name in _PATHS if said[name]}
    write_text(path, json.dumps(said, indent=2, ensure_ascii=False) + "\n")


def _preset(data: Mapping[str, Any]) -> dict[str, Any]:
    name = data.get("preset")
    if name is None:
        values = {}
    elif isinstance(name, str) and name in PRESETS:
        values = dict(PRESETS[name])
    else:
        raise ExperimentError(f"There is no preset {quoted(name)}; {did_you_mean(name, PRESETS)}")
    for pair in _PAIRS:
        named = [one for one in pair if data.get(one) is not None]
        if named:
            values |= {one: None for one in pair if one not in named}
    return values


def _typed(name: str, value: Any, kind: Any) -> Any:
    """`value` as the field's type; lists of JSON become tuples, and whole numbers become floats where needed."""
    if name == "resolution" and type(value) is int:
        value = (value, value)
    if name == "compat" and isinstance(value, str):
        value = tuple(COMPAT) if value == "kohya" else (value,)
    if name == "compat" and isinstance(value, list) and "kohya" in value:
        value = tuple(COMPAT)
    if isinstance(value, list):
        value = tuple(value)
    if kind in (tuple[int, int], tuple[int, ...], tuple[str, ...]):
        inner = get_args(kind)[0]
        length = 2 if kind == tuple[int, int] else None
        if isinstance(value, tuple) and all(type(v) is inner for v in value) and length in (None, len(value)):
            return value
        raise ExperimentError(f"{name} must be {_WORDS[kind]}, got {quoted(value)}.")
    if name == "optimizer_args":
        if not isinstance(value, Mapping):
            raise ExperimentError(f"{name} must be a JSON object, got {quoted(value)}.")
        return {key: tuple(v) if isinstance(v, list) else v for key, v in value.items()}
    allowed = get_args(kind) or (kind,)
    if type(value) is int and float in allowed and int not in allowed and abs(value) < 2**63:
        return float(value)
    if type(value) not in allowed:
        names = " or ".join(_WORDS[t] for t in allowed)
        raise ExperimentError(f"{name} must be {names}, got {quoted(value)}.")
    return value


def _alike(value: Any, example: Any) -> bool:
    """Whether `value` is of the example's kind; whole numbers pass for floats."""
    if isinstance(example, tuple):
        same_length = isinstance(value, tuple) and len(value) == len(example)
        return same_length and all(map(_alike, value, example))
    if isinstance(example, bool) or isinstance(value, bool):
        return type(value) is type(example)
    return isinstance(value, int | float) and abs(value) < 2**63


def _listed(known: tuple[Any, ...]) -> str:
    return " or ".join("null" if value is None else repr(value) for value in known)
