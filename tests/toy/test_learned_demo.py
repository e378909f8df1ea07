"""The quick demo on the learned weights: what DreamBooth, regularization images and the face pass are known to do."""

import pytest

from ohwx_compare.toy.demo.answer import answer
from ohwx_compare.toy.demo.parts import toy_parts
from ohwx_compare.toy.demo.sizes import QUICK
from ohwx_compare.toy.demo.work import work


@pytest.mark.slow
def test_the_quick_demo_shows_what_training_did(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = answer(work(tmp_path / "demo", QUICK, toy_parts(), lambda event: None, lambda: False))
    rises = [arm["likeness"] for arm in found.rises.values()]  # of eight pictures an arm
    assert all(rise.value > 0.1 for rise in rises)  # the subject is learned
    assert any(rise.low > 0 for rise in rises)
    assert found.reader.others.high < found.arms["no-reg"][-1].values["likeness"].value < found.reader.subject.low
    assert found.differences["drift"].pooled.high < 0  # regularization images keep "a man" from becoming him
    assert found.faces.change.n >= 30
    assert found.faces.change.high < 0  # fewer traits are wrong after the face pass
