"""Which pictures are judged: a run's, before and after the face pass, or any folder's by its infotexts."""

import pytest
from planted_run import picture

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ImageError, MeasureError
from ohwx_compare.files.images import write_png
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Result
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.judge.measure import Asked
from ohwx_compare.judge.run.pictures import judged_folder, judged_run

TEXT = (
    "{prompt}\nSteps: 20, Sampler: Euler a, CFG scale: {cfg}, Seed: {seed}, Size: 64x64, Model hash: {hash}, "
    "Model: {model}"
)


def ran(folder, axes, prompt="photo of ohwx man"):
    experiment = Experiment(job=Job(prompt=prompt, seed=1), axes=(Axis("checkpoint", (CheckpointRef("a"),)), *axes))
    with Ledger(folder) as ledger:
        ledger.plan(experiment)
        for cell in experiment.cells():
            key = str(cell.number)
            ledger.commit(cell, Result(outcome=Outcome.DRAWN, before_key=key, key=key, before=f"images/{key}.png"))
    return judged_run(open_run(folder), "ohwx man")


def text(prompt="photo of ohwx man", seed=1, model="a", cfg=7, more=""):
    return TEXT.format(prompt=prompt, seed=seed, model=model, cfg=cfg, hash="0123456789") + more


def saved(folder, name, said):
    folder.mkdir(exist_ok=True)
    write_png(folder / f"{name}.png", picture((100, 50, 20)), said)


def test_a_cell_with_a_face_pass_gives_two_pictures(judged):
    assert len(judged.pictures) == 2 * 7 * 3 * 2
    assert judged.has_face_pass
    assert len({(each.checkpoint, each.place) for each in judged.pictures}) == len(judged.pictures)


def test_styles_are_those_of_the_axis_else_the_prompts(tmp_path):
    ink, oil = (Style(name, f"{{prompt}}, {name}", "") for name in ("ink", "oil"))
    prompts = Axis.read("prompt", ["ohwx man", "ohwx man in rain"])
    both = ran(tmp_path / "both", [Axis("styles", ((ink,), (oil,))), prompts])
    assert both.styles == ("ink", "oil")
    assert {each.repeat for each in both.pictures} == {("ohwx man",), ("ohwx man in rain",)}
    assert ran(tmp_path / "prompts", [prompts]).styles == ("ohwx man", "ohwx man in rain")
    assert ran(tmp_path / "seeds", [Axis("seed", (1, 2))]).styles == ("photo of ohwx man",)


def test_prompts_without_the_token_ask_for_the_class(tmp_path):
    run = ran(tmp_path, [Axis.read("prompt", ["photo of ohwx man", "photo of a man"])])
    assert [each.asked for each in run.pictures] == [Asked.SUBJECT, Asked.CLASS]


def test_what_failed_or_is_left_is_said(tmp_path):
    experiment = Experiment(
        job=Job(prompt="ohwx man", seed=1), axes=(Axis("checkpoint", (CheckpointRef("a"),)), Axis("seed", (1, 2, 3)))
    )
    with Ledger(tmp_path) as ledger:
        ledger.plan(experiment)
        ledger.commit(experiment.cells()[0], Result(outcome=Outcome.FAILED, error="no memory"))
    run = judged_run(open_run(tmp_path))
    assert run.missing == ("1 cell of 3 failed.", "2 cells of 3 not generated yet.")
    assert (run.pictures, run.failures) == ((), {"a": 3})


def test_any_folder_of_pictures_is_judged_by_its_infotexts(tmp_path):
    folder = tmp_path / "bilder ä"
    for model in ("a", "b"):
        for seed in (1, 2):
            saved(folder, f"{model}{seed}", text(model=model, seed=seed))
            saved(folder, f"{model}{seed}-before", text(model=model, seed=seed))
    saved(folder, "a1 again", text(model="a", seed=1))
    saved(folder, "grid", text(more=", Script: X/Y/Z plot, X Type: Seed, X Values: 1"))
    saved(folder, "silent", "")
    run = judged_folder(folder)
    assert [column.name for column in run.columns] == ["a", "b"]
    assert {each.repeat for each in run.pictures} == {("seed 1",), ("seed 2",)}
    assert (len(run.pictures), run.has_face_pass) == (8, True)
    assert run.missing == ("2 pictures without a model or a seed in the infotext left out.",)


def test_what_varies_beside_the_seed_makes_repeats(tmp_path):
    for cfg in (5, 7):
        saved(tmp_path, f"{cfg}", text(cfg=cfg))
    assert {each.repeat for each in judged_folder(tmp_path).pictures} == {
        ("seed 1", "CFG scale: 5"),
        ("seed 1", "CFG scale: 7"),
    }


def test_folders_that_say_nothing_are_refused(tmp_path):
    with pytest.raises(ImageError, match="no PNG"):
        judged_folder(tmp_path)
    saved(tmp_path, "silent", "")
    with pytest.raises(MeasureError, match="has 1 picture, none with a model and a seed in its infotext"):
        judged_folder(tmp_path)
