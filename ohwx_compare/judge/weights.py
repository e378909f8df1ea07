"""The files that likeness reads: which they are and where they are looked for. They are never part of this package.

Both come inside the package face-recognition-models on PyPI. Its LICENSE is CC0 1.0 Universal and its README says that
Davis King made the models and put them into the public domain; so does https://github.com/davisking/dlib-models, which
also says what they learned from: 3 million faces of FaceScrub, VGG Face and the web; 7,198 faces of the web.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ohwx_compare.errors import MeasureError
from ohwx_compare.files.hashes import cache_folder

__all__ = [
    "DLIB_FACES", "FACE_LANDMARKS", "FACE_LICENCE", "FACE_NET", "FaceNetwork", "KnownFile", "find_face_files",
    "require_known", "weights_folder", "weights_folders",
]  # fmt: skip

FACE_LICENCE = "CC0 1.0 Universal (public domain)"


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """A file that is taken with these bytes only."""

    name: str
    sha256: str
    size: int  # bytes

    def has_bytes(self, data: bytes) -> bool:
        """Whether `data` is this file's content."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


FACE_NET = KnownFile(
    name="dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    size=22_466_066,
)
FACE_LANDMARKS = KnownFile(
    name="shape_predictor_5_face_landmarks.dat",
    sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    size=9_150_489,
)
_PACKAGE = "face_recognition_models"


@dataclass(frozen=True, kw_only=True)
class FaceNetwork:
    """The network that turns faces into numbers: numbers of two networks are never held against each other."""

    name: str  # as a report says it; "" dlib's, the usual one
    sha256: str
    licence: str
    same_person: float  # faces nearer to each other than this are of one person


DLIB_FACES = FaceNetwork(name="", sha256=FACE_NET.sha256, licence=FACE_LICENCE, same_person=0.6)
"""What its author trained it to: https://github.com/davisking/dlib-models."""


def find_face_files(folders: Sequence[Path] = (), named: Path | None = None) -> tuple[Path, Path]:
    """The network's file and the landmarks', both verified by their hashes.

    Looked for in `named` alone where it is given, a folder or the network's file with the other beside it; else in
    `folders` in their order, then in an installed face-recognition-models, which is not imported (that fails without
    pkg_resources). The first place that has both is taken. Raises MeasureError that says where was looked, or which
    file is another than the known one.
    """
    places = [named if named.is_dir() else named.parent] if named else [*folders, *_installed()]
    for place in places:
        network, landmarks = place / FACE_NET.name, place / FACE_LANDMARKS.name
        if network.is_file() and landmarks.is_file():
            require_known(network, FACE_NET)
            require_known(landmarks, FACE_LANDMARKS)
            return network, landmarks
    looked = ", ".join(map(str, places)) or "nowhere, no folder was given"
    raise MeasureError(
        f"The face network was not found ({FACE_NET.name} and {FACE_LANDMARKS.name}; looked in: {looked}). "
        "`ohwx weights likeness` fetches it."
    )


def require_known(path: Path, known: KnownFile) -> None:
    """Raise MeasureError unless `path` has the known size and sha256."""
    try:
        data = path.read_bytes() if path.stat().st_size == known.size else b""
    except OSError as error:
        raise MeasureError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not known.has_bytes(data):
        raise MeasureError(
            f"{path} is not the file that likeness is measured with: expected {known.size:,} bytes of sha256 "
            f"{known.sha256}. Delete it, and fetch the right one with `ohwx weights likeness`."
        )


def weights_folder(checkpoints: Path | None) -> Path:
    """Where weights are put: `ohwx` beside a folder of checkpoints, so models/ohwx in a webui; else the user's cache.

    Raises MeasureError for a user without a home.
    """
    if checkpoints is not None:
        return checkpoints.absolute().parent / "ohwx"
    if (cache := cache_folder()) is None:
        raise MeasureError("You have no cache folder; name a folder of checkpoints, and the files go beside it.")
    return cache.parent / "weights"


def weights_folders(checkpoints: Path | None) -> list[Path]:
    """Where weights are looked for, those that exist: around the checkpoints, models/ohwx here, the user's cache."""
    roots = [checkpoints.parent, checkpoints.parent.parent / "models"] if checkpoints else []
    cache = cache_folder()
    usual = [*(root / "ohwx" for root in roots), Path("models", "ohwx"), *([cache.parent / "weights"] if cache else [])]
    return [folder for folder in dict.fromkeys(usual) if folder.is_dir()]


def _installed() -> list[Path]:
    """The folder of models of an installed package, without importing it."""
    spec = find_spec(_PACKAGE)
    return [Path(place, "models") for place in (spec.submodule_search_locations or ())] if spec else []
