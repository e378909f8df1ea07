"""What is pasted into the panel and is not here: it stays in sight, under the name that the text has."""

import json

from test_panel import as_the_webui_parses, every_component, script_with_panel


def test_a_pasted_detector_that_is_not_there_is_shown_and_offered_another(webui):
    script, _ = script_with_panel(webui)
    components, by_id = every_component(webui)
    fields = dict(zip((id(c) for c, _ in script.infotext_fields), (f for _, f in script.infotext_fields), strict=True))
    read = fields[id(script._panel.arguments[list(components).index("detector")])]
    update = read({"ADetailer model": "nosuch.pt", "ADetailer confidence": "0.3"})
    assert (update["value"], update["choices"][0]) == ("nosuch.pt", "nosuch.pt")
    components["detector"].value = "nosuch.pt"
    components["detector"].fire("change")
    assert by_id["detectors"].visible
    assert "no face detector nosuch.pt" in by_id["detectors"].label


def test_pasted_names_that_are_not_here_are_shown_and_lost_to_no_list(webui):
    """Checkpoints, the control, a face's sampler. One of the same name with another hash is another file."""
    script, _ = script_with_panel(webui)
    components, by_id = every_component(webui)
    from ohwx_compare.hosts.webui.hashes import webui_hashes

    webui_hashes()(webui.folder / "two.safetensors")
    other, nobody, chosen = "two.safetensors [0123456789]", "nobody.safetensors", components["checkpoints"]
    face = "ADetailer model: face_yolov8n.pt, ADetailer use separate sampler: True, ADetailer sampler: Eulr b"
    plot = f'Script: X/Y/Z plot, X Type: Checkpoint name, X Values: "one,{nobody},{other}"'
    kept = {"experiment": {"control": {"checkpoint": "gone", "class_token": "ohwx man"}}}
    text = f"a\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, {face}, {plot}"
    parameters = {**as_the_webui_parses(text), "ohwx": json.dumps(kept)}
    for component, (_, read) in zip(components.values(), script.infotext_fields, strict=True):
        vars(component).update(read(parameters) or {})
    assert chosen.value == ["one.safetensors", nobody, other]
    assert [components[name].value for name in ("control", "sampler")] == ["gone", "Eulr b"]
    by_id["filter"].value = "user"
    for button, event in (("filter", "change"), ("group", "input"), ("files_refresh", "click")):
        by_id[button].fire(event)
        assert {nobody, other} <= set(chosen.choices)
    assert all(components[name].value in components[name].choices for name in ("control", "sampler"))
