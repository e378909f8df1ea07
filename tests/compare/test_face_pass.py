"""The face pass: ADetailer's worked examples, with detections given and pictures drawn by the fake host."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ohwx_compare.compare.batches import face_cost
from ohwx_compare.compare.face_fit import fitted_denoise, fitted_size
from ohwx_compare.compare.face_pass import detail, reach, require_built, segment, select
from ohwx_compare.core.experiment.outcome import Fate, Outcome
from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import InpaintJob, Job, SoftInpaint
from ohwx_compare.engine.detect import Detection
from ohwx_compare.errors import UnsupportedKeyError
from ohwx_compare.testing.fake_host import FakeHost

SIZE = (100, 80)
SMALL = Detection(Box(10, 10, 20, 20), 0.9)  # area 100
LARGE = Detection(Box(40, 30, 70, 60), 0.5)  # area 900, in the middle
WIDE = Detection(Box(5, 60, 45, 70), 0.7)  # area 400
ALL = [SMALL, WIDE, LARGE]  # by confidence, as detectors give them
PLAIN = FaceSettings(dilate=0)
JOB = Job(prompt="ohwx man", negative="blurry", seed=100, subseed=7, width=64, height=64, steps=20)


class Stub:
    """A detector that answers from a list, call by call."""

    name, sha256, kind, note = "stub.pt", "00", "yolov8", ""

    def __init__(self, *answers):
        self.answers, self.seen = list(answers), []

    def detect(self, images, confidence):
        self.seen.append((list(images), confidence))
        return self.answers.pop(0)


class Spy(FakeHost):
    """A fake host that keeps what it was asked to inpaint."""

    def __init__(self, folder):
        super().__init__(folder)
        self.asked = []

    def inpaint(self, jobs, images, masks):
        self.asked.append(list(jobs))
        return super().inpaint(jobs, images, masks)


def drawn(host, *jobs):
    return [rendered.image for rendered in host.render(jobs)]


class Layered(Spy):
    """It gives each inpaint a layer of its own."""

    def inpaint(self, jobs, images, masks):
        for number, one in enumerate(super().inpaint(jobs, images, masks)):
            yield replace(one, layer=Image.new("RGBA", one.image.size, (len(self.asked), number, 0, 255)))


FROM = [  # the picture's size, "match inpaint size", box, and what ADetailer 25.3.0 makes of it
    ((1024, 1024), "Strict", (0, 0, 100, 150), (832, 1216)),
    ((1024, 1024), "Strict", (0, 0, 300, 100), (1536, 640)),
    ((1024, 1024), "Strict", (0, 0, 99, 100), (1024, 1024)),
    ((2048, 2048), "Strict", (0, 0, 100, 150), (2048, 2048)),
    ((832, 1216), "Strict", (0, 0, 1000, 900), (1024, 1024)),
    ((1024, 1024), "Free", (0, 0, 100, 150), (688, 1024)),
    ((512, 768), "Free", (0.5, 0, 300.25, 100), (768, 256)),
    ((512, 768), "Off", (0, 0, 300, 100), (512, 768)),
]


@pytest.mark.parametrize(("size", "match", "box", "drawn_at"), FROM)
def test_a_face_is_drawn_in_the_shape_of_its_box_where_that_is_asked_for(size, match, box, drawn_at):
    tab = FaceSettings(match_size=match)
    assert fitted_size(size, tab, Box(*box)) == drawn_at
    assert fitted_size((320, 256), replace(tab, width=320, height=256), Box(*box)) == (320, 256)


def test_a_large_face_may_move_less_and_with_a_negative_power_more():
    half, whole = Box(0, 0, 50, 80), Box(0, 0, 100, 80)
    at = {power: FaceSettings(denoise=0.4, denoise_power=power) for power in (0.0, 1.0, 2.0, -1.0, -9.0)}
    assert [fitted_denoise(tab, half, SIZE) for tab in at.values()] == [0.4, 0.2, 0.1, 0.8, 1.0]
    assert [fitted_denoise(tab, whole, SIZE) for tab in at.values()] == [0.4, 0.0, 0.0, 1.0, 1.0]


def test_what_a_box_changes_and_one_seed_for_all_reach_the_host(tmp_path):
    host = Spy(tmp_path)
    tab = replace(PLAIN, match_size="Free", denoise_power=1.0, same_seed=True)
    detail(host, [Stub([[SMALL, WIDE]])], [tab], [JOB], drawn(host, replace(JOB, width=100, height=80)))
    asked = [job.job for jobs in host.asked for job in jobs]
    assert [(job.width, job.height, job.seed, job.subseed) for job in asked] == [(64, 64, 100, 7), (64, 16, 100, 7)]
    assert [round(job.denoise, 4) for job in asked] == [0.395, 0.38]


def kept(detections, **settings):
    return [face for faces in select(detections, replace(PLAIN, **settings), SIZE).members for face in faces]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ALL),
        ({"top_k": 1}, [LARGE]),
        ({"top_k": 2}, [LARGE, WIDE]),
        ({"top_k": 2, "top_k_by": "Confidence"}, [SMALL, WIDE]),
        ({"top_k": 9}, [LARGE, WIDE, SMALL]),
        ({"sort": "Left to right"}, [WIDE, SMALL, LARGE]),
        ({"sort": "Center to edge"}, [LARGE, WIDE, SMALL]),
        ({"sort": "Large to small"}, [LARGE, WIDE, SMALL]),
        ({"top_k": 2, "sort": "Left to right"}, [WIDE, LARGE]),
        ({"min_ratio": 0.05}, [WIDE, LARGE]),  # 400 / 8000: the bound itself is in
        ({"max_ratio": 0.05}, [SMALL, WIDE]),
        ({"min_ratio": 0.02, "max_ratio": 0.1, "top_k": 1}, [WIDE]),
        ({"dilate": -15}, [LARGE]),  # the others have sides of 11
        ({"dilate": -15, "sort": "Left to right"}, [LARGE]),
    ],
)
def test_which_faces_in_which_order(settings, expected):
    assert kept(ALL, **settings) == expected


def test_faces_beside_the_mask_of_an_inpaint_are_left_alone():
    """One px of their mask is enough; a merged mask goes with all its faces."""
    for corner, found in (((0, 0, 10, 10), [SMALL]), ((0, 0, 9, 9), []), ((45, 70, 99, 79), [WIDE])):
        within = Image.new("L", SIZE)
        within.paste(255, (corner[0], corner[1], corner[2] + 1, corner[3] + 1))
        chosen = select(ALL, PLAIN, SIZE, within)
        assert [face for faces in chosen.members for face in faces] == found
        assert {face for face, why in chosen.dropped if why == "beside the mask of the inpaint"} == {*ALL} - {*found}
        merged = select(ALL, replace(PLAIN, merge="Merge"), SIZE, within).members
        assert merged == ((tuple(ALL),) if found else ())


def test_the_reach_of_an_inpaint_is_its_white_at_the_jobs_size():
    mask = Image.new("L", (128, 64))
    mask.paste(255, (0, 0, 64, 64))
    asked = InpaintJob(job=JOB, only_masked=False)
    assert reach(asked, mask).size == (64, 64)
    odd = replace(asked, job=replace(JOB, width=71, height=70))
    assert reach(odd, mask).size == (64, 64)  # as what was drawn
    assert reach(asked, mask).getbbox()[2] < 40
    assert reach(replace(asked, inverted=True), mask).getbbox()[0] > 24
    assert reach(replace(asked, only_masked=True), mask) is None


def test_of_equal_faces_the_later_comes_first():
    twins = [Detection(Box(x, 0, x + 10, 10), 0.5) for x in (0, 20, 40)]
    assert kept(twins, top_k=2) == [twins[2], twins[1]]


def test_masks_are_what_adetailer_draws():
    def white(**settings):
        return [mask.getbbox() for mask in select([SMALL], replace(PLAIN, **settings), SIZE).masks]

    assert white() == [(10, 10, 21, 21)]  # both ends inclusive
    assert white(dilate=4) == [(9, 9, 23, 23)]  # 1 px left and up, 2 px right and down
    assert white(x_offset=3, y_offset=5) == [(13, 5, 24, 16)]  # + y is up
    shape = np.zeros((80, 100), np.uint8)
    shape[5:9, 3:6] = 255
    assert select([replace(SMALL, stretched=shape)], PLAIN, SIZE).masks[0].getbbox() == (3, 5, 6, 9)


def test_merged_faces_share_a_mask_and_inverting_takes_the_rest():
    merged = select(ALL, replace(PLAIN, merge="Merge"), SIZE)
    assert merged.members == (tuple(ALL),)
    inverted = select(ALL, replace(PLAIN, merge="Merge and Invert"), SIZE)
    assert np.array_equal(np.asarray(merged.masks[0]) ^ 255, np.asarray(inverted.masks[0]))
    assert select([], replace(PLAIN, merge="Merge and Invert"), SIZE).masks == ()


boxes = st.builds(
    lambda x, y, w, h, c: Detection(Box(x, y, x + w, y + h), c),
    st.integers(0, 70), st.integers(0, 50), st.integers(1, 30), st.integers(1, 30), st.floats(0.3, 1),
)  # fmt: skip
settings = st.builds(
    FaceSettings,
    top_k=st.integers(0, 4), top_k_by=st.sampled_from(("Area", "Confidence")), min_ratio=st.floats(0, 0.1),
    max_ratio=st.floats(0.05, 1), dilate=st.integers(-9, 9), merge=st.sampled_from(("None", "Merge")),
    sort=st.sampled_from(("None", "Left to right", "Center to edge", "Large to small")),
)  # fmt: skip


@given(st.lists(boxes, max_size=6), settings)
def test_every_face_is_kept_with_its_own_mask_or_dropped_with_a_reason(faces, tab):
    chosen = select(faces, tab, SIZE)
    members = [face for group in chosen.members for face in group]
    assert sorted(map(id, members + [face for face, _ in chosen.dropped])) == sorted(map(id, faces))
    assert len(chosen.masks) == len(chosen.members)
    assert all(reason for _, reason in chosen.dropped)
    for mask, group in zip(chosen.masks, chosen.members, strict=True):
        alone = [select([face], replace(tab, top_k=0), SIZE).masks[0] for face in group]
        assert np.array_equal(np.maximum.reduce([np.asarray(m) for m in alone]), np.asarray(mask))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["own", "own", "own"]),
        ("face", ["face", "face", "face"]),
        ("a [SEP] b", ["a", "b", "b"]),
        ("[SEP]b", ["own", "b", "b"]),
        ("a[SEP][SEP]c", ["a", "own", "c"]),
        ("[PROMPT], smiling [SEP] x", ["own, smiling", "x", "x"]),
        ("[SKIP] [SEP] b", ["[SKIP]", "b", "b"]),
    ],
)
def test_segments(text, expected):
    assert [segment(text, i, "own") for i in range(3)] == expected


def test_skipping_a_face_still_counts_it(tmp_path):
    host = Spy(tmp_path)
    tab = replace(PLAIN, prompt="[PROMPT] one [SEP] [SKIP] [SEP] three", negative="n [SEP] [PROMPT]", steps=80, cfg=5.0)
    (result,) = detail(host, [Stub([ALL])], [tab], [JOB], drawn(host, JOB))
    asked = [job for batch in host.asked for job in batch]
    assert [(j.job.prompt, j.job.negative, j.job.seed, j.job.subseed) for j in asked] == [
        ("ohwx man one", "n", 100, 7),
        ("three", "blurry", 102, 9),
    ]
    assert {(j.job.steps, j.job.cfg, j.job.denoise, j.job.width, j.padding, j.mask_blur) for j in asked} == {
        (80, 5.0, 0.4, 64, 32, 4)
    }
    assert [(r.fate, r.mask, r.seed, r.prompt) for r in result.faces] == [
        (Fate.INPAINTED, 0, 100, "ohwx man one"),
        (Fate.SKIPPED, 1, None, ""),
        (Fate.INPAINTED, 2, 102, "three"),
    ]
    assert [r.box for r in result.faces] == [(10, 10, 20, 20), (5, 60, 45, 70), (40, 30, 70, 60)]


def test_pictures_are_redrawn_together_and_as_if_alone(tmp_path):
    host = Spy(tmp_path)
    jobs = [replace(JOB, seed=seed) for seed in (1, 2, 3)]
    found = [[SMALL, LARGE], [], [WIDE]]
    together = detail(host, [Stub(found)], [PLAIN], jobs, drawn(host, *jobs))
    assert [[job.job.seed for job in batch] for batch in host.asked] == [[1, 3], [2]]
    for job, faces, result in zip(jobs, found, together, strict=True):
        (alone,) = detail(host, [Stub([faces])], [PLAIN], [job], drawn(host, job))
        assert alone.image.tobytes() == result.image.tobytes()
        assert replace(alone, image=result.image) == result
    assert [r.outcome for r in together] == [Outcome.FACES, Outcome.NO_FACE, Outcome.FACES]
    assert together[1].image.tobytes() == drawn(host, jobs[1])[0].tobytes()


def test_each_tab_works_on_the_last_ones_result_and_counts_anew(tmp_path):
    host = Spy(tmp_path)
    first, second = Stub([[SMALL, LARGE]]), Stub([[WIDE]])
    tabs = [replace(PLAIN, confidence=0.3), replace(PLAIN, confidence=0.6, width=128, height=96, sampler="Euler")]
    (result,) = detail(host, [first, second], tabs, [JOB], drawn(host, JOB))
    (once,) = detail(host, [Stub([[SMALL, LARGE]])], tabs[:1], [JOB], drawn(host, JOB))
    (image,), confidence = second.seen[0]
    assert (image.tobytes(), confidence) == (once.image.tobytes(), 0.6)
    third = host.asked[2][0].job
    assert (third.seed, third.width, third.height, third.sampler) == (100, 128, 96, "Euler")
    assert [(r.tab, r.mask, r.seed) for r in result.faces] == [(0, 0, 100), (0, 1, 101), (1, 0, 100)]


def test_outcomes_are_told_apart(tmp_path):
    host = FakeHost(tmp_path)
    images = drawn(host, JOB)
    cascade = Stub([[SMALL]])
    cascade.note = "looked for with OpenCV's cascade"
    cases = [
        (Stub([[]]), PLAIN, Outcome.NO_FACE),
        (Stub([ALL]), replace(PLAIN, min_ratio=0.5), Outcome.NONE_KEPT),
        (Stub([ALL]), replace(PLAIN, prompt="[SKIP]"), Outcome.NONE_KEPT),
        (cascade, PLAIN, Outcome.FACES),
    ]
    for detector, tab, outcome in cases:
        (result,) = detail(host, [detector], [tab], [JOB], images)
        assert result.outcome is outcome
        assert result.notes == ((detector.note,) if detector.note else ())
        assert (result.image.tobytes() == images[0].tobytes()) == (outcome is not Outcome.FACES)


def test_what_is_not_built_is_refused_by_name():
    for name, value in {"restore_face": True, "model": "yolov8x-world.pt"}.items():
        with pytest.raises(UnsupportedKeyError, match="Face tab 2"):
            require_built([PLAIN, replace(PLAIN, **{name: value})])
    require_built([replace(PLAIN, noise_multiplier=1.1, vae="v", clip_skip=2, checkpoint="c", classes="face")])


def test_steps_of_a_face_are_the_webuis():
    tab = FaceSettings(steps=80, denoise=0.5)
    assert face_cost(JOB, [tab]) == 41
    assert face_cost(JOB, [replace(tab, denoise=0.7, top_k=2), replace(tab, steps=None, denoise=1.0)]) == 2 * 57 + 20


def test_a_segmentation_mask_lies_where_adetailer_puts_it_unless_asked_otherwise():
    exact, stretched = np.zeros((80, 100), bool), np.zeros((80, 100), np.uint8)
    exact[10:20, 10:20], stretched[14:24, 10:20] = True, 255
    face = Detection(Box(10, 10, 20, 20), 0.9, exact, stretched)
    plain = replace(PLAIN, dilate=0)
    boxes = [select([face], tab, (100, 80)).masks[0].getbbox() for tab in (plain, replace(plain, exact_masks=True))]
    assert boxes == [(10, 14, 20, 24), (10, 10, 20, 20)]


def test_softly_blended_faces_leave_the_layer_of_the_last_one(tmp_path):
    host, soft = Layered(tmp_path), SoftInpaint()
    (done,) = detail(host, [Stub([ALL]), Stub([[]])], [PLAIN, PLAIN], [JOB], [Image.new("RGB", SIZE)], soft=soft)
    assert [asked.soft for (asked,) in host.asked] == [soft] * 3
    assert done.layer.getpixel((0, 0)) == (3, 0, 0, 255)
    (none,) = detail(host, [Stub([[]])], [PLAIN], [JOB], [Image.new("RGB", SIZE)], soft=soft)
    assert none.layer is None
