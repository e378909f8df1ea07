"""Several running webuis as one host: each loads the checkpoint in use, and a batch's pictures are shared out."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded, Rendered, run_on
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import HostError, OhwxError, UnknownCheckpointError
from ohwx_compare.hosts.api.client import NoAnswerError
from ohwx_compare.hosts.api.host import ApiHost
from ohwx_compare.words import quoted

__all__ = ["ApiCrew"]

_Draw = Callable[[ApiHost, slice], Iterator[Rendered]]


class ApiCrew:
    """It satisfies `compare.host.Host`. A webui that no longer answers leaves its pictures to the others; one that
    answers again joins at the next checkpoint.
    """

    name = "webui over its API"
    reports_steps = False

    def __init__(self, hosts: Sequence[ApiHost], tell: Callable[[str], None] = lambda text: None):
        """hosts: at least one. tell: hears in a sentence who leaves and who joins.

        Raises HostError for webuis whose pictures would not be the same.
        """
        self.hosts, self._tell = list(hosts), tell
        self.asks: Callable[[], Interruption] = run_on
        self._there = {host.url: host for host in hosts}
        first = self.hosts[0].common
        for host in self.hosts[1:]:
            if other := _difference(first, host.common):
                raise HostError(
                    f"{self.hosts[0].url} and {host.url} would not draw the same picture: {other}. Set both alike."
                )

    def checkpoints(self) -> list[Checkpoint]:
        """What the first webui lists."""
        return self.hosts[0].checkpoints()

    def resolve(self, ref: CheckpointRef) -> Checkpoint:
        """The checkpoint of a reference. Raises UnknownCheckpointError, also where one of the webuis has none of its
        name, CheckpointError where several fit or the hash is another.
        """
        found = self.hosts[0].resolve(ref)
        for host in self.hosts[1:]:
            if (other := host.resolve(ref)).name != found.name:
                raise UnknownCheckpointError(
                    f"{ref} is {found.name} at {self.hosts[0].url} and {other.name} at {host.url}; name it alike."
                )
        return found

    def require(self, experiment: Experiment) -> None:
        """Raise UnknownNameError for the first name of its cells that one of the webuis does not have.

        HostError for a LoRA that tells other things of itself on one of them.
        """
        for job, tabs in dict.fromkeys((cell.job, cell.faces) for cell in experiment.cells()):
            for host in self.hosts:
                host.offered.require(job, tabs)
            for host in self.hosts[1:]:
                if other := _difference(self.hosts[0].fingerprint(job), host.fingerprint(job)):
                    raise HostError(f"{self.hosts[0].url} and {host.url} have another file of one name: {other}.")

    def sha256(self, checkpoint: Checkpoint) -> str:
        """As a webui tells it. Raises CheckpointError, HostError."""
        return self._any().sha256(checkpoint)

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """None: what a webui knows of a file is not a sample that was taken now."""

    def use(self, checkpoint: Checkpoint, *, sampled: bool = False) -> Loaded:
        """Have every webui that answers load it. Raises CheckpointError, HostError where their files differ."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            loads = {host: pool.submit(_loaded, host, checkpoint) for host in self.hosts}
        answers = {host: load.result() for host, load in loads.items()}
        for host, answer in answers.items():
            if isinstance(answer, NoAnswerError):
                self._leave(host, answer)
            elif host.url not in self._there:
                self._there[host.url] = host
                self._tell(f"{host.url} answers again, and draws.")
        loaded = [answer for answer in answers.values() if not isinstance(answer, NoAnswerError)]
        if not loaded:
            raise next(answer for answer in answers.values() if isinstance(answer, NoAnswerError))
        if len({one.sha256 for one in loaded}) > 1:
            which = ", ".join(f"[{one.sha256[:10]}] at {host.url}" for host, one in answers.items() if one in loaded)
            raise HostError(f"{checkpoint.name} is not the same file everywhere: {which}. Copy one over the others.")
        return loaded[0]

    def expect(self, checkpoint: Checkpoint) -> None:
        """Nothing: webuis read checkpoints in their own way."""

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Generate jobs, in order; each webui takes its share of them."""
        return iter(self._share(len(jobs), lambda host, part: host.render(jobs[part])))

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """Inpaint the white of each mask in each image, shared out in the same way."""
        return iter(self._share(len(jobs), lambda host, part: host.inpaint(jobs[part], images[part], masks[part])))

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """What it is of each webui."""
        return self.hosts[0].fingerprint(job)

    def beside(self, checkpoint: Checkpoint, job: Job) -> str:
        """Nothing that a webui tells over its API."""
        return ""

    def interruption(self) -> Interruption:
        """What `asks` returns."""
        return self.asks()

    def close(self) -> None:
        """Have each webui load its own checkpoint again; safe to call twice."""
        for host in self.hosts:
            host.close()

    def _share(self, count: int, draw: _Draw) -> list[Rendered]:
        """Pictures 0 to count - 1, in parts, each by whoever is free.

        Raises the first error that is not a webui's absence.
        """
        size = max(math.ceil(count / max(len(self._there), 1)), 1)
        left = deque(slice(start, start + size) for start in range(0, count, size))
        done, errors = dict[int, list[Rendered]](), list[Exception]()
        guard = threading.Lock()

        def work(host: ApiHost) -> None:
            while True:
                with guard:
                    if errors or not left:
                        return
                    part = left.popleft()
                try:
                    pictures = list(draw(host, part))
                except NoAnswerError as error:
                    with guard:
                        left.appendleft(part)
                        self._leave(host, error)
                    return
                except OhwxError as error:
                    with guard:
                        errors.append(error)
                    return
                with guard:
                    done[part.start] = pictures

        while left and not errors:
            team = [*self._there.values()]
            if not team:
                raise HostError("None of the webuis answers any more; start them, and this command again.")
            with ThreadPoolExecutor(len(team)) as pool:
                for future in [pool.submit(work, host) for host in team]:
                    future.result()
        if errors:
            raise errors[0]
        return [picture for _, pictures in sorted(done.items()) for picture in pictures]

    def _any(self) -> ApiHost:
        return next(iter(self._there.values()), self.hosts[0])

    def _leave(self, host: ApiHost, why: NoAnswerError) -> None:
        if self._there.pop(host.url, None):
            self._tell(f"{why} The others draw what it leaves.")


def _loaded(host: ApiHost, checkpoint: Checkpoint) -> Loaded | NoAnswerError:
    try:
        return host.use(checkpoint)
    except NoAnswerError as error:
        return error


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The first thing that two webuis do not share, in words; "" for none."""
    for name in one.keys() | other.keys():
        here, there = one.get(name), other.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            if inner := _difference(here, there):
                return inner
        elif here != there:
            return f"{name} is {quoted(here)} and {quoted(there)}"
    return ""
