"""What the webui has in memory and in its list of checkpoints: all that calls its `sd_models` and `sd_vae`.

How a checkpoint is put there for a run and given back is `holding.py`'s question, what a model's tensors are called
`parameters.py`'s. Light: the panel needs the list at start-up.
"""

import sys
from pathlib import Path
from typing import Any

from modules import devices, hashes, sd_models, sd_vae, shared

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import trainings_folder

__all__ = [
    "alias_of",
    "builds_anew",
    "entry_of",
    "forget_networks",
    "has_chosen_encoders",
    "in_memory",
    "is_loaded",
    "known_sha256",
    "knows_sizes_by_heart",
    "list_again",
    "loaded_name",
    "loads_for_next_picture",
    "unload",
    "unload_from_device",
    "vae_file",
    "vae_in_memory",
    "vae_names",
    "vaes_beside",
]

_MANAGERS = ("backend.memory_management", "ldm_patched.modules.model_management")  # of Forge's kin


def in_memory() -> Any:
    """The model in memory; loads the user's where there is none yet and the webui does not wait for a picture."""
    return shared.sd_model


def is_loaded(path: Path) -> bool:
    """Whether the webui says that the model in memory is this file's."""
    info = _info()
    return info is not None and _is_same_file(info.filename, path)


def loaded_name() -> str:
    """What the webui calls the checkpoint in memory."""
    return getattr(_info(), "name", "nothing")


def builds_anew() -> bool:
    """Whether the webui makes a new model for each checkpoint, so that nothing of the model before is left."""
    return hasattr(in_memory(), "forge_objects")


def loads_for_next_picture() -> bool:
    """Whether it loads by what its page chose, at the next picture, as Forge and forge-neo do, and not where asked."""
    return hasattr(sd_models, "forge_model_reload")


def knows_sizes_by_heart() -> bool:
    """Whether it builds models of the sizes it knows, as Forge's kin do, and not by a file beside a checkpoint."""
    return _manager() is not None


def vae_in_memory() -> Path | None:
    """The file of the VAE in memory; None of the checkpoint's own."""
    return Path(sd_vae.loaded_vae_file) if sd_vae.loaded_vae_file else None


def has_chosen_encoders() -> bool:
    """Whether the text encoders in memory are those of another file, by reForge's setting "Text Encoder".

    "Automatic" takes those of the file called like the checkpoint, which may be its own and may be a namesake's.
    """
    is_apart = getattr(in_memory(), "_separate_te_loaded", False)
    return is_apart and features.option("sd_text_encoder", "Automatic") not in ("Automatic", "None")


def vae_file(name: Any) -> Path:
    """The file of a VAE as the settings name it; one that is not there where that is no file's name."""
    return Path(sd_vae.vae_dict.get(name, name) or "")


def vae_names() -> list[str]:
    """The VAEs that a picture's settings may name; none where the webui takes them from its page alone."""
    if loads_for_next_picture():
        return []
    return ["Automatic", "None", *map(str, sd_vae.vae_dict)]


def vaes_beside(checkpoint: Path) -> list[Path]:
    """The VAE files that the webui takes for this checkpoint alone, where its settings leave that open.

    By the file's name or by what the user noted for the checkpoint: `modules/sd_vae.py:resolve_vae` at 82a973c.
    """
    if not features.has_option("sd_vae"):  # Forge's kin take what is chosen beside the checkpoint, and no other
        return []
    near, noted = (
        getattr(sd_vae, name, None) for name in ("find_vae_near_checkpoint", "resolve_vae_from_user_metadata")
    )
    found = [near(str(checkpoint)) if near else None, noted(str(checkpoint)).vae if noted else None]
    return [Path(file) for file in dict.fromkeys(found) if file and Path(file).is_file()]


def unload() -> None:
    """Have the device's memory free; the next picture puts a model there again. Hold the queue lock.

    Forge's kin move the model off the device, and could not generate any more without it.
    """
    if unload_from_device() or not hasattr(sd_models, "send_model_to_trash"):
        return
    data = sd_models.model_data
    for model in [*getattr(data, "loaded_sd_models", ())] or [data.sd_model]:
        if model is not None:
            sd_models.send_model_to_trash(model)
    data.set_sd_model(None)
    getattr(data, "loaded_sd_models", []).clear()
    devices.torch_gc()


def unload_from_device() -> bool:
    """Move every model off the device, in a webui that has a manager for that; else False."""
    if (manager := _manager()) is not None:
        manager.unload_all_models()
        devices.torch_gc()
    return manager is not None


def forget_networks() -> None:
    """Have LoRA files read again: Forge's kin go by their names, also where a file was replaced.

    `extensions-builtin/sd_forge_lora/networks.py` and `backend/patcher/lora.py` at dfdcbab6.
    """
    reader: Any = getattr(sys.modules.get("networks"), "load_lora_state_dict", None)
    if hasattr(reader, "cache_clear"):
        reader.cache_clear()
    if hasattr(in_memory(), "current_lora_hash"):
        in_memory().current_lora_hash = ""  # equal to no choice of LoRAs
    if (objects := getattr(in_memory(), "forge_objects", None)) is not None:
        for patcher in (objects.unet, objects.clip.patcher):
            if (loader := getattr(patcher, "lora_loader", None)) is not None:
                loader.loaded_hash = ""  # of those that were added to the weights


def list_again() -> None:
    """Have the webui read its folders of checkpoints and VAEs again; of VAEs not while a job may look one up."""
    sd_models.list_models()
    if not shared.state.job:
        sd_vae.refresh_vae_list()


def entry_of(checkpoint: Checkpoint) -> Any:
    """The webui's entry of exactly this file; its list is read again where it has none.

    A file of our trainings lies outside the webui's folders and is entered into its list. Raises HostError for any
    other that the list does not hold.
    """
    found = _entry(checkpoint.path)
    if found is None:
        list_again()
        found = _entry(checkpoint.path)
    if found is not None:
        return found
    if checkpoint.path.resolve().is_relative_to(trainings_folder().resolve()) and checkpoint.path.is_file():
        entry = sd_models.CheckpointInfo(str(checkpoint.path))
        entry.register()
        return entry
    raise HostError(f"The webui does not list {checkpoint.path}; press the refresh button of its checkpoint list.")


def alias_of(entry: Any) -> str:
    """A name that the webui's table leads to this file: several files may share a stem or an old hash.

    Raises HostError where there is none.
    """
    for name in (entry.name, entry.title, *entry.ids):
        if sd_models.checkpoint_aliases.get(name) is entry:
            return name
    raise HostError(f"The webui takes every name of {entry.filename} for another file; rename it.")


def known_sha256(path: Path) -> str | None:
    """The hash that the webui keeps of a file; None where it never read it."""
    for info in list(sd_models.checkpoints_list.values()):
        if str(info.filename) == str(path):
            return hashes.sha256_from_cache(info.filename, f"checkpoint/{info.name}")
    return None


def _manager() -> Any:
    return next((sys.modules[name] for name in _MANAGERS if name in sys.modules), None)


def _info() -> Any:
    """The entry of the checkpoint in memory; None of none."""
    return getattr(in_memory(), "sd_checkpoint_info", None)


def _entry(path: Path) -> Any:
    return next(
        (info for info in list(sd_models.checkpoints_list.values()) if _is_same_file(info.filename, path)), None
    )


def _is_same_file(one: str | Path, other: str | Path) -> bool:
    return Path(one).resolve() == Path(other).resolve()
