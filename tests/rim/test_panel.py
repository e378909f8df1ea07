"""The panel in a fake webui: what it offers, what it asks for, what pasting makes of it."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from experiments import VALUES
from fake_webui import Txt2Img, write_checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from panel_parts import AD, FILES, every_component, script_with_panel, with_adetailer

from ohwx_compare.core.experiment.axes import KINDS, Axis
from ohwx_compare.core.experiment.axis_text import axis_line, write_values
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.toy.for_webui import put_into_webui

NOT_OF_CELLS = {"json", "name", "keep_before", "sheet_margin", "sheet_legend", "sheet_pictures", "sheet_each"}
JOB = Job(prompt="portrait of ohwx man", negative="blurry", seed=7)


@pytest.mark.slow
def test_what_came_into_the_folders_can_be_selected_once_they_are_read_again(webui):
    components, by_id = every_component(webui)
    for number, title in enumerate(("VAE", "LoRA"), 1):
        by_id[f"axis_{number}"].value = title
        by_id[f"axis_{number}"].fire("change")
    put_into_webui(webui.data / "models")
    for folder in ("VAE", "Lora"):
        (webui.data / "models" / folder).mkdir(exist_ok=True)
        (webui.data / "models" / folder / "new.safetensors").touch()
    by_id["files_refresh"].fire("click")
    assert (by_id["pick_1"].choices[-1], by_id["pick_2"].choices[-1]) == ("new.safetensors", "new")
    for name in ("checkpoints", "control"):
        assert "ohwx-toy/toy.safetensors" in components[name].choices
    assert components["detector"].choices[:2] == ["face_yolov8n.pt", "None"]
    assert components["detector"].choices[-2:] == ["toy_face_yolov8.pt", "opencv-frontalface"]


@pytest.mark.slow
def test_a_detector_that_is_not_there_is_not_chosen_and_those_that_are_take_one_click(webui):
    for name in ("face_yolov8n.pt", "face_yolov8s.pt"):
        (webui.data / "models" / "ohwx" / name).unlink()
    components, by_id = every_component(webui)
    detector, offer = components["detector"], by_id["detectors"]
    assert (detector.value, "face_yolov8n.pt" in detector.choices) == (None, False)
    assert (offer.visible, offer.choices) == (True, ["opencv-frontalface"])
    put_into_webui(webui.data / "models")
    by_id["files_refresh"].fire("click")
    assert offer.choices == ["toy_face_yolov8.pt", "opencv-frontalface"]
    offer.value = "toy_face_yolov8.pt"
    offer.fire("input")
    detector.fire("change")
    assert (detector.value, offer.visible) == ("toy_face_yolov8.pt", False)


def test_the_filter_narrows_and_keeps_what_is_chosen(webui):
    for name in ("run-000002", "run-000010", "other"):
        write_checkpoint(webui.folder / "me" / f"{name}.safetensors", 5)
    components, by_id = every_component(webui)
    chosen, shown = components["checkpoints"], by_id["filter"]
    chosen.value, shown.value = ["one.safetensors"], "RUN me"
    shown.fire("change")
    runs = ["me/run-000002.safetensors", "me/run-000010.safetensors"]
    assert chosen.choices == [*runs, "one.safetensors"]
    by_id["group"].value = "me/run (2 checkpoints)"
    by_id["group"].fire("input")
    assert chosen.value == ["one.safetensors", *runs]
    assert by_id["group"].value is None
    shown.value = "two"
    by_id["add_shown"].fire("click")
    assert set(chosen.value) == {"one.safetensors", "two.safetensors", *runs}
    by_id["axis_2"].value = "Styles"
    webui.styles["anime, new"] = SimpleNamespace(name="anime, new", prompt="x", negative_prompt=None)
    by_id["axis_2"].fire("change")
    assert (by_id["pick_2"].choices, by_id["pick_2"].visible) == (["anime, new"], True)
    by_id["values_2"].value, by_id["pick_2"].value = "None", "anime, new"
    by_id["pick_2"].fire("input")
    assert by_id["values_2"].value == 'None, "anime, new"'
    components["faces"].value = False
    components["faces"].fire("change")
    assert all(c.do_not_save_to_config for c in (shown, by_id["group"], by_id["pick_2"]))


@st.composite
def panels(draw):
    """Panels as a person may fill them in, faces on: without a face pass there are no face settings to restore."""
    from ohwx_compare.hosts.webui.request.arguments import AS_PICTURE, NOTHING, Panel

    kinds = draw(st.lists(st.sampled_from(sorted(set(VALUES) - {"checkpoint", "styles"})), max_size=5, unique=True))
    axes = {}
    kinds, more = kinds[:3], kinds[3:]
    for number, kind in enumerate([*kinds, *[None] * (3 - len(kinds))], 1):
        values = tuple(draw(st.lists(VALUES[kind], min_size=1, max_size=2, unique=True))) if kind else ()
        axes[f"axis_{number}"] = KINDS[kind].title if kind else NOTHING
        axes[f"values_{number}"] = write_values(Axis(kind, values)) if kind else ""
    more = [Axis(kind, tuple(draw(st.lists(VALUES[kind], min_size=1, max_size=2, unique=True)))) for kind in more]
    is_of_prompts = "prompt" in (*kinds, *(axis.kind for axis in more))
    share, size = st.floats(0, 1), st.sampled_from((0, 512, 768))
    sides = draw(st.tuples(size, size).filter(lambda sides: bool(sides[0]) == bool(sides[1])))
    only_masked = draw(st.booleans())
    return Panel(
        checkpoints=draw(st.lists(st.sampled_from(FILES), min_size=1, unique=True)), **axes,
        detector=draw(st.sampled_from(("face_yolov8n.pt", "mine.pt"))), confidence=draw(share), denoise=draw(share),
        top_k=draw(st.integers(0, 10)), dilate=draw(st.integers(-99, 99)), blur=draw(st.integers(0, 64)),
        only_masked=only_masked, padding=draw(st.integers(0, 256)) if only_masked else 32,
        steps=draw(st.integers(0, 150)),
        prompt=draw(st.text("ab, :\"[]")), negative=draw(st.text("ab")), min_ratio=draw(share), max_ratio=draw(share),
        sort=draw(st.sampled_from(("None", "Left to right"))), x_offset=draw(st.integers(-200, 200)),
        y_offset=draw(st.integers(-200, 200)), merge=draw(st.sampled_from(("None", "Merge"))), width=sides[0],
        height=sides[1], cfg=draw(st.sampled_from((0.0, 3.5))), sampler=draw(st.sampled_from((AS_PICTURE, "Euler a"))),
        schedule=draw(st.sampled_from((AS_PICTURE, "Karras"))),
        more_tabs=draw(st.sampled_from(("", '[{"model": "hand.pt", "denoise": 0.3}]'))),
        control=NOTHING if is_of_prompts else draw(st.sampled_from((NOTHING, *FILES))),
        class_words=draw(st.sampled_from(("", "someone"))), more_axes="\n".join(map(axis_line, more)),
    )  # fmt: skip


def test_the_panel_takes_any_number_of_axes(webui):
    webui.load_script()
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.request import read_request

    lines = 'CFG scale: 5, 7\n\n Steps: 8-10 \nsampler: Euler a\nClip skip: 1, 2\nPrompt: ["a: b", "c"]'
    panel = Panel(checkpoints=FILES, axis_1="Seed", values_1="1, 2", faces=False, more_axes=lines)
    experiment = read_request(list(panel), JOB).experiment
    sizes = {axis.kind: len(axis.values) for axis in experiment.axes}
    assert sizes == {"checkpoint": 2, "seed": 2, "cfg": 2, "steps": 3, "sampler": 1, "clip skip": 2, "prompt": 2}
    assert len(experiment.cells()) == 96
    for wrong in ("CFG scale 5", "nothing: 5", "Seed: 3"):
        with pytest.raises(ExperimentError, match=r"is not an axis|two 'seed' axes"):
            read_request(list(Panel(**{**panel._asdict(), "more_axes": wrong})), JOB)


def as_the_webui_parses(text):
    """Its dictionary of parameters; a value of two numbers and an x becomes two keys there."""
    infotext = parse(text)
    parameters = {"Prompt": infotext.prompt, "Negative prompt": infotext.negative}
    for pair in infotext.pairs:
        found = re.fullmatch(r"(\d+)x(\d+)", pair.value)
        parameters |= {f"{pair.key}-1": found[1], f"{pair.key}-2": found[2]} if found else {pair.key: pair.value}
    return parameters


def test_pasting_the_sheets_infotext_restores_every_field(webui):
    webui.load_script()
    from ohwx_compare.core.experiment.outcome import Outcome
    from ohwx_compare.files.ledger.rows import Result, Run, RunCell
    from ohwx_compare.hosts.webui.panel.paste import corrections, pasted_arguments
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.gallery import _brief
    from ohwx_compare.hosts.webui.request.request import read_request
    from ohwx_compare.look.sheet_infotext import sheet_infotext

    @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=80)
    @given(panels())
    def law(panel):
        experiment = read_request(list(panel), JOB).experiment
        pending = Result(outcome=Outcome.PENDING)
        cells = [RunCell(cell=cell, result=pending, checkpoint=None) for cell in experiment.cells()]
        run = Run(folder=Path("run"), experiment=experiment, cells=tuple(cells), checkpoints=())
        text = _brief(sheet_infotext(run, cells, pictures="after", page=1, pages=1), {})
        parameters = as_the_webui_parses(text)
        parameters |= corrections(parameters)
        job = Job(prompt=parameters["Prompt"], negative=parameters["Negative prompt"], seed=int(parameters["Seed"]),
                  steps=int(parameters["Steps"]), sampler=parameters["Sampler"],
                  schedule=parameters["Schedule type"], cfg=float(parameters["CFG scale"]))  # fmt: skip
        again = Panel(**pasted_arguments(parameters))
        assert set(pasted_arguments(parameters)) >= set(panel._fields) - NOT_OF_CELLS
        assert read_request(list(again), job).experiment.cells() == experiment.cells()

    law()


def test_settings_of_the_first_tab_that_have_no_field_come_back_too(webui):
    webui.load_script()
    from ohwx_compare.core.infotext.infotext import from_job, render
    from ohwx_compare.core.request.face import FaceSettings
    from ohwx_compare.hosts.webui.panel.paste import pasted_arguments
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.request import read_request

    tabs = (FaceSettings(checkpoint="other", vae="own.pt", restore_face=True, clip_skip=2), FaceSettings(steps=9))
    values = pasted_arguments(as_the_webui_parses(render(from_job(JOB, model="one", model_hash=None, faces=tabs))))
    panel = Panel(checkpoints=FILES, **values)
    assert read_request(list(panel), JOB).experiment.faces == tabs


def test_name_and_display_come_back_too(webui):
    script, _ = script_with_panel(webui)
    from ohwx_compare.hosts.webui.panel.paste import pasted_arguments

    asked = {"checkpoints": FILES, "name": "mine", "keep_before": False, "faces": []}
    sheet, cell, _ = script.run(Txt2Img(seed=7), json.dumps(asked)).infotexts
    values = pasted_arguments(as_the_webui_parses(sheet))
    assert (values["name"], values["keep_before"], values["faces"]) == ("mine", False, False)
    assert pasted_arguments(as_the_webui_parses(cell)) == {}  # a picture, not a comparison
    sheet, *_ = script.run(Txt2Img(seed=7), json.dumps(asked | {"name": ""})).infotexts
    assert pasted_arguments(as_the_webui_parses(sheet))["name"] == ""


@pytest.mark.parametrize("number", range(12))
def test_the_articles_infotexts_fill_the_face_pass(webui, number, seed_texts):
    webui.load_script()
    from ohwx_compare.hosts.webui.panel.paste import pasted_arguments

    values = pasted_arguments(as_the_webui_parses(seed_texts[number]))
    if "ADetailer" not in seed_texts[number]:
        assert values == {}
        return
    assert {name: values[name] for name in ("detector", "confidence", "top_k", "padding", "steps")} == {
        "detector": "face_yolov8n.pt", "confidence": 0.3, "top_k": 1, "padding": 32, "steps": 80,
    }  # fmt: skip
    assert values["denoise"] in (0.5, 0.7)


@pytest.fixture
def seed_texts(goldens):
    from ohwx_compare.core.infotext.infotext import split

    return split((goldens.parent / "seed" / "infotexts.txt").read_text(encoding="utf-8"))


def test_adetailers_settings_are_taken_over_and_no_face_is_done_twice(webui):
    p = with_adetailer(webui, [True, False, AD, {"ad_model": "None"}])
    _, components = script_with_panel(webui)
    assert components["adetailer"].visible
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.comparison import base_job
    from ohwx_compare.hosts.webui.request.given import given_by
    from ohwx_compare.hosts.webui.request.request import read_request

    webui.opts.data["ad_bbox_sortby"] = "Area (large to small)"
    arguments = list(Panel(checkpoints=FILES, adetailer=True))
    (tab,) = read_request(arguments, base_job(p), 1, given_by(p)).experiment.faces
    assert (tab.model, tab.denoise, tab.steps, tab.top_k, tab.sort) == ("face_yolov8s.pt", 0.7, 12, 0, "Large to small")
    by_json = json.dumps({"checkpoints": FILES, "faces": "adetailer"})
    assert read_request([by_json], base_job(p), 1, given_by(p)).experiment.faces == (tab,)
    named = {"ad_dynamic_denoise_power": 2, "ad_match_inpaint_bbox_size": "Strict (SDXL only)",
             "ad_same_seed_for_each_tab": True}  # fmt: skip
    webui.opts.data.update(named)
    (tab,) = read_request(arguments, base_job(p), 1, given_by(p)).experiment.faces
    assert (tab.denoise_power, tab.match_size, tab.same_seed) == (2, "Strict", True)


def test_controlnet_that_is_passed_through_is_refused_where_there_is_one(webui):
    from ohwx_compare.hosts.webui.request.given import given_by

    p = with_adetailer(webui, [True, False, {**AD, "ad_controlnet_model": "Passthrough"}])
    assert len(given_by(p).adetailer()) == 1
    webui.scripts_data.append(SimpleNamespace(path="extensions/sd-webui-controlnet/scripts/controlnet.py"))
    with pytest.raises(ExperimentError, match="Passthrough, and ControlNet is installed"):
        given_by(p).adetailer()


@pytest.mark.parametrize("arguments", [[False, False, AD], None])
def test_adetailer_that_is_off_is_said(webui, arguments):
    p = Txt2Img() if arguments is None else with_adetailer(webui, arguments)
    script, components = script_with_panel(webui)
    assert components["adetailer"].visible is (arguments is not None)
    with pytest.raises(ExperimentError, match="ADetailer is not on"):
        script.run(p, json.dumps({"checkpoints": FILES, "faces": "adetailer"}))


def test_styles_are_the_webuis(webui):
    script, _ = script_with_panel(webui)
    for name, prompt in (("film", "{prompt}, 35mm"), ("anime", "anime"), ("-- FILE --", None)):
        webui.styles[name] = SimpleNamespace(name=name, prompt=prompt, negative_prompt="")
    asked = {"checkpoints": FILES[:1], "axes": {"styles": "None, anime"}, "faces": []}
    script.run(Txt2Img(seed=7, prompt="photo # of me", styles=["film"]), json.dumps(asked))
    assert [call.prompt for call in webui.calls] == ["photo # of me, 35mm", "photo # of me, 35mm, anime"]
    webui.opts.enable_prompt_comments = True
    script.run(Txt2Img(seed=7, prompt="photo # of me"), json.dumps(asked))
    assert [call.prompt for call in webui.calls][2:] == ["photo \n", "photo, anime"]
    with pytest.raises(ExperimentError, match="'nobody'"):
        script.run(Txt2Img(seed=7, styles=["nobody"]), json.dumps(asked))


def test_settings_decide_where_runs_lie(webui):
    script = webui.load_script()
    for callback in webui.on_settings:
        callback()
    assert {"ohwx_runs_folder", "ohwx_nested_scripts"} <= set(webui.opts.data_labels)
    webui.opts.data["ohwx_runs_folder"] = "my runs ü"
    script.run(Txt2Img(seed=7), json.dumps({"checkpoints": FILES, "name": "run", "faces": []}))
    assert (webui.data / "my runs ü" / "run" / "run.sqlite").is_file()


def test_pasting_chooses_the_script_for_what_it_can_say_and_for_nothing_else(webui):
    script, _ = script_with_panel(webui)
    (paste,) = webui.on_paste
    title = script.title()

    def chosen(text):
        parameters = as_the_webui_parses(text)
        paste(text, parameters)
        return parameters.get("Script")

    sheet, cell, _ = script.run(Txt2Img(seed=7), json.dumps({"checkpoints": FILES, "faces": []})).infotexts
    assert chosen(sheet) == title
    assert chosen(cell) is None
    base = "a\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64"
    plot = base + ', Script: X/Y/Z plot, X Type: {}, X Values: "{}"'
    assert chosen(plot.format("Checkpoint name", "one.safetensors, two.safetensors")) == title
    assert chosen(plot.format("Seed", "1, 2")) == "X/Y/Z plot"
    both = plot.format("Checkpoint name", "one, two") + ', Y Type: FP8 mode, Y Values: "Enable"'
    assert chosen(both) == "X/Y/Z plot"
    from ohwx_compare.hosts.webui.panel.paste import pasted_arguments

    assert pasted_arguments(as_the_webui_parses(both)) == {}
