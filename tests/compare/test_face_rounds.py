"""Faces that are inpainted together end as one by one: a crop that shows an earlier face waits for it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_face_pass import JOB, PLAIN, Spy, Stub, drawn

from ohwx_compare.compare.face_pass import detail, select
from ohwx_compare.compare.face_rounds import FaceArea, FaceTurn, rounds
from ohwx_compare.compare.host import Rendered
from ohwx_compare.core.geometry import Box, CropPaste
from ohwx_compare.core.request.job import InpaintJob
from ohwx_compare.engine.detect import Detection
from ohwx_compare.files import masks
from ohwx_compare.testing.fake_host import _mosaic

TAB = replace(PLAIN, width=64, height=64, padding=8, blur=2)
LARGE = replace(JOB, width=256, height=192)
boxes = st.builds(
    lambda x, y, w, h: Detection(Box(x, y, x + w, y + h), 0.9),
    st.integers(0, 225), st.integers(0, 160), st.integers(4, 30), st.integers(4, 30),
)  # fmt: skip


class Crops(Spy):
    """Inpaints as the engine does, but for the model: what is drawn depends on the job and on what the crop shows."""

    def inpaint(self, jobs, images, areas):
        self.asked.append(list(jobs))
        for asked, image, mask in zip(jobs, images, areas, strict=True):
            blurred = masks.gaussian_blur(mask, asked.mask_blur)
            canvas = asked.job.width, asked.job.height
            box = masks.bounding_box(blurred)
            change = CropPaste.around(box, padding=asked.padding, picture=image.size, canvas=canvas)
            new = _mosaic(*canvas, asked.job.seed, masks.crop(image, change).tobytes())
            yield Rendered(masks.paste(new, masks.overlay(image, blurred), change))


@pytest.mark.slow
@given(found=st.lists(st.lists(boxes, max_size=4), min_size=2, max_size=4), dilate=st.sampled_from([0, 4]))
def test_pictures_are_as_if_each_face_had_been_inpainted_alone(tmp_path_factory, found, dilate):
    host = Crops(tmp_path_factory.getbasetemp())
    tab = replace(TAB, dilate=dilate)
    jobs = [replace(LARGE, seed=10 * seed) for seed in range(len(found))]
    together = detail(host, [Stub(found)], [tab], jobs, drawn(host, *jobs))
    assert all(len(asked) <= len(found) for asked in host.asked)
    for job, faces, result in zip(jobs, found, together, strict=True):
        (alone,) = detail(host, [Stub([faces])], [tab], [job], drawn(host, job))
        assert alone.image.tobytes() == result.image.tobytes()
        assert alone.faces == result.faces


def faces_at(*corners, **changes):
    job = InpaintJob(job=replace(JOB, width=64, height=64), mask_blur=0, padding=8)
    made = (select([Detection(Box(x, y, x + 20, y + 20), 0.9)], TAB, (256, 192)).masks[0] for x, y in corners)
    return [FaceArea(replace(job, **changes), mask) for mask in made]


FAR, NEAR = ((10, 10), (200, 10), (100, 150)), ((10, 10), (36, 10), (200, 10))


@pytest.mark.parametrize(
    ("corners", "changes", "expected"),
    [
        (FAR, {}, [[(0, 0), (1, 0), (2, 0)], [(0, 1), (0, 2)]]),
        (NEAR, {}, [[(0, 0), (1, 0), (2, 0)], [(0, 1), (0, 2)]]),
        (FAR[:2], {"only_masked": False}, [[(0, 0), (1, 0), (2, 0)], [(0, 1)]]),
    ],
)
def test_no_round_is_larger_than_the_pictures_are_many(corners, changes, expected):
    one = faces_at((10, 10), **changes)
    assert list(rounds([faces_at(*corners, **changes), one, one])) == [
        [FaceTurn(*turn) for turn in e] for e in expected
    ]


@pytest.mark.parametrize(
    ("corners", "changes", "count"),
    [
        (FAR, {}, 1),
        (NEAR, {}, 2),
        (NEAR, {"padding": 0}, 1),
        (FAR, {"mask_blur": 30}, 2),
        (FAR, {"only_masked": False}, 3),
    ],
)
def test_what_its_crop_shows_is_waited_for(corners, changes, count):
    """Two pictures without a face left leave room for a third and a second of the first one."""
    assert len(list(rounds([faces_at(*corners, **changes), [], []]))) == count


def test_canvases_of_one_size_adjoin():
    wide = [FaceArea(replace(face.job, job=replace(face.job.job, width=96)), face.mask) for face in faces_at((10, 10))]
    square = faces_at((10, 10))
    assert [turn.picture for turn in next(rounds([wide, square, wide, square]))] == [1, 3, 0, 2]
