"""The script's panel in a fake webui, its components by name, and ADetailer beside it."""

from types import SimpleNamespace

from fake_gradio import Component
from fake_webui import Txt2Img

FILES = ("one.safetensors", "two.safetensors")
AD = {"ad_model": "face_yolov8s.pt", "ad_denoising_strength": 0.7, "ad_use_steps": True, "ad_steps": 12, "is_api": ()}


def script_with_panel(webui):
    script = webui.load_script()
    script.ui(False)
    from ohwx_compare.hosts.webui.request.arguments import ARGUMENTS

    return script, dict(zip(ARGUMENTS, script._panel.arguments, strict=True))


def every_component(webui):
    """The arguments' components by their names, and all of the panel by what their ids end with."""
    made = []
    real = Component.__init__
    Component.__init__ = lambda self, *a, **k: (real(self, *a, **k), made.append(self))[0]
    try:
        _, components = script_with_panel(webui)
    finally:
        Component.__init__ = real
    return components, {(c.elem_id or "").removeprefix("script_ohwx_"): c for c in made}


def with_adetailer(webui, arguments):
    webui.scripts_data.append(SimpleNamespace(path="extensions/adetailer/scripts/!adetailer.py"))
    theirs = SimpleNamespace(filename="x/!adetailer.py", args_from=1, args_to=1 + len(arguments), section=None)
    webui.runner.alwayson_scripts.append(theirs)
    return Txt2Img(seed=7, scripts=webui.runner, script_args=[0, *arguments])
