"""The script in a fake webui: loaded, asked, answered; what it draws with, leaves alone and puts back."""

import hashlib
import json
import operator
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import stocked
from fake_webui import Img2Img, OldTxt2Img, Txt2Img, write_checkpoint
from safetensors.torch import load_file, save_file

from ohwx_compare.errors import CheckpointError, ExperimentError, HostError, LedgerError

BOTH = ["one.safetensors", "two.safetensors"]


def asked(**settings):
    return json.dumps({"checkpoints": BOTH, "name": "run", **settings})


def arguments(**changes):
    """The panel's, with both checkpoints chosen."""
    from ohwx_compare.hosts.webui.request.arguments import Panel

    return list(Panel(**{"checkpoints": BOTH, **changes}))


def pixels(processed):
    return [np.asarray(image.convert("RGB")) for image in processed.images]


def test_sheet_then_cells_with_their_infotexts(webui):
    processed = webui.load_script().run(Txt2Img(seed=7), asked())
    assert len(processed.images) == len(processed.infotexts) == 3
    assert ["Model: one" in text for text in processed.infotexts] == [True, True, False]
    assert "Model: two" in processed.infotexts[2]
    assert processed.infotexts[2].endswith('RNG: CPU, Hires steps: 3, ohwx: "{\\"cell\\": 2, \\"run\\": \\"run\\"}"')
    _, one, two = pixels(processed)
    assert one.shape == (64, 64, 3)
    assert not np.array_equal(one, two)
    assert (webui.data / "outputs" / "ohwx" / "compare" / "run" / "index.html").is_file()


def test_nothing_of_the_users_is_changed(webui):
    p = Txt2Img(seed=7, override_settings={"randn_source": "NV"}, extra_generation_params={"theirs": 1})
    webui.load_script().run(p, asked())
    assert p.override_settings == {"randn_source": "NV"}
    assert webui.model.sd_checkpoint_info.name == "user.safetensors"
    assert webui.opts.data == {"sd_model_checkpoint": "user.safetensors"}
    assert {call.override_settings["randn_source"] for call in webui.calls} == {"NV"}
    assert all(call.do_not_save_samples and call is not p for call in webui.calls)


def test_users_checkpoint_comes_back_after_an_error(webui):
    webui.before_draw = lambda: 1 / 0
    processed = webui.load_script().run(Txt2Img(seed=7), asked())
    assert "ZeroDivisionError" in processed.comments
    assert webui.model.sd_checkpoint_info.name == "user.safetensors"


def test_panel_and_json_ask_for_the_same(webui):
    script = webui.load_script()
    by_json = pixels(script.run(Txt2Img(seed=7), asked(name="a", axes={"seed": "7,8"})))
    by_panel = pixels(script.run(Txt2Img(seed=7), *arguments(axis_1="Seed", values_1="7-8", faces=False, name="b")))
    assert all(map(np.array_equal, by_json[1:], by_panel[1:]))


def test_the_panel_has_a_component_for_each_argument_and_is_built_once(webui):
    script = webui.load_script()
    from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS, Panel

    components = script.ui(False)
    assert len(components) == len(ARGUMENTS)
    assert all(component.label for component in components)
    default = [list(value) if value == () else value for value in Panel()]
    assert [component.value for component in components] == default
    assert all(component.do_not_save_to_config for component in components)
    labels = [component.label for component in components]
    assert len(set(labels)) == len(labels)  # ui-config.json keeps one entry a label
    assert all(map(operator.is_, script.ui(False), components))  # as the webui's API asks, for their values


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "No checkpoint"),
        (("", None), "No checkpoint"),
        ((None,) * 40, "No checkpoint"),
        (("",) * 40, "'confidence'"),
    ],
)
def test_argument_lists_of_any_length_are_read(webui, arguments, named):
    with pytest.raises(ExperimentError, match=named):
        webui.load_script().run(Txt2Img(), *arguments)


def test_loaded_anew_after_reload_ui(webui):
    webui.load_script()
    first = sys.modules["ohwx_compare.hosts.webui.entry"]
    for callback in webui.unloaded:
        callback()
    script = webui.load_script()
    assert sys.modules["ohwx_compare.hosts.webui.entry"] is not first
    heavy = ("ohwx_compare.engine", "ohwx_compare.files.ledger", "ohwx_compare.core.experiment.experiment")
    assert not [name for name in sys.modules if name.startswith(heavy)]  # the start waits for nothing
    assert len(script.run(Txt2Img(seed=7), asked()).images) == 3


