"""Experiments: every cell once, each checkpoint visited once, files that round-trip, keys that mean it."""

import json
from dataclasses import fields, replace
from itertools import groupby

import pytest
from experiments import JOB, VALUES, experiments
from hypothesis import given

from ohwx_compare.core.experiment import keys
from ohwx_compare.core.experiment.axes import KINDS, Axis, CheckpointRef, PromptPair
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.keys import after_key, before_key
from ohwx_compare.core.infotext.infotext import faces, parse, split, to_job
from ohwx_compare.core.infotext.supported import require_drawn
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import ExperimentError, InfotextError, UnsupportedKeyError


@given(experiments())
def test_every_cell_once_and_every_checkpoint_visited_once(experiment):
    cells = experiment.cells()
    assert [cell.number for cell in cells] == list(range(1, len(cells) + 1))
    size = 1
    for axis in experiment.axes:
        size *= len(axis.values)
    assert len({cell.coordinates for cell in cells}) == len(cells) == size
    visits = [ref for ref, _ in groupby(cells, key=lambda cell: cell.checkpoint)]
    assert visits == list(experiment.checkpoints)
    for cell in cells:
        at = dict(zip((a.kind for a in experiment.axes), cell.coordinates, strict=True))
        assert cell.checkpoint == experiment.checkpoints[at["checkpoint"]]
        if "seed" in at:
            assert cell.job.seed == next(a for a in experiment.axes if a.kind == "seed").values[at["seed"]]


@given(experiments())
def test_the_file_gives_the_experiment_back(experiment):
    assert Experiment.from_dict(json.loads(json.dumps(experiment.to_dict()))) == experiment


@given(experiments())
def test_another_checkpoint_at_the_end_renumbers_nothing(experiment):
    cells = experiment.cells()
    more = experiment.with_checkpoints([*experiment.checkpoints, CheckpointRef("new")]).cells()
    assert more[: len(cells)] == cells
    assert {cell.checkpoint.name for cell in more[len(cells) :]} == {"new"}


@given(experiments())
def test_labels_tell_values_apart(experiment):
    assert len({cell.labels for cell in experiment.cells()}) == len(experiment.cells())


def test_article_plans_its_two_checkpoints(goldens):
    seed = goldens.parent / "seed"
    first = split((seed / "infotexts.txt").read_text(encoding="utf-8"))[0]
    quoted = split((seed / "page.md").read_text(encoding="utf-8"))[0]  # its backslashes stand alone
    for text in (first, quoted):
        experiment = Experiment.from_infotext(parse(text))
        assert [(ref.stem, ref.short_hash) for ref in experiment.checkpoints] == [
            ("me_15_StarlightXLAnimatedV3_noREG-000030", "f31347de70"),
            ("me_15_StarlightXLAnimatedV3-step00000901", "4610bf5599"),
        ]
        assert experiment.checkpoints[1].name.startswith("me15img/model/")
        cells = experiment.cells()
        assert [cell.checkpoint for cell in cells] == list(experiment.checkpoints)
        assert {(cell.job.sampler, cell.job.schedule, cell.job.seed) for cell in cells} == {
            ("DPM++ 2M SDE", "Karras", 1382869474)
        }
        assert [tab.steps for tab in cells[0].faces] == [80]


def infotext(axes):
    base = "a man\nSteps: 20, Sampler: DPM++ 2M SDE, CFG scale: 7, Seed: 3, Size: 512x512"
    return parse(f"{base}, Model hash: 0123456789, Model: m, Script: X/Y/Z plot, {axes}, Version: 1.10.1")


@pytest.mark.parametrize("name", ["xyz_checkpoint_x_cfg_x_sr", "xyz_checkpoint_x_seed"])
def test_webuis_grid_holds_the_webuis_cells(goldens, name):
    """The pictures that the webui drew for its grid are those that we plan for the grid's infotext."""
    texts = [parse(text) for text in json.loads((goldens / f"{name}.json").read_text(encoding="utf-8"))["infotexts"]]

    def asked(text):
        return text.get("Model"), to_job(text), faces(text)

    drawn = {asked(text) for text in texts if text.get("Script") is None}
    cells = Experiment.from_infotext(texts[0]).cells()
    assert {(cell.checkpoint.stem, cell.job, cell.faces) for cell in cells} == drawn


