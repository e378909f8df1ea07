"""Shared parts of the tests: the goldens' folder and the tiny checkpoints, drawn once a session."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors: more threads only wait for each other
settings.register_profile("explore", deadline=None)
settings.register_profile("repeat", deadline=None, derandomize=True)  # a submission is judged by the same examples
settings.load_profile("repeat" if os.environ.get("CI") else "explore")

GOLDENS = Path(__file__).parent / "goldens"
SEED = Path(__file__).parent / "seed"
EARLIER = Path(__file__).parent / "earlier"


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: a fifth of the time tests wait for a browser or for a process of theirs."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)  # when it is known which ones run
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each worker begins with its share of those marked `slow(first=True)`: begun last, one keeps all others waiting.

    The workers get equal parts of the list, front to back.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    is_first = [any(mark.kwargs.get("first") for mark in item.iter_markers("slow")) for item in items]
    first, rest = ([item for item, is_so in zip(items, is_first, strict=True) if is_so == way] for way in (True, False))
    items.clear()
    for number in range(workers):
        items += first[number::workers]
        items += rest[len(rest) * number // workers : len(rest) * (number + 1) // workers]


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Folder of the webui's own answers."""
    return GOLDENS


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is remembered in the user's own folders, also by fixtures of a session and after `monkeypatch.undo()`."""
    cache = str(tmp_path_factory.getbasetemp() / "cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            patch.setenv(name, cache)
        yield


@pytest.fixture
def earlier(tmp_path: Path) -> Callable[[str], Path]:
    """`earlier("44c9ee7")`: a copy of what that version made, see tests/earlier/README.md."""

    def unpack(version: str) -> Path:
        shutil.unpack_archive(EARLIER / f"{version}.tar.xz", tmp_path / version)
        return tmp_path / version

    return unpack


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with tiny_base, tiny_reg and tiny_noreg (.safetensors)."""
    from ohwx_compare.testing.tiny import draw_tiny  # here, so that tests without it import no torch

    folder = tmp_path_factory.mktemp("tiny")
    draw_tiny(folder)
    return folder


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of SDXL's layout still smaller than tiny_base: a step in a tenth of a second."""
    import torch
    from safetensors.numpy import save_file

    from ohwx_compare.engine.weights import PREFIXES
    from ohwx_compare.models.text import ClipG, ClipL, TextConfig
    from ohwx_compare.models.unet import UNet, UNetConfig
    from ohwx_compare.models.vae import VAE, VAEConfig
    from ohwx_compare.toy.drawn import draw_tensor

    with torch.device("meta"):
        parts = {
            "unet": UNet(UNetConfig(widths=(32, 64), depths=(0, 1), middle=1, blocks=1, context=128, vector=1600)),
            "vae": VAE(VAEConfig(widths=(32, 32, 32, 32), blocks=1)),
            "clip_l": ClipL(TextConfig(width=64, layers=2)),
            "clip_g": ClipG(TextConfig(width=64, layers=2)),
        }
    state = {
        PREFIXES[part] + name: draw_tensor(PREFIXES[part] + name, tuple(tensor.shape), seed=1)
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }
    path = tmp_path_factory.mktemp("mini") / "mini.safetensors"
    save_file(state, path, metadata={"format": "pt"})
    return path


@pytest.fixture(scope="session")
def face_files() -> Path:
    """Folder of dlib's two files, where .ci/run puts an archive of photographs too; skips where there is none."""
    from ohwx_compare.errors import MeasureError
    from ohwx_compare.judge.weights import find_face_files

    named = os.environ.get("OHWX_FACE_FILES")
    try:
        return find_face_files(named=Path(named) if named else None)[0].parent
    except MeasureError as error:
        pytest.skip(f"{error} Then set OHWX_FACE_FILES to its folder, or install the extra [likeness].")
