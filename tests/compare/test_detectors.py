"""A detector that is not there is an error before the first picture; a run that was begun without it goes on."""

import pytest
from drawing_runs import contents, lines
from killed_run import EXPERIMENT, Detector

from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import draw_run
from ohwx_compare.errors import DetectorError
from ohwx_compare.files.detectors import missing_detector
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.testing.fake_host import FakeHost


def detectors(note):
    """As earlier versions did, OpenCV's in place of the missing one; or, without a note, only by its own name."""

    def find(name):
        if not note and name != "opencv-frontalface":
            raise DetectorError(f"There is no face detector {name}.")
        found = Detector()
        found.note = note
        return found

    return find


def draw(models, out, note):
    host = FakeHost(models)
    host.log = out.with_suffix(".log")
    return draw_run(EXPERIMENT, host, detectors(note), out, resolve=in_folder(models, {}))


def test_a_missing_detector_is_an_error_before_the_first_picture(models, tmp_path):
    with pytest.raises(DetectorError, match="no face detector"):
        draw(models, tmp_path / "run", "")
    assert lines(tmp_path / "run.log") == []
    assert not (tmp_path / "run").exists()


def test_folders_are_spoken_of_where_there_are_any(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no cache"))
    assert str(missing_detector("x.pt", [])) == (
        "There is no face detector x.pt (no folder of detectors was found). Choose one that is there "
        "(opencv-frontalface)."
    )
    assert f"looked in: {tmp_path}" in str(missing_detector("x.pt", [tmp_path]))


def test_a_run_that_used_opencvs_in_its_place_is_resumed_with_it(models, tmp_path):
    name = EXPERIMENT.faces[0].model
    old = f"{name} was not found (looked in: models); faces were found by the OpenCV frontal-face cascade instead"
    draw(models, tmp_path / "run", old)
    before = contents(tmp_path / "run")
    result = draw(models, tmp_path / "run", "")
    assert (result.drawn, result.failed) == (0, 0)
    assert contents(tmp_path / "run") == before
    first = open_run(tmp_path / "run").cells[0]
    for path in (tmp_path / "run" / "images").glob(f"{first.cell.number:04d}*"):
        path.unlink()
    assert draw(models, tmp_path / "run", "").drawn == 2  # they share the picture before
    assert "opencv-frontalface was used in place of" in " ".join(open_run(tmp_path / "run").cells[0].result.notes)