def test_batches_are_the_users_and_count_times_size_becomes_seeds(webui):
    processed = webui.load_script().run(Txt2Img(seed=7, batch_size=2, n_iter=2), asked())
    assert [call.seed for call in webui.calls] == [[7, 8], [9, 10]] * 2
    assert len(processed.images) == 9


def test_face_pass_is_pinned_and_leaves_adetailer_out(webui, face):
    processed = webui.load_script().run(Txt2Img(seed=7), asked(faces=[face]))
    nested = [call for call in webui.calls if isinstance(call, Img2Img)]
    assert len(nested) == 2
    assert len(processed.images) == 5
    assert all(call._ad_disabled for call in webui.calls)
    for call in nested:
        assert call.override_settings["overlay_inpaint"] is True
        assert call.override_settings["img2img_fix_steps"] is False
        assert call.inpainting_fill == 1
        assert call.cached_c is not webui.calls[0].cached_c


@pytest.mark.parametrize(
    ("setting", "allowed"), [(None, ["negpip"]), ("", []), ("theirs.py, !adetailer", ["theirs", "!adetailer"])]
)
def test_in_a_face_pass_only_the_scripts_run_that_the_user_allows(webui, face, setting, allowed):
    if setting is not None:
        webui.opts.data["ohwx_nested_scripts"] = setting
    theirs = [
        SimpleNamespace(filename=f"/x/{name}.py", section=None, args_from=0, args_to=0)
        for name in ("theirs", "negpip", "!adetailer")
    ]
    runner = SimpleNamespace(alwayson_scripts=theirs, callback_map={"process": (3, theirs)})
    webui.load_script().run(Txt2Img(seed=7, scripts=runner, script_args=()), asked(faces=[face]))
    for call in webui.calls:
        names = [Path(script.filename).stem for script in call.scripts.alwayson_scripts]
        assert names == (allowed if isinstance(call, Img2Img) else ["theirs", "negpip", "!adetailer"])
    assert runner.alwayson_scripts is theirs
    assert len(runner.callback_map["process"][1]) == 3


def test_without_a_face_pass_adetailer_may_run(webui):
    webui.load_script().run(Txt2Img(seed=7), asked())
    assert not any(getattr(call, "_ad_disabled", False) for call in webui.calls)


def test_an_ignored_switch_is_an_error_of_that_checkpoints_cells(webui):
    webui.ignores_switch = True
    processed = webui.load_script().run(Txt2Img(seed=7), asked())
    assert len(processed.images) == 1
    assert "one.safetensors, but the webui has loaded user.safetensors" in processed.comments


def test_a_file_overwritten_under_its_name_is_read_again(webui):
    script = webui.load_script()
    write_checkpoint(webui.folder / "user.safetensors", 2)  # what `two` is, while `user` lies in memory
    user, two = pixels(script.run(Txt2Img(seed=7), asked(checkpoints=["user.safetensors", "two.safetensors"])))[1:]
    assert np.array_equal(user, two)


def test_any_tensor_changed_under_the_name_of_what_is_loaded_is_read_again(webui):
    script, path = webui.load_script(), webui.folder / "user.safetensors"
    tensors = load_file(path)
    changed = tensors["first_stage_model.decoder.conv.weight"]
    changed[-1, -1] += 1  # neither a part nor a place that is sampled
    save_file(tensors, path)
    script.run(Txt2Img(seed=7), asked(checkpoints=["user.safetensors"]))
    assert torch.equal(webui.model.first_stage_model.decoder.conv.weight, changed)


