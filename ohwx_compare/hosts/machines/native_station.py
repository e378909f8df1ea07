"""Our own engine as a station, made from values that can be sent to another process."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from ohwx_compare import __version__
from ohwx_compare.compare.drawing import StationCard
from ohwx_compare.compare.host import Interruption, run_on
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.station import Station
from ohwx_compare.core.experiment.keys import PIXELS
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.compiled import require_compiler
from ohwx_compare.engine.cuda_settings import accumulate_fast
from ohwx_compare.engine.detect import Detector, find_detector
from ohwx_compare.engine.linear import TORCH
from ohwx_compare.files.arrivals import Arrivals
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.hosts.native import Beside, NativeHost, default_device

__all__ = ["NativeSettings"]


@dataclass(frozen=True, kw_only=True)
class NativeSettings:
    """How our own engine works, as plain values."""

    checkpoints: Path
    device: str | None = None  # None: CUDA where there is one
    dtype: str | None = None  # "float32", ...; None: the device's default
    beside: Beside  # without what finds checkpoints
    stand_ins: tuple[tuple[str, str], ...] = ()  # as `in_folder` takes them
    trusts_samples: bool = False
    linear: str = TORCH
    detectors: tuple[Path, ...] = ()  # folders
    compiles: bool = False  # as `NativeHost.compiles`
    accumulates_fast: bool = False  # see `engine.cuda_settings.accumulate_fast`
    plan: Sequence[Job] = ()  # all that will be asked for, as `NativeHost.plan`
    threads: int | None = None  # of the CPU; None: torch's own number

    def host(
        self,
        hashes: Hashes,
        interruption: Callable[[], Interruption] = run_on,
        on_step: Callable[[int], None] | None = None,
    ) -> NativeHost:
        """Raises CheckpointError for a VAE that cannot be read, HostError for a way to compute that is not here."""
        host = NativeHost(
            [self.checkpoints],
            device=self.device,
            dtype=getattr(torch, self.dtype) if self.dtype else None,
            beside=replace(self.beside, resolve=in_folder(self.checkpoints, dict(self.stand_ins), hashes)),
            interruption=interruption,
            on_step=on_step,
            hashes=hashes,
        )
        if self.accumulates_fast:
            accumulate_fast(host.device, host.dtype)
        if self.compiles:
            require_compiler(host.device, cache_folder())
        host.linear, host.plan, host.compiles = self.linear, self.plan, self.compiles
        return host

    def station(self, on_step: Callable[[int], None] | None = None, *, packs: bool = False) -> Station:
        """A station of this process. Raises as `host`."""
        if self.threads:
            torch.set_num_threads(self.threads)
        host = self.host(Hashes(cache_folder(), trusts_samples=self.trusts_samples), on_step=on_step)
        device = host.device
        model = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        versions = f"ohwx {__version__}, torch {torch.__version__}"
        card = StationCard(model, str(host.dtype).removeprefix("torch."), versions, PIXELS)

        @cache
        def find(name: str) -> Detector:
            return find_detector(name, list(self.detectors), device=device.type)

        cache_of_hashes = cache_folder()
        arrivals = Arrivals(cache_of_hashes.with_name("checkpoints")) if cache_of_hashes else None
        return Station(host, find, card, packs=packs, arrivals=arrivals)

    def sharing(self, devices: list[str]) -> "list[NativeSettings]":
        """The same for each of `devices`; those on the CPU share its cores."""
        on_cpu = sum(torch.device(device).type == "cpu" for device in devices)
        threads = max((os.cpu_count() or 1) // on_cpu, 1) if on_cpu > 1 else None
        return [replace(self, device=device, threads=threads) for device in devices]

    @property
    def torch_device(self) -> torch.device:
        """Where it computes."""
        return torch.device(self.device) if self.device else default_device()
