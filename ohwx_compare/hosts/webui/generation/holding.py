"""The webui's model for the length of a run: a checkpoint put there, kept before each picture, the user's given back.

Two families, told apart by what is there. AUTOMATIC1111, reForge and forge-classic load where they are asked to. Forge
and forge-neo load at the next picture what their loading parameters name then, which the user's own page sets too
(`modules/sd_models.py:forge_model_reload`, `modules_forge/main_entry.py` at dfdcbab6); there the old calls do nothing.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from modules import sd_models, sd_vae, shared

from ohwx_compare.errors import CheckpointError, MissingKeysError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.hosts.webui.generation import loading
from ohwx_compare.hosts.webui.generation.loaded import MODEL_PARTS

__all__ = ["Holding", "hold_model"]

_RELOADING = frozenset({
    "sd_model_checkpoint", "forge_additional_modules", "forge_async_loading", "forge_inference_memory",
    "forge_pin_shared_memory",
})  # fmt: skip
_LEAST = 17  # tensors of a part: with fewer the webui takes it for absent (`backend/loader.py` at dfdcbab6)
_VAE = "first_stage_model."
_ENCODERS: Mapping[int, str] = MappingProxyType({768: "conditioner.embedders.0.", 1280: "conditioner.embedders.1."})
_FIRST_BIASES = ("text_model.encoder.layers.0.layer_norm1.bias", "resblocks.0.ln_1.bias")


class Holding(Protocol):
    """The model of one run. Make it while the webui's queue lock is held, and give back at the end."""

    modules: Sequence[Path] | None
    """The files that are chosen beside the checkpoint, VAE and text encoders; None where the webui has no such list."""

    def load(self, entry: Any, *, forced: bool) -> None:
        """Put an entry's checkpoint into memory, the user's choice in the settings kept.

        forced: read the file, whatever the webui takes for loaded.
        """

    def keep(self, entry: Any) -> None:
        """See to it that the next picture is generated with this entry, whatever the user chose meanwhile."""

    def own_parts(self) -> tuple[str, ...]:
        """Those of `MODEL_PARTS` that came with the checkpoint, not from a VAE or text encoder chosen beside it."""

    def vae(self) -> Path | None:
        """The file of the VAE that was chosen beside the checkpoint; None where it has its own."""

    def overrides(self, users: Mapping[str, Any], entry: Any) -> dict[str, Any]:
        """The settings that a picture of this entry overrides, besides all that `users` does."""

    def give_back(self) -> None:
        """Have checkpoint and VAE as the user's settings say."""


def hold_model(overrides: Mapping[str, Any]) -> Holding:
    """overrides: the settings that the user overrides for these pictures."""
    return _ForNextPicture(overrides) if loading.loads_for_next_picture() else _AtOnce()


class _AtOnce:
    """AUTOMATIC1111, reForge, forge-classic."""

    def __init__(self) -> None:
        self.modules: Sequence[Path] | None = None

    def load(self, entry: Any, *, forced: bool) -> None:
        with _without_writing():
            if not forced:
                sd_models.reload_model_weights(info=entry)
                return
            getattr(sd_models, "checkpoints_loaded", {}).pop(entry, None)  # what was read of the file before
            before = id(loading.in_memory())
            sd_models.reload_model_weights(info=entry, forced_reload=True)
            if loading.builds_anew() and id(loading.in_memory()) == before:  # it went by the name all the same
                loading.unload_from_device()
                sd_models.model_data.sd_model = None
                sd_models.reload_model_weights(info=entry)

    def keep(self, entry: Any) -> None:
        """Nothing: `overrides` names it."""

    def own_parts(self) -> tuple[str, ...]:
        replaced = [_VAE] if loading.vae_in_memory() else []
        if loading.has_chosen_encoders():
            replaced += _ENCODERS.values()
        return tuple(part for part in MODEL_PARTS if part not in replaced)

    def vae(self) -> Path | None:
        return loading.vae_in_memory()

    def overrides(self, users: Mapping[str, Any], entry: Any) -> dict[str, Any]:
        return {**users, "sd_model_checkpoint": loading.alias_of(entry)}

    def give_back(self) -> None:
        sd_models.reload_model_weights()
        sd_vae.reload_vae_weights()


