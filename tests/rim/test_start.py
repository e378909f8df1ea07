"""A webui's start in a fake one: what it loads of this package, and what waits until somebody asks."""

import sys

from tab_page import Page, started

LIGHT = {  # of the rooms below the webui's
    "core", "core.experiment", "core.experiment.groups", "core.experiment.titles", "core.infotext",
    "core.infotext.sampler_names", "core.request", "core.request.named_values", "errors", "files", "files.detectors",
    "files.listing", "hosts", "numerals", "words",
}  # fmt: skip
PANEL = {
    "entry", "features", "folders", "generation", "generation.toy", "panel", "panel.choices", "panel.face_panel",
    "panel.panel", "panel.sheet_panel", "request", "request.arguments", "request.offered", "settings", "tab",
    "tab.door", "tab.place",
}  # fmt: skip


def loaded():
    """Our modules, without the package's name."""
    return {name.partition(".")[2] for name in sys.modules if name.startswith("ohwx_compare.")}


def test_a_start_loads_what_it_shows_and_the_rest_comes_with_the_first_request(webui):
    for name in [name for name in sys.modules if name.partition(".")[0] == "ohwx_compare"]:
        del sys.modules[name]
    for is_img2img in (False, True):
        webui.load_script().ui(is_img2img)
    for callback in (*webui.on_settings, *webui.tabs):
        callback()
    app = started(webui)
    assert loaded() <= LIGHT | {"hosts.webui"} | {f"hosts.webui.{name}" for name in PANEL}
    assert Page(app).get("/ohwx/api/state").status_code == 200
    assert "hosts.webui.tab.desk" in loaded()
