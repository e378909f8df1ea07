"""Flags that several commands share, and what they become."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.compare.host import Interruption
from ohwx_compare.core.events import Listener
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.hires import UPSCALER_FOLDERS
from ohwx_compare.core.request.limits import is_unicode
from ohwx_compare.core.request.named_values import CASCADE
from ohwx_compare.errors import ExperimentError, HostError
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.files.memory import free_bytes, nearest_there
from ohwx_compare.words import quoted

if TYPE_CHECKING:  # loads torch, which --help does without
    from ohwx_compare.cli.interrupt import CtrlC
    from ohwx_compare.hosts.machines.native_station import NativeSettings
    from ohwx_compare.hosts.native import NativeHost

__all__ = [
    "add_model_flags",
    "at_least_1",
    "checkpoint_map",
    "detectors_asked",
    "devices_of",
    "folders_of_detectors",
    "interruption",
    "known_hashes",
    "native_host",
    "native_settings",
    "require_device",
    "require_folder",
    "settle",
    "share",
    "warn_of_disk",
]


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where models are and what computes with them."""
    _add_folder_flags(parser)
    parser.add_argument(
        "--checkpoint-map",
        metavar="NAME=FILE",
        action="append",
        default=[],
        help="use FILE (below --checkpoints, or a path) for the checkpoint that the infotext calls NAME (its name or "
        "hash); may be repeated",
    )
    parser.add_argument(
        "--trust-sample",
        action="store_true",
        help="take a checkpoint that was hashed before for unchanged when its size, time and a sample of its bytes "
        "are, instead of reading it whole before pictures are written for it",
    )
    parser.add_argument(
        "--vae",
        metavar="FILE",
        type=Path,
        help="VAE to use instead of the checkpoint's own, and for the one that an infotext names",
    )
    parser.add_argument(
        "--device",
        default=None,
        help="where to compute: cpu, cuda, cuda:1, ... (default: cuda where there is one); `ohwx compare` shares a run "
        "out among several: cuda:0,cuda:1",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16", "bfloat16"),
        help="precision (default: float32 on the CPU, float16 on CUDA)",
    )
    parser.add_argument(
        "--linear",
        choices=("torch", "onednn"),
        help="what multiplies in linear layers on the CPU, in float32 (default: what the run began with; for a new one "
        "onednn on AMD processors with AVX-512, else torch). Pictures of the two differ by up to 2/255",
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the UNet's transformer blocks with torch's compiler, once for the shape of the first batch; "
        "other shapes are computed as ever. For long runs on a GPU. Pictures differ by up to 2/255, so resume with "
        "it a run that began with it",
    )
    parser.add_argument(
        "--fast-accumulation",
        action="store_true",
        help="sum products of float16 in float16 on CUDA: faster on consumer cards, less exact",
    )


def _add_folder_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        metavar="DIR",
        type=Path,
        help="a webui's models folder, in which all is found: Stable-diffusion, VAE, Lora, ESRGAN, adetailer, and "
        "embeddings beside it; no other folder need be named",
    )
    parser.add_argument("--checkpoints", metavar="DIR", type=Path, help="folder of SDXL .safetensors")
    parser.add_argument(
        "--loras",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="folder of the LoRAs that prompts name in <lora:name:1>; may be repeated. Also searched: Lora beside the "
        "checkpoints",
    )
    parser.add_argument(
        "--upscalers",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="folder of upscalers (.pth, .safetensors) for hires fix; may be repeated. Also searched: "
        f"{', '.join(UPSCALER_FOLDERS)} beside the checkpoints",
    )
    parser.add_argument(
        "--embeddings",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="folder of the embeddings (textual inversion) that prompts name; may be repeated. Also searched: "
        "embeddings beside the models folder",
    )
    parser.add_argument(
        "--detectors",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="folder of face detectors (YOLOv8 .pt or .safetensors); may be repeated. Also searched: models/adetailer "
        "and models/ohwx here and beside the checkpoints, and ADetailer's own cache. opencv-frontalface in a folder's "
        "place takes OpenCV's detector, which needs no file, for every face pass",
    )