class _ForNextPicture:
    """Forge, forge-neo.

    Modules and storage type are those of the run's beginning: its pictures are found again by them.
    """

    def __init__(self, overrides: Mapping[str, Any]):
        self._users_hash = shared.opts.data.get("sd_checkpoint_hash", "")
        _page().refresh_model_loading_parameters()  # a setting that changed by the API stands in none of them yet
        self._parameters = {**sd_models.model_data.forge_loading_parameters, **_asked(overrides)}
        self._adds_loras_apart = _adds_loras_apart(overrides)
        self.modules: Sequence[Path] | None = [Path(name) for name in self._parameters.get("additional_modules") or ()]

    def load(self, entry: Any, *, forced: bool) -> None:
        """Raises MissingKeysError for a file that lacks a part: the webui would fail in words of its own."""
        self._require_parts(Path(entry.filename))
        self.keep(entry)
        if forced:
            sd_models.model_data.forge_hash = ""
        with ExitStack() as failing:
            failing.callback(_stand_in)
            sd_models.forge_model_reload()
            failing.pop_all()

    def keep(self, entry: Any) -> None:
        sd_models.model_data.forge_loading_parameters = {**self._parameters, "checkpoint_info": entry}
        _add_loras_apart(self._adds_loras_apart)

    def own_parts(self) -> tuple[str, ...]:
        replaced = {part for path in self.modules or () for part in _parts_of(path)}
        return tuple(part for part in MODEL_PARTS if part not in replaced)

    def vae(self) -> Path | None:
        return next((path for path in self.modules or () if _VAE in _parts_of(path)), None)

    def overrides(self, users: Mapping[str, Any], entry: Any) -> dict[str, Any]:
        """Without those by which the webui would go back to the user's checkpoint."""
        return {name: value for name, value in users.items() if name not in _RELOADING}

    def _require_parts(self, path: Path) -> None:
        names = read_header(path).tensors
        for part in self.own_parts():
            if sum(name.startswith(part) for name in names) < _LEAST:
                raise MissingKeysError(
                    f"{path.name} lacks {part}*, whole or nearly; the webui cannot load it so. Save the checkpoint "
                    "whole, or choose a file for that beside it."
                )

    def give_back(self) -> None:
        """It is loaded with the user's next picture, as after any choice of theirs."""
        shared.opts.data["sd_checkpoint_hash"] = self._users_hash  # a load writes it
        if loading.in_memory() is None:
            _stand_in()
        _page().refresh_model_loading_parameters()


def _page() -> Any:
    """The module behind Forge's choice of checkpoint; its `processing` loads it."""
    return sys.modules["modules_forge.main_entry"]


def _adds_loras_apart(overrides: Mapping[str, Any]) -> bool:
    """Whether LoRAs are added to each layer's result, not to its weights: a part of the storage type ("fp16 LoRA")."""
    kind = overrides.get("forge_unet_storage_dtype", shared.opts.forge_unet_storage_dtype)
    return bool(_page().forge_unet_storage_dtype_options.get(kind, (None, False))[1])


def _add_loras_apart(is_so: bool) -> None:
    """Forge keeps it in a dictionary, forge-neo in an object."""
    arguments = sys.modules["backend.args"].dynamic_args
    if isinstance(arguments, dict):
        arguments["online_lora"] = is_so
    else:
        arguments.online_lora = is_so


def _asked(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Of the settings that one picture overrides, those that are loading parameters."""
    found: dict[str, Any] = {}
    if (names := overrides.get("forge_additional_modules")) is not None:
        files = (_page().module_list.get(Path(name).name) for name in names)
        found["additional_modules"] = [file for file in files if file]
    if (kind := overrides.get("forge_unet_storage_dtype")) is not None:
        found["unet_storage_dtype"], _ = _page().forge_unet_storage_dtype_options.get(kind, (None, False))
    return found


def _stand_in() -> None:
    """After a load that failed: no model, and none that the webui takes for loaded."""
    data = sd_models.model_data
    data.forge_hash = ""
    if data.sd_model is None:
        data.sd_model = sd_models.FakeInitialModel()


def _parts_of(module: Path) -> Iterable[str]:
    """What of a checkpoint a file takes the place of that is chosen beside it.

    Told by its tensors, as Forge does (`backend/loader.py:replace_state_dict` at dfdcbab6); a file that is no
    .safetensors counts as a VAE.
    """
    try:
        tensors = read_header(module).tensors
    except CheckpointError:
        return (_VAE,)
    found = [_VAE] if any(name.endswith("decoder.conv_in.weight") for name in tensors) else []
    widths = {tensor.shape[0] for name, tensor in tensors.items() if name.endswith(_FIRST_BIASES)}
    return (*found, *(part for width, part in _ENCODERS.items() if width in widths))


def _without_writing() -> AbstractContextManager[Any]:
    """Keeps a load from becoming the user's choice, where the webui would make it that."""
    return sd_models.SkipWritingToConfig() if hasattr(sd_models, "SkipWritingToConfig") else nullcontext()
