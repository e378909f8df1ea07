"""Where face detectors lie: a file by the name an infotext gives it, and the names of all that are there."""

import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.core.request.named_values import CASCADE, MEDIAPIPE
from ohwx_compare.errors import DetectorError, MissingDetectorError

__all__ = ["adetailer_cache", "detector_file", "detectors_there", "has_detector", "mediapipe_files", "missing_detector"]

_SUFFIXES = (".pt", ".safetensors")
_SHORT = "face_detection/face_detection_short_range.tflite"
_FILES = MappingProxyType(dict(zip(MEDIAPIPE, (  # below the package's folder of modules
    ("face_detection/face_detection_full_range_sparse.tflite",), (_SHORT,),
    (_SHORT, "face_landmark/face_landmark.tflite"), (_SHORT, "face_landmark/face_landmark.tflite"),
), strict=True)))  # fmt: skip


def detector_file(name: str, folders: Sequence[Path]) -> Path | None:
    """The file that an infotext calls `name` ("face_yolov8n.pt"), None where there is none.

    Searched are `folders` with all below them, in order, then ADetailer's own download (Hugging Face's cache of
    Bingsu/adetailer); a `.safetensors` of the same stem serves as well.
    """
    wanted = Path(name.replace("\\", "/")).name
    return next((path for place in _places(folders) if (path := _file_below(place, wanted))), None)


def detectors_there(folders: Sequence[Path]) -> list[str]:
    """The names of all that can be chosen: files, sorted without regard to case, MediaPipe's, and OpenCV's own last."""
    files = {Path(name) for place in _places(folders) for _, _, names in os.walk(place) for name in names}
    names = {file.name for file in files if file.suffix in _SUFFIXES}
    modules = _mediapipe_modules()
    theirs = [name for name in MEDIAPIPE if modules and all((modules / file).is_file() for file in _FILES[name])]
    return [*sorted(names, key=str.casefold), *theirs, CASCADE]


def has_detector(name: str, folders: Sequence[Path]) -> bool:
    """Whether a detector of this name is there, of whatever kind."""
    if name in MEDIAPIPE:
        with suppress(DetectorError):
            return bool(mediapipe_files(name))
    return name == CASCADE or detector_file(name, folders) is not None


def mediapipe_files(name: str) -> list[Path]:
    """What one of MediaPipe's detectors computes with; the package is not loaded.

    Raises DetectorError where it is not installed or a version without them.
    """
    modules = _mediapipe_modules()
    files = [modules / file for file in _FILES[name]] if modules else []
    if not files or not all(file.is_file() for file in files):
        state = "brings no such detectors any more" if files else "is not installed"
        raise DetectorError(
            f"{name} is one of MediaPipe's detectors, and the package mediapipe {state}; install one that has them "
            "(pip install 'mediapipe<0.10.30'), or choose a YOLOv8 file instead."
        )
    return files


def missing_detector(name: str, folders: Sequence[Path]) -> DetectorError:
    """The error for a detector that is not there, with those that are."""
    if name in MEDIAPIPE:
        try:
            mediapipe_files(name)
        except DetectorError as error:
            return error
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


def _mediapipe_modules() -> Path | None:
    """The package's folder of modules; None where it is not installed. Looking for it takes milliseconds."""
    package = find_spec("mediapipe")
    places = list(package.submodule_search_locations or ()) if package else []
    return Path(places[0], "modules") if places else None
