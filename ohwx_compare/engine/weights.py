"""Weights in and out: a single-file SDXL checkpoint becomes four modules, and changed weights become a file.

Loading is strict. Every tensor of the file has its place, or stands on one of the two lists below; every parameter of
the modules is in the file. All sizes are read from the file's shapes, so a small file of the same layout loads too.

A switch is a load into the memory of another checkpoint: what is equal there by dtype, shape and hash is left, the rest
is overwritten. All that can be wrong with a file but damage to its tensors is found before the first one is touched.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal, overload

import torch
from torch import Tensor, nn

from ohwx_compare.core.prompt.networks import Network
from ohwx_compare.engine.conditioning import Encoded
from ohwx_compare.engine.embeddings import NO_EMBEDDINGS, Embeddings
from ohwx_compare.engine.reading import DTYPES, read_into, require_whole
from ohwx_compare.errors import CheckpointError, MissingKeysError, MissingVaeError
from ohwx_compare.files.checkpoint import Header, describe, prediction, read_header, require_sdxl, rewrite
from ohwx_compare.files.checkpoint import Tensor as Stored
from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.unfilled import unfilled
from ohwx_compare.models.vae import VAE, VAEConfig
from ohwx_compare.words import counted

__all__ = ["PREFIXES", "Checked", "LoadedUNet", "Model", "build", "check", "load", "load_part", "load_vae", "save"]

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

SAVED = ("F16", "BF16", "F32")  # dtypes that a trained tensor is rounded to

_Device = str | torch.device
Seals = Callable[[Path], Mapping[str, str]]  # a file -> its tensors' hashes, of dtype, shape and bytes


@dataclass(frozen=True, kw_only=True)
class LoadedUNet:
    """A checkpoint's UNet in memory, on one device and in one dtype: what sampling needs of a model."""

    unet: UNet
    prediction: str  # "eps" (noise) or "v"
    path: Path
    zero_snr: bool = False  # the schedule ends without any signal (`ztsnr`)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What all modules compute in; all their inputs must be of it."""
        return next(self.unet.parameters()).dtype


@dataclass(frozen=True, kw_only=True)
class Model(LoadedUNet):
    """A checkpoint in memory: modules in eval mode, without gradients, in one dtype.

    UNet and VAE are on one device, the text encoders in the host's memory, from where they visit it.
    """

    vae: VAE
    clip_l: ClipL
    clip_g: ClipG
    seals: Mapping[str, str] = field(default_factory=dict)  # full name -> hash of what is in memory; {}: not known
    encoded: Encoded = field(default_factory=Encoded)
    worn: tuple[Network, ...] = ()  # the LoRAs that are in its weights
    words: Embeddings = NO_EMBEDDINGS  # the embeddings that prompts may name
    overflowing: set[str] = field(default_factory=set)  # hashes of VAEs that gave NaN in half precision

    @cached_property
    def encoders(self) -> str:
        """A hash of both text encoders' weights as their file stores them; "" where it is not known."""
        return self._hash("clip_l", "clip_g")

    @cached_property
    def vae_hash(self) -> str:
        """The same of the VAE's."""
        return self._hash("vae")

    def _hash(self, *parts: str) -> str:
        prefixes = tuple(PREFIXES[part] for part in parts)
        own = sorted((name, seal) for name, seal in self.seals.items() if name.startswith(prefixes))
        return hashlib.sha256(repr(own).encode()).hexdigest() if own else ""


@dataclass(frozen=True)
class _Source:
    """Where one part comes from: its module, sized by the file, without memory, and the prefix of its names there."""

    module: nn.Module
    header: Header
    prefix: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the module's tensors."""
        return {name: tuple(tensor.shape) for name, tensor in self.module.state_dict().items()}


