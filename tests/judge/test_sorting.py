"""Pictures sorted by likeness: the order, the copies' names, and nothing of the user's written over."""

import csv
import io
import json

import pytest
from test_likeness import ME, OTHER, ColourReader, SquareDetector, picture, shade
from test_onnx_faces import EYES, WHY, graph

from ohwx_compare.cli.main import main
from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.references import FaceSight, read_references
from ohwx_compare.judge.sorting import place_sorted, require_apart, sort_by


class Eyes:
    """Landmarks a fixed way into a face's box."""

    def points(self, pixels, box):
        return EYES * 0.5 + complex(box.x1, box.y1)


MIDDLE = tuple((a + b) // 2 for a, b in zip(ME, OTHER, strict=True))
LIKE = {"stranger": OTHER, "=half": MIDDLE, "me ü": ME}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for by in (-4, 0, 4):
        picture((shade(ME, by), 80)).save(folder / f"={by}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    """Three pictures from the least alike on, one without a face, one that is no picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in LIKE.items():
        picture((colour, 80)).save(folder / f"{name}.png")
    picture().save(folder / "empty.png")
    return folder


@pytest.fixture
def order(photos, folder):
    sight = FaceSight(SquareDetector(), ColourReader())
    return sort_by(Likeness(sight, read_references([photos], sight)), sorted(folder.iterdir()), is_distance=True)


def test_the_most_alike_first_and_those_without_a_face_last(order):
    assert [one.path.stem for one in order] == ["me ü", "=half", "stranger", "empty"]
    assert order[-1].score.outcome == "no face"


@pytest.mark.parametrize("links", [False, True])
def test_copies_sort_by_name_and_the_same_call_again_adds_nothing(order, tmp_path, links):
    for _ in range(2):
        placed = place_sorted(order, tmp_path / "out", links=links)
        assert sorted((tmp_path / "out").iterdir()) == placed
        assert [path.name.split(" ", 2)[::2] for path in placed] == [
            ["0001", "me ü.png"], ["0002", "=half.png"], ["0003", "stranger.png"],
        ]  # fmt: skip
    assert placed[0].read_bytes() == order[0].path.read_bytes()
    assert placed[0].samefile(order[0].path) == links


def test_what_is_there_stays(order, tmp_path):
    taken = place_sorted(order, tmp_path / "out", links=False)[0]
    taken.write_bytes(b"somebody's own")
    (tmp_path / "out" / "other.txt").write_text("too")
    again = place_sorted(order, tmp_path / "out", links=False)[0]
    assert taken.read_bytes() == b"somebody's own"
    assert again.name == f"{taken.stem}-2.png"
    assert (tmp_path / "out" / "other.txt").read_text() == "too"


def test_copies_do_not_go_among_what_is_sorted(folder, tmp_path):
    with pytest.raises(MeasureError, match="whose pictures are sorted"):
        require_apart([folder], folder / "sorted")
    require_apart([folder], tmp_path / "pictures sorted")


@pytest.fixture
def command(monkeypatch, photos, folder):
    """`ohwx sort` in the world of squares."""
    monkeypatch.setattr("ohwx_compare.judge.weights.find_face_files", lambda *places: ())
    monkeypatch.setattr("ohwx_compare.engine.face_reader.FaceReader.load", lambda *files, **where: ColourReader())
    monkeypatch.setattr("ohwx_compare.engine.detect.find_detector", lambda *names, **where: SquareDetector())
    return lambda *more: main(["sort", str(folder), "--like", str(photos), *map(str, more)])


def test_the_table_in_three_forms(command, folder, capsys):
    assert command() == 0
    out, err = capsys.readouterr()
    assert [line.split("  ")[1] for line in out.splitlines()] == [
        str(folder / f"{name}.png") for name in ("me ü", "=half", "stranger")
    ]
    assert "1 picture could not be sorted" in err
    assert command("--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [bool(row["outcome"]) for row in rows] == [False, False, False, True]
    assert rows[0]["value"] < rows[1]["value"] < rows[2]["value"]
    assert command("--csv") == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert table[0]["nearest"].startswith("'=")  # no formula


def test_it_copies_and_says_where(command, tmp_path, folder, capsys):
    assert command("--out", tmp_path / "out", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["placed"] for row in rows[:3]] == [str(path) for path in sorted((tmp_path / "out").iterdir())]
    assert command("--out", folder / "out") == 1
    assert "choose a folder beside it" in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_is_said(command, folder, capsys):
    (folder / "torn.png").write_bytes(b"no picture")
    assert command() == 1
    assert "torn.png" in capsys.readouterr().err


def test_a_network_of_ones_own_sorts_too(monkeypatch, photos, folder, tmp_path, capsys):
    """A drawn graph in dlib's place, on landmarks that stand in for dlib's; a photograph's own copy is at 0."""
    pytest.importorskip("onnxruntime", reason=WHY)
    monkeypatch.setattr("ohwx_compare.judge.weights.find_face_files", lambda *places: ())
    monkeypatch.setattr("ohwx_compare.engine.face_reader.FaceReader.load", lambda *files, **where: Eyes())
    monkeypatch.setattr("ohwx_compare.engine.detect.find_detector", lambda *names, **where: SquareDetector())
    own = graph(tmp_path / "own.onnx")
    assert main(["sort", str(folder), "--like", str(photos), "--face-net", str(own), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "by own.onnx" in err
    rows = json.loads(out)
    assert rows[0]["file"].endswith("me ü.png")
    assert rows[0]["value"] < 0.05 < rows[2]["value"]


def test_a_network_that_is_not_there_or_beside_the_fallback_is_a_sentence(command, tmp_path, capsys):
    assert command("--face-net", tmp_path / "none.onnx") == 1
    assert "--face-net: there is no file" in capsys.readouterr().err
    fallback = ("--vae", tmp_path / "v.safetensors", "--unlike", tmp_path)
    assert command("--face-net", tmp_path / "none.onnx", *fallback) == 1
    assert "exclude each other" in capsys.readouterr().err
