"""Who generates a run's pictures, as the flags say: this process, one a device, or webuis."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import (
    at_least_1,
    checkpoint_map,
    devices_of,
    interruption,
    known_hashes,
    native_host,
    native_settings,
    require_device,
)
from ohwx_compare.cli.over_api import resolve_there
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.core.events import Step
from ohwx_compare.core.experiment.experiment import Experiment

if TYPE_CHECKING:
    from ohwx_compare.compare.crew import Crew
    from ohwx_compare.compare.host import Host
    from ohwx_compare.compare.resolve import Resolve
    from ohwx_compare.hosts.api.crew import ApiCrew
    from ohwx_compare.judge.run.measuring import Scorers

__all__ = ["Drawing", "add_ray_flags", "drawing", "measuring"]


def add_ray_flags(parser: argparse.ArgumentParser, do: str = "draw", *, sends: bool = True) -> None:
    """Add those for a Ray cluster. do: what its workers do; sends: whether checkpoints may have to be sent to them."""
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help=f"have the workers of a Ray cluster {do}: its address, or auto for the one that runs here, else one that "
        "is started here for this run; needs `pip install ray`",
    )
    parser.add_argument(
        "--workers", metavar="N", type=at_least_1, help="of --ray (default: one a GPU, or one a machine without any)"
    )
    if sends:
        parser.add_argument(
            "--send", action="store_true", help="send a checkpoint to a worker of --ray that has no file at its path"
        )


@contextmanager
def measuring(options: argparse.Namespace) -> Iterator["Scorers | None"]:
    """Who measures pictures while the block lasts; None: this process. Raises HostError as `ray_machines`."""
    if not options.ray:
        yield None
        return
    from ohwx_compare.hosts.machines.native_station import NativeSettings
    from ohwx_compare.hosts.machines.on_ray import ray_machines
    from ohwx_compare.hosts.machines.scorers import taught
    from ohwx_compare.hosts.native import Beside

    settings = NativeSettings(checkpoints=Path(), device=options.device, beside=Beside())
    with ray_machines(settings, options.ray, options.workers) as machines:
        yield partial(taught, machines.scorers)


@dataclass(frozen=True)
class Drawing:
    """Who generates."""

    host: "Host | Crew"
    resolve: "Resolve"  # finds its checkpoints
    device: str  # on which this process finds faces
    linear: str  # what multiplies in linear layers


@contextmanager
def drawing(
    experiment: Experiment, options: argparse.Namespace, webuis: "ApiCrew | None", asked: CtrlC, bar: Bar
) -> Iterator[Drawing]:
    """Who generates while the block lasts. Raises HostError for a device that is not here or cannot be used."""
    from ohwx_compare.compare.crew import Crew
    from ohwx_compare.compare.face_pass import jobs_of
    from ohwx_compare.engine.linear import TORCH
    from ohwx_compare.hosts.machines.processes import processes
    from ohwx_compare.hosts.native import default_device

    stand_ins = checkpoint_map(options.checkpoint_map)
    if webuis:
        require_device(options.device)
        webuis.interruption = lambda: interruption(asked)
        try:
            yield Drawing(webuis, resolve_there(webuis, stand_ins), options.device or default_device().type, TORCH)
        finally:
            webuis.close()
        return
    hashes, jobs = known_hashes(options, bar), jobs_of(experiment.cells())
    resolve = in_folder(options.checkpoints, stand_ins, hashes)

    def on_step(count: int) -> None:
        bar(Step(count))

    if options.ray:
        from ohwx_compare.hosts.machines.on_ray import ray_workers

        settings = replace(native_settings(options), device=options.device, plan=jobs)
        with ray_workers(settings, options.ray, options.workers, sends=options.send) as crew:
            yield Drawing(Crew(crew, lambda: interruption(asked)), resolve, "cpu", settings.linear)
        return
    devices = [device for device in devices_of(options.device) if device]
    if len(devices) > 1:
        settings = replace(native_settings(options), plan=jobs)
        with processes(settings, devices, on_step) as workers:
            yield Drawing(Crew(workers, lambda: interruption(asked)), resolve, "cpu", settings.linear)
        return
    host = native_host(options, asked, on_step, hashes)
    host.plan = jobs
    try:
        yield Drawing(host, resolve, host.device.type, host.linear)
    finally:
        host.close()
