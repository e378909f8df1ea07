"""A process for each device of this machine, asked over a pipe."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

from ohwx_compare.compare.station import DistantWorker, Station
from ohwx_compare.errors import WorkerGoneError
from ohwx_compare.hosts.machines.native_station import NativeSettings
from ohwx_compare.hosts.machines.replying import reply, value_of

__all__ = ["processes"]

_PATIENCE = 5.0  # s for a process that was told to end


@contextmanager
def processes(
    settings: NativeSettings, devices: Sequence[str], on_step: Callable[[int], None] = lambda count: None
) -> Iterator[list[DistantWorker]]:
    """A worker on each of `devices`, which may name one twice; all end with the block.

    on_step: hears of image-steps, in the thread that waits for the picture. Raises WorkerGoneError or what a host
    raises where one cannot start.
    """
    with ExitStack() as stack:
        lines = [
            stack.enter_context(_Line(f"{device} ({number})" if devices.count(device) > 1 else device, own, on_step))
            for number, (device, own) in enumerate(zip(devices, settings.sharing(list(devices)), strict=True), 1)
        ]
        for line in lines:
            line.ask("about")
        yield [DistantWorker(line.name, line.ask, line.close, reports_steps=True) for line in lines]


class _Line:
    """One process, and the pipe to it."""

    def __init__(self, name: str, settings: NativeSettings, on_step: Callable[[int], None]):
        self.name, self._on_step, self._turn = name, on_step, threading.Lock()
        context = multiprocessing.get_context("spawn")  # as Windows has it; CUDA bears no fork
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, settings), name=f"ohwx {name}", daemon=True)
        self._process.start()
        theirs.close()  # so that its end is noticed

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, what: str, *given: Any) -> Any:
        """See `compare.station.Ask`."""
        with self._turn:
            try:
                self._pipe.send((what, given))
                while True:
                    said = self._pipe.recv()
                    if said[0] != "step":
                        break
                    self._on_step(said[1])
            except (EOFError, OSError) as error:
                raise WorkerGoneError(f"The process on {self.name} is gone{self._how()}.") from error
        return value_of(said)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.terminate()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()

    def _how(self) -> str:
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        return "" if code is None else f" (killed by signal {-code})" if code < 0 else f" (status {code})"


def _serve(pipe: Connection, settings: NativeSettings) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks

    @cache
    def station() -> Station:
        return settings.station(lambda count: pipe.send(("step", count)))

    with suppress(EOFError, OSError):  # who asks is gone
        while True:
            what, given = pipe.recv()
            pipe.send(reply(station, what, given))
