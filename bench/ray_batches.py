"""What Ray adds to a batch: the same batches generated in this process and by an actor of Ray, in turns.

    python bench/ray_batches.py                # 256 px, batches of 4 with a tiny checkpoint, one thread

Needs the extra [ray], and /proc. Both sides pack each picture as a run does. What Ray adds is told in two ways. First
directly: of the CPU that this process and the actor spend on a batch, all but what the actor's station spends in
generating and packing it: asking, pickling, sending, and Ray's threads in both. This holds on a busy machine too. Then
by the difference of the two sides, in CPU and by the clock, one after the other, so that whatever the machine does
besides meets both: on a busy machine this says more about the machine, for Ray's actors give way to other processes
(they are niced). Last the CPU of Ray's daemons, which work a little all the time, asked or not. Start-up is left out.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ohwx_compare.compare.drawing import DrawnPicture
from ohwx_compare.compare.host import Loaded
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.station import DistantWorker, Station
from ohwx_compare.compare.work import Wanted
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.job import Job
from ohwx_compare.hosts.machines.native_station import NativeSettings
from ohwx_compare.hosts.machines.on_ray import ray_workers
from ohwx_compare.hosts.native import Beside
from ohwx_compare.testing.tiny import draw_tiny

_TICKS = os.sysconf("SC_CLK_TCK")


class TimedSettings(NativeSettings):
    """Settings whose station knows what its batches took."""

    def station(self, on_step: Callable[[int], None] | None = None, *, packs: bool = False) -> Station:
        """See `NativeSettings.station`; `station.spent()` is the CPU of all its batches, in seconds."""
        station, spent = super().station(on_step, packs=packs), [0.0]
        plain = station.draw

        def draw(*given: Any) -> list[DrawnPicture]:
            began = time.thread_time()  # it computes in one thread
            drawn = plain(*given)
            spent[0] += time.thread_time() - began
            return drawn

        timed: Any = station
        timed.draw, timed.spent = draw, lambda: spent[0]
        return station


@dataclass
class Side:
    """One of the two, and what its batches took."""

    name: str
    worker: DistantWorker
    loaded: Loaded
    cpu: list[float] = field(default_factory=list)  # seconds
    wall: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)  # of `cpu`, what the station took

    def draw(self, batch: list[Wanted]) -> list[str]:
        """Generate one batch; the digests of its pictures."""
        inside = self._spent()
        cpu, wall = cpu_of(works), time.monotonic()
        pictures = [drawn.image.pixels for drawn in self.worker.draw(self.loaded, batch, no_picture)]
        self.wall.append(time.monotonic() - wall)
        self.cpu.append(cpu_of(works) - cpu)
        self.inside.append(self._spent() - inside)
        return pictures

    def _spent(self) -> float:
        spent: float = self.worker._ask("spent")
        return spent

    @property
    def added(self) -> float:
        """Mean seconds of CPU a batch that are not the station's."""
        return statistics.mean(self.cpu) - statistics.mean(self.inside)


def cpu_of(counts: Callable[[int], bool]) -> float:
    """Seconds of CPU of this process and of all that it started, of those that count."""
    return sum(_cpu(pid) for pid in _family(os.getpid()) if counts(pid))


def works(pid: int) -> bool:
    """Whether it is this process or an actor, and not one of Ray's daemons."""
    return pid == os.getpid() or "_RayStation" in _command(pid)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _cpu(pid: int) -> float:
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(told[11]) + int(told[12])) / _TICKS


def no_picture(key: str) -> None:
    """No batch here has a face pass."""
    raise LookupError(key)


def batches_of(count: int, size: int, side: int, steps: int) -> list[list[Wanted]]:
    """So many batches, no two of the same seeds."""
    job = Job(prompt="photo of ohwx man", seed=0, steps=steps, width=side, height=side, rng="CPU")
    axes = (Axis("checkpoint", (CheckpointRef("tiny_base"),)), Axis("seed", tuple(range(count * size))))
    cells = Experiment(job=job, axes=axes).cells()
    wanted = [Wanted(key=f"{cell.number:064}", cell=cell) for cell in cells]
    return [wanted[at : at + size] for at in range(0, len(wanted), size)]


def main() -> None:
    """Print a line a side and the difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=256, help="px")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=12, help="batches of each side, after one that is not counted")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_tiny(folder)
        settings = TimedSettings(checkpoints=folder, device="cpu", beside=Beside(), threads=1)
        checkpoint = in_folder(folder, {})(CheckpointRef("tiny_base"))
        station = settings.station(packs=True)

        def ask(what: str, *given: object) -> object:
            return getattr(station, what)(*given)

        with ray_workers(settings, "auto", 1) as (actor,):
            here = DistantWorker("here", ask, lambda: None)
            sides = [Side(one.name, one, one.use(checkpoint)) for one in (here, actor)]
            before, began = cpu_of(lambda pid: not works(pid)), time.monotonic()
            measure(sides, batches_of(options.turns + 1, options.batch, options.side, options.steps))
            daemons = (cpu_of(lambda pid: not works(pid)) - before) / (time.monotonic() - began)
    added, own = sides[1].added, statistics.mean(sides[1].inside)
    print(f"Ray adds {1000 * added:.0f} ms of CPU to a batch of {own:.3f} s: {added / own:+.1%}")
    tell(*sides, lambda one: one.cpu, "CPU")
    tell(*sides, lambda one: one.wall, "wall")
    print(f"Ray's daemons: {daemons:.1%} of a core, all the time")


def measure(sides: list[Side], batches: list[list[Wanted]]) -> None:
    """Each batch by both sides, now one first, now the other; their pictures must be the same."""
    for turn, batch in enumerate(batches):
        order = sides if turn % 2 else sides[::-1]
        if len({tuple(one.draw(batch)) for one in order}) > 1:
            raise SystemExit("Ray's actor generates other pictures.")
    for side in sides:  # the first batch warms both
        del side.cpu[0], side.wall[0], side.inside[0]


def tell(here: Side, there: Side, of: Callable[[Side], list[float]], what: str) -> None:
    """One line."""
    one, other = statistics.median(of(here)), statistics.median(of(there))
    print(f"{what}: {one:.3f} s a batch in this process, {other:.3f} s by Ray: {other / one - 1:+.1%}", flush=True)


if __name__ == "__main__":
    main()
