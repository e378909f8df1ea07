"""The toy checkpoint's second encoder is known to a webui that was given it, and to no other."""

import sys
from types import ModuleType

from ohwx_compare.toy.for_webui import ARCHITECTURE, write_encoders


def test_registered_when_the_entry_is_loaded_and_only_on_request(webui, monkeypatch):
    known, open_clip = [], ModuleType("open_clip")
    open_clip.add_model_config = known.append
    monkeypatch.setitem(sys.modules, "open_clip", open_clip)
    webui.load_script()
    assert known == []
    folder = write_encoders(webui.data / "models")
    webui.load_script()
    assert known == [folder / f"{ARCHITECTURE}.json"]
