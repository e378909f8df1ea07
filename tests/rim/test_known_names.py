"""Every name is checked against what the webui has, before anything is generated."""

import json
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest
from fake_webui import Txt2Img

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import CheckpointError, DetectorError, ExperimentError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.ledger.reader import open_run

WRONG = {
    "schedule": ({"job": {"schedule": "Karas"}}, "no schedule 'Karas'; did you mean 'Karras'"),
    "sampler": ({"job": {"sampler": "Eulr"}}, "no sampler 'Eulr'; did you mean 'Euler'"),
    "axis of samplers": ({"axes": {"sampler": "Euler, DPM++ 2N SDE"}}, "no sampler 'DPM\\+\\+ 2N SDE'; did you mean"),
    "axis of schedules": ({"axes": {"schedule": "Karras, Unifrom"}}, "no schedule 'Unifrom'; did you mean 'Uniform'"),
    "face's sampler": ({"faces": [{"sampler": "Eulr"}]}, "no sampler 'Eulr'"),
    "face's schedule": ({"faces": [{"schedule": "Karas"}]}, "no schedule 'Karas'"),
    "LoRA": ({"job": {"prompt": "<lora:nosuch:1>"}}, "no LoRA 'nosuch'; it has none"),
    "LyCORIS": ({"job": {"prompt": "<lyco:nosuch:1>"}}, "no LoRA 'nosuch'; it has none"),
    "hypernet": ({"job": {"prompt": "<hypernet:nosuch:1>"}}, "no hypernet 'nosuch'; it has none"),
    "face's LoRA": ({"faces": [{"prompt": "<lora:nosuch:1>"}]}, "no LoRA 'nosuch'"),
    "detector": (
        {"faces": [{"model": "nosuch.pt"}]},
        r"no face detector nosuch\.pt .*drawn_yolov8\.pt, .*opencv-front",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_misspelt_name_is_an_error_before_anything_is_generated(webui, face, name):
    asked, said = WRONG[name]
    if asked.get("faces"):
        asked = {"faces": [{**face, **asked["faces"][0]}]}
    script = webui.load_script()
    with pytest.raises((ExperimentError, DetectorError), match=said):
        script.run(Txt2Img(seed=7), json.dumps({"checkpoints": ["one.safetensors"], "name": "run", **asked}))
    assert webui.calls == []
    assert not (webui.data / "outputs" / "ohwx" / "compare" / "run").exists()


def test_the_cost_line_says_it_too(webui):
    webui.load_script()
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.cost import estimate_html

    panel = Panel(checkpoints=["one.safetensors"], axis_1="Schedule", values_1="Karas", faces=False)
    assert "did you mean &#x27;Karras&#x27;" in estimate_html({"sampling": "Euler"}, list(panel))
    (webui.data / "models" / "ohwx" / "face_yolov8n.pt").unlink()
    panel = Panel(checkpoints=["one.safetensors"], detector="")  # as gradio sends an empty choice
    assert "no face detector face_yolov8n.pt" in estimate_html({"sampling": "Euler"}, list(panel))
    panel = Panel(checkpoints=["one.safetensors"], detector="face_yolov9.pt")
    assert "no face detector face_yolov9.pt" in estimate_html({"sampling": "Euler"}, list(panel))
    panel = Panel(checkpoints=["one.safetensors"], faces=False)
    told = estimate_html({"sampling": "Euler", "width": 64, "height": 64}, list(panel))
    assert re.search("<b>1 cell</b>: 1 picture, 1 checkpoint load; [1-9][0-9]* KB on disk", told)


VAES = {
    "the settings": lambda webui, p: setattr(webui.opts, "sd_vae", "sdxl_vea.safetensors"),
    "the picture": lambda webui, p: p.override_settings.update(sd_vae="sdxl_vea.safetensors"),
}


@pytest.mark.parametrize("by", VAES)
def test_a_vae_that_is_not_there_is_refused(webui, by):
    script, p = webui.load_script(), Txt2Img(seed=7)
    sys.modules["modules.sd_vae"].vae_dict["sdxl_vae.safetensors"] = "sdxl_vae.safetensors"
    VAES[by](webui, p)
    with pytest.raises(ExperimentError, match=r"no VAE 'sdxl_vea\.safetensors'.*did you mean 'sdxl_vae\.safetensors'"):
        script.run(p, json.dumps({"checkpoints": ["one.safetensors"], "faces": []}))
    assert webui.calls == []


def test_an_axis_of_vaes_under_the_command_lines_vae_is_refused(webui, tmp_path):
    (tmp_path / "fixed.pt").touch()
    script = webui.load_script()
    sys.modules["modules.sd_vae"].vae_dict["one.pt"] = "one.pt"
    sys.modules["modules.shared"].cmd_opts.vae_path = str(tmp_path / "fixed.pt")
    axes = [{"kind": "vae", "values": ["one.pt"]}]
    with pytest.raises(ExperimentError, match=r"started with the VAE .*fixed\.pt.*leave the VAE 'one\.pt' out"):
        script.run(Txt2Img(seed=7), json.dumps({"checkpoints": ["one.safetensors"], "faces": [], "axes": axes}))
    assert webui.calls == []


def test_a_vae_of_the_command_line_that_is_not_there_is_refused(webui, tmp_path):
    script = webui.load_script()
    sys.modules["modules.shared"].cmd_opts.vae_path = str(tmp_path / "gone.pt")
    with pytest.raises(ExperimentError, match=r"with the VAE .*gone\.pt, which is not there"):
        script.run(Txt2Img(seed=7), json.dumps({"checkpoints": ["one.safetensors"], "faces": []}))
    assert webui.calls == []


def test_the_cost_line_and_the_tab_say_that_a_vae_is_missing(webui):
    webui.load_script()
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.cost import estimate_html
    from ohwx_compare.hosts.webui.tab.desk import Desk

    webui.opts.sd_vae = "nosuch.pt"
    panel = Panel(checkpoints=["one.safetensors"], faces=False)
    assert "no VAE &#x27;nosuch.pt&#x27;" in estimate_html({"sampling": "Euler"}, list(panel))
    with pytest.raises(ExperimentError, match=r"no VAE 'nosuch\.pt'"):
        Desk().add({"request": {"checkpoints": ["one.safetensors"], "job": {"sampler": "Euler"}}})


HIRES = {
    "checkpoint": ({"hr_checkpoint_name": "other.safetensors"}, r"Hires fix has the checkpoint other\.safetensors"),
    "upscaler": ({"hr_upscaler": "Latant"}, "no upscaler 'Latant'; did you mean 'Latent'"),
    "sampler": ({"hr_sampler_name": "Eulr"}, "no sampler 'Eulr'; did you mean 'Euler'"),
    "LoRA": ({"hr_prompt": "<lora:nosuch:1>"}, "no LoRA 'nosuch'"),
}


@pytest.mark.parametrize("name", HIRES)
def test_what_hires_fix_names_is_there_and_no_other_checkpoint(webui, name):
    fields, said = HIRES[name]
    script, p = webui.load_script(), Txt2Img(seed=7)
    sys.modules["modules.shared"].latent_upscale_modes = {"Latent": {}}
    vars(p).update({"enable_hr": True, "hr_upscaler": "Latent", **fields})
    with pytest.raises(ExperimentError, match=said):
        script.run(p, json.dumps({"checkpoints": ["one.safetensors"], "faces": []}))
    assert webui.calls == []


def test_a_vae_beside_a_checkpoint_and_a_hypernet_are_in_the_fingerprint(webui, tmp_path):
    webui.load_script()
    from ohwx_compare.core.experiment.axes import CheckpointRef
    from ohwx_compare.core.request.job import Job
    from ohwx_compare.hosts.webui.generation.host import WebuiHost

    vae, net = tmp_path / "one.vae.pt", tmp_path / "net.pt"
    sys.modules["modules.sd_vae"].vae_dict[vae.name] = str(vae)
    sys.modules["modules.shared"].hypernetworks = {"net": str(net)}

    def said(checkpoint, prompt):
        with webui.lock:
            host = WebuiHost(Txt2Img(seed=7), own_faces=True)
            host.resolve(CheckpointRef.parse(checkpoint))
            return host.fingerprint(Job(prompt=prompt, seed=1))

    cases = (("one.safetensors", "plain"), ("two.safetensors", "plain"), ("two.safetensors", "<hypernet:net:1>"))
    vae.write_bytes(b"1"), net.write_bytes(b"1")
    before = {case: said(*case) for case in cases}
    vae.write_bytes(b"22"), net.write_bytes(b"22")
    assert [case for case in cases if said(*case) != before[case]] == [cases[0], cases[2]]


def test_a_refiner_that_is_on_is_refused(webui):
    script, asked = webui.load_script(), json.dumps({"checkpoints": ["one.safetensors"]})
    p = Txt2Img(seed=7)
    p.refiner_checkpoint = "refiner_1.0"
    with pytest.raises(ExperimentError, match=r"refiner refiner_1\.0 is on"):
        script.run(p, asked)
    builtin = SimpleNamespace(filename="scripts/refiner.py", args_from=1, args_to=4, section=None)
    webui.runner.alwayson_scripts.append(builtin)
    p = Txt2Img(seed=7, scripts=webui.runner, script_args=(0, True, "refiner_1.0", 0.8))
    with pytest.raises(ExperimentError, match=r"refiner refiner_1\.0 is on"):
        script.run(p, asked)
    assert webui.calls == []


def test_a_lora_by_its_alias_and_an_embedding_are_in_the_fingerprint(webui, monkeypatch, tmp_path):
    webui.load_script()
    from ohwx_compare.core.request.job import Job
    from ohwx_compare.hosts.webui.generation.fingerprint import Fingerprint

    lora, embedding = tmp_path / "file.safetensors", tmp_path / "charm.pt"
    known = ModuleType("networks")
    known.available_network_aliases = {"alias": SimpleNamespace(filename=str(lora))}
    monkeypatch.setitem(sys.modules, "networks", known)
    database = SimpleNamespace(word_embeddings={"charm": SimpleNamespace(filename=str(embedding))})
    hijack = SimpleNamespace(model_hijack=SimpleNamespace(embedding_db=database))
    monkeypatch.setitem(sys.modules, "modules.sd_hijack", hijack)

    def said(prompt):
        return Fingerprint(Txt2Img(seed=7), own_faces=True, digest=sha256)(Job(prompt=prompt, seed=1))

    lora.write_bytes(b"1"), embedding.write_bytes(b"1")
    before = {prompt: said(prompt) for prompt in ("<lora:alias:1>", "a charm", "plain")}
    lora.write_bytes(b"2"), embedding.write_bytes(b"2")
    assert {prompt for prompt, was in before.items() if said(prompt) != was} == {"<lora:alias:1>", "a charm"}


def test_a_comparison_that_is_refused_leaves_no_folder(webui):
    script, runs = webui.load_script(), webui.data / "outputs" / "ohwx" / "compare"
    asked = json.dumps({"checkpoints": ["nosuch.safetensors"], "name": "run", "faces": []})
    with pytest.raises(CheckpointError, match="nosuch"):
        script.run(Txt2Img(seed=7), asked)
    assert list(runs.glob("*")) == []


def test_what_is_skipped_while_it_is_generated_is_no_failure(webui):
    script = webui.load_script()

    def skip():
        sys.modules["modules.shared"].state.skipped = True

    webui.before_draw = skip
    script.run(Txt2Img(seed=7), json.dumps({"checkpoints": ["one.safetensors"], "name": "run", "faces": []}))
    (cell,) = open_run(webui.data / "outputs" / "ohwx" / "compare" / "run").cells
    assert cell.result.outcome is Outcome.PENDING


def test_no_message_of_the_panel_or_the_script_names_a_place_on_the_machine(webui):
    script = webui.load_script()
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.cost import estimate_html

    panel = Panel(checkpoints=["one.safetensors"], detector="nosuch.pt")
    told = estimate_html({"sampling": "Euler"}, list(panel))
    assert "looked in: models/adetailer, models/ohwx" in told
    with pytest.raises(DetectorError) as refused:
        script.run(Txt2Img(seed=7), *panel)
    p = Txt2Img(seed=7)
    script.run(p, json.dumps({"checkpoints": ["one.safetensors"], "name": "a run", "faces": []}))
    assert "The whole run: ohwx/runs/a%20run/index.html" in p.comments
    said = (told, str(refused.value), *p.comments)
    assert not [text for text in said if str(webui.data) in text or "--" in text]  # nor a flag of the command line
