"""The estimate in the panel: what a run will cost, told while it is chosen."""

import json

from fake_gradio import Component
from fake_webui import Txt2Img, write_checkpoint
from panel_parts import AD, FILES, every_component, script_with_panel, with_adetailer


def test_the_estimate_is_told_in_the_panel(webui):
    p = with_adetailer(webui, [True, False, AD])
    script, components = script_with_panel(webui)
    webui.runner.inputs = [Component(value=value) for value in p.script_args]
    fields = {"prompt": "a", "neg_prompt": "", "styles": [], "steps": 20, "width": 512, "height": 512, "batch_count": 2}
    for name, value in {**fields, "batch_size": 1, "gallery": None}.items():
        script.has_made(f"txt2img_{name}", Component(value=value))
    told = script._panel.estimate
    components["checkpoints"].value = list(FILES)
    components["checkpoints"].fire("change")
    assert "<b>4 cells</b>: 4 pictures, 4 faces, 2 checkpoint loads; " in told.value
    assert "of earlier runs" not in told.value
    components["axis_1"].value, components["values_1"].value = "Face denoise", "0.3, 0.5"
    components["values_1"].fire("blur")
    assert "<b>8 cells</b>: 4 pictures, 8 faces" in told.value
    components["adetailer"].value = True
    script._panel.button.fire("click")
    assert "8 faces" in told.value
    components["adetailer"].value = False
    for detector, words in (("gone.pt", "no face detector gone.pt"), ("opencv-frontalface", "8 faces")):
        components["detector"].value = detector
        components["detector"].fire("change")
        assert words in told.value
    components["values_1"].value = "a"
    script._panel.button.fire("click")
    assert "axis &#x27;face denoise&#x27; cannot take" in told.value
    assert not webui.calls


def test_the_folders_of_checkpoints_are_walked_once_and_not_at_each_key(webui, monkeypatch):
    from ohwx_compare.hosts.webui import folders

    walks, walk = [], folders.list_checkpoints
    monkeypatch.setattr(folders, "list_checkpoints", lambda folder: walks.append(folder) or walk(folder))
    components, by_id = every_component(webui)
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.cost import estimate_html

    assert len(walks) == 1
    for text in ("o", "on", "one"):
        by_id["filter"].value = text
        by_id["filter"].fire("change")
        by_id["add_shown"].fire("click")
        estimate_html({"steps": 20}, list(Panel(checkpoints=FILES)))
    assert len(walks) == 1
    write_checkpoint(webui.folder / "one more.safetensors", 5)
    by_id["files_refresh"].fire("click")
    assert "one more.safetensors" in components["checkpoints"].choices
    assert len(walks) == 2
    write_checkpoint(webui.folder / "new.safetensors", 6)
    told = estimate_html({"steps": 20}, list(Panel(checkpoints=("new.safetensors",))))
    assert "not found" not in told


def test_the_estimate_knows_how_long_earlier_runs_took(webui):
    script, _ = script_with_panel(webui)
    script.run(Txt2Img(seed=7), json.dumps({"checkpoints": FILES, "name": "first"}))
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.cost import estimate_html

    told = estimate_html({"steps": 20}, list(Panel(checkpoints=[*FILES, "gone.safetensors"])))
    assert "plus the loads, by the pace of earlier runs" in told
    assert "not found: gone.safetensors" in told


def test_the_estimate_leaves_out_what_the_run_folder_holds(webui):
    script, _ = script_with_panel(webui)
    script.run(Txt2Img(seed=7), json.dumps({"checkpoints": FILES[:1], "name": "first"}))
    from ohwx_compare.hosts.webui.request.arguments import Panel
    from ohwx_compare.hosts.webui.request.comparison import base_job
    from ohwx_compare.hosts.webui.request.cost import estimate_html

    job = base_job(Txt2Img(seed=7))
    fields = {"prompt": job.prompt, "neg_prompt": job.negative, "seed": 7, "steps": job.steps, "cfg_scale": job.cfg,
              "sampling": job.sampler, "scheduler": job.schedule, "width": job.width, "height": job.height}  # fmt: skip
    panel = Panel(checkpoints=FILES, faces=False, name="first")
    assert "<b>2 cells</b>: 1 picture, 1 checkpoint load;" in estimate_html(fields, list(panel))
    assert "<b>2 cells</b>: 2 pictures" in estimate_html({**fields, "seed": 8}, list(panel))
