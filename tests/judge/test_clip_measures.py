"""CLIP-I, CLIP-T and CSD with tiny drawn weights of open_clip's layout."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from ohwx_compare.errors import MeasureError
from ohwx_compare.judge.clip_measures import ClipPhotographs, clip_style, clip_text
from ohwx_compare.judge.clip_sight import ClipSight, StyleDescriptors
from ohwx_compare.judge.measure import DistanceMeasure, MeasureContext
from ohwx_compare.judge.style_ends import StyleControl, StyleEnds
from ohwx_compare.judge.style_kept import PHOTOGRAPH

open_clip = pytest.importorskip("open_clip", reason="needs `pip install open_clip_torch`")
torch = pytest.importorskip("torch")
MODEL = "ohwx-drawn"
TOWER = {"width": 64, "layers": 1}
LAYOUT = {
    "embed_dim": 16, "vision_cfg": {**TOWER, "image_size": 32, "patch_size": 8},
    "text_cfg": {**TOWER, "context_length": 77, "vocab_size": 49408, "heads": 1},
}  # fmt: skip
PHOTO, OIL = "photo of man", "oil painting of man"


@pytest.fixture(scope="module", autouse=True)
def model(tmp_path_factory):
    (path := tmp_path_factory.mktemp("layout") / f"{MODEL}.json").write_text(json.dumps(LAYOUT))
    open_clip.add_model_config(path)
    torch.manual_seed(0)
    return open_clip.create_model(MODEL)


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("gewichte ä") / "clip.safetensors"
    save_file(model.state_dict(), path, metadata={"license": "MIT"})
    return path


@pytest.fixture(scope="module")
def descriptors(model, weights):
    """As their authors' file has them: a tower without its last layer, two heads."""
    tower = {f"module.backbone.{name}": t for name, t in model.visual.state_dict().items() if name != "proj"}
    heads = {f"module.last_layer_{kind}": torch.randn(64, 16) for kind in ("style", "content")}
    save_file(tower | heads, path := weights.with_name("csd.safetensors"))
    return path


def pictures(shade, count, seed):
    """One shade with noise of its own."""
    random = np.random.default_rng(seed)
    return [Image.fromarray((shade + random.integers(-20, 20, (48, 40, 3))).astype(np.uint8)) for _ in range(count)]


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("controls"), {}
    for prompt, shade in ((PHOTO, 60), (OIL, 190)):
        for number, image in enumerate(pictures(shade, 3, shade)):
            image.save(path := folder / f"{shade} {number}.png")
            found.setdefault(prompt, []).append(StyleControl(path, prompt))
    return StyleEnds.of(found)


def test_numbers_are_open_clips_of_length_one(model, weights):
    sight, (image,) = ClipSight.load(weights, MODEL), pictures(100, 1, 0)
    _, _, prepared = open_clip.create_model_and_transforms(MODEL)
    with torch.inference_mode():
        wanted = model.eval().encode_image(prepared(image)[None], normalize=True)[0]
        words = model.encode_text(open_clip.get_tokenizer(MODEL)([OIL]), normalize=True)[0]
    np.testing.assert_allclose(sight.pictures([image])[0], wanted, atol=1e-5)
    np.testing.assert_allclose(sight.words([OIL])[0], words, atol=1e-5)
    assert sight.licence == "MIT"


def test_style_descriptors_are_the_tower_with_the_head_for_styles(model, descriptors):
    seen, (image,) = StyleDescriptors.load(descriptors, MODEL), pictures(100, 1, 0)
    _, _, prepared = open_clip.create_model_and_transforms(MODEL)
    kept, model.visual.proj = model.visual.proj, None
    with torch.inference_mode():
        style = model.eval().visual(prepared(image)[None])[0] @ seen._head
    model.visual.proj = kept
    np.testing.assert_allclose(seen.pictures([image])[0], style / style.norm(), atol=1e-5)
    assert seen.licence == "not said by csd.safetensors"


@pytest.mark.parametrize("kind", ["text", "style"])
def test_style_runs_from_the_bases_photographs_to_its_drawings(weights, descriptors, ends, kind):
    if kind == "text":
        measure = clip_text(ClipSight.load(weights, MODEL), ends)
    else:
        measure = clip_style(StyleDescriptors.load(descriptors, MODEL), ends)
    (scale,) = measure._scales.values()
    if scale.drawn <= scale.photographs:  # untrained words may lie the other way
        (score,) = measure.score(pictures(190, 1, 1), MeasureContext(style=OIL))
        assert (score.value, score.outcome) == (None, f"{measure.name} cannot tell this style from a photograph")
        return
    drawn, photos = (
        [score.value for score in measure.score(pictures(shade, 4, 1), MeasureContext(style=OIL))]
        for shade in (190, 60)
    )
    assert min(drawn) > 0.5 > max(photos)
    assert measure.score(pictures(60, 1, 1), MeasureContext(style=PHOTO))[0].outcome == PHOTOGRAPH


def test_clip_i_is_the_distance_to_the_photographs(weights, tmp_path):
    for number, image in enumerate(pictures(120, 3, 5)):
        image.save(tmp_path / f"{number}.png")
    photographs = sorted(tmp_path.iterdir())
    sight = ClipSight.load(weights, MODEL)
    measure = ClipPhotographs(sight, photographs)
    assert isinstance(measure, DistanceMeasure)
    near, far = measure.score([pictures(120, 1, 9)[0], pictures(20, 1, 9)[0]], MeasureContext())
    assert near.value < far.value
    seen = sight.pictures([Image.open(path) for path in photographs])
    (first, *_) = measure.ceiling("photo")
    assert first == pytest.approx(1 - (seen[1:] @ seen[0]).mean())
    assert measure.ceiling("3d render") is None
    with pytest.raises(MeasureError, match="needs 2 photographs of the person or more, got 1"):
        ClipPhotographs(sight, photographs[:1])


def test_other_weights_are_another_measure_and_are_recorded(weights, descriptors, ends, model):
    save_file({**model.state_dict(), "logit_scale": torch.tensor(1.0)}, other := weights.with_name("other.safetensors"))
    first, second = (clip_text(ClipSight.load(path, MODEL), ends) for path in (weights, other))
    assert first.key != second.key
    assert first.sha256 != second.sha256 == second.settings["weights"]


@pytest.mark.parametrize(("file", "as_model", "words"), [
    ("csd", MODEL, "holds no weights of ohwx-drawn"), ("clip", "RN50", "holds no weights of RN50"),
    ("clip", "none", "open_clip has no model 'none'"), ("text", MODEL, "cannot be read as safetensors"),
])  # fmt: skip
def test_what_does_not_fit_is_a_sentence(weights, descriptors, tmp_path, file, as_model, words):
    (tmp_path / "text.safetensors").write_text("no weights")
    path = {"csd": descriptors, "clip": weights, "text": tmp_path / "text.safetensors"}[file]
    with pytest.raises(MeasureError, match=words):
        ClipSight.load(path, as_model)


def test_clip_weights_are_no_style_descriptors(weights):
    with pytest.raises(MeasureError, match="there is no tensor last_layer_style"):
        StyleDescriptors.load(weights, MODEL)
