"""How faces are seen: by dlib's network, or by one of the user's own on dlib's landmarks."""

from pathlib import Path

from ohwx_compare.engine.detect import Detector
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.judge.onnx_faces import OnnxFaces
from ohwx_compare.judge.references import FaceSight

__all__ = ["face_sight"]


def face_sight(
    files: tuple[Path, Path], detector: Detector, *, face_net: Path | None = None, device: str = "cpu"
) -> FaceSight:
    """files: dlib's network and landmarks (`find_face_files`). face_net: an ArcFace-type network (.onnx).

    Raises MeasureError for files that are not such, and for `face_net` without onnxruntime.
    """
    reader = FaceReader.load(*files, device=device)
    if face_net is None:
        return FaceSight(detector, reader)
    other = OnnxFaces(face_net, reader.points)
    return FaceSight(detector, other, network=other.network)
