"""The script's arguments: its panel's values. Light: a webui's start needs it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["ARGUMENTS", "AS_PICTURE", "AXES", "NOTHING", "NO_DETECTOR", "Panel"]

NOTHING = "Nothing"  # X/Y/Z's word for no axis
NO_DETECTOR = "None"  # ADetailer's word for a tab that is off
AS_PICTURE = "as the picture"
AXES = (1, 2, 3)


class Panel(NamedTuple):  # made in a seventh of the time of a dataclass
    """The script's arguments in their order; the defaults are the article's face pass."""

    json: Any = ""  # the API's one argument: a JSON object or its text; the rest does not count then
    checkpoints: Sequence[str] = ()
    axis_1: str = NOTHING  # a kind's name or title
    values_1: str = ""
    axis_2: str = NOTHING
    values_2: str = ""
    axis_3: str = NOTHING
    values_3: str = ""
    faces: bool = True
    adetailer: bool = False  # its tabs count, in place of all that follows up to `more_tabs`
    detector: str = "face_yolov8n.pt"  # NO_DETECTOR: `more_tabs` are all
    confidence: float = 0.3
    top_k: int = 1
    dilate: int = 4
    blur: int = 4
    denoise: float = 0.5
    only_masked: bool = True
    padding: int = 32
    steps: int = 80  # 0: as the picture; so are 0 and SAME below
    prompt: str = ""
    negative: str = ""
    top_k_by: str = "Area"
    min_ratio: float = 0.0
    max_ratio: float = 1.0
    sort: str = "None"
    x_offset: int = 0
    y_offset: int = 0
    merge: str = "None"
    width: int = 0
    height: int = 0
    cfg: float = 0.0
    sampler: str = AS_PICTURE
    schedule: str = AS_PICTURE
    more_tabs: str = ""  # JSON list of tabs after this one, as in `faces`
    keep_before: bool = True
    name: str = ""
    control: str = NOTHING  # the base checkpoint, asked for the class
    class_token: str = "ohwx man"
    class_words: str = ""  # in its place; "": all but its first word
    more_axes: str = ""  # one a line: "CFG scale: 5, 7"
    sheet_margin: str = ""  # px; "": as its text needs
    sheet_legend: bool = True
    sheet_pictures: bool = True  # the gallery shows each picture too
    sheet_each: str = NOTHING  # an axis: a sheet for each of its values

    @classmethod
    def of(cls, arguments: Sequence[Any]) -> "Panel":
        """Read a list that may be too short, or hold None where the API has no value; both mean the default."""
        pairs = zip(cls._fields, arguments, strict=False)
        return cls(**{name: value for name, value in pairs if value is not None})


ARGUMENTS = Panel._fields
"""Names of the script's arguments, in order."""
