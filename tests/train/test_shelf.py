"""What is encoded once is read by the next start, and only what is the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.events import Encoding, Learned
from ohwx_compare.train.learn import setup
from ohwx_compare.train.learn.captions import is_wordless
from ohwx_compare.train.learn.noise import is_mirrored
from ohwx_compare.train.learn.setup import set_up
from ohwx_compare.train.learn.shelf import EncodedShelf
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import batch, train


@pytest.fixture(autouse=True)
def shelf_folder(tmp_path, monkeypatch):
    """A shelf of its own: other tests encode the same pictures."""
    monkeypatch.setattr(setup, "encoded_folder", lambda: tmp_path / "encoded")
    return tmp_path / "encoded"


def run(values, **more):
    """How many pictures were encoded, and the losses."""
    told = []
    train(make_plan(Recipe.from_dict({**values, **more})), told.append)
    made = [event.made for event in told if isinstance(event, Encoding)]
    return made[-1], [event.loss for event in told if isinstance(event, Learned)]


def test_a_second_start_encodes_nothing_and_learns_the_same(small):
    made, losses = run(small)
    again, same = run({**small, "output": small["output"] + " 2"})
    assert (made, again) == (3, 0)
    assert losses == same
    off, unkept = run({**small, "output": small["output"] + " 3"}, cache_gb=0)
    assert (off, unkept) == (3, losses)


@pytest.mark.slow
def test_what_decides_the_latents_is_noticed(small, shelf_folder):
    run(small)
    path = Path(small["train"]) / "1_ohwx man" / "1.png"
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert run({**small, "output": small["output"] + " 2"})[0] == 1
    wider = {**small, "output": small["output"] + " 3", "resolution": 128, "bucket_max": 128}
    assert run(wider)[0] == 3
    for entry in shelf_folder.glob("*/*"):
        entry.write_bytes(entry.read_bytes()[:100])  # cut short
    assert run({**small, "output": small["output"] + " 4"})[0] == 3


def test_the_least_recently_used_go_where_there_is_no_room(tmp_path):
    tensor = {"x": torch.zeros(1000)}
    with EncodedShelf(tmp_path, 10_000) as shelf:
        keys = [shelf.key("entry", number) for number in range(4)]
        for key in keys[:2]:
            shelf.put(key, tensor)
    with EncodedShelf(tmp_path, 10_000) as shelf:
        assert shelf.get(keys[0])
        shelf.put(keys[2], tensor)
    assert [EncodedShelf(tmp_path, 1).get(key) is not None for key in keys] == [True, False, True, False]


def test_half_the_pictures_are_mirrored_and_some_are_wordless(small):
    recipe = Recipe.from_dict({**small, "flip": True, "caption_dropout": 0.3, "masks": "alpha"})
    ready = set_up(make_plan(recipe), "cpu")
    assert sorted(ready.latents) == [(i, way) for i in range(3) for way in (False, True)]
    (concept,), seed = ready.plan.concepts, recipe.seed
    ways = [(is_mirrored(concept, seed, n, 0), is_wordless(concept, seed, n, 0)) for n in range(1, 400)]
    mirrored, wordless = np.mean(ways, axis=0)
    assert 0.4 < mirrored < 0.6
    assert 0.2 < wordless < 0.4
    plain = next(n for n, ways in enumerate(ways, 1) if ways == (False, False))
    both = next(n for n, ways in enumerate(ways, 1) if ways == (True, True))
    seen = {number: batch(ready, number, {0: 1}) for number in (plain, both)}
    empty, words = ready.texts([""])[0], ready.texts(["ohwx man"])[0]
    assert torch.equal(seen[plain].context, words)
    assert torch.equal(seen[both].context, empty)
    spread = ready.latents[1, True].std * 6
    assert ((seen[both].latents[0] - ready.latents[1, True].mean).abs() <= spread).all()


def test_a_mirrored_picture_is_the_encoded_mirror_of_it(small, tmp_path):
    ready = set_up(make_plan(Recipe.from_dict({**small, "flip": True})), "cpu")
    folder = Path(small["train"]) / "1_ohwx man"
    for path in folder.glob("*.png"):
        Image.fromarray(np.asarray(Image.open(path))[:, ::-1]).save(path)
    turned = set_up(make_plan(Recipe.from_dict(small)), "cpu")
    for i in range(3):
        assert torch.equal(ready.latents[i, True].mean, turned.latents[i, False].mean)


def test_captions_are_read_too_where_the_base_is_known_for_certain(small, monkeypatch):
    loaded = []
    real = setup.load_part
    monkeypatch.setattr(setup, "load_part", lambda part, *a, **k: loaded.append(part) or real(part, *a, **k))
    monkeypatch.setattr(setup, "_seals", lambda base: {"l": "one", "g": "two"})
    plan = make_plan(Recipe.from_dict(small))
    first = set_up(plan, "cpu").texts(["ohwx man"])
    second = set_up(plan, "cpu").texts(["ohwx man"])
    assert loaded == ["unet", "clip_l", "clip_g", "unet"]
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
