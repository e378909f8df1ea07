"""`ohwx compare`: the article's infotext in, its comparison out."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ohwx_compare.cli.compare import read_experiment
from ohwx_compare.cli.main import main
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.ledger.reader import experiment_in, open_run
from ohwx_compare.testing.drawn_detector import draw_detector

SEED = Path(__file__).parents[1] / "seed"
PAGE = SEED / "page.md"
STAND_INS = [
    "--checkpoint-map", "me_15_StarlightXLAnimatedV3_noREG-000030=tiny_noreg",
    "--checkpoint-map", "4610bf5599=tiny_reg.safetensors",
]  # fmt: skip


def small(tmp_path, detector="opencv-frontalface") -> Path:
    """The article's first infotext at a size that a test can draw."""
    text = SEED.joinpath("infotexts.txt").read_text(encoding="utf-8").split("\n\n---\n\n")[0]
    text = text.replace("1024x1024", "128x128").replace("Steps: 20", "Steps: 4").replace("steps: 80", "steps: 6")
    text = text.replace("face_yolov8n.pt", detector)
    file = tmp_path / "small infotext.txt"
    file.write_text(text, encoding="utf-8")
    return file


def compare(tiny, out, *more) -> int:
    return main(["compare", "--checkpoints", str(tiny), "--out", str(out), "--device", "cpu", *map(str, more)])


@pytest.mark.parametrize("source", [PAGE, SEED / "infotexts.txt"])
def test_the_article_plans_its_two_checkpoints(source):
    cells = read_experiment(None, str(source)).cells()
    assert [cell.checkpoint.stem for cell in cells] == [
        "me_15_StarlightXLAnimatedV3_noREG-000030",
        "me_15_StarlightXLAnimatedV3-step00000901",
    ]
    assert [cell.checkpoint.short_hash for cell in cells] == ["f31347de70", "4610bf5599"]
    assert cells[0].faces[0].steps == 80
    assert cells[0].faces[0].top_k == 1


def test_missing_checkpoints_are_named_in_one_sentence(tiny, tmp_path, capsys):
    assert compare(tiny, tmp_path / "run", "--from", PAGE) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "noREG-000030" in said
    assert "step00000901" in said
    assert "--checkpoint-map" in said


@pytest.mark.slow
def test_it_runs_with_stand_ins_and_says_so(tiny, tmp_path, goldens, capsys):
    out = tmp_path / "näive run"
    flags = ["--from", small(tmp_path, "face_yolov8n.pt"), *STAND_INS, "--json"]
    assert compare(tiny, out, *flags) == 1
    assert "no face detector face_yolov8n.pt" in capsys.readouterr().err
    assert not list(out.glob("images/*"))
    (tmp_path / "detectors").mkdir()
    draw_detector(tmp_path / "detectors" / "face_yolov8n.safetensors")
    flags += ["--detectors", tmp_path / "detectors"]
    assert compare(tiny, out, *flags) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["cells"], summary["drawn"], summary["failed"]) == (2, 2, 0)
    assert all(Path(path).is_file() for path in [*summary["sheets"], summary["page"]])
    run = open_run(out)
    for cell, file in zip(run.cells, ("tiny_noreg", "tiny_reg"), strict=True):
        assert any("in place of" in note and file in note for note in cell.result.notes)
        assert "Model: " in read_infotext(out / cell.result.image)
        assert cell.result.outcome in (Outcome.NO_FACE, Outcome.FACES, Outcome.NONE_KEPT)
    assert compare(tiny, out, *flags) == 0
    assert json.loads(capsys.readouterr().out)["reused"] == 2


def test_all_of_a_folder(tiny, tmp_path, capsys):
    assert compare(tiny, tmp_path / "run", "--from", small(tmp_path), "--all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["cells"] == 3


def test_an_experiment_file(tiny, tmp_path, capsys):
    file = tmp_path / "experiment.json"
    job = {"prompt": "photo of ohwx man", "seed": 1, "steps": 2, "width": 64, "height": 64, "rng": "CPU"}
    axes = [{"kind": "checkpoint", "values": ["tiny_base"]}, {"kind": "cfg", "values": [1, 7]}]
    file.write_text(json.dumps({"job": job, "axes": axes}), encoding="utf-8")
    assert compare(tiny, tmp_path / "run", file) == 0
    assert {cell.result.outcome for cell in open_run(tmp_path / "run").cells} == {Outcome.DRAWN}


@pytest.mark.slow
def test_the_base_as_control_is_one_more_column_that_draws_nothing_of_the_others_again(tiny, tmp_path, capsys):
    out, grid = tmp_path / "run", ["--from", small(tmp_path), *STAND_INS, "--json"]
    assert compare(tiny, out, *grid) == 0
    capsys.readouterr()
    assert compare(tiny, out, *grid, "--control", "tiny_base=ohwx man") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["cells"], summary["drawn"], summary["reused"]) == (3, 1, 2)
    subject, _, control = (cell.cell for cell in open_run(out).cells)
    assert (control.is_control, control.checkpoint.name) == (True, "tiny_base")
    assert control.job.prompt == subject.job.prompt.replace("ohwx man", "man")
    again = read_experiment(None, str(out / "sheet.png"))
    assert [cell.is_control for cell in again.cells()] == [False, False, True]
    assert compare(tiny, tmp_path / "other", *grid, "--control", "tiny_base=sks man") == 1
    assert "which is in no prompt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "JSON"), ('{"jobs": {}}', "job"), ('{"job": {"prompt": "a", "seed": -1}}', "seed"), ("[]", "object")],
)
def test_a_wrong_experiment_file_is_one_sentence(content, said, tiny, tmp_path, capsys):
    file = tmp_path / "experiment.json"
    file.write_text(content, encoding="utf-8")
    assert compare(tiny, tmp_path / "run", file) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_what_cannot_be_drawn_is_refused_before_anything_is(tiny, tmp_path, capsys):
    file = tmp_path / "experiment.json"
    axes = [{"kind": "checkpoint", "values": ["tiny_base"]}, {"kind": "sampler", "values": ["Euler", "IPNDM Karras"]}]
    file.write_text(json.dumps({"job": {"prompt": "a # b", "seed": 1}, "axes": axes}), encoding="utf-8")
    assert compare(tiny, tmp_path / "run", file) == 1
    assert "sampler: IPNDM" in capsys.readouterr().err.splitlines()[-1]
    image = small(tmp_path).read_text(encoding="utf-8").replace("Seed: ", "Denoising strength: 0.3, Seed: ")
    assert compare(tiny, tmp_path / "run", "--from", image) == 1
    assert "Denoising strength" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
    with pytest.raises(SystemExit):
        compare(tiny, tmp_path / "run", "--from", PAGE, "--batch", "0")


