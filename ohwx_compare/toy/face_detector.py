"""The toy face detector: YOLOv8's layout at a small size, trained on the toy world alone, saved as ultralytics does."""

from importlib import resources
from pathlib import Path

from ohwx_compare.files.atomic import ensure_bytes

__all__ = ["DETECTOR", "write_toy_detector"]

DETECTOR = "toy_face_yolov8.pt"


def write_toy_detector(path: Path) -> None:
    """Write the toy face detector to `path` (0.7 MB) where it is not yet. Raises OSError."""
    ensure_bytes(path, (resources.files(__package__) / "data" / DETECTOR).read_bytes())
