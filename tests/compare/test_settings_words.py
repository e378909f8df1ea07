"""The head of a page and a sheet names what all cells share, and nothing that an axis varies."""

from dataclasses import replace
from pathlib import Path

from killed_run import EXPERIMENT

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.files.ledger.rows import Result, Run, RunCell
from ohwx_compare.look.page import page_data
from ohwx_compare.look.settings_words import settings_words


def cells_of(*axes, notes=()):
    experiment = replace(EXPERIMENT, axes=(EXPERIMENT.axes[0], *axes), faces=(FaceSettings(steps=80),))
    result = Result(outcome=Outcome.NO_FACE, notes=notes)
    return experiment, [RunCell(cell=cell, result=result, checkpoint=None) for cell in experiment.cells()]


def test_what_an_axis_varies_is_not_in_the_head():
    picture, face = settings_words(cells_of()[1])
    assert picture == "64 × 64 px · DPM++ 2M SDE · 4 steps · CFG 7 · GPU noise"
    assert face.startswith("Face pass: face_yolov8n.pt · confidence from 0.3 · denoise 0.4 · 80 steps")
    axes = Axis("steps", (4, 8)), Axis("sampler", ("Euler a", "Euler")), Axis("face denoise", (0.3, 0.5))
    picture, face = settings_words(cells_of(*axes)[1])
    assert picture == "64 × 64 px · CFG 7 · GPU noise"
    assert "denoise" not in face
    picture, face = settings_words(cells_of(Axis("face model", ("a.pt", "b.pt")), Axis("face pass", (True, False)))[1])
    assert face.startswith("Face pass: confidence from 0.3")


def test_notes_are_counted_with_the_run():
    experiment, cells = cells_of(notes=("Networks not found: x",))
    run = Run(folder=Path("run"), experiment=experiment, cells=tuple(cells), checkpoints=())
    assert page_data(run)["troubles"]["words"] == "2 without a face, 2 with notes"
