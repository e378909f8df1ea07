"""Pictures measured in a worker's process, by measures that are sent to it."""

from collections.abc import Sequence

import torch

from ohwx_compare import __version__
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.native import default_device
from ohwx_compare.judge.measure import PictureMeasure
from ohwx_compare.judge.run.measuring import BatchScores, Lacking, measured
from ohwx_compare.judge.run.travel import unpacked_measures

__all__ = ["JudgingStation"]


class JudgingStation:
    """What measures, in its own process."""

    def __init__(self, device: str | None = None, threads: int | None = None):
        """device: None: CUDA where there is one. threads: of the CPU; None: torch's own number."""
        self._device, self._threads = device or default_device().type, threads
        self._measures: Sequence[PictureMeasure] = ()

    def learn(self, measures: bytes, version: str) -> None:
        """Take `packed_measures` of this version of the program. Raises HostError for another, and what they raise."""
        if version != __version__:
            raise HostError(f"It has version {__version__} of this program, expected {version}; install that there.")
        if self._threads:
            torch.set_num_threads(self._threads)
        self._measures = unpacked_measures(measures, self._device)

    def score(self, asked: Sequence[Lacking]) -> BatchScores:
        """See `measured`."""
        return measured(self._measures, asked)
