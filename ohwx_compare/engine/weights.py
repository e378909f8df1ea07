"""Weights in and out: a single-file SDXL checkpoint becomes four modules, and changed weights become a file.

Loading is strict. Every tensor of the file has its place, or stands on one of the two lists below; every parameter of
the modules is in the file. All sizes are read from the file's shapes, so a small file of the same layout loads too.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ohwx_compare.errors import CheckpointError, MissingKeysError
from ohwx_compare.files.checkpoint import Header, describe, read_header, require_sdxl, rewrite
from ohwx_compare.files.checkpoint import Tensor as Stored
from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.vae import VAE, VAEConfig

__all__ = ["PREFIXES", "Model", "build", "load", "load_part", "prediction", "save"]

PREFIXES = MappingProxyType(
    {
        "unet": "model.diffusion_model.",
        "vae": "first_stage_model.",
        "clip_l": "conditioner.embedders.0.",
        "clip_g": "conditioner.embedders.1.",
    }
)

# in the file or not: nothing is computed from them
OPTIONAL = re.compile(r".*\.(position_ids|logit_scale)")

# training's leftovers: noise schedules, averages, losses, and the projection that SDXL's first encoder does not use
IGNORABLE = re.compile(
    r"(betas|alphas_cumprod|sqrt_|log_one_minus_|posterior_|logvar$|lvlb_weights$|denoiser\.|model_ema\.|"
    r"first_stage_model\.loss\.|conditioner\.embedders\.0\.transformer\.text_projection\.).*"
)

# no tensors but signs: the file predicts v; its schedule ends at zero signal
MARKERS = ("v_pred", "ztsnr")

DTYPES = MappingProxyType({"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32})


@dataclass(frozen=True)
class Model:
    """A checkpoint in memory: modules in eval mode, without gradients, on one device and in one dtype."""

    unet: UNet
    vae: VAE
    clip_l: ClipL
    clip_g: ClipG
    prediction: str  # "eps" (noise) or "v"
    path: Path
    zero_snr: bool = False  # the schedule ends without any signal (`ztsnr`)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What UNet, text encoders and VAE compute in; all their inputs must be of it."""
        return next(self.unet.parameters()).dtype


def load(
    path: Path, *, device: str | torch.device = "cpu", dtype: torch.dtype | None = None, vae: Path | None = None
) -> Model:
    """Read a single-file SDXL checkpoint.

    dtype: of all four parts; None means float32 on the CPU and float16 elsewhere.
    vae: a VAE file, its names with or without `first_stage_model.`, or a checkpoint whose VAE is taken.
    Raises CheckpointError where the file is something else or has no VAE, MissingKeysError where tensors are missing or
    left over.
    """
    device = torch.device(device)
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.float16)
    header = read_header(path)
    require_sdxl(header)
    shapes = header.shapes
    known = (*PREFIXES.values(), *MARKERS)
    if left := [name for name in shapes if not name.startswith(known) and not IGNORABLE.match(name)]:
        raise MissingKeysError(f"{path.name} holds {_some(left)} that no part of SDXL knows.")
    if vae is None and not any(name.startswith(PREFIXES["vae"]) for name in shapes):
        raise CheckpointError(f"{path.name} holds no VAE; name one with --vae FILE.")
    modules = {
        part: _part(part, header, PREFIXES[part], device, dtype) for part in PREFIXES if part != "vae" or vae is None
    }
    if vae is not None:
        modules["vae"] = _vae(vae, device, dtype)
    return Model(**modules, prediction=prediction(header), path=path, zero_snr="ztsnr" in shapes)


def prediction(header: Header) -> str:
    """What the file's UNet predicts: "v" where a marker or the metadata says so, else "eps"."""
    said = header.metadata.get("modelspec.prediction_type")
    return "v" if "v_pred" in header.tensors or said == "v" else "eps"


def load_part(part: str, path: Path, *, device: str | torch.device = "cpu", dtype: torch.dtype) -> nn.Module:
    """One of the four parts ("unet", "vae", "clip_l", "clip_g") of an SDXL checkpoint, as strictly as `load`."""
    header = read_header(path)
    require_sdxl(header)
    if not any(name.startswith(PREFIXES[part]) for name in header.tensors):
        raise CheckpointError(f"{path.name} holds no tensors under {PREFIXES[part]}; take a whole SDXL checkpoint.")
    return _part(part, header, PREFIXES[part], torch.device(device), dtype)


