"""How long workers take for a run together, in time that passes only while all of them wait for it."""

import hashlib
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from ohwx_compare.compare import conductor, crew, sharing
from ohwx_compare.compare.crew import Crew
from ohwx_compare.compare.drawing import DrawnPicture, HostWorker
from ohwx_compare.compare.host import Checkpoint, Loaded
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.request.job import Job
from ohwx_compare.testing.fake_host import FakeHost


class Clock:
    """It stands while any of `count` threads computes; when each sleeps or waits for the others, it jumps ahead."""

    def __init__(self, count):
        self.now, self._busy, self._wakes, self._turn = 0.0, count, [], threading.Condition()

    def sleep(self, seconds):
        if not seconds:
            return
        with self._turn:
            wake = self.now + seconds
            self._wakes.append(wake)
            self.rest()
            self._turn.wait_for(lambda: wake not in self._wakes)

    def rest(self, count=1):
        """So many more threads do nothing; a negative number: they are busy again."""
        with self._turn:
            self._busy -= count
            if self._busy == 0 and self._wakes:
                self.now = min(self._wakes)
                self._busy = self._wakes.count(self.now)
                self._wakes = [wake for wake in self._wakes if wake > self.now]
                self._turn.notify_all()

    def condition(self):
        """A `threading.Condition` whose waiters do nothing."""
        return _Condition(self)


class _Condition(threading.Condition):
    def __init__(self, clock):
        super().__init__(threading.RLock())
        self._clock, self._resting = clock, 0

    def wait(self, timeout=None):
        self._resting += 1
        self._clock.rest()
        return super().wait()

    def notify_all(self):
        self._clock.rest(-self._resting)
        self._resting = 0
        super().notify_all()


class Card(HostWorker):
    """A worker that takes `load` seconds for a checkpoint and `batch` for a batch of one."""

    def __init__(self, name, clock, load, batch):
        super().__init__(FakeHost(Path()))
        self.name, self.clock, self.load, self.batch, self.loads = name, clock, load, batch, 0

    def use(self, checkpoint):
        self.loads += 1
        self.clock.sleep(self.load)
        return Loaded(checkpoint, hashlib.sha256(checkpoint.name.encode()).hexdigest())

    def glance(self, checkpoint):
        return None

    def draw(self, loaded, stage, before):
        for wanted in stage:
            self.clock.sleep(self.batch)
            yield DrawnPicture(image=Image.new("RGB", (64, 64), f"#{wanted.key[:6]}"), outcome=Outcome.DRAWN)


@pytest.fixture
def took(tmp_path, monkeypatch):
    """Draws `checkpoints` of `each` batches with cards of these (load, batch) seconds: seconds, and the loads."""

    def take(checkpoints, each, *cards):
        clock = Clock(len(cards))
        lane = crew._lane

        def resting_after(worker, shared):
            try:
                return lane(worker, shared)
            finally:
                clock.rest()

        with monkeypatch.context() as patch:
            patch.setattr(crew, "_lane", resting_after)
            patch.setattr(conductor, "time", SimpleNamespace(monotonic=lambda: clock.now))
            patch.setattr(sharing, "threading", SimpleNamespace(Condition=clock.condition))
            names = tuple(CheckpointRef(f"{number}.safetensors") for number in range(checkpoints))
            axes = (Axis("checkpoint", names), Axis("seed", tuple(range(each))))
            experiment = Experiment(job=Job(prompt="a", seed=0, steps=1, width=64, height=64), axes=axes)
            workers = [Card(f"card {number}", clock, *card) for number, card in enumerate(cards)]
            result = draw_run(
                experiment, Crew(workers), lambda name: None, tmp_path / f"{len([*tmp_path.iterdir()])}",
                resolve=lambda ref: Checkpoint(ref.name, Path("/nowhere") / ref.name), options=Options(batch=1),
            )  # fmt: skip
        assert (result.drawn, result.failed) == (checkpoints * each, 0)
        return clock.now, [worker.loads for worker in workers]

    return take


@pytest.mark.parametrize("load", [0.0, 5.0, 9.0, 11.0, 40.0])
def test_three_checkpoints_on_two_cost_less_than_14_times_half_of_one(took, load):
    """In ten batches each, whether a load takes no time or that of forty batches."""
    alone = 3 * (load + 10)
    seconds, loads = took(3, 10, (load, 1.0), (load, 1.0))
    assert seconds <= 1.4 * alone / 2
    assert seconds <= 2 * load + (15 if load < 10 else 20)
    assert sum(loads) == (4 if load < 10 else 3)  # the third is loaded by both where that ends sooner


@pytest.mark.parametrize(("checkpoints", "cards"), [(1, 2), (4, 3), (5, 4)])
@pytest.mark.parametrize("load", [0.5, 4.0, 30.0])
def test_helping_never_costs_more_than_a_batch(took, checkpoints, cards, load):
    """Against each checkpoint generated by who began it."""
    seconds, _ = took(checkpoints, 6, *[(load, 1.0)] * cards)
    assert seconds <= -(-checkpoints // cards) * (load + 6) + 1


@pytest.mark.parametrize("slow", [1.0, 1.5, 4.0])
def test_a_slow_card_takes_less_of_it(took, slow):
    """With short loads: the end is at most a batch of the slower one and a load of each from the best there is."""
    seconds, _ = took(3, 12, (0.25, 1.0), (0.25, slow))
    assert seconds <= 36 / (1 + 1 / slow) + slow + 3 * 0.25
