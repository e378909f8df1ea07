"""Actors of a Ray cluster, each a station with our own engine; this process alone holds the run folder.

Ray is an extra and is imported here alone. Its dashboard and usage statistics are off, and a cluster that is started
here listens on loopback. Source: Ray 2.60, docs.ray.io/en/latest/ray-core/api (`init`, `remote`, `kill`).
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from ohwx_compare.compare.station import Ask, DistantWorker
from ohwx_compare.errors import HostError, WorkerGoneError
from ohwx_compare.hosts.machines.judging_station import JudgingStation
from ohwx_compare.hosts.machines.native_station import NativeSettings
from ohwx_compare.hosts.machines.replying import Reply, reply, value_of
from ohwx_compare.hosts.machines.scorers import DistantScorer
from ohwx_compare.hosts.machines.trainers import DistantTrainer
from ohwx_compare.hosts.machines.training_station import TrainingStation

__all__ = ["RayMachines", "ray_machines", "ray_workers"]

_HERE = "127.0.0.1"
_PATIENCE = 10.0  # s


@contextmanager
def ray_workers(
    settings: NativeSettings, address: str, count: int | None = None, *, sends: bool = False
) -> Iterator[list[DistantWorker]]:
    """Workers on the cluster at `address`; all end with the block. The rest as `ray_machines`."""
    with ray_machines(settings, address, count, sends=sends) as machines:
        yield machines.workers


@dataclass(frozen=True)
class RayMachines:
    """Actors, as what generates, what trains and what measures."""

    workers: list[DistantWorker]
    trainers: list[DistantTrainer]
    scorers: list[DistantScorer]


@contextmanager
def ray_machines(
    settings: NativeSettings, address: str, count: int | None = None, *, sends: bool = False
) -> Iterator[RayMachines]:
    """Actors of the cluster at `address`, each a worker, a trainer and a scorer; all end with the block.

    address: "auto": the cluster that `ray start` started on this machine, else one for the block alone.
    count: of workers; None: one a GPU of the cluster, or one a machine where there is none.
    sends: a worker that lacks a checkpoint is sent it.
    Raises HostError without Ray, and where no cluster answers.
    """
    ray = _connected(address)
    try:
        gpus, cpus = (int(ray.cluster_resources().get(kind, 0)) for kind in ("GPU", "CPU"))
        count = count or gpus or len(ray.nodes())
        needs = {"num_gpus": min(1.0, gpus / count)} if gpus else {"num_cpus": max(cpus // count, 1)}
        station = ray.remote(max_restarts=0, max_task_retries=0, **needs)(_RayStation)
        actors = [station.remote(settings) for _ in range(count)]
        named = [(f"worker {number}", actor) for number, actor in enumerate(actors, 1)]
        workers = [_worker(ray, name, actor, sends=sends) for name, actor in named]
        try:
            yield RayMachines(
                workers,
                [DistantTrainer(name, _asking(ray, name, actor.answer_of_training)) for name, actor in named],
                [DistantScorer(name, _asking(ray, name, actor.answer_of_judging)) for name, actor in named],
            )
        finally:
            for worker in workers:
                worker.close()
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    """The module `ray`, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise HostError(
            "Ray is not installed; install it with `pip install ray`, here and on every machine of the cluster."
        ) from error
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    if address != "auto":
        _require_answer(address)
        try:
            ray.init(address=address, **quiet)
        except ConnectionError as error:
            raise HostError(f"No Ray cluster answers at {address}: {error}") from error
        return ray
    if standing := _standing(ray):
        ray.init(address=standing, **quiet)
        return ray
    # Only so does Ray keep to 127.0.0.1 on Linux: `get_node_ip_address` of its _private/services.py.
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
    ray.init(address="local", include_dashboard=False, _node_ip_address=_HERE, **quiet)
    return ray


def _standing(ray: Any) -> str | None:
    """The cluster that somebody started here with `ray start`, if it answers; RAY_ADDRESS goes before it.

    Ray's own "auto" would also join one that another run started for itself, and that ends with that run.
    """
    named = os.environ.get("RAY_ADDRESS", "")
    if named not in ("", "auto"):
        _require_answer(named)
        return named
    started: str | None = ray._private.utils.read_ray_address()
    try:
        _require_answer(started or "")
    except HostError:  # it ended without a word
        return None
    return started


def _require_answer(address: str) -> None:
    """Raise HostError where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except (OSError, ValueError, OverflowError) as error:
        raise HostError(
            f"No Ray cluster answers at {address} ({error}); start one there with `ray start`, or say auto."
        ) from error


class _RayStation:
    """An actor."""

    def __init__(self, settings: NativeSettings):
        self._station = cache(lambda: settings.station(packs=True))
        self._training = cache(lambda: TrainingStation(settings.device, settings.threads))
        self._judging = cache(lambda: JudgingStation(settings.device, settings.threads))

    def answer(self, what: str, *given: Any) -> Reply:
        """See `compare.station.Ask`."""
        return reply(self._station, what, given)

    def answer_of_training(self, what: str, *given: Any) -> Reply:
        """The same of the `TrainingStation`."""
        return reply(self._training, what, given)

    def answer_of_judging(self, what: str, *given: Any) -> Reply:
        """The same of the `JudgingStation`."""
        return reply(self._judging, what, given)


def _worker(ray: Any, name: str, actor: Any, *, sends: bool) -> DistantWorker:
    return DistantWorker(name, _asking(ray, name, actor.answer), lambda: ray.kill(actor), sends=sends)


def _asking(ray: Any, name: str, method: Any) -> Ask:
    """Asks through a method of an actor."""

    def ask(what: str, *given: Any) -> Any:
        try:
            said = ray.get(method.remote(what, *given))
        except ray.exceptions.RayError as error:
            why = str(error).strip().partition("\n")[0].rstrip(".")
            raise WorkerGoneError(f"Ray's {name} is gone: {why}.") from error
        return value_of(said)

    return ask