def save(path: Path, state: Mapping[str, Tensor], source: Path, metadata: Mapping[str, str]) -> str:
    """Write `source` again to `path` with the tensors of `state`, rounded to the source's dtypes, in place of its own.

    state: full checkpoint names to tensors of the source's shapes. The source's other tensors, its names and their
        order stay byte for byte; only its metadata is replaced.
    Returns the new file's sha256, taken while writing. One tensor at a time is brought to the CPU.
    Raises CheckpointError where a name or shape is not the source's; OSError where the disk is full.
    """
    header = read_header(source)
    if strangers := state.keys() - header.tensors.keys():
        raise MissingKeysError(f"{source.name} has no place for {_some(strangers)}.")
    for name, tensor in state.items():
        if tuple(tensor.shape) != header.tensors[name].shape or header.tensors[name].dtype not in DTYPES:
            raise CheckpointError(
                f"{name} is {list(tensor.shape)}, expected {header.tensors[name]} as in {source.name}."
            )

    def replacement(name: str, stored: Stored) -> bytes | None:
        if name not in state:
            return None
        tensor = state[name].detach().to("cpu", DTYPES[stored.dtype]).contiguous()
        return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()

    return rewrite(path, header, replacement, metadata)


def _vae(path: Path, device: torch.device, dtype: torch.dtype) -> VAE:
    header = read_header(path)
    prefix = PREFIXES["vae"]
    if not any(name.startswith(prefix) for name in header.tensors):
        prefix = ""
        if describe(header) != "a VAE":
            raise CheckpointError(f"{path.name} is {describe(header)}; expected a VAE.")
    return _part("vae", header, prefix, device, dtype)


def _part(part: str, header: Header, prefix: str, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """One module with the tensors of `header`'s file whose names start with `prefix`."""
    shapes = {
        name.removeprefix(prefix): shape
        for name, shape in header.shapes.items()
        if name.startswith(prefix) and not IGNORABLE.match(PREFIXES[part] + name.removeprefix(prefix))
    }
    try:
        module = build(part, shapes)
    except KeyError as error:
        raise MissingKeysError(f"{header.path.name} lacks {prefix}{error.args[0]}.") from error
    except (IndexError, ValueError) as error:
        raise CheckpointError(f"{header.path.name} has tensors under {prefix} of a shape that no SDXL has.") from error
    _check(header.path.name, prefix, module, shapes)
    try:
        with safe_open(header.path, framework="pt") as file:
            state = {
                name: file.get_tensor(prefix + name).to(device=device, dtype=dtype, copy=True)
                for name in module.state_dict()
                if name in shapes
            }
    except SafetensorError as error:
        raise CheckpointError(f"{header.path.name} is damaged: {error}. Copy or download it again.") from error
    module.load_state_dict(state, strict=False, assign=True)
    return module.eval().requires_grad_(False)


def build(part: str, shapes: Mapping[str, tuple[int, ...]]) -> nn.Module:
    """The module of one part ("unet", "vae", "clip_l", "clip_g") on the meta device, sized by a file's shapes.

    Raises KeyError where a tensor that tells a size is missing.
    """
    with torch.device("meta"):
        if part == "unet":
            return UNet(UNetConfig.from_shapes(shapes))
        if part == "vae":
            return VAE(VAEConfig.from_shapes(shapes))
        if part == "clip_l":
            return ClipL(_text(shapes, "transformer.text_model.embeddings.", "transformer.text_model.encoder.layers."))
        return ClipG(_text(shapes, "model.", "model.transformer.resblocks."))


def _text(shapes: Mapping[str, tuple[int, ...]], embeddings: str, layers: str) -> TextConfig:
    """An encoder's sizes; `embeddings` and `layers` are how its tensors' names start."""
    vocab, width = shapes[f"{embeddings}token_embedding.weight"]
    depth = len({name.removeprefix(layers).partition(".")[0] for name in shapes if name.startswith(layers)})
    names = (f"{embeddings}position_embedding.weight", f"{embeddings}positional_embedding")
    positions = next((shapes[name][0] for name in names if name in shapes), 77)
    projection = shapes.get("model.text_projection", (None,))[-1]
    return TextConfig(width=width, layers=depth, vocab=vocab, positions=positions, projection=projection)


def _check(file: str, prefix: str, module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    own: Mapping[str, Tensor] = module.state_dict()
    missing = {prefix + name for name in own.keys() - shapes.keys() if not OPTIONAL.match("." + name)}
    extra = {prefix + name for name in shapes.keys() - own.keys() if not OPTIONAL.match("." + name)}
    if missing:
        raise MissingKeysError(f"{file} lacks {_some(missing)}.")
    if extra:
        raise MissingKeysError(f"{file} holds {_some(extra)} that no part of SDXL knows.")
    for name in own.keys() & shapes.keys():
        if tuple(own[name].shape) != tuple(shapes[name]):
            raise CheckpointError(
                f"{file}: {prefix}{name} has shape {list(shapes[name])}, expected {list(own[name].shape)}."
            )


def _some(names: Iterable[str]) -> str:
    """ "3 tensors (a, b, c)", at most five of them named."""
    names = sorted(names)
    more = ", ..." if len(names) > 5 else ""
    return f"{len(names)} tensor{'s' if len(names) > 1 else ''} ({', '.join(names[:5])}{more})"
