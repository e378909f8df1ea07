"""What a text of an earlier webui means besides its keys: how that version sampled, which later ones can still do.

`backcompat` in modules/infotext_versions.py, 82a973c: what the webui sets when such a text is pasted.
"""

import re
from typing import Any

from ohwx_compare.core.infotext.pairs import Infotext
from ohwx_compare.core.request.job import Job

__all__ = ["as_of_its_version"]

_VERSION = re.compile(r"v?(\d{1,4}(?:\.\d{1,4})+)(?:-(\d{1,6})(?:-.*)?|-[A-Za-z].*)?")
_Version = tuple[tuple[int, ...], int]  # of a release, and how many commits after it
_NEW_TIMELINES, _FULL_LEVELS = ((1, 6, 0), 0), ((1, 7, 0), 225)


def as_of_its_version(infotext: Infotext, job: Job) -> dict[str, Any]:
    """Fields of `job` that differ for a text of that version, and of no fork; DDIM and PLMS padded texts before 1.6."""
    wrote = _version(infotext.get("Version") or "")
    if wrote is None:
        return {}
    said: dict[str, Any] = {}
    if wrote < _NEW_TIMELINES and "[" in job.prompt:
        said["old_timelines"] = True
    if wrote < _NEW_TIMELINES and job.sampler in ("DDIM", "PLMS"):
        said["pad_negative"] = True
    if wrote < _FULL_LEVELS:
        said["half_levels"] = True
    return said


def _version(text: str) -> _Version | None:
    found = _VERSION.fullmatch(text.strip())
    if not found:
        return None
    numbers = tuple(map(int, found[1].split(".")))
    return (numbers + (0,) * (3 - len(numbers)))[:3], int(found[2] or 0)
