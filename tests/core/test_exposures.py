"""Step arithmetic: sd-scripts' counts, even exposures, reg images without replacement."""

from collections import Counter
from itertools import islice
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.plan.course import Course, Showable

SQUARE, TALL = (1024, 1024), (832, 1216)


def course(train=15, repeats=1, reg=0, **more) -> Course:
    pictures = (Showable(SQUARE, repeats),) * train + (Showable(SQUARE, 1, True),) * reg
    return Course(pictures=pictures, **more)


def shown(course: Course, epoch: int) -> Counter[int]:
    return course.exposures(course.epoch(epoch))


def test_the_articles_epochs():
    assert len(course().epoch(1)) * 150 == 2250
    assert len(course(repeats=150, reg=5200).epoch(1)) == 4500
    assert len(course(repeats=150, reg=5200, first_reg=True).epoch(1)) == 4500


def test_the_articles_saves_align_by_exposures():
    steps = course(repeats=150, reg=5200).epoch(1)
    for number in range(1, 5):
        counts = course().exposures(steps[: 901 * number])
        assert all(30 * number <= counts[i] <= 30 * number + 2 for i in range(15))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5), st.sampled_from([SQUARE, TALL])), min_size=1),
    batch=st.integers(1, 4),
    accumulation=st.integers(1, 3),
    epoch=st.integers(1, 5),
)
def test_an_epoch_shows_each_picture_its_repeats(sizes, batch, accumulation, epoch):
    pictures = tuple(Showable(bucket, repeats) for n, repeats, bucket in sizes for _ in range(n))
    here = Course(pictures=pictures, batch=batch, accumulation=accumulation, seed=3)
    steps = here.epoch(epoch)
    assert here.exposures(steps) == Counter({i: one.repeats for i, one in enumerate(pictures)})
    rows = Counter()
    for one in pictures:
        rows[one.bucket] += one.repeats
    assert len(steps) == ceil(sum(ceil(n / batch) for n in rows.values()) / accumulation)
    for step in steps:
        for one in step:
            assert len({pictures[i].bucket for i in one}) == 1


@given(steps=st.integers(1, 299), seed=st.integers(0, 9))
def test_exposures_stay_within_one(steps, seed):
    here = course(train=10, repeats=30, seed=seed)
    counts = here.exposures(here.epoch(1)[:steps])
    seen = [counts[i] for i in range(10)]
    assert max(seen) - min(seen) <= 1


@given(ratio=st.sampled_from([0.5, 1.0, 2.0]), reg=st.integers(1, 40), epochs=st.integers(1, 8))
def test_reg_images_come_without_replacement_across_epochs(ratio, reg, epochs):
    here = course(train=6, reg=reg, reg_ratio=ratio, batch=2)
    counts = Counter()
    for epoch in range(1, epochs + 1):
        counts += shown(here, epoch)
    assert {counts[i] for i in range(6)} == {epochs}
    seen = [counts[i] for i in range(6, 6 + reg)]
    assert sum(seen) == epochs * 6 * ratio
    assert max(seen) - min(seen) <= 1


@pytest.mark.parametrize("reg", [4, 15, 40])
def test_kohyas_reg_images_are_the_first_in_every_epoch(reg):
    here = course(reg=reg, first_reg=True)
    used = {i for i in shown(here, 1) if i >= 15}
    assert used == {i for i in shown(here, 2) if i >= 15} == set(range(15, 15 + min(reg, 15)))
    assert sum(shown(here, 1).values()) == 30


def test_kohya_fills_up_after_the_reg_folders_own_repeats():
    pictures = (Showable(SQUARE, 7),) + (Showable(SQUARE, 2, True),) * 3
    counts = shown(Course(pictures=pictures, first_reg=True), 1)
    assert [counts[i] for i in range(4)] == [7, 3, 2, 2]


def test_the_order_is_its_seeds_alone():
    assert course(seed=1).epoch(2) == course(seed=1).epoch(2)
    assert len({course(seed=seed).epoch(epoch) for seed in (1, 2) for epoch in (1, 2)}) == 4
    assert [epoch for epoch, _ in islice(course(train=3).steps(), 7)] == [1, 1, 1, 2, 2, 2, 3]


def test_nothing_to_show_is_an_error():
    with pytest.raises(ExperimentError, match="no training images"):
        course(train=0)
