"""How many steps run, held to the webui's own count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.steps import face_steps, sampling_steps


@pytest.mark.parametrize(
    ("steps", "denoise", "run"),
    [(20, None, 20), (20, 0.5, 11), (80, 0.4, 33), (20, 0.0, 1), (20, 1.0, 20), (1, 1.0, 1)],
)
def test_worked_examples(steps, denoise, run):
    assert sampling_steps(steps, denoise) == run


@given(st.integers(1, 150), st.floats(0, 1))
def test_at_least_one_and_never_more_than_asked_for(steps, denoise):
    assert 1 <= sampling_steps(steps, denoise) <= steps


def test_a_face_takes_the_pictures_steps_unless_its_tab_has_some():
    job = Job(prompt="", seed=1, steps=20)
    assert (face_steps(job, FaceSettings(denoise=0.5)), face_steps(job, FaceSettings(denoise=0.5, steps=80))) == (
        11,
        41,
    )
