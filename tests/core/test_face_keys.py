"""ADetailer's keys: what every release wrote is understood, and 25.3.0's text is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.infotext import infotext as it
from ohwx_compare.core.infotext.face_keys import is_built_key, pairs_of
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import InfotextError

BASE = "a\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"
ARTICLE = FaceSettings(top_k=1, denoise=0.7, steps=80)


def read(keys: str, version: str = "25.3.0", webui: str = "v1.10.1") -> tuple[FaceSettings, ...]:
    named = ", ".join(f"ADetailer {pair}" for pair in keys.split(", "))
    return it.faces(it.parse(f"{BASE}, {named}, ADetailer version: {version}, Version: {webui}"))


def test_the_articles_face_pass_is_written_as_25_3_0_writes_it():
    assert ", ".join(f"{key}: {value}" for key, value in pairs_of([ARTICLE])) == (
        "ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3, ADetailer method to decide top k masks: Area, "
        "ADetailer mask only top k: 1, ADetailer dilate erode: 4, ADetailer mask blur: 4, "
        "ADetailer denoising strength: 0.7, ADetailer inpaint only masked: True, ADetailer inpaint padding: 32, "
        "ADetailer use separate steps: True, ADetailer steps: 80, ADetailer version: 25.3.0"
    )
    assert pairs_of([]) == ()


def test_every_switch_in_its_order():
    tab = FaceSettings(
        model="m.pt", classes="cat", prompt="p", negative="n", confidence=0.25, top_k=2, top_k_by="Confidence",
        min_ratio=0.01, max_ratio=0.5, x_offset=1, y_offset=-1, dilate=-8, merge="Merge and Invert", blur=0, denoise=1,
        only_masked=False, width=640, height=768, steps=28, cfg=7, sampler="Euler a", schedule="Karras",
        noise_multiplier=1, clip_skip=2, checkpoint="c.safetensors", vae="v.pt", restore_face=True,
    )  # fmt: skip
    assert ", ".join(f"{key[10:]}: {value}" for key, value in pairs_of([tab], version="26.2.0")) == (
        "model: m.pt, model classes: cat, prompt: p, negative prompt: n, confidence: 0.25, "
        "method to decide top k masks: Confidence, mask only top k: 2, mask min ratio: 0.01, mask max ratio: 0.5, "
        "x offset: 1, y offset: -1, dilate erode: -8, mask merge invert: Merge and Invert, mask blur: 0, "
        "denoising strength: 1.0, inpaint only masked: False, use inpaint width height: True, inpaint width: 640, "
        "inpaint height: 768, use separate steps: True, steps: 28, use separate CFG scale: True, CFG scale: 7.0, "
        "use separate checkpoint: True, checkpoint: c.safetensors, use separate VAE: True, VAE: v.pt, "
        "use separate sampler: True, sampler: Euler a, scheduler: Karras, use separate noise multiplier: True, "
        "noise multiplier: 1.0, use separate CLIP skip: True, CLIP skip: 2, restore face: True, version: 26.2.0"
    )


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        (
            "23.5.18",
            "model: face_yolov8n.pt, conf: 30, dilate/erode: 4, mask blur: 4, denoising strength: 0.7, "
            "inpaint full: True, inpaint padding: 32, use separate steps: True, steps: 80",
        ),
        (
            "23.7.11",
            "model: face_yolov8n.pt, confidence: 0.3, dilate/erode: 4, mask blur: 4, denoising strength: 0.7, "
            "inpaint only masked: True, inpaint padding: 32, use inpaint width/height: False, "
            "use separate steps: True, steps: 80",
        ),
        (
            "23.11.1",
            "model: face_yolov8n.pt, confidence: 0.3, mask only top k largest: 1, dilate erode: 4, mask blur: 4, "
            "denoising strength: 0.7, inpaint only masked: True, inpaint padding: 32, "
            "use separate steps: True, steps: 80",
        ),
    ],
)
def test_older_releases_named_the_same_things_differently(version, keys):
    top = 1 if "top k" in keys else 0
    assert read(keys, version, "v1.7.0") == (FaceSettings(top_k=top, denoise=0.7, steps=80),)


def test_missing_keys_have_the_defaults_of_the_release_that_wrote():
    assert read("model: face_yolov8n.pt") == (FaceSettings(),)
    assert read("model: face_yolov8n.pt", "23.6.0") == (FaceSettings(dilate=32, padding=0),)
    assert read("model: face_yolov8n.pt, use inpaint width height: True") == (FaceSettings(width=512, height=512),)
    assert read("model: face_yolov8n.pt, CFG scale: 4.5", "23.5.4") == (FaceSettings(dilate=32, padding=0, cfg=4.5),)
    assert read("model: None") == ()


@pytest.mark.parametrize(
    ("keys", "webui", "expected"),
    [
        ("sampler: DPM++ 2M Karras", "v1.7.0", ("DPM++ 2M", "Karras")),
        ("sampler: DPM++ 2M Karras", "v1.10.1", ("DPM++ 2M", "Karras")),
        ("sampler: DPM++ 2M SDE", "v1.7.0", ("DPM++ 2M SDE", "Uniform")),
        ("sampler: DPM++ 2M SDE", "v1.10.1", ("DPM++ 2M SDE", None)),
        ("sampler: DPM++ 2M SDE, ADetailer scheduler: Exponential", "v1.10.1", ("DPM++ 2M SDE", "Exponential")),
        ("sampler: Use same sampler, ADetailer scheduler: Karras", "v1.10.1", (None, "Karras")),
    ],
)
def test_the_faces_sampler_reads_like_the_pictures(keys, webui, expected):
    keys = f"model: m.pt, use separate sampler: True, {keys}".replace(", ADetailer ", ", ")
    (tab,) = read(keys, webui=webui)
    assert (tab.sampler, tab.schedule) == expected


@pytest.mark.parametrize(
    "bad",
    [
        *("confidence: high", "steps: 2.5", "inpaint only masked: yes", "mask merge invert: Melt"),
        *("denoising strength: nan", "x offset: "),
    ],
)
def test_a_value_that_cannot_be_is_named(bad):
    with pytest.raises(InfotextError, match=f"ADetailer {bad.split(':')[0]} 2nd"):
        read(f"model: m.pt, model 2nd: m.pt, {bad.replace(':', ' 2nd:', 1)}")


def test_a_tab_without_model_was_cut():
    with pytest.raises(InfotextError, match="tab 2"):
        read("model: m.pt, confidence 2nd: 0.3")


@pytest.mark.parametrize(
    "more",
    [
        "restore face: True",
        *("ControlNet model: inpaint", "ControlNet model: Passthrough, ADetailer ControlNet weight 2nd: 0.5"),
        "made up: 1",
        *("use separate sampler: True, ADetailer sampler: IPNDM", 'prompt: "<hypernet:x:1>"'),
        *("use separate sampler: True, ADetailer sampler: Euler, ADetailer scheduler: Laplace",),
    ],
)
def test_face_keys_that_are_not_built_are_refused_by_name(more):
    text = it.parse(f"{BASE}, ADetailer model: m.pt, ADetailer {more}")
    last = more.split("ADetailer ")[-1].split(":")[0]
    assert [last in line for line in it.unsupported(text)] == [True]


def test_detectors_that_are_not_built_are_refused():
    for name in ("mediapipe_face_whole", "yolov8x-worldv2.pt"):
        assert name in it.unsupported(it.parse(f"{BASE}, ADetailer model: {name}"))[0]
    for fine in (
        "model 2nd: x.pt", "model classes: cat", "model 2nd: mediapipe_face_mesh",
        "ControlNet model 2nd: Passthrough, ADetailer ControlNet weight 2nd: 0.5, ADetailer model 2nd: x.pt",
        "use separate checkpoint: True, ADetailer checkpoint: c [0123456789]",
    ):  # fmt: skip
        assert it.unsupported(it.parse(f"{BASE}, ADetailer model: face_yolov8n.pt, ADetailer {fine}")) == []
    assert not is_built_key("ADetailer ControlNet model")
    assert is_built_key("ADetailer mask only top k largest 11th")


lines = st.text(st.characters(exclude_categories=["Cs"]))
some = st.floats(0, 1, allow_subnormal=False)
settings = st.builds(
    FaceSettings,
    model=lines.filter(lambda s: s not in ("None", "ADetailer model") and "ADetailer" not in s),
    prompt=lines,
    negative=lines,
    confidence=some,
    top_k=st.integers(1, 10),
    top_k_by=st.sampled_from(["Area", "Confidence"]),
    min_ratio=some,
    max_ratio=some,
    sort=st.sampled_from(["None", "Left to right", "Large to small"]),
    x_offset=st.integers(-200, 200),
    dilate=st.integers(-128, 128),
    merge=st.sampled_from(["None", "Merge"]),
    denoise=some,
    padding=st.integers(0, 256),
    steps=st.none() | st.integers(1, 150),
    cfg=st.none() | st.floats(0, 30),
    sampler=st.sampled_from([None, "Euler a", "DPM++ 2M SDE"]),
    schedule=st.sampled_from([None, "Karras", "Automatic"]),
    clip_skip=st.none() | st.integers(1, 12),
    checkpoint=st.none() | st.just("a, b: c"),
)


@given(st.lists(settings, max_size=12))
def test_any_face_pass_comes_back_from_its_own_text(tabs):
    text = it.render(it.from_job(Job(prompt="a", seed=1), model="m", model_hash="ab", faces=tabs, version="1.10.1"))
    assert it.faces(it.parse(text)) == tuple(tabs)


def test_half_a_size_is_completed_from_the_picture():
    text = it.from_job(
        Job(prompt="a", seed=1, height=768), model=None, model_hash=None, faces=[FaceSettings(width=512)]
    )
    assert it.faces(text) == (FaceSettings(width=512, height=768),)
    with pytest.raises(InfotextError, match="together"):
        pairs_of([FaceSettings(width=512)])


def test_the_order_of_faces_must_fit_its_tabs():
    text = it.parse(f'{BASE}, ADetailer model: m.pt, ohwx: "{{\\"face sort\\": [\\"None\\", \\"None\\"]}}"')
    with pytest.raises(InfotextError, match="face sort"):
        it.faces(text)


def test_what_adetailer_keeps_in_its_settings_stands_under_our_own_key():
    tabs = (FaceSettings(same_seed=True), FaceSettings(denoise_power=2.0, match_size="Strict"), FaceSettings())
    text = it.from_job(Job(prompt="a", seed=1), model=None, model_hash=None, faces=tabs)
    assert it.faces(it.parse(it.render(text))) == tabs
    for damaged in ("3", '[{\\"same_seed\\": 3}]'):
        with pytest.raises(InfotextError, match="face settings"):
            it.faces(it.parse(f'{BASE}, ADetailer model: m.pt, ohwx: "{{\\"face settings\\": {damaged}}}"'))
