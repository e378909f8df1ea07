"""Shared parts of the tests: the goldens' folder and the tiny checkpoints, drawn once a session."""

from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"
SEED = Path(__file__).parent / "seed"


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Folder of the webui's own answers."""
    return GOLDENS
