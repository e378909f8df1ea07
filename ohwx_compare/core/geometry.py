"""Boxes and the two coordinate changes of the face pass, each one object that owns both directions.

Frame: XYXY in px of the named picture, x to the right, y down, half-open.
"""

from dataclasses import dataclass

__all__ = ["Box"]


@dataclass(frozen=True)
class Box:
    """A rectangle, XYXY px, floats allowed (detections) and half-open."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in px."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in px."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Area in px^2; 0 for an empty or inverted box."""
        return max(self.width, 0.0) * max(self.height, 0.0)
