"""The fake host: pictures depend on what real ones depend on, and its faults are those that were ordered."""

from dataclasses import fields, replace

import pytest
from PIL import Image

from ohwx_compare.compare.host import Interruption
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import HostError
from ohwx_compare.testing.fake_host import FakeHost, Faults

JOB = Job(prompt="ohwx man", seed=1, width=64, height=48, denoise=0.5)


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    return tmp_path


def used(folder, at=0, **options):
    host = FakeHost(folder, **options)
    host.use(host.checkpoints()[at])
    return host


def picture(host, job=JOB):
    return next(host.render([job])).image


def test_pictures_are_functions_of_job_and_checkpoint(folder):
    image = picture(used(folder))
    assert image.size == (64, 48)
    assert image == picture(used(folder))
    assert image != picture(used(folder, 1))
    for field in fields(Job):
        old = getattr(JOB, field.name)
        other = replace(JOB, **{field.name: f"{old} x" if isinstance(old, str) else (old or 0) + 8})
        assert picture(used(folder), other) != image, field.name


def test_inpaint_changes_the_white_only(folder):
    host, image = used(folder), picture(used(folder))
    mask = Image.new("L", image.size)
    mask.paste(255, (8, 8, 24, 24))
    drawn = next(host.inpaint([InpaintJob(job=JOB)], [image], [mask])).image
    assert Image.composite(image, drawn, mask) == image
    assert drawn != image


def test_faults(folder):
    stuck = used(folder, faults=Faults(sticks=True))
    before = picture(stuck)
    stuck.use(stuck.checkpoints()[1])
    assert picture(stuck) == before
    with pytest.raises(HostError, match=r"b\.safetensors"):
        used(folder, 1, faults=Faults(wrong=frozenset({"b.safetensors"})))
    fails = used(folder, faults=Faults(fails=lambda job: job.seed == 1))
    with pytest.raises(HostError, match="seed 1"):
        picture(fails)
    picture(fails, replace(JOB, seed=2))


def test_requests_are_reported_once(folder):
    host = FakeHost(folder)
    host.requests.append(Interruption.SKIP)
    assert [host.interruption() for _ in range(2)] == [Interruption.SKIP, Interruption.RUN_ON]