def at_least_1(text: str) -> int:
    """The whole number in `text`, for argparse. Raises ArgumentTypeError for anything below 1."""
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {quoted(text)}")
    return int(text)


def share(text: str) -> float:
    """The number in `text`, for argparse. Raises ArgumentTypeError for anything but 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return value


def checkpoint_map(pairs: list[str]) -> dict[str, str]:
    """Return {name or hash: file} from NAME=FILE texts. Raises ExperimentError for a text without "="."""
    mapped = {}
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise ExperimentError(f"--checkpoint-map takes NAME=FILE, got {pair!r}.")
        mapped[name] = file
    return mapped


def settle(options: argparse.Namespace) -> None:
    """Fill in the folders that --models stands for. Raises ExperimentError for one that is not there or not named."""
    if options.models and not options.models.is_dir():
        raise ExperimentError(f"--models: there is no folder {options.models}; give a webui's models folder.")
    if getattr(options, "api", None) and options.models is None:
        options.checkpoints = options.checkpoints or Path("models", "Stable-diffusion")  # for what lies beside it
    if options.checkpoints is None and options.models is None:
        raise ExperimentError("The checkpoints' folder is missing; give --checkpoints DIR, or --models DIR.")
    options.checkpoints = options.checkpoints or options.models / "Stable-diffusion"
    roots = [root for root in (options.models, options.checkpoints.parent) if root]
    options.loras = _folders(options.loras, roots, "Lora", "--loras")
    usual = (folder for name in UPSCALER_FOLDERS for folder in _folders([], roots, name, "--upscalers"))
    options.upscalers = list(dict.fromkeys([*_folders(options.upscalers, [], "", "--upscalers"), *usual]))
    options.vaes = _folders([], roots, "VAE", "--models")
    options.embeddings = _folders(
        options.embeddings, [root.absolute().parent for root in roots], "embeddings", "--embeddings"
    )
    if options.models:
        options.detectors = [*options.detectors, *_folders([], [options.models], "adetailer", "--models")]


def _folders(named: Sequence[Path], roots: Sequence[Path], name: str, flag: str) -> list[Path]:
    """The named folders, which must be there, then the usual ones that are."""
    for folder in named:
        if not folder.is_dir():
            raise ExperimentError(f"{flag}: there is no folder {folder}; give an existing one.")
    usual = (root / name for root in roots)
    return list(dict.fromkeys([*named, *(folder for folder in usual if folder.is_dir())]))


def folders_of_detectors(named: list[Path], checkpoints: Path) -> list[Path]:
    """Return the folders to look for detectors in, the named ones first; all exist, and none comes twice.

    Raises ExperimentError for a named folder that does not exist.
    """
    for folder in named:
        if not folder.is_dir():
            raise ExperimentError(f"--detectors: there is no folder {folder}; give an existing one.")
    beside = [checkpoints.parent, checkpoints.parent.parent / "models", Path("models")]
    usual = [root / name for root in beside for name in ("adetailer", "ohwx")]
    found = {folder.resolve(): folder for folder in (*reversed(usual), *reversed(named)) if folder.is_dir()}
    return list(reversed(found.values()))


def detectors_asked(
    options: argparse.Namespace, tabs: Sequence[FaceSettings]
) -> tuple[list[Path], tuple[FaceSettings, ...]]:
    """Return the folders to look for detectors in, and `tabs` with OpenCV's where --detectors names that.

    Raises ExperimentError as `folders_of_detectors`.
    """
    chosen = Path(CASCADE) in options.detectors
    named = [folder for folder in options.detectors if folder != Path(CASCADE)]
    own = tuple(replace(tab, model=CASCADE, classes="") for tab in tabs) if chosen else tuple(tabs)
    return folders_of_detectors(named, options.checkpoints), own


def known_hashes(options: argparse.Namespace, tell: Listener = lambda event: None) -> Hashes:
    """Return this user's hashes of checkpoint files as the flags say; tell: hears of large files that are read."""
    return Hashes(cache_folder(), trusts_samples=options.trust_sample, tell=tell)


