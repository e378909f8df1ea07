"""A fake webui's modules in place of the real ones, for one test each."""

import shutil
import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import pytest
from fake_forks import FakeFork
from fake_gradio import Component
from fake_webui import FakeWebui, write_checkpoint
from tab_page import Page, asked, started

_COMPONENTS = (
    "Accordion", "Blocks", "Button", "Checkbox", "Column", "Dropdown", "HTML", "Image", "Radio", "Row", "Slider",
    "Textbox",
)  # fmt: skip


@contextmanager
def faking(folder):
    """`start(**kwargs)` starts a fake webui in `folder`. Our package and the modules are as they were afterwards."""

    def start(**kwargs):
        webui = FakeFork(folder, **kwargs) if "kind" in kwargs else FakeWebui(folder, **kwargs)
        gradio = ModuleType("gradio")
        for name in _COMPONENTS:
            setattr(gradio, name, type(name, (Component,), {}))
        gradio.components = SimpleNamespace(Component=Component)
        gradio.update = dict
        for name, module in {**webui.modules(), "gradio": gradio}.items():
            patch.setitem(sys.modules, name, module)
        return webui

    own = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "ohwx_compare"}
    rim = [name for name in own if name.startswith("ohwx_compare.hosts.webui")]
    for name in rim:
        del sys.modules[name]
    with pytest.MonkeyPatch.context() as patch:
        yield start
    for name in [name for name in sys.modules if name.split(".")[0] == "ohwx_compare"]:
        del sys.modules[name]
    sys.modules.update({name: module for name, module in own.items() if name not in rim})


def stocked(webui):
    """The user's checkpoint loaded and two more to compare."""
    for number, name in enumerate(("user", "one", "two")):
        write_checkpoint(webui.folder / f"{name}.safetensors", number, shapes=webui.shapes)
    webui.list_models()
    webui.reload()
    detectors = webui.data / "models" / "ohwx"
    detectors.mkdir()
    for name in ("face_yolov8n.pt", "face_yolov8s.pt"):  # empty: there, and never read
        (detectors / name).touch()
    return webui


@contextmanager
def opened(webui):
    """The tab's page; at the end nothing is drawn any more."""
    webui.load_script()
    yield Page(started(webui))
    webui.before_draw = webui.after_draw = lambda: None
    for callback in webui.unloaded:
        callback()
    with webui.lock:
        pass


@pytest.fixture
def fakes(tmp_path):
    """Start a fake webui: `fakes(is_old=True)` lacks what 1.7 lacks, `fakes(kind="forge")` is a fork."""
    with faking(tmp_path / "web ui ü") as start:
        yield start


@pytest.fixture
def webui(fakes):
    """A fake 1.10.1 with the user's checkpoint loaded and two more to compare."""
    return stocked(fakes())


@pytest.fixture
def face(webui, goldens):
    """A tab whose drawn detector finds something in any picture."""
    (webui.data / "models" / "adetailer").mkdir()
    shutil.copy(goldens / "drawn_yolov8.pt", webui.data / "models" / "adetailer")
    return {"model": "drawn_yolov8.pt", "confidence": 0.001, "top_k": 1}


@pytest.fixture
def page(webui):
    with opened(webui) as page:
        yield page


@pytest.fixture
def drawn(page):
    page.post("/ohwx/api/runs", asked())
    return page.until("run", "done", "failed")