@dataclass(frozen=True)
class Checked:
    """A checkpoint that can be loaded; only headers have been read."""

    path: Path
    sources: Mapping[str, _Source]  # part -> its own
    prediction: str
    zero_snr: bool

    def fits(self, model: Model, device: torch.device, dtype: torch.dtype) -> bool:
        """Whether `model` is memory for it: for `device`, all in `dtype`, the same tensors in all four parts."""
        for part, source in self.sources.items():
            held: Mapping[str, Tensor] = getattr(model, part).state_dict()
            wanted = torch.empty(0, device=_home(part, device), dtype=dtype)  # "cuda" alone names no number
            if source.shapes != {name: tuple(tensor.shape) for name, tensor in held.items()}:
                return False
            if any((t.device, t.dtype) != (wanted.device, wanted.dtype) for t in held.values()):
                return False
        return True

    def load(
        self, *, device: torch.device, dtype: torch.dtype, seals: Seals | None = None, into: Model | None = None
    ) -> Model:
        """Read the weights.

        seals: gives the hashes of a file's tensors; those it does not know are read.
        into: a model that this one `fits` and that is given up: its modules become the new model's, and only tensors
            with another hash are read. After an error it holds neither checkpoint.
        Memory holds one model and, while it is read, one tensor. Raises CheckpointError for a damaged file.
        """
        held = into or self._empty(device, dtype)
        sealed: dict[str, str] = {}
        for part, source in self.sources.items():
            own = _renamed(source, PREFIXES[part], seals(source.header.path) if seals else {})
            sealed |= own
            kept = {name for name, seal in own.items() if held.seals.get(name) == seal}
            state: Mapping[str, Tensor] = getattr(held, part).state_dict()
            targets = {name: tensor for name, tensor in state.items() if PREFIXES[part] + name not in kept}
            read_into(source.header, {source.prefix + name: target for name, target in targets.items()})
        return replace(held, prediction=self.prediction, path=self.path, zero_snr=self.zero_snr, seals=sealed, worn=())

    def _empty(self, device: torch.device, dtype: torch.dtype) -> Model:
        """A model whose memory holds no weights yet."""
        unet, vae, clip_l, clip_g = (_empty(self.sources[part], _home(part, device), dtype) for part in PREFIXES)
        if not (
            isinstance(unet, UNet) and isinstance(vae, VAE) and isinstance(clip_l, ClipL) and isinstance(clip_g, ClipG)
        ):
            raise TypeError("A part of the checkpoint was built as another one.")
        return Model(unet=unet, vae=vae, clip_l=clip_l, clip_g=clip_g, prediction=self.prediction, path=self.path)


def check(path: Path, *, vae: Path | None = None) -> Checked:
    """Read the header of a single-file SDXL checkpoint and find each tensor's place.

    vae: a VAE file, its names with or without `first_stage_model.`, or a checkpoint whose VAE is taken.
    Raises CheckpointError where the file is something else or has no VAE, MissingKeysError where tensors are missing or
    left over.
    """
    header = read_header(path)
    require_sdxl(header)
    shapes = header.shapes
    known = (*PREFIXES.values(), *MARKERS)
    if left := [name for name in shapes if not name.startswith(known) and not IGNORABLE.match(name)]:
        raise MissingKeysError(f"{path.name} holds {_some(left)} that no part of SDXL knows.")
    if vae is None and not any(name.startswith(PREFIXES["vae"]) for name in shapes):
        raise MissingVaeError(f"{path.name} holds no VAE; choose a VAE file for it.")
    sources = {part: _source(part, header, PREFIXES[part]) for part in PREFIXES if part != "vae" or vae is None}
    if vae is not None:
        sources["vae"] = _vae(vae)
    return Checked(path, sources, prediction(header), zero_snr="ztsnr" in shapes)


def check_vae(path: Path) -> None:
    """Raise CheckpointError unless the file is a whole VAE, or a checkpoint that holds one."""
    _vae(path)


def load(path: Path, *, device: _Device = "cpu", dtype: torch.dtype | None = None, vae: Path | None = None) -> Model:
    """`check` a checkpoint and load it.

    dtype: of all four parts; None means float32 on the CPU and float16 elsewhere.
    """
    device = torch.device(device)
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.float16)
    return check(path, vae=vae).load(device=device, dtype=dtype)


@overload
def load_part(part: Literal["unet"], path: Path, *, device: _Device = ..., dtype: torch.dtype) -> UNet: ...
@overload
def load_part(part: Literal["vae"], path: Path, *, device: _Device = ..., dtype: torch.dtype) -> VAE: ...
@overload
def load_part(part: Literal["clip_l"], path: Path, *, device: _Device = ..., dtype: torch.dtype) -> ClipL: ...
@overload
def load_part(part: Literal["clip_g"], path: Path, *, device: _Device = ..., dtype: torch.dtype) -> ClipG: ...
@overload
def load_part(part: str, path: Path, *, device: _Device = ..., dtype: torch.dtype) -> nn.Module: ...
def load_part(part: str, path: Path, *, device: _Device = "cpu", dtype: torch.dtype) -> nn.Module:
    """One of the four parts ("unet", "vae", "clip_l", "clip_g") of an SDXL checkpoint, as strictly as `load`."""
    header = read_header(path)
    require_sdxl(header)
    if not any(name.startswith(PREFIXES[part]) for name in header.tensors):
        raise CheckpointError(f"{path.name} holds no tensors under {PREFIXES[part]}; choose a whole SDXL checkpoint.")
    source = _source(part, header, PREFIXES[part])
    module = _empty(source, torch.device(device), dtype)
    read_into(header, {source.prefix + name: target for name, target in module.state_dict().items()})
    return module


def load_vae(path: Path, *, device: _Device = "cpu", dtype: torch.dtype) -> VAE:
    """The VAE of a VAE file or of a checkpoint, as strictly as `load`."""
    source = _vae(path)
    module = _empty(source, torch.device(device), dtype)
    read_into(source.header, {source.prefix + name: target for name, target in module.state_dict().items()})
    if not isinstance(module, VAE):
        raise TypeError("The VAE was built as another part.")
    return module


