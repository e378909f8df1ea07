"""Settings of a version to come, which starts with both of its new ones on."""

from dataclasses import dataclass
from types import MappingProxyType

import pytest

from ohwx_compare.core.experiment import experiment, key_text
from ohwx_compare.core.experiment.key_text import FACE_DEFAULTS, JOB_DEFAULTS
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job


@dataclass(frozen=True, kw_only=True)
class LaterJob(Job):
    """A job with one more field."""

    sharpness: float = 0.5


@dataclass(frozen=True, kw_only=True)
class LaterFace(FaceSettings):
    """A face tab with one more field."""

    hair: bool = True


def grown(kind, settings, **new):
    """`settings` as that version has them."""
    return kind(**vars(settings), **new)


def tell_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """That version's entries in the tables: both off, as everything was drawn before."""
    for name, defaults in (
        ("JOB_DEFAULTS", {**JOB_DEFAULTS, "sharpness": 0.0}),
        ("FACE_DEFAULTS", {**FACE_DEFAULTS, "hair": False}),
    ):
        monkeypatch.setattr(key_text, name, MappingProxyType(defaults))


def come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let experiments be that version's."""
    tell_keys(monkeypatch)
    monkeypatch.setattr(experiment, "Job", LaterJob)
    monkeypatch.setattr(experiment, "FaceSettings", LaterFace)