@pytest.mark.slow
def test_the_article_at_half_its_size(tiny, tmp_path):
    """512 px, 20 steps, 80 face steps, both checkpoints mapped; OpenCV's detector in place of a file."""
    page, text = tmp_path / "page.md", PAGE.read_text(encoding="utf-8").replace("1024x1024", "512x512")
    page.write_text(text.replace("face_yolov8n.pt", "opencv-frontalface"), encoding="utf-8")
    assert compare(tiny, tmp_path / "run", "--from", page, *STAND_INS, "--batch", "1") == 0
    assert [cell.result.outcome for cell in open_run(tmp_path / "run").cells].count(Outcome.FAILED) == 0


GRID = SEED / "small_grid.txt"


def grid(tiny, folder) -> list[str]:
    """Arguments of three checkpoints over two seeds with the face pass, into `folder`."""
    detectors = folder.parent / "detectors"
    if not detectors.exists():
        detectors.mkdir(parents=True)
        draw_detector(detectors / "drawn_face.safetensors")
    models = ["--checkpoints", str(tiny), "--detectors", str(detectors), "--device", "cpu"]
    return ["compare", "--from", str(GRID), *models, "--out", str(folder)]


def start(arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "ohwx_compare", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip


def wait_for_cells(out, count: int) -> None:
    until = time.monotonic() + 300
    while len(list((out / "thumbs").glob("*.jpg"))) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def content(out) -> dict:
    pictures = {path.name: path.read_bytes() for path in sorted((out / "images").glob("*.png"))}
    return {**pictures, **{cell.cell.number: (cell.result.key, cell.result.faces) for cell in open_run(out).cells}}


@pytest.mark.slow(first=True)
@pytest.mark.skipif(os.name == "nt", reason="SIGINT and SIGKILL are sent as POSIX knows them")
def test_stopped_and_killed_it_ends_as_if_undisturbed(tiny, tmp_path):
    """Ctrl-C finishes the batch in hand (status 130); SIGKILL in a later one loses no committed cell."""
    disturbed, quiet = tmp_path / "disturbed" / "run", tmp_path / "quiet" / "run"  # a picture names its run
    process = start(grid(tiny, disturbed))
    wait_for_cells(disturbed, 1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    committed = {c.cell.number for c in open_run(disturbed).cells if c.result.outcome != "not drawn yet"}
    assert committed == {1, 2}
    times = {path.name: path.stat().st_mtime_ns for path in (disturbed / "images").iterdir()}

    process = start(grid(tiny, disturbed))
    wait_for_cells(disturbed, 5)  # in the second checkpoint's batch
    process.kill()
    process.communicate(timeout=300)
    for out in (disturbed, quiet):
        assert main(grid(tiny, out)) == 0
    assert content(disturbed) == content(quiet)
    for name, stamp in times.items():
        assert (disturbed / "images" / name).stat().st_mtime_ns == stamp


@pytest.mark.parametrize("how", ["missing", "chosen"])
def test_a_missing_detector_names_the_flag_and_opencvs_can_be_chosen_for_all_faces(how, tiny, tmp_path, capsys):
    asked = {
        "job": {"prompt": "a man", "seed": 1, "width": 64, "height": 64, "steps": 1},
        "axes": [{"kind": "checkpoint", "values": ["tiny_base"]}],
        "faces": [{"model": "nosuch.pt", "steps": 1}],
    }
    file, run = tmp_path / "asked.json", tmp_path / "run"
    file.write_text(json.dumps(asked), encoding="utf-8")
    choice = ["--detectors", "opencv-frontalface"] if how == "chosen" else []
    code = main(["compare", str(file), "--checkpoints", str(tiny), "--device", "cpu", *choice, "--out", str(run)])
    said = capsys.readouterr().err
    if how == "missing":
        assert code == 1
        assert said.count("models/adetailer") <= 1
        assert "The flag for that: --detectors" in said
        assert not (run / "images").exists()
    else:
        assert code == 0
        assert [tab.model for tab in experiment_in(run).faces] == ["opencv-frontalface"]
