"""Several infotexts as one experiment: what differs becomes axes, what does not fit is said."""

from pathlib import Path

import pytest

from ohwx_compare.core.experiment.draft import draft_experiment
from ohwx_compare.core.infotext.infotext import parse, split
from ohwx_compare.errors import InfotextError

SEED = Path(__file__).parents[1] / "seed" / "infotexts.txt"
TEXT = (
    "{prompt}\nSteps: {steps}, Sampler: {sampler}, CFG scale: {cfg}, Seed: {seed}, Size: {size}, Model: {model}{more}, "
    "Version: v1.10.1"
)
PLAIN = {"prompt": "photo", "steps": 20, "sampler": "Euler a", "cfg": 7, "seed": 1, "size": "64x64", "model": "a"}


def of(*pictures):
    return draft_experiment([parse(TEXT.format(**{"more": "", **PLAIN, **picture})) for picture in pictures])


def sizes(found):
    return {axis.kind: len(axis.values) for axis in found.experiment.axes}


def test_what_differs_is_an_axis_and_the_rest_the_base():
    grid = [{"model": model, "seed": seed, "cfg": cfg} for model in "ab" for seed in (1, 2) for cfg in (5, 7)]
    found = of(*grid)
    assert sizes(found) == {"checkpoint": 2, "seed": 2, "cfg": 2}
    assert found.notes == ()
    cells = {(str(c.checkpoint), c.job.seed, c.job.cfg) for c in found.experiment.cells()}
    assert cells == {(picture["model"], picture["seed"], picture["cfg"]) for picture in grid}


def test_one_text_is_its_own_experiment():
    found = of({"more": ', Script: X/Y/Z plot, X Type: Seed, X Values: "1,2,3", Fixed X Values: "1, 2, 3"'})
    assert sizes(found) == {"seed": 3, "checkpoint": 1}
    assert found.experiment.columns == "seed"


def test_a_seed_of_each_prompts_own_is_no_axis():
    found = of(*({"prompt": f"photo {i}", "seed": i} for i in range(1, 6)))
    assert sizes(found) == {"checkpoint": 1, "prompt": 5}
    assert "The seed changes together with the checkpoint and prompt (5 values), so seed 1 is used" in found.notes[0]


def test_combinations_that_nobody_drew_are_said():
    found = of({"seed": 1}, {"seed": 2}, {"seed": 1, "cfg": 5}, {"seed": 3}, {"seed": 2, "cfg": 5})
    assert sizes(found) == {"checkpoint": 1, "seed": 3, "cfg": 2}
    assert "5 texts become 6 cells: every combination of what differs is generated." in found.notes


def test_the_articles_twelve_pictures():
    found = draft_experiment([parse(text) for text in split(SEED.read_text(encoding="utf-8"))])
    assert sizes(found) == {"checkpoint": 4, "prompt": 11}
    assert found.experiment.faces[0].model == "face_yolov8n.pt"
    assert any("had no face pass" in note for note in found.notes)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"size": "128x64"}, "The texts differ in width (64, 128); 64 is used."),
        ({"more": ", Eta: 0.5"}, "The texts differ in eta (1.0, 0.5); 1.0 is used."),
        ({"more": ", Denoising strength: 0.5", "seed": 2}, "Text 2 belongs to an img2img picture"),
        ({"more": ", Refiner: x [01]"}, "The texts differ in refiner (None, x [01]); None is used."),
        ({"more": ", FreeU Stages: x"}, "Not used: FreeU Stages: x"),
        ({"size": "large"}, "Text 2 is left out: Size is 'large'"),
        ({"more": ', Script: X/Y/Z plot, X Type: Hires steps, X Values: "1,2"'}, "axis 'hires steps' varies hires fix"),
    ],
)
def test_contradictions_and_losses_are_named(other, named):
    assert named in " ".join(of({}, other).notes)


def test_nothing_to_read_is_an_error():
    with pytest.raises(InfotextError, match="There is no infotext"):
        draft_experiment([])
    with pytest.raises(InfotextError, match="Size is 'large'"):
        of({"size": "large"})