def test_what_a_lora_changed_is_known_by_its_backup(webui):
    webui.load_script()
    from ohwx_compare.files.checkpoint import read_header
    from ohwx_compare.hosts.webui.generation.loaded import differing

    attention = torch.nn.MultiheadAttention(8, 2)
    model = torch.nn.ModuleDict({"conditioner": torch.nn.ModuleDict({"embedders": torch.nn.ModuleList([attention])})})
    path = webui.data / "attention.safetensors"
    save_file({name: value.detach().clone() for name, value in model.named_parameters()}, path)
    header = read_header(path)
    assert differing(model, header, whole=True) == []
    attention.network_weights_backup = (attention.in_proj_weight.clone(), attention.out_proj.weight.clone())
    with torch.no_grad():
        attention.in_proj_weight += 1
        attention.out_proj.weight += 1
    assert differing(model, header, whole=True) == []
    attention.network_weights_backup = None
    assert len(differing(model, header, whole=True)) == 2


def test_files_of_one_stem_are_told_apart(webui):
    for number, folder in enumerate("ab"):
        write_checkpoint(webui.folder / folder / "twin.safetensors", number + 1)
    script = webui.load_script()
    twins = pixels(script.run(Txt2Img(seed=7), asked(checkpoints=["a/twin.safetensors", "b/twin.safetensors"])))
    plain = pixels(script.run(Txt2Img(seed=7), asked(name="plain")))
    assert all(map(np.array_equal, twins[1:], plain[1:]))
    with pytest.raises(CheckpointError, match="could be a/twin"):
        script.run(Txt2Img(seed=7), asked(checkpoints=["twin"]))


def test_weights_left_over_from_the_model_before_are_refused(webui):
    write_checkpoint(webui.folder / "bare.safetensors", 5, without=["first_stage_model.decoder.conv.weight"])
    processed = webui.load_script().run(Txt2Img(seed=7), asked(checkpoints=["one.safetensors", "bare.safetensors"]))
    assert len(processed.images) == 2
    assert "bare.safetensors lacks 1 tensor (" in processed.comments


def test_the_notes_of_cells_stand_below_the_gallery_each_once(webui):
    write_checkpoint(webui.folder / "copy.safetensors", 1)
    asked_for = asked(checkpoints=["one.safetensors", "copy.safetensors"])
    said = webui.load_script().run(Txt2Img(seed=7), asked_for).comments
    assert said.count("1 cell: same pixels as cell 1 of one.safetensors: the files are copies") == 1


def paste(webui, script, parameters):
    """What the panel's components become, by argument, as the webui does it on paste."""
    from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS

    for callback in webui.on_paste:
        callback("", parameters)
    script.ui(False)
    updates = [(name, read(parameters)) for name, (_, read) in zip(ARGUMENTS, script.infotext_fields, strict=True)]
    return {name: update["value"] for name, update in updates if update is not None}


def test_pasting_the_result_restores_the_panel(webui, face):
    script = webui.load_script()
    from ohwx_compare.core.infotext.infotext import parse

    face |= {"denoise": 0.4, "padding": 16, "prompt": "face of ohwx man"}
    sheet, cell, *_ = script.run(Txt2Img(seed=7), asked(axes={"seed": "7,8", "cfg": "5-6"}, faces=[face])).infotexts
    parameters = {pair.key: pair.value for pair in parse(sheet).pairs}
    values = paste(webui, script, parameters)
    assert parameters["Script"] == "ohwx compare" == script.title()
    assert values["checkpoints"] == BOTH
    assert {values["axis_1"], values["axis_2"]} == {"Seed", "CFG scale"}
    assert {name: values[name] for name in ("denoise", "padding", "prompt", "top_k", "faces", "steps")} == {
        "denoise": 0.4, "padding": 16, "prompt": "face of ohwx man", "top_k": 1, "faces": True, "steps": 0,
    }  # fmt: skip
    parameters = {pair.key: pair.value for pair in parse(cell).pairs}
    assert paste(webui, script, parameters) == {}  # a picture, not a comparison
    assert "Script" not in parameters


def test_pasting_somebody_elses_picture_leaves_the_panel(webui):
    script = webui.load_script()
    parameters = {"Prompt": "a", "Steps": "20", "Sampler": "Euler", "Model": "one", "Size-1": "64"}
    assert paste(webui, script, parameters) == {}
    assert "Script" not in parameters


@pytest.mark.parametrize(("flag", "drawn"), [("interrupted", 0), ("skipped", 1)])
def test_a_picture_cut_in_the_middle_is_never_kept(webui, flag, drawn):
    def press():
        webui.before_draw = lambda: None
        setattr(webui.state, flag, True)

    webui.before_draw = press
    script = webui.load_script()
    processed = script.run(Txt2Img(seed=7), asked())
    assert len(processed.images) - 1 == drawn
    webui.state.interrupted = False
    assert len(script.run(Txt2Img(seed=7), asked()).images) == 3


