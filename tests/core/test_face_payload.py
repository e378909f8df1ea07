"""ADetailer's arguments."""

import pytest

from ohwx_compare.core.infotext.face_payload import from_arguments, from_payload
from ohwx_compare.errors import ExperimentError

OFF = {"ad_model": "None", "ad_denoising_strength": 0.4}
TAB = {
    "ad_model": "face_yolov8n.pt", "ad_tab_enable": True, "ad_confidence": 0.3, "ad_mask_k": 1, "ad_use_steps": True,
    "ad_steps": 80, "ad_use_cfg_scale": False, "ad_cfg_scale": 7.0, "ad_use_sampler": True,
    "ad_sampler": "DPM++ 2M SDE Karras", "ad_scheduler": "Use same scheduler", "ad_controlnet_model": "None",
    "ad_controlnet_weight": 1.0, "is_api": (),
}  # fmt: skip


def test_the_panels_arguments_are_its_tabs():
    assert from_arguments([True, False, TAB, OFF]) == from_arguments([TAB]) == [{
        "model": "face_yolov8n.pt", "confidence": 0.3, "top_k": 1, "steps": 80, "sampler": "DPM++ 2M SDE",
        "schedule": "Karras",
    }]  # fmt: skip


@pytest.mark.parametrize("arguments", [[], [False, False, TAB], [True, False, OFF], [{**TAB, "ad_tab_enable": False}]])
def test_off_is_off(arguments):
    assert from_arguments(arguments) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([True, False, {**TAB, "ad_controlnet_model": "tile"}], "ControlNet"),
        ([True, True, TAB], "skip img2img.*ohwx face"),
        ([{**TAB, "ad_modell": 1}], "'ad_modell'"),
    ],
)
def test_what_is_not_drawn_is_refused_by_name(arguments, named):
    with pytest.raises(ExperimentError, match=named):
        from_arguments(arguments)


def test_a_tab_that_leaves_controlnet_to_the_picture_does_nothing_of_its_own():
    passed = {**TAB, "ad_controlnet_model": "Passthrough", "ad_controlnet_weight": 0.5}
    assert from_arguments([True, False, passed]) == from_arguments([TAB])


def test_a_tab_of_ours_needs_no_model():
    assert from_payload({"ad_denoising_strength": 0.5}) == {"denoise": 0.5}
