"""`ohwx judge` on the planted run: what it prints and writes, what it need not be told, and what it refuses."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ohwx_compare.cli.main import main
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import detect
from ohwx_compare.errors import DetectorError, MeasureError
from ohwx_compare.files.images import write_png
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.judge import face_sight
from ohwx_compare.judge.references import FaceSight
from ohwx_compare.judge.run import measures
from ohwx_compare.judge.run.judging import judging_detector
from ohwx_compare.judge.weights import DLIB_FACES

sys.path.append(str(Path(__file__).parents[1] / "judge"))

from planted_run import ME, OTHER, STYLES, ColourReader, Planted, SquareDetector, photographs, picture, planted_run


@pytest.fixture
def run(tmp_path):
    return planted_run(tmp_path / "läufe 1", styles=STYLES[:3], seeds=(1, 2), has_face_pass=True)


@pytest.fixture
def photos(tmp_path):
    return photographs(tmp_path / "photos", ME, ME, ME)


@pytest.fixture(autouse=True)
def eyes(monkeypatch):
    """Faces are squares here; the weights are said to be there."""
    monkeypatch.setattr(measures, "find_face_files", lambda folders: (Path("net"), Path("points")))
    monkeypatch.setattr(face_sight, "FaceReader", SimpleNamespace(load=lambda *files, device: ColourReader()))
    monkeypatch.setattr(detect, "find_detector", lambda name, folders, device: SquareDetector())


def said(capsys, *arguments):
    """Status, stdout, stderr."""
    status = main(["judge", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_it_answers_in_a_sentence_and_writes_the_report(run, photos, capsys):
    status, out, _ = said(capsys, run, "--photos", photos)
    assert status == 0
    assert out.startswith("# With regularization images: more likeness")
    assert (run / "judge.md").read_text(encoding="utf-8").strip() in out
    assert "With regularization images: more likeness" in (run / "judge.html").read_text(encoding="utf-8")


def test_its_json_has_the_keys_that_other_programs_read(run, photos, capsys):
    _, out, _ = said(capsys, run, "--photos", photos, "--json")
    found = json.loads(out)
    assert {"answer", "keep", "measures", "styles", "missing"} <= found.keys()
    (clause,) = found["answer"]
    assert clause["word"] == "more"
    assert clause["low"] <= clause["estimate"] <= clause["high"]
    assert set(found["keep"]) <= {each["name"] for each in found["checkpoints"]}
    assert {"name", "version", "sha256"} <= found["measures"][0].keys()
    assert [style["style"] for style in found["styles"]] == [f"{style} of ohwx man" for style in STYLES[:3]]


def test_a_second_call_measures_nothing(run, photos, capsys, monkeypatch):
    _, first, _ = said(capsys, run, "--photos", photos, "--json")

    def never(*asked):
        raise AssertionError

    monkeypatch.setattr(measures.Likeness, "score", never)
    assert said(capsys, run, "--photos", photos, "--json")[1] == first


def test_the_recipe_beside_the_checkpoints_names_the_photographs(run, photos, capsys):
    recipe = run.parent / "models" / "recipe.json"
    recipe.write_text(json.dumps({"train": str(photos), "reg": None, "base": "gone"}), encoding="utf-8")
    try:
        assert said(capsys, run)[0] == 0
    finally:
        recipe.unlink()


@pytest.mark.parametrize(
    ("shades", "sentence"),
    [
        ((), "no PNG, JPEG, WebP or AVIF found"),
        ((None,), "No face was found in 0.png"),
        ((ME,), "1 photograph with a face that can be used .* expected at least 2"),
        ((ME, ME, OTHER, OTHER), "look like 2 people"),
    ],
    ids=["none", "no face", "one", "two people"],
)
def test_photographs_that_cannot_be_used_are_refused(run, tmp_path, capsys, shades, sentence):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, colour in enumerate(shades):
        far = colour if colour is not OTHER else OTHER - 60
        picture(far).save(folder / f"{number}.png")
    status, _, err = said(capsys, run, "--photos", folder)
    assert status == 1
    assert len(err.strip().splitlines()) == 1
    assert re.search(sentence, err)


def test_without_photographs_it_says_what_to_give(run, capsys):
    status, _, err = said(capsys, run)
    assert (status, "No photographs of the person were given" in err) == (1, True)


def test_without_the_network_it_says_how_to_fetch_it(run, photos, capsys, monkeypatch):
    def gone(folders):
        raise MeasureError("The face network was not found. `ohwx weights likeness` fetches it.")

    monkeypatch.setattr(measures, "find_face_files", gone)
    status, _, err = said(capsys, run, "--photos", photos)
    assert (status, "`ohwx weights likeness` fetches it" in err) == (1, True)


def test_one_style_speaks_of_itself(tmp_path, photos, capsys):
    run = planted_run(tmp_path / "one", styles=STYLES[:1], seeds=(1, 2, 3))
    assert "in this style only" in said(capsys, run, "--photos", photos)[1]


def test_without_a_control_likeness_needs_a_floor(tmp_path, photos, capsys):
    saves = [Planted(f"a-{n:06d}", n / 100, 1.0) for n in (30, 60)]
    run = planted_run(tmp_path / "bare", styles=STYLES[:2], saves=saves)
    status, out, _ = said(capsys, run, "--photos", photos)
    assert status == 0
    assert "nothing can be told (likeness, refused in all 2 styles)" in out
    assert "picture of the base's own man" in out.replace("pictures", "picture")
    men = photographs(tmp_path / "men", OTHER, OTHER - 8, OTHER + 8)
    assert "photographs of others" in said(capsys, run, "--photos", photos, "--negatives", men)[1]


def test_scores_by_other_photographs_are_kept_and_said(run, photos, tmp_path, capsys):
    said(capsys, run, "--photos", photos)
    others = photographs(tmp_path / "more", ME, ME, ME, ME)
    assert "1 set of earlier scores of likeness rest on other" in said(capsys, run, "--photos", others)[1]


def test_a_run_with_one_checkpoint_is_refused(tmp_path, photos, capsys):
    saves = [Planted("a-000030", 0.5, 1.0, {"recipe": {}, "exposures": 30})]
    run = planted_run(tmp_path / "small", styles=STYLES[:1], seeds=(1,), saves=saves)
    base = run.parent / "models" / "base.safetensors"
    status, _, err = said(capsys, run, "--photos", photos, "--base", base)
    assert (status, "expected at least two trained checkpoints" in err) == (1, True)


def test_a_folder_of_pictures_with_infotexts_is_judged(tmp_path, photos, capsys):
    folder = tmp_path / "outputs"
    folder.mkdir()
    for model, alike in (("base", 0.0), ("a-000030", 0.4), ("a-000060", 0.8)):
        for seed in (1, 2, 3):
            text = (
                f"photo of ohwx man\nSteps: 20, Seed: {seed}, Size: 64x64, Model hash: {model[0] * 10}, Model: {model}"
            )
            colour = OTHER + (ME - OTHER) * (alike + seed / 50)
            write_png(folder / f"{model}-{seed}.png", picture(colour), text)
    men = photographs(tmp_path / "men", OTHER, OTHER - 8, OTHER + 8)
    status, out, _ = said(capsys, folder, "--photos", photos, "--negatives", men)
    assert status == 0
    assert "After 60 epochs, against 30 epochs: more likeness" in out
    assert not (folder / "run.sqlite").exists()


@pytest.mark.parametrize(
    "flag", ["--photos", "--held-out", "--negatives", "--checkpoints", "--base", "--face-net", "--clip", "--csd"]
)
def test_what_is_named_and_not_there_is_said(run, capsys, flag):
    status, _, err = said(capsys, run, flag, "nowhere")
    assert (status, flag in err) == (1, True)


@pytest.mark.parametrize("flags", [(), ("--second-opinion",)])
def test_a_second_opinion_is_asked_for_by_its_flag(run, photos, capsys, flags):
    _, out, err = said(capsys, run, "--photos", photos, *flags)
    assert ("no second opinion on style" in out + err) == bool(flags)


def test_a_copy_is_judged_once_it_is_adopted(run, photos, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "copy")
    status, _, err = said(capsys, copy, "--photos", photos)
    assert (status, "--adopt" in err) == (1, True)
    status, _, err = said(capsys, copy, "--photos", photos, "--adopt")
    assert status == 0, err


def test_no_folder_is_no_run(tmp_path, capsys):
    status, _, err = said(capsys, tmp_path / "gone")
    assert (status, "There is no folder" in err) == (1, True)


def test_without_a_detectors_file_opencv_looks_and_that_is_said(run, photos, capsys, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(DetectorError, match="There is no face detector gone"):
        judging_detector("gone.pt", "face_yolov8n.pt", (), "cpu")
    found = judging_detector("", "face_yolov8n.pt", (), "cpu")
    assert found.name == "opencv-frontalface"
    assert "face_yolov8n.pt was not found" in found.note
    (photos / "face_yolov8n.pt").write_bytes(b"no detector")
    with pytest.raises(DetectorError, match=r"face_yolov8n\.pt"):
        judging_detector("", "face_yolov8n.pt", (photos,), "cpu")


def test_a_run_without_axes_is_one_sentence(tmp_path, photos, capsys):
    """One checkpoint, one prompt, one seed: a run of one cell."""
    folder = tmp_path / "alone"
    experiment = Experiment(
        job=Job(prompt="photo of ohwx man", seed=1), axes=(Axis("checkpoint", (CheckpointRef("a"),)),)
    )
    with Ledger(folder) as ledger:
        ledger.plan(experiment)
    status, _, err = said(capsys, folder, "--photos", photos)
    assert (status, len(err.strip().splitlines())) == (1, 1)
    assert "has pictures of a, expected at least two trained checkpoints" in err


def test_other_weights_than_before_are_said(run, photos, capsys, monkeypatch):
    """Scores of another network lie beside these; they are counted, and none is taken for these."""
    said(capsys, run, "--photos", photos)
    other = replace(DLIB_FACES, sha256="0" * 64)
    monkeypatch.setattr(
        measures, "face_sight", lambda files, detector, **more: FaceSight(detector, ColourReader(), network=other)
    )
    asked = []
    read = ColourReader.read
    monkeypatch.setattr(ColourReader, "read", lambda *given: asked.append(len(given[2])) or read(*given))
    status, out, _ = said(capsys, run, "--photos", photos)
    assert status == 0
    assert "1 set of earlier scores of likeness rest on other weights" in out
    assert sum(asked) > 84


def test_what_is_not_shared_out_is_said_first(run, capsys):
    status, _, err = said(capsys, run, "--ray", "127.0.0.1:9", "--second-opinion")
    assert (status, "is not shared out by --ray" in err) == (1, True)