def native_settings(options: argparse.Namespace) -> "NativeSettings":
    """Return our own engine as the flags say, as values. Raises HostError for a device that is not here."""
    from ohwx_compare.compare.shelf import run_folders
    from ohwx_compare.engine.linear import TORCH
    from ohwx_compare.hosts.machines.native_station import NativeSettings
    from ohwx_compare.hosts.native import Beside
    from ohwx_compare.hosts.run_linear import linear_of_run

    devices = devices_of(options.device)
    for device in devices:
        require_device(device)
    settings = NativeSettings(
        checkpoints=options.checkpoints,
        device=devices[0],
        dtype=options.dtype,
        beside=Beside(options.vae, options.vaes, options.loras, options.embeddings, options.upscalers),
        stand_ins=tuple(checkpoint_map(options.checkpoint_map).items()),
        trusts_samples=options.trust_sample,
        detectors=tuple(detectors_asked(options, ())[0]),
        compiles=options.compile,
        accumulates_fast=options.fast_accumulation,
    )
    lenders = run_folders(getattr(options, "reuse", ()))
    kernel = linear_of_run([*filter(None, [options.out]), *lenders], settings.torch_device, options.linear)
    return replace(settings, linear=TORCH if options.compile else kernel)  # what is compiled has kernels of its own


def native_host(
    options: argparse.Namespace, asked: "CtrlC", on_step: Callable[[int], None], hashes: Hashes
) -> "NativeHost":
    """Return our own engine as the flags say; Ctrl-C becomes "finish this cell".

    Raises HostError for a device or a way to compute that is not here, ExperimentError for several devices,
    CheckpointError for a VAE that cannot be read.
    """
    if len(devices_of(options.device)) > 1:
        raise ExperimentError(f"--device {options.device} names several; `ohwx compare` alone shares its work out.")
    from ohwx_compare.engine.cuda_settings import cuda_words

    host = native_settings(options).host(hashes, lambda: interruption(asked), on_step)
    if told := cuda_words(host.device):
        print(f"ohwx: {told}", file=sys.stderr)
    return host


def devices_of(text: str | None) -> list[str | None]:
    """The devices that --device names, each of which may come twice. Raises ExperimentError for an empty name."""
    if text is None:
        return [None]
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ExperimentError(f"--device {quoted(text)} has an empty name; expected one like cpu, or cuda:0,cuda:1.")
    return [*names]


def interruption(asked: "CtrlC") -> Interruption:
    """What Ctrl-C asks of a run."""
    return Interruption.FINISH_CELL if asked.asked else Interruption.RUN_ON


def require_folder(folder: Path, flag: str = "--out") -> None:
    """Raise ExperimentError unless `folder` can be written to, or can be made; nothing is made here."""
    where = str(folder.absolute())  # also of ".", whose name stands in every picture
    if not is_unicode(where):
        raise ExperimentError(f"{flag} {quoted(where)} is not valid Unicode text; choose another {flag}.")
    there = nearest_there(folder)
    if not there.is_dir():
        raise ExperimentError(f"{flag} {folder}: {there} is a file, expected a folder; choose another {flag}.")
    if not os.access(there, os.W_OK):
        raise ExperimentError(f"{flag} {folder}: {there} cannot be written to; choose another {flag}.")


def require_file(path: Path | None, flag: str, remedy: str) -> None:
    """Raise ExperimentError for a file that was named and is not there."""
    if path is not None and not path.is_file():
        raise ExperimentError(f"{flag}: there is no file {path}; {remedy}.")


def warn_of_disk(needed: int, folder: Path) -> None:
    """Warn on stderr where `needed` bytes are more than is free for `folder`."""
    if needed > (free := free_bytes(folder)):
        print(
            f"ohwx: about {needed / 1e6:,.0f} MB will be written and {free / 1e6:,.0f} MB are free for {folder}; free "
            "some space or choose another --out.",
            file=sys.stderr,
        )


def require_device(device: str | None) -> None:
    """Raise HostError unless this machine can compute on `device` (None: the default)."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise HostError(f"--device {device} cannot be used here: {why}. Leave it out, or say cpu.") from error
