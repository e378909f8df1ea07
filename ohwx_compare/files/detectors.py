"""Where face detectors lie: a file by the name an infotext gives it, and the names of all that are there."""

import os
from collections.abc import Sequence
from pathlib import Path

from ohwx_compare.core.request.face import CASCADE
from ohwx_compare.errors import DetectorError, MissingDetectorError

__all__ = ["adetailer_cache", "detector_file", "detectors_there", "missing_detector"]

_SUFFIXES = (".pt", ".safetensors")


def detector_file(name: str, folders: Sequence[Path]) -> Path | None:
    """The file that an infotext calls `name` ("face_yolov8n.pt"), None where there is none.

    Searched are `folders` with all below them, in order, then ADetailer's own download (Hugging Face's cache of
    Bingsu/adetailer); a `.safetensors` of the same stem serves as well.
    """
    wanted = Path(name.replace("\\", "/")).name
    return next((path for place in _places(folders) if (path := _file_below(place, wanted))), None)


def detectors_there(folders: Sequence[Path]) -> list[str]:
    """The names of all that can be chosen: files, sorted without regard to case, and OpenCV's own last."""
    files = {Path(name) for place in _places(folders) for _, _, names in os.walk(place) for name in names}
    names = {file.name for file in files if file.suffix in _SUFFIXES}
    return [*sorted(names, key=str.casefold), CASCADE]


def missing_detector(name: str, folders: Sequence[Path]) -> DetectorError:
    """The error for a detector that is not there, with those that are."""
    if name.startswith("mediapipe_"):
        return DetectorError(
            f"{name} is one of MediaPipe's detectors, which are not supported; choose a YOLOv8 file instead."
        )
    looked = ", ".join(map(str, _places(folders)))
    where = f"looked in: {looked}" if looked else "no folder of detectors was found"
    other = ", or put the file into one of these folders" if looked else ""
    return MissingDetectorError(
        f"There is no face detector {name[:200]} ({where}). Choose one that is there "
        f"({', '.join(detectors_there(folders))}){other}."
    )


def _places(folders: Sequence[Path]) -> list[Path]:
    return [*map(Path, folders), *_snapshots()]


def _file_below(folder: Path, name: str) -> Path | None:
    """The file `name` in `folder` or below, else the safetensors of its stem. Sorted, so always the same one."""
    for wanted in (name, Path(name).stem + ".safetensors"):
        for parent, folders, files in os.walk(folder, followlinks=False):
            folders.sort()
            if wanted in files and (Path(parent) / wanted).is_file():
                return Path(parent) / wanted
    return None


def adetailer_cache() -> Path:
    """Where ADetailer's own download lies, if it is there: Bingsu/adetailer in Hugging Face's cache."""
    environment = os.environ
    home = environment.get("HF_HOME") or Path(
        environment.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface"
    )
    hub = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE") or Path(home, "hub")
    return Path(hub).expanduser() / "models--Bingsu--adetailer"


def _snapshots() -> list[Path]:
    """The versions of that download, the one in use first."""
    repository = adetailer_cache()
    snapshots = sorted(repository.glob("snapshots/*"), reverse=True)
    main = repository / "refs" / "main"
    current = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    return sorted(snapshots, key=lambda path: path.name != current)
