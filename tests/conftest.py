"""Shared parts of the tests: the goldens' folder and the tiny checkpoints, drawn once a session."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors: more threads only wait for each other
settings.register_profile("explore", deadline=None)
settings.register_profile("repeat", deadline=None, derandomize=True)  # a submission is judged by the same examples
settings.load_profile("repeat" if os.environ.get("CI") else "explore")

GOLDENS = Path(__file__).parent / "goldens"
SEED = Path(__file__).parent / "seed"


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Folder of the webui's own answers."""
    return GOLDENS


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is remembered in the user's own folders."""
    cache = str(tmp_path_factory.getbasetemp() / "cache")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, cache)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with tiny_base, tiny_reg and tiny_noreg (.safetensors)."""
    from ohwx_compare.toy.drawn import draw_tiny  # here, so that tests without it import no torch

    folder = tmp_path_factory.mktemp("tiny")
    draw_tiny(folder)
    return folder