def test_finish_this_image_finishes_the_cell_with_its_face(webui, face):
    def press():
        webui.before_draw = lambda: None
        webui.after_draw = lambda: setattr(webui.state, "stopping_generation", True)

    webui.before_draw = press
    processed = webui.load_script().run(Txt2Img(seed=7), asked(faces=[face]))
    assert [type(call) for call in webui.calls] == [Txt2Img, Img2Img]
    assert len(processed.images) == 3


def test_frozen_settings_are_said(webui):
    sys.modules["modules.shared"].cmd_opts.freeze_settings = True
    with pytest.raises(HostError, match="--freeze-settings"):
        webui.load_script().run(Txt2Img(seed=7), asked())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"axis": []}, "'axis'"),
        ({"axes": [{"kind": "sead", "values": [1]}]}, "'seed'"),
        ({"faces": [{"ad_modell": "x"}]}, "'ad_modell'"),
        ({"name": "../up"}, "cannot be the name of a run folder"),
        ({"checkpoints": ["nobody"]}, "nobody"),
    ],
)
def test_what_cannot_be_understood_is_named(webui, settings, named):
    with pytest.raises((ExperimentError, CheckpointError)) as caught:
        webui.load_script().run(Txt2Img(seed=7), asked(**settings))
    assert named in str(caught.value)


def test_what_is_refused_leaves_no_folder_and_no_request_behind(webui):
    script, runs = webui.load_script(), webui.data / "outputs" / "ohwx" / "compare"
    with pytest.raises(CheckpointError, match="nobody"):
        script.run(Txt2Img(seed=7), asked(checkpoints=["nobody.safetensors"]))
    assert not (runs / "run").exists()
    script.run(Txt2Img(seed=7), asked())
    request = (runs / "run" / "request.json").read_bytes()
    with pytest.raises(LedgerError, match="run"):
        script.run(Txt2Img(seed=8), asked())
    assert (runs / "run" / "request.json").read_bytes() == request


def test_a_webui_before_1_9_names_schedule_and_sampler_in_one(fakes):
    webui = stocked(fakes(is_old=True))
    processed = webui.load_script().run(OldTxt2Img(seed=7, sampler_name="DPM++ 2M SDE Karras"), asked())
    assert {call.sampler_name for call in webui.calls} == {"DPM++ 2M SDE Karras"}
    assert "Schedule type: Karras" in processed.infotexts[1]


@pytest.mark.parametrize("job", ["DPM++ 2M SDE Karras", "Euler"])
def test_before_1_9_an_axis_of_samplers_names_the_schedules(fakes, job):
    webui = stocked(fakes(is_old=True))
    axes = {"sampler": ["Euler", "DPM++ 2M SDE", "DPM++ 2M SDE Karras"]}
    webui.load_script().run(OldTxt2Img(seed=7, sampler_name=job), asked(checkpoints=BOTH[:1], axes=axes))
    assert [call.sampler_name for call in webui.calls] == axes["sampler"]


def test_a_request_without_a_name_goes_on_with_its_folder_whichever_version_named_it(webui):
    script = webui.load_script()
    script.run(Txt2Img(seed=7), asked(name=""))
    runs = webui.data / "outputs" / "ohwx" / "compare"
    (named,) = runs.iterdir()
    from ohwx_compare.core.experiment.key_text import _FIRST_JOB, canonical
    from ohwx_compare.files.ledger.reader import open_run

    written = open_run(named).experiment.to_dict()
    written["job"] = {name: written["job"][name] for name in _FIRST_JOB}
    digest = hashlib.sha256(canonical(written).encode()).hexdigest()[:8]  # as 44c9ee7 named it: of every setting
    assert not named.name.endswith(digest)
    first, drawn = named.rename(runs / f"2020-01-01 10-00-{digest}"), len(webui.calls)
    script.run(Txt2Img(seed=7), asked(name=""))
    assert (list(runs.iterdir()), len(webui.calls)) == ([first], drawn)
