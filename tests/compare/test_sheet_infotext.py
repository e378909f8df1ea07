"""The text of a sheet: whoever reads it draws the same cells again."""

from dataclasses import replace
from pathlib import Path

import pytest
from experiments import experiments
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.files.ledger.rows import Result, Run, RunCell
from ohwx_compare.look.sheet_infotext import sheet_infotext


def text_of(experiment, first=0):
    """As before anything is drawn; a page that starts with cell `first`."""
    cells = [RunCell(cell=cell, result=Result(outcome=Outcome.PENDING), checkpoint=None) for cell in experiment.cells()]
    run = Run(folder=Path("run"), experiment=experiment, cells=tuple(cells), checkpoints=())
    return sheet_infotext(run, cells[first:], pictures="after", page=1, pages=1)


@pytest.mark.slow
@given(experiments(), st.data())
def test_a_sheets_text_gives_its_experiment_back(experiment, data):
    first = data.draw(st.integers(0, len(experiment.cells()) - 1))
    again = Experiment.from_infotext(parse(text_of(experiment, first)))
    assert again.cells() == experiment.cells()


def test_a_style_of_any_name_is_said(make_experiment):
    """NUL too, which the csv module refuses before Python 3.11."""
    styles = Axis("styles", ((), (Style("\0", "{prompt} in nothing", ""),)))
    base = make_experiment(64, (1,), ("a",))
    experiment = replace(base, axes=(base.axes[0], styles))
    assert Experiment.from_infotext(parse(text_of(experiment))).cells() == experiment.cells()


def test_xyz_keys_alone_say_what_they_can(make_experiment):
    experiment = replace(make_experiment(64, (1, 2), ("a",)), axes=make_experiment(64, (1, 2), ("a",)).axes[:2])
    denoise = Axis("face denoise", (0.3, 0.5))
    for axes in (experiment.axes, (*experiment.axes, denoise)):
        assert '"experiment' not in text_of(replace(experiment, axes=axes)).replace("\\", "")
    text = parse(text_of(replace(experiment, axes=(*experiment.axes, denoise))))
    assert text.get("Z Type") == "[ADetailer] Inpaint denoising strength 1st"


def test_styles_are_merged_once(make_experiment):
    base = make_experiment(64, (1,), ("a",))
    anime, film, sharp = (Style(name, f"{{prompt}} in {name}", "") for name in ("anime", "film", "sharp"))
    experiment = replace(base, axes=(base.axes[0], Axis("styles", ((), (anime,), (film,)))), styles=(sharp, anime))
    prompts = list(dict.fromkeys(cell.job.prompt for cell in experiment.cells()))
    plain = f"{base.job.prompt} in sharp"
    assert prompts == [plain, f"{plain} in anime", f"{plain} in film"]
    assert Experiment.from_infotext(parse(text_of(experiment))).cells() == experiment.cells()
