"""Who generates a run's pictures, as the flags say: this process, one a device, or webuis."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import (
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

if TYPE_CHECKING:
    from ohwx_compare.compare.crew import Crew
    from ohwx_compare.compare.host import Host
    from ohwx_compare.compare.resolve import Resolve
    from ohwx_compare.hosts.api.crew import ApiCrew

__all__ = ["Drawing", "drawing"]


@dataclass(frozen=True)
class Drawing:
    """Who generates."""

    host: "Host | Crew"
    resolve: "Resolve"  # finds its checkpoints
    device: str  # on which this process finds faces
    linear: str  # what multiplies in linear layers


@contextmanager
def drawing(options: argparse.Namespace, webuis: "ApiCrew | None", asked: CtrlC, bar: Bar) -> Iterator[Drawing]:
    """Who generates while the block lasts. Raises HostError for a device that is not here or cannot be used."""
    from ohwx_compare.compare.crew import Crew
    from ohwx_compare.engine.linear import TORCH
    from ohwx_compare.hosts.machines.processes import processes
    from ohwx_compare.hosts.native import default_device

    stand_ins = checkpoint_map(options.checkpoint_map)
    if webuis:
        require_device(options.device)
        webuis.asks = lambda: interruption(asked)
        try:
            yield Drawing(webuis, resolve_there(webuis, stand_ins), options.device or default_device().type, TORCH)
        finally:
            webuis.close()
        return
    hashes = known_hashes(options, bar)
    resolve = in_folder(options.checkpoints, stand_ins, hashes)

    def on_step(count: int) -> None:
        bar(Step(count))

    devices = [device for device in devices_of(options.device) if device]
    if len(devices) > 1:
        settings = native_settings(options)
        with processes(settings, devices, on_step) as workers:
            yield Drawing(Crew(workers, lambda: interruption(asked)), resolve, "cpu", settings.linear)
        return
    host = native_host(options, asked, on_step, hashes)
    try:
        yield Drawing(host, resolve, host.device.type, host.linear)
    finally:
        host.close()
