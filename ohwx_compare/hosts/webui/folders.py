"""Where files are in this webui. Light: the entry needs it at start-up."""

import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from modules import paths, shared

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.detectors import adetailer_cache, detectors_there
from ohwx_compare.files.listing import list_checkpoints
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.settings import RUNS_FOLDER, setting
from ohwx_compare.words import quoted

if TYPE_CHECKING:
    from ohwx_compare.compare.host import Checkpoint

__all__ = [
    "as_shown",
    "checkpoint_files",
    "checkpoint_folders",
    "checkpoints_here",
    "detector_folders",
    "detector_names",
    "experiments_folder",
    "listed_checkpoints",
    "listed_files",
    "require_shown",
    "runs_folder",
    "trainings_folder",
]


def checkpoint_folders() -> list[Path]:
    """Where checkpoints are: the webui's folders, `--ckpt-dir` first, then our trainings; those that exist."""
    named = [*features.model_folders(), trainings_folder()]
    return [path for path in dict.fromkeys(folder.resolve() for folder in named) if path.is_dir()]


def checkpoint_files() -> dict[str, Path]:
    """Every .safetensors file below those folders by its name, with "/" between folders; the first folder wins."""
    found: dict[str, Path] = {}
    for folder in checkpoint_folders():
        for name in list_checkpoints(folder):
            found.setdefault(name, folder / name)
    return found


@cache
def listed_files() -> Mapping[str, Path]:
    """`checkpoint_files` as they were when first asked for; again after `listed_files.cache_clear()`.

    For what is asked for at each key: folders with thousands of files take seconds to walk.
    """
    return checkpoint_files()


def checkpoints_here() -> list["Checkpoint"]:
    """`checkpoint_files` as a host has them."""
    return _as_checkpoints(checkpoint_files())


def listed_checkpoints() -> list["Checkpoint"]:
    """`listed_files` as a host has them."""
    return _as_checkpoints(listed_files())


def _as_checkpoints(files: Mapping[str, Path]) -> list["Checkpoint"]:
    from ohwx_compare.compare.host import Checkpoint

    return [Checkpoint(name, path) for name, path in files.items()]


def detector_folders() -> list[Path]:
    """Where detectors are looked for: ADetailer's folders and our own."""
    models = Path(paths.models_path)
    named = str(shared.opts.data.get("ad_extra_models_dir") or "").split("|")
    return [models / "adetailer", models / "ohwx", *(Path(name.strip()) for name in named if name.strip())]


def detector_names() -> list[str]:
    """All detectors that can be chosen: the files in those folders and in ADetailer's own, OpenCV's last."""
    return detectors_there(detector_folders())


def runs_folder() -> Path:
    """Where run folders are: where the settings say, else below the webui's data path, never inside the extension."""
    named = str(setting(RUNS_FOLDER) or "").strip()
    return Path(paths.data_path) / (Path(named).expanduser() if named else Path("outputs", "ohwx", "compare"))


def trainings_folder() -> Path:
    """Where trainings are, each a folder with its checkpoints: below the webui's data path."""
    return Path(paths.data_path) / "outputs" / "ohwx" / "train"


def experiments_folder() -> Path:
    """Where whole experiments are, each a folder with its trainings and comparisons."""
    return Path(paths.data_path) / "outputs" / "ohwx" / "experiments"


def as_shown(text: str) -> str:
    """`text` for the webui's page: without the places of the webui's folders on its machine.

    "models/adetailer" stands for the folder of that name, wherever the webui lies.
    """
    data = Path(paths.data_path)
    named = {data: "", runs_folder(): "", Path(paths.models_path): "models", adetailer_cache(): "ADetailer's download"}
    others = (*features.model_folders(), *detector_folders())
    named |= {folder: folder.name for folder in others if data not in folder.parents}
    roots = {str(form): name for folder, name in named.items() for form in (folder, folder.resolve())}
    for root, name in sorted(roots.items(), key=lambda item: -len(item[0])):
        if len(Path(root).parts) > 1:
            for written in {root, root.replace("\\", "\\\\")}:
                text = re.sub(re.escape(written) + r"([/\\]+|(?![\w.-]))", _name_of(name), text)
    return text


def _name_of(name: str) -> Callable[[re.Match[str]], str]:
    def shown(found: re.Match[str]) -> str:
        return (name and f"{name}/") if found[1] else name or "the webui's folder"

    return shown


def require_shown(path: Path) -> None:
    """Raise ExperimentError where the webui's own --hide-ui-dir-config hides this place from its users.

    Its text is looked at first: on Windows, to look for a network path is to log in there.
    """
    if not features.hides_folders():
        return
    roots = [Path(paths.data_path), runs_folder(), *features.model_folders()]
    wanted = Path(os.path.abspath(path))  # noqa: PTH100  as text: no file is asked
    is_below = any(wanted.is_relative_to(os.path.abspath(root)) for root in roots)  # noqa: PTH100
    try:
        is_shown = is_below and any(path.resolve().is_relative_to(root.resolve()) for root in roots)
    except (OSError, ValueError, RuntimeError):  # no name for a file; links in a circle
        is_shown = False
    if not is_shown:
        raise ExperimentError(
            f"The webui runs with --hide-ui-dir-config: {quoted(str(path))} is not in its own folders. Choose a place "
            "below them."
        )
