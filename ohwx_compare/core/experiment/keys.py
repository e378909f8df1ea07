"""The two keys of a cell: sha256 of all that its pixels depend on, and of nothing else."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job

__all__ = ["PIXELS", "after_key", "before_key", "canonical"]

PIXELS = 1
"""Raised by one when, and only when, the same request gives other pixels than before: it makes older pictures stale."""


def canonical(value: Any) -> str:
    """One JSON text for one meaning: keys sorted, no blanks, 7.0 written as 7."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def before_key(job: Job, fingerprint: Mapping[str, Any], checkpoint_sha256: str) -> str:
    """Key (64 hex digits) of the picture before the face pass.

    `fingerprint` is `Host.fingerprint(job)`. Left out because they move no pixel: clip skip (SDXL ignores it; a host
    that does not puts it into the fingerprint) and the subseed while its strength is 0.
    """
    asked = asdict(job)
    del asked["clip_skip"]
    if job.subseed_strength == 0:
        del asked["subseed"], asked["subseed_strength"]
    return _digest({"job": asked, "host": fingerprint, "checkpoint": checkpoint_sha256, "pixels": PIXELS})


def after_key(before: str, faces: Sequence[FaceSettings], detectors: Sequence[str]) -> str:
    """Key of the picture after the face pass; `detectors` holds each tab's detector sha256, in order."""
    tabs = [{**asdict(tab), "clip_skip": None} for tab in faces]
    return _digest({"before": before, "faces": tabs, "detectors": list(detectors), "pixels": PIXELS})


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
