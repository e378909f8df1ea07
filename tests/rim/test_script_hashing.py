"""The script reads checkpoints whole as seldom as it can, and tells it when it does."""

import hashlib
import importlib
import json

import pytest
from fake_webui import Txt2Img

BOTH = ["one.safetensors", "two.safetensors"]


def asked(**settings):
    return json.dumps({"checkpoints": BOTH, "name": "run", **settings})


@pytest.fixture
def reads(tmp_path, monkeypatch):
    """Names of the files that are read whole, where nothing proves them unchanged."""
    # by name: the package may still hold the modules of a test before
    hashes, identity = (importlib.import_module(f"ohwx_compare.files.{name}") for name in ("hashes", "identity"))
    from ohwx_compare.files.contents import read_contents

    read = []

    def counted(path, on_block=lambda: None):
        read.append(path.stem)
        return read_contents(path, on_block)

    monkeypatch.setattr(hashes, "read_contents", counted)
    monkeypatch.setattr(identity, "SETTLED", 0)
    monkeypatch.setattr(identity, "_MOUNTS", tmp_path / "no table")
    return read


def test_a_webui_reads_each_checkpoint_whole_once_however_many_runs_and_whoever_asks(webui, reads):
    script = webui.load_script()
    script.run(Txt2Img(seed=7), asked(name="a"))
    assert sorted(reads) == ["one", "two"]
    digest = hashlib.sha256((webui.folder / "one.safetensors").read_bytes()).hexdigest()
    processed = script.run(Txt2Img(seed=8), asked(name="b", checkpoints=[f"renamed [{digest[:10]}]", BOTH[1]]))
    assert "Model: one" in processed.infotexts[1]
    assert sorted(reads) == ["one", "two"]


def test_the_setting_trusts_a_sample_of_files_that_were_hashed_before(webui, reads):
    from ohwx_compare.files.hashes import Hashes, cache_folder

    for name in BOTH:
        Hashes(cache_folder())(webui.folder / name)
    reads.clear()
    webui.opts.data["ohwx_trust_samples"] = True
    webui.load_script().run(Txt2Img(seed=7), asked())
    assert reads == []


def test_hashing_is_told_beside_the_cell_in_hand(webui):
    webui.load_script()
    from ohwx_compare.core.events import Hashing
    from ohwx_compare.core.experiment.experiment import Experiment
    from ohwx_compare.hosts.webui.request.progress import RunProgress, drawing_now

    job = {"prompt": "", "seed": 1}
    cells = Experiment.from_dict({"job": job, "axes": [{"kind": "checkpoint", "values": ["one"]}]}).cells()
    now = iter((0.0, 10.0, 40.0, 50.0))
    with RunProgress("run", cells, now=lambda: next(now)) as progress:
        progress(Hashing("one.safetensors", 0, 4))
        progress(Hashing("one.safetensors", 3, 4))
        assert drawing_now()["now"] == "1 of 1: one; hashing one.safetensors: 75 %, 10 s left"
        progress(Hashing("one.safetensors", 4, 4))
        assert drawing_now()["now"] == "1 of 1: one"