def save(
    path: Path,
    state: Mapping[str, Tensor],
    source: Path,
    metadata: Mapping[str, str],
    seen: Callable[[str, Stored, bytes], None] = lambda name, tensor, data: None,
    dtype: str | None = None,
) -> str:
    """Write `source` again to `path` with the tensors of `state`, rounded to the source's dtypes, in place of its own.

    state: full checkpoint names to tensors of the source's shapes. The source's other tensors, its names and their
        order stay byte for byte; only its metadata is replaced.
    seen: as in `rewrite`.
    dtype: "F16", "BF16" or "F32", to which all weights are rounded instead.
    Returns the new file's sha256, taken while writing. One tensor at a time is brought to the CPU.
    Raises CheckpointError where a name or shape is not the source's; OSError where the disk is full.
    """
    header = read_header(source)
    if strangers := state.keys() - header.tensors.keys():
        raise MissingKeysError(f"{source.name} has no place for {_some(strangers)}.")
    for name, tensor in state.items():
        if tuple(tensor.shape) != header.tensors[name].shape or header.tensors[name].dtype not in SAVED:
            raise CheckpointError(
                f"{name} is {list(tensor.shape)}, expected {header.tensors[name]} as in {source.name}."
            )

    kinds = {name: dtype for name, one in header.tensors.items() if dtype not in (None, one.dtype)}
    kinds = {name: kind for name, kind in kinds.items() if kind and header.tensors[name].dtype in SAVED}

    def replacement(name: str, stored: Stored) -> bytes | None:
        kind = DTYPES[kinds.get(name, stored.dtype)]
        if name in state:
            tensor = state[name].detach().to("cpu", kind).contiguous()
        elif name in kinds:
            tensor = torch.empty(stored.shape, dtype=kind)
            read_into(header, {name: tensor})
        else:
            return None
        return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()

    return rewrite(path, header, replacement, metadata, seen, kinds)


def _vae(path: Path) -> _Source:
    header = read_header(path)
    prefix = PREFIXES["vae"]
    if not any(name.startswith(prefix) for name in header.tensors):
        prefix = ""
        if describe(header) != "a VAE":
            raise CheckpointError(f"{path.name} is {describe(header)}; expected a VAE.")
    return _source("vae", header, prefix)


def _source(part: str, header: Header, prefix: str) -> _Source:
    """One part from the tensors of `header`'s file whose names start with `prefix`."""
    require_whole(header)
    shapes = {
        name.removeprefix(prefix): shape
        for name, shape in header.shapes.items()
        if name.startswith(prefix) and not IGNORABLE.match(PREFIXES[part] + name.removeprefix(prefix))
    }
    try:
        module = build(part, shapes)
    except KeyError as error:
        raise MissingKeysError(f"{header.path.name} lacks {prefix}{error.args[0]}.") from error
    except (IndexError, ValueError, TypeError, RuntimeError) as error:  # also torch's own about absurd sizes
        raise CheckpointError(f"{header.path.name} has tensors under {prefix} of a shape that no SDXL has.") from error
    _check(header.path.name, prefix, module, shapes)
    return _Source(module.eval(), header, prefix)


def _home(part: str, device: torch.device) -> torch.device:
    """Where a part lies: the text encoders in the host's memory, from where they visit the device."""
    return torch.device("cpu") if part in ("clip_l", "clip_g") else device


def _empty(source: _Source, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The source's module with memory that holds no weights yet."""
    state = {name: torch.empty(shape, device=device, dtype=dtype) for name, shape in source.shapes.items()}
    source.module.load_state_dict(state, assign=True)
    return source.module.requires_grad_(False)


def _renamed(source: _Source, prefix: str, seals: Mapping[str, str]) -> dict[str, str]:
    """Those of a file's hashes that belong to one part, under the names of a checkpoint."""
    names = {source.prefix + name: prefix + name for name in source.shapes}
    return {names[name]: seal for name, seal in seals.items() if name in names}


def build(part: str, shapes: Mapping[str, tuple[int, ...]]) -> nn.Module:
    """The module of one part ("unet", "vae", "clip_l", "clip_g") on the meta device, sized by a file's shapes.

    Raises KeyError where a tensor that tells a size is missing.
    """
    with unfilled():
        if part == "unet":
            return UNet(UNetConfig.from_shapes(shapes))
        if part == "vae":
            return VAE(VAEConfig.from_shapes(shapes))
        if part == "clip_l":
            return ClipL(_text(shapes, "transformer.text_model.embeddings.", "transformer.text_model.encoder.layers."))
        return ClipG(_text(shapes, "model.", "model.transformer.resblocks."))


def _text(shapes: Mapping[str, tuple[int, ...]], embeddings: str, layers: str) -> TextConfig:
    """An encoder's sizes; the names of its tensors start with `embeddings` and `layers`."""
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
    return f"{counted(len(names), 'tensor')} ({', '.join(names[:5])}{more})"
