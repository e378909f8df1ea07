"""Trainings of one experiment on several workers: as if each were trained here, whoever goes meanwhile."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn_demo import SMALL

from ohwx_compare.core.events import Told
from ohwx_compare.errors import CheckpointError, TrainingError, WorkerGoneError
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.hosts.machines import trainers as trainers_module
from ohwx_compare.hosts.machines.trainers import DistantTrainer, Trainers
from ohwx_compare.hosts.machines.training_station import TrainingStation
from ohwx_compare.study.study import Study
from ohwx_compare.study.work import StudyTools, plans_of, train_all


class Machine:
    """One with a disk of its own where `disk` says which; gone after so many questions for news."""

    def __init__(self, here, disk=None, dies_after=10**9):
        self.station, self.here, self.disk, self.left = TrainingStation("cpu", 1), here, disk or here, dies_after
        self.begun = []

    def __call__(self, what, *given):
        if what == "news":
            self.left -= 1
        if self.left < 0:
            raise WorkerGoneError("It is gone.")
        if what == "begin":
            self.begun.append(given[0].name)
        return getattr(self.station, what)(*map(self.there, given))

    def there(self, given):
        if hasattr(given, "output"):
            return replace(
                given, **{name: self.moved(getattr(given, name)) for name in ("base", "train", "reg", "output")}
            )
        return Path(self.moved(str(given))) if isinstance(given, Path) else given

    def moved(self, path):
        return path and path.replace(str(self.here), str(self.disk))


def copied(demo, folder):
    for name in ("datasets", "checkpoints"):
        shutil.copytree(demo / name, folder / name)
    return folder


@pytest.fixture
def trained(demo, tmp_path, monkeypatch):
    """Has both trainings done by these machines: (files of weights, what was told)."""
    monkeypatch.setattr(trainers_module, "_LOOK", 0.01)
    here = tmp_path / "here"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def train(*machines):
        told = []
        plans = plans_of(Study.from_dict(SMALL.study("d.pt"), here), here)
        trainers = Trainers([DistantTrainer(f"worker {n}", one) for n, one in enumerate(machines, 1)])
        tools = StudyTools(detectors=(), hashes=Hashes(), listen=told.append, asked=lambda: False, trainers=trainers)
        train_all(plans, tools)
        return [e.words for e in told if isinstance(e, Told)]

    train.here = copied(demo[0], here)
    yield train
    torch.set_num_threads(threads)


def weights(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*reg/*.safetensors")}


@pytest.mark.slow
def test_one_that_is_gone_leaves_its_training_to_another(trained, demo):
    first, second = Machine(trained.here, dies_after=3), Machine(trained.here)
    told = trained(first, second)
    assert weights(trained.here) == weights(demo[0])
    assert sorted({*first.begun, *second.begun}) == ["no-reg", "reg"]
    assert len(second.begun) == 2
    assert "Another one trains what it leaves" in " ".join(told)
    third = Machine(trained.here)
    assert trained(third) == []
    assert third.begun == []  # all is there


@pytest.mark.slow
def test_without_a_shared_disk_the_files_are_brought(trained, demo, tmp_path):
    elsewhere = copied(demo[0], tmp_path / "elsewhere")
    trained(Machine(trained.here, elsewhere))
    assert weights(trained.here) == weights(elsewhere) == weights(demo[0])
    assert (trained.here / "reg" / "recipe.json").is_file()
    assert not list(trained.here.rglob("*.state"))
    assert not list(trained.here.rglob("*.unfinished"))


@pytest.mark.slow
def test_one_with_other_pictures_or_without_the_base_is_passed_over(trained, demo, tmp_path):
    others, bare = copied(demo[0], tmp_path / "others"), copied(demo[0], tmp_path / "bare")
    shutil.rmtree(bare / "checkpoints")
    for picture in sorted(others.rglob("train/*/*.png"))[:1]:
        picture.unlink()
    told = trained(Machine(trained.here, others), Machine(trained.here, bare), Machine(trained.here))
    assert weights(trained.here) == weights(demo[0])
    said = " ".join(told)
    assert "would be another training there" in said
    assert "worker 2 does not train" in said


def test_where_nobody_can_begin_the_reason_is_raised(trained, demo, tmp_path):
    bare = copied(demo[0], tmp_path / "bare")
    shutil.rmtree(bare / "checkpoints")
    with pytest.raises((CheckpointError, TrainingError), match="toy"):
        trained(Machine(trained.here, bare))
