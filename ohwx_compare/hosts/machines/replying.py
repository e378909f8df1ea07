"""What a station's process sends back: what was asked for, or the error that it raised, to be raised again."""

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from ohwx_compare.compare.station import Station
from ohwx_compare.errors import HostError, sentence_of
from ohwx_compare.hosts.machines.judging_station import JudgingStation
from ohwx_compare.hosts.machines.training_station import TrainingStation

__all__ = ["Reply", "reply", "value_of"]

Reply = tuple[str, Any]  # "done" and a value, or "error" and what was raised


def reply(station: Callable[[], Station | TrainingStation | JudgingStation], what: str, given: Sequence[Any]) -> Reply:
    """What `station.what(*given)` comes to; station: makes it, or gives the one that is there."""
    try:
        return "done", getattr(station(), what)(*given)
    except Exception as error:  # noqa: BLE001  the boundary of a process: raised again where it was asked for
        return "error", _sendable(error)


def value_of(said: Reply) -> Any:
    """The value. Raises what was raised there."""
    kind, value = said
    if kind == "error":
        raise value
    return value


def _sendable(error: Exception) -> Exception:
    """`error` as it will arrive."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  whatever a stranger's error does when it is packed
        return HostError(sentence_of(error))