def test_x_gives_the_columns():
    plotted = Experiment.from_infotext(infotext('X Type: Seed, X Values: "1,2", Y Type: Checkpoint name, Y Values: a'))
    assert plotted.axes[plotted.column_axis].kind == "seed"
    single = Experiment.from_infotext(infotext("X Type: Nothing"))
    assert [(a.kind, a.values) for a in single.axes] == [("checkpoint", (CheckpointRef("m", "0123456789"),))]


def test_axes_that_are_not_drawn_are_refused_by_name():
    for axes, name in (
        ("X Type: FP8 mode, X Values: Enable", "FP8 mode"),
        ("X Type: Sampler, X Values: IPNDM", "IPNDM"),
        ("X Type: Schedule type, X Values: Laplace", "Laplace"),
    ):
        with pytest.raises(UnsupportedKeyError, match=name):
            Experiment.from_infotext(infotext(axes))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"jub": {}}, "'job'"),
        ({"job": {"promt": "x", "seed": 1}}, "'prompt'"),
        ({"job": {"prompt": "x"}}, "lacks seed"),
        ({"job": {"prompt": "x", "seed": "1"}}, "must be a whole number"),
        ({"job": {"prompt": "x", "seed": -1}}, "expected a fixed seed"),
        ({"job": {"prompt": "x", "seed": 1, "width": 7}}, "8 to 16384"),
        ({"axes": [{"kind": "sede", "values": [1]}]}, "'seed'"),
        ({"axes": [{"kind": "seed", "values": [1, 1]}]}, "twice"),
        ({"axes": [{"kind": "seed", "values": [1.5]}]}, "whole"),
        ({"axes": [{"kind": "seed", "values": []}]}, "no values"),
        ({"axes": [{"kind": "cfg", "values": [1]}, {"kind": "cfg", "values": [2]}]}, "two 'cfg'"),
        ({"axes": [{"kind": "prompt s/r", "values": ["dog", "cat"]}]}, "'dog'"),
        ({"axes": [{"kind": "face denoise", "values": [0.5]}]}, "there is no face pass"),
        ({"faces": [{"denoice": 0.5}]}, "'denoise'"),
        ({"columns": "seeds"}, "seeds"),
        ({"axes": {}}, "list"),
        ({"axes": [{"kind": "seed", "values": [1e400]}]}, "infinity"),
        ({"axes": [{"kind": "cfg", "values": [float("nan")]}]}, "finite"),
        ({"axes": [{"kind": "prompt", "values": ["\ud83d"]}]}, "Unicode"),
        ({"axes": [{"kind": "checkpoint", "values": ["\udcff.safetensors"]}]}, "Unicode"),
        ({"faces": [{"merge": "merge"}]}, "Merge and Invert"),
        ({"faces": [{"sort": "left"}]}, "Left to right"),
        ({"faces": [{"denoise": 1.5}]}, "0 to 1"),
        ({"faces": [{"blur": -1}]}, "0 or more"),
    ],
)
def test_mistakes_in_a_file_are_answered(change, says):
    with pytest.raises(ExperimentError, match=says):
        Experiment.from_dict({"job": {"prompt": "a man", "seed": 1}, **change})


def test_what_is_typed_is_read_as_the_webui_reads_it():
    axes = [{"kind": "prompt", "values": ["a # b", {"prompt": "c", "negative": "d#e"}]}]
    faces = [
        {"sampler": "DPM++ 2M Karras", "prompt": "face # kept: ADetailer knows no comments"},
        {"sampler": "Euler a"},
    ]
    job = {"prompt": "x # y", "negative": "# z\nw", "seed": 1, "sampler": "DPM++ 2M SDE Karras"}
    typed = Experiment.from_dict({"job": job, "axes": axes, "faces": faces}).as_typed()
    assert (typed.job.prompt, typed.job.negative) == ("x \n", "\nw")
    assert (typed.job.sampler, typed.job.schedule) == ("DPM++ 2M SDE", "Karras")
    assert typed.axes[0].values == (PromptPair("a \n"), PromptPair("c", "d\n"))
    assert [(tab.sampler, tab.schedule) for tab in typed.faces] == [("DPM++ 2M", "Karras"), ("Euler a", None)]
    assert typed.faces[0].prompt == faces[0]["prompt"]
    assert typed.as_typed() == typed


