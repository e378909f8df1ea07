"""What an axis may vary."""

from dataclasses import replace

import pytest
from experiments import JOB, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

from ohwx_compare.core.experiment.axes import KINDS, Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.core.prompt.styles import Style, styled, unstyled
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import ExperimentError, UnsupportedKeyError


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values() if kind.varies_faces and kind.name in VALUES])
@settings(max_examples=10)
@given(st.data())
def test_the_cells_along_a_face_axis_share_one_picture_before(kind, data):
    values = tuple(data.draw(st.lists(VALUES[kind], min_size=2, max_size=3, unique=True)))
    axes = (Axis("checkpoint", (CheckpointRef("a"),)), Axis(kind, values))
    cells = Experiment(job=JOB, axes=axes, faces=(FaceSettings(), FaceSettings(model="hand"))).cells()
    assert {cell.job for cell in cells} == {JOB}
    assert len({cell.faces for cell in cells}) == len(values)


def test_every_setting_of_the_face_pass_that_is_drawn_can_be_an_axis():
    undrawn = {"classes", "clip_skip", "restore_face"}
    fields = set(vars(FaceSettings())) - undrawn - {"width", "height"} | {"size", "pass", "prompt s/r"}
    assert {f"face {field.replace('_', ' ')}" for field in fields} == {
        kind.name for kind in KINDS.values() if kind.varies_faces
    }


def test_titles_tell_kinds_apart():
    assert len({kind.title.casefold() for kind in KINDS.values()}) == len(KINDS)


texts = st.text("ab, {}").map(lambda text: text.strip(" ,"))


@given(texts, st.lists(st.builds(Style, st.just("s"), st.sampled_from(("x, y", "the {prompt} of", "")), texts)))
def test_styles_that_were_merged_can_be_taken_out_again(prompt, styles):
    job = styled(JOB, styles)
    assert styled(unstyled(job, styles), styles).prompt == job.prompt


def test_styles_are_merged_as_the_webui_merges_them():
    job = styled(JOB, [Style("a", "in {prompt}, 35mm", "ugly"), Style("b", " sharp ", "")])
    assert (job.prompt, job.negative) == ("in portrait of ohwx man, 35mm, sharp", "blurry, ugly")


def test_a_style_that_nobody_knows_is_an_error():
    library = {"anime": Style("anime", "anime", "")}
    data = {"job": {"prompt": "a", "seed": 1}, "styles": ["anime"], "axes": [{"kind": "styles", "values": ["anmie"]}]}
    with pytest.raises(ExperimentError, match="did you mean 'anime'"):
        Experiment.from_dict(data, library)
    with pytest.raises(ExperimentError, match=r"styles\.csv"):
        Experiment.from_dict(data)


TAB = "ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3"


def plotted(axis, tab=TAB):
    return parse(f"a\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 64x64, Model: m, {tab}, "
                 f"Script: X/Y/Z plot, X Type: {axis}, Version: v1.10.1")  # fmt: skip


def test_adetailers_axes_are_ours():
    axis = "[ADetailer] Inpaint denoising strength 1st, X Values: 0.3-0.5 (+0.1)"
    cells = Experiment.from_infotext(plotted(axis)).cells()
    assert [cell.faces[0].denoise for cell in cells][:2] == pytest.approx([0.3, 0.4])
    only = Experiment.from_infotext(plotted('[ADetailer] Inpaint only masked 1st, X Values: "True,False"'))
    assert only.axes[0].values == (True, False)


@pytest.mark.parametrize(
    ("axis", "tab", "named"),
    [
        ("[ADetailer] CFG scale 1st, X Values: 4", TAB, "ADetailer's switch for it was off"),
        ("[ADetailer] Inpaint denoising strength 1st, X Values: 0.3", f"{TAB}, ADetailer model 2nd: h.pt", "of 2 face"),
        (
            "[ADetailer] ControlNet model 1st, X Values: None",
            TAB,
            "'.ADetailer. ControlNet model 1st' is not supported: drop",
        ),
        ("Image CFG Scale, X Values: 1.5", TAB, "'Image CFG Scale' means nothing to SDXL.*drop the axis"),
        ("Face restore, X Values: True", TAB, "'Face restore' is GFPGAN or CodeFormer.*set a face pass"),
        ("FP8 mode, X Values: Enable", TAB, "'FP8 mode' stores weights in 8 bits.*generate it in the webui"),
    ],
)
def test_axes_that_are_not_drawn_are_refused_by_what_they_are(axis, tab, named):
    with pytest.raises(UnsupportedKeyError, match=named):
        Experiment.from_infotext(plotted(axis, tab))


def test_an_axis_of_nothing_is_none():
    text = plotted("Nothing, X Values: 1, Y Type: Seed, Y Values: 4-5")
    assert [axis.kind for axis in Experiment.from_infotext(text).axes] == ["seed", "checkpoint"]


def test_a_plot_of_styles_needs_their_texts():
    library = {name: Style(name, f"{name} style", "") for name in ("anime", "film")}
    text = parse("a, anime style\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 64x64, Model: m, "
                 'Script: X/Y/Z plot, X Type: Styles, X Values: "anime,film"')  # fmt: skip
    assert [cell.job.prompt for cell in Experiment.from_infotext(text, library).cells()] == [
        "a, anime style", "a, film style",
    ]  # fmt: skip
    with pytest.raises(ExperimentError, match=r"styles\.csv"):
        Experiment.from_infotext(text)


def test_a_lora_is_a_tag_of_the_prompt_and_its_weight_that_of_the_last_one():
    axes = (Axis("lora weight", (0.5, 1.25)), Axis("lora", ("None", "me")), Axis("checkpoint", (CheckpointRef("c"),)))
    job = replace(JOB, prompt="a <lora:old:0.3>")
    cells = Experiment(job=job, axes=axes).cells()
    assert sorted({cell.job.prompt for cell in cells}) == [
        "a <lora:old:0.3> <lora:me:0.5>", "a <lora:old:0.3> <lora:me:1.25>", "a <lora:old:0.5>", "a <lora:old:1.25>",
    ]  # fmt: skip
    alone = Experiment(job=replace(job, prompt="a"), axes=axes).cells()
    assert {cell.job.prompt for cell in alone} == {"a", "a <lora:me:0.5>", "a <lora:me:1.25>"}
    with pytest.raises(ExperimentError, match="name of a LoRA"):
        Axis.read("lora", ["a:1"])
