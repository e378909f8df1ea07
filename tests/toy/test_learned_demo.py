"""A demo on the learned weights: what DreamBooth, regularization images and the face pass are known to do."""

from dataclasses import replace

import pytest

from ohwx_compare.demo.answer import answer
from ohwx_compare.demo.parts import toy_parts
from ohwx_compare.demo.sizes import WHOLE
from ohwx_compare.demo.work import work

SIZES = replace(WHOLE, apart=60, saves=1, seeds=(1, 2, 3), class_seeds=tuple(range(1, 13)), face_saves=1)


@pytest.mark.slow(first=True)
def test_the_demo_shows_what_training_did(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = answer(work(tmp_path / "demo", SIZES, toy_parts(), lambda event: None, lambda: False))
    for arm in found.rises.values():
        assert arm["likeness"].low > 0  # the subject is learned
    assert found.reader.others.high < found.arms["no-reg"][-1].values["likeness"].value < found.reader.subject.low
    assert found.differences["drift"].pooled.high < 0  # regularization images keep "a man" from becoming him
    assert found.faces.faces >= 50
    assert found.faces.change.high < 0  # fewer traits are wrong after the face pass