def test_what_our_engine_does_not_draw_is_refused_by_name():
    tab = FaceSettings(prompt="<hypernet:me:1>", sampler="IPNDM")
    job = replace(JOB, sampler="ER SDE", schedule="Laplace", rng="gpu", denoise=0.5, prompt="a <hypernet:you:1>")
    with pytest.raises(UnsupportedKeyError) as refused:
        require_drawn([(JOB, [FaceSettings()]), (job, [tab])])
    for name in (
        "ER SDE",
        "Laplace",
        "rng: gpu",
        "denoise: 0.5",
        "<hypernet:you:1>",
        "<hypernet:me:1>",
        "IPNDM",
    ):
        assert name in str(refused.value)
    require_drawn([(replace(JOB, prompt="<lora:a:1>"), [FaceSettings(sampler="Euler a", schedule="Karras", vae="v")])])


def test_pictures_drawn_from_others_and_those_without_a_models_name():
    text = "a man\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 512x512, Model hash: 0123456789"
    assert Experiment.from_infotext(parse(text)).checkpoints == (CheckpointRef("0123456789", "0123456789"),)
    with pytest.raises(UnsupportedKeyError, match="Denoising strength"):
        Experiment.from_infotext(parse(f"{text}, Denoising strength: 0.5, Version: 1.10.1"))


def test_search_and_replace_works_on_what_the_prompt_axis_set():
    axes = (Axis("prompt s/r", ("man", "dog")), Axis("prompt", (PromptPair("a man"), PromptPair("man, man", "no man"))))
    cells = Experiment(job=JOB, axes=(*axes, Axis("checkpoint", (CheckpointRef("c"),)))).cells()
    assert [(c.job.prompt, c.job.negative) for c in cells] == [
        ("a man", "blurry"), ("man, man", "no man"), ("a dog", "blurry"), ("dog, dog", "no dog"),
    ]  # fmt: skip


def changed(settings):
    """Every way to change one field, as (name, changed settings)."""
    for field in fields(settings):
        old = getattr(settings, field.name)
        new = not old if isinstance(old, bool) else f"{old} x" if isinstance(old, str) else (old or 0) + 1
        yield field.name, replace(settings, **{field.name: new})


def test_before_key_changes_with_everything_that_moves_a_pixel(monkeypatch):
    key = before_key(JOB, {"host": "x"}, "00")
    assert key == before_key(replace(JOB, cfg=7), {"host": "x"}, "00")  # 7 and 7.0 are one CFG
    same = {name for name, job in changed(JOB) if before_key(job, {"host": "x"}, "00") == key}
    assert same == {"clip_skip", "subseed"}
    varied = replace(JOB, subseed_strength=0.5)
    assert before_key(replace(varied, subseed=1), {}, "") != before_key(varied, {}, "")
    assert len({key, before_key(JOB, {"host": "y"}, "00"), before_key(JOB, {"host": "x"}, "01")}) == 3
    monkeypatch.setattr(keys, "PIXELS", keys.PIXELS + 1)
    assert before_key(JOB, {"host": "x"}, "00") != key


def test_after_key_changes_with_face_settings_and_detector():
    tab = FaceSettings()
    key = after_key("b", [tab], ["d"])
    assert {name for name, other in changed(tab) if after_key("b", [other], ["d"]) == key} == {"clip_skip"}
    others = [after_key("c", [tab], ["d"]), after_key("b", [tab], ["e"]), after_key("b", [tab, tab], ["d", "d"])]
    assert len({key, *others}) == 4


def test_every_kind_can_be_written_and_read():
    others = {"prompt s/r", "prompt s/r everywhere", "face prompt s/r", "prompt order"}  # of what a prompt holds
    assert set(VALUES) | others | {kind.name for kind in KINDS.values() if kind.part} == set(KINDS)
    with pytest.raises((ExperimentError, InfotextError), match="name"):
        CheckpointRef.parse(" [0123456789]")


@pytest.mark.parametrize(("seeds", "digits"), [(9_999, 4), (10_000, 5)])
def test_names_of_any_number_of_cells_sort_as_the_cells_do(seeds, digits):
    axes = (Axis("checkpoint", (CheckpointRef("a"),)), Axis("seed", tuple(range(seeds))))
    cells = Experiment(job=JOB, axes=axes).cells()
    assert {cell.digits for cell in cells} == {digits}
    names = [f"{cell.number:0{cell.digits}d}" for cell in cells]
    assert names == sorted(names)
