"""What the webui's tab holds besides the picture it would generate, as a request reads it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ohwx_compare.core.experiment.kind import PicturePart
from ohwx_compare.core.prompt.styles import Style

__all__ = ["TabContext"]


@dataclass(frozen=True, kw_only=True)
class TabContext:
    """What the webui's tab holds besides the picture it would generate."""

    styles: tuple[Style, ...] = ()  # chosen there
    known_styles: Mapping[str, Style] = field(default_factory=dict)  # all that the webui knows
    adetailer: Callable[[], Sequence[Mapping[str, Any]]] = tuple  # gives the tabs it would run, as face settings
    has_comments: bool = False  # `#` begins one in a prompt
    is_before_schedules: bool = False  # a sampler's name tells its schedule too, as up to 1.8
    part: Callable[[PicturePart], Mapping[str, Any]] = lambda part: {}  # fields of its job that tell that
