"""What came of a cell and of each face in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

__all__ = ["FaceRecord", "Fate", "Outcome"]


class Outcome(str, Enum):
    """What came of a cell. The values are stored in ledgers and pictures; `words` is what a person reads."""

    PENDING = "not drawn yet"
    DRAWN = "drawn"  # no face pass was asked for
    FACES = "faces inpainted"
    NO_FACE = "no face found"
    NONE_KEPT = "faces found, none inpainted"
    FAILED = "failed"

    @property
    def words(self) -> str:
        """The outcome as it is shown."""
        return _SHOWN.get(self, self.value)


_SHOWN: Mapping[Outcome, str] = MappingProxyType(  # where it is not the stored value
    {Outcome.PENDING: "not generated yet", Outcome.DRAWN: "generated"}
)


class Fate(str, Enum):
    """What came of one detected face."""

    INPAINTED = "inpainted"
    FILTERED = "filtered"  # by ratio, top k, or an empty mask after erosion
    SKIPPED = "skipped"  # the prompt said [SKIP]


@dataclass(frozen=True, kw_only=True)
class FaceRecord:
    """One detection of one tab."""

    tab: int  # from 0
    box: tuple[float, float, float, float]  # XYXY px of the picture
    confidence: float  # 0..1
    detector: str  # its file, or the cascade's name
    fate: Fate
    reason: str = ""  # why it was filtered
    mask: int | None = None  # number of the mask it went into, from 0; merged faces share one
    prompt: str = ""  # as drawn, [PROMPT] resolved; "" where nothing was drawn
    seed: int | None = None  # as drawn

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the same record back."""
        return {**asdict(self), "box": list(self.box), "fate": self.fate.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "FaceRecord":
        """Read what `to_json` wrote. Raises TypeError or ValueError on anything else."""
        return cls(**{**data, "box": tuple(data["box"]), "fate": Fate(data["fate"])})
