"""The control: the base asked for the class, one column beside the others, whose pictures it leaves as they were."""

from dataclasses import replace

import pytest
from experiments import JOB, experiments
from hypothesis import given

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.control import Control
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests, folder_digests
from ohwx_compare.core.infotext.infotext import from_job
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import ExperimentError

BASE = Control.of(CheckpointRef("base.safetensors"), "ohwx man")
PROMPTS = Axis.read("prompt", ["photo of ohwx man", "anime of (ohwx man:1.1)", "photo of a man"])
PLAIN = Experiment(
    job=JOB,
    axes=(Axis("checkpoint", (CheckpointRef("a"),)), PROMPTS, Axis("seed", (1, 2))),
    faces=(FaceSettings(prompt="face of ohwx man"),),
)
WITH = PLAIN.with_control(BASE)


def test_it_is_asked_for_the_class_with_all_else_the_same():
    ours, control = [[c for c in WITH.cells() if c.is_control is is_control] for is_control in (False, True)]
    assert [cell.job.prompt for cell in control[::2]] == ["photo of man", "anime of (man:1.1)", "photo of a man"]
    assert {cell.checkpoint.name for cell in control} == {"base.safetensors"}
    for cell, other in zip(control, ours, strict=True):
        assert replace(cell.job, prompt=other.job.prompt) == other.job
        assert cell.coordinates[1:] == other.coordinates[1:]
        assert [tab.prompt for tab in cell.faces] == ["face of man"]
    assert {cell.labels[0] for cell in control} == {"base (control: man)"}


def test_what_a_style_says_of_the_subject_is_replaced_too():
    style = Style("poster", "{prompt} and ohwx man again", "bad ohwx man")
    control = replace(PLAIN, styles=(style,)).with_control(BASE).cells()[-1]
    assert (control.job.prompt, control.job.negative) == ("photo of a man and man again", "blurry, bad man")


@given(experiments())
def test_other_cells_ask_for_what_they_asked_for(experiment):
    experiment = replace(experiment, job=replace(JOB, prompt="zz man"), axes=experiment.axes)
    control = Control.of(CheckpointRef("base"), "zz man")
    if not any("zz man" in cell.job.prompt for cell in experiment.cells()):
        return
    own, texts = experiment.cells(), CellRequests()
    more = experiment.with_control(control).cells()
    assert [texts.of(cell) for cell in more if not cell.is_control] == [texts.of(cell) for cell in own]
    assert [cell.number for cell in more[: len(own)]] == [cell.number for cell in own]


def test_an_experiment_without_one_is_written_as_before():
    assert "control" not in PLAIN.to_dict()
    assert folder_digests(PLAIN) == folder_digests(WITH.with_control(None).with_checkpoints([CheckpointRef("a")]))


def test_files_and_sheets_hold_it():
    assert Experiment.from_dict(WITH.to_dict()) == WITH
    first = WITH.cells()[0]
    text = from_job(first.job, model="a", model_hash=None, faces=first.faces)
    beside = WITH.kept_beside(text)
    assert beside["control"] == {"checkpoint": "base.safetensors", "class_token": "ohwx man", "class": "man"}


def test_a_checkpoint_of_its_name_is_the_control_wherever_it_stands():
    refs = [CheckpointRef("base.safetensors", "0" * 10), CheckpointRef("a")]
    found = PLAIN.with_checkpoints(refs).with_control(BASE)
    assert found.checkpoints == tuple(refs)
    assert [cell.is_control for cell in found.cells()] == [True] * 6 + [False] * 6
    assert found.with_checkpoints(refs[1:]).checkpoints == (refs[1], refs[0])  # it stays


@pytest.mark.parametrize(
    ("control", "says"),
    [
        ({"checkpoint": "b", "class_token": "ohwx"}, "'' in place of 'ohwx'"),
        ({"checkpoint": "b", "class_token": "man", "class": "a man"}, "'a man' in place of 'man'"),
        ({"checkpoint": "b", "class_token": "sks man"}, "'sks man', which is in no prompt"),
        ({"checkpoint": "b"}, "lacks class_token"),
        ({"checkpoint": "b", "token": "x"}, "did you mean 'class_token'"),
        ({"checkpoint": 1, "class_token": "x"}, "must be text"),
        ([], "must be a JSON object"),
    ],
)
def test_what_changes_nothing_or_cannot_be_read_is_refused(control, says):
    with pytest.raises(ExperimentError, match=says):
        Experiment.from_dict({**PLAIN.to_dict(), "control": control})
