"""Reading a `.pt` without running any of it.

A `.pt` is a zip of one pickle and raw storages. A pickle is a program; here it is interpreted, opcode by opcode, by a
machine that has no instruction for calling anything: a class or function that the pickle names is looked up in the
list below, never imported. Tensors are built from the storages by our own code, everything else that is allowed
becomes an inert `Record`.
"""

import gc
import math
import reprlib
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ohwx_compare.engine.opcodes import opcodes
from ohwx_compare.engine.torch_old import OldTorchFile, is_old
from ohwx_compare.engine.torch_zip import TorchZip, open_torch_zip
from ohwx_compare.errors import DetectorError, UnsafePickleError

__all__ = ["Record", "read_pt"]

_DTYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_CONTAINERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda pairs=(): {_key(key): value for key, value in pairs},
    "builtins.set": lambda items=(): {_key(item) for item in items},
    "builtins.frozenset": lambda items=(): frozenset(_key(item) for item in items),
    "torch.Size": lambda sizes=(): tuple(sizes),
}
_TENSORS = {"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"}
# Values beside the model in real files (train arguments, metrics): kept as records, never evaluated.
_INERT = {
    "_codecs.encode",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
    "torch.device",
    *(f"torch.{dtype}" for dtype in ("float16", "bfloat16", "float32", "float64", "int64", "int32", "uint8", "bool")),
}
_INERT_PREFIXES = ("torch.nn.", "ultralytics.")

# What a small file may cost: real ones stay far below.
_LARGEST_SIZE = 2**40  # of a side, a stride, an offset, a key
_MOST_NUMBERS = 100  # in the size, stride and offset of a tensor
_MOST_OPCODES = (
    250_000  # YOLOv8x has some 60,000; with optimizer and average, before training ends, two or three times that
)
_COPIES = 4  # values copied by calls, in bytes of the pickle: each value is an opcode of its own
_VIEWS = 8  # bytes of all tensors, in bytes of the file: tensors may share storages, but few do


@dataclass(eq=False)
class Record:
    """An object of the file, inert: what it was, what it was made with, and the state it was given."""

    kind: str  # "ultralytics.nn.modules.head.Detect"
    arguments: tuple[Any, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Name:
    """A class or function the pickle names; only ever a string."""

    name: str


_MARK = object()


def read_pt(path: Path) -> Any:
    """What `torch.save` wrote to `path`: containers, numbers, CPU tensors in the file's dtypes, and Records.

    Nothing of the file runs. Raises UnsafePickleError naming what is outside the allow-list, DetectorError for a file
    that torch did not write, is damaged or cut off, or points outside its own storages.
    """
    if is_old(path):
        old = OldTorchFile(path)
        with _uncollected():
            found = _read(old, old.pickle())
            old.fill([str(key) for key in _expect(_read(old, old.keys()), list)])
            return found
    with open_torch_zip(path) as archive, _uncollected():
        return _read(archive, archive.pickle())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for circles, which would look at everything again and again while nothing is dropped."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read(archive: TorchZip | OldTorchFile, data: bytes) -> Any:
    machine = _Machine(archive, _COPIES * len(data))
    try:
        for number, (opcode, argument) in enumerate(opcodes(data)):
            if number >= _MOST_OPCODES:
                raise DetectorError(
                    f"{archive.name}: its pickle has over {_MOST_OPCODES:,} opcodes; no detector needs so many."
                )
            if (handler := _HANDLERS.get(opcode)) is None:
                raise machine.unsafe(f"uses the pickle opcode {opcode}, which torch.save never writes")
            handler(machine, argument)
        return machine.stack.pop()
    except (IndexError, KeyError, TypeError, ValueError, RuntimeError, struct.error) as error:
        # A well-formed pickle cannot get here: the opcodes do not fit the stack.
        raise DetectorError(f"{archive.name}: its pickle is damaged ({error}); download it again.") from error


class _Machine:
    """A pickle machine whose only values are containers, literals, tensors and Records."""

    def __init__(self, archive: TorchZip | OldTorchFile, copies: int) -> None:
        self._copies = copies  # values that calls may still copy
        self._views = _VIEWS * archive.size  # bytes that tensors may still show
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._archive = archive

    def recall(self, place: int) -> None:
        """Push what is remembered there."""
        self.stack.append(self._memo[place])

    def remember(self, place: int | None) -> None:
        """Remember what is on top there (None: behind the last)."""
        self._memo[len(self._memo) if place is None else place] = self.stack[-1]

    def unsafe(self, what: str) -> UnsafePickleError:
        """The error that says what the file does and that nothing of it ran."""
        return UnsafePickleError(
            f"{self._archive.name} {what}. Nothing of it ran; get the file from a source you trust."
        )

    def name(self, module: Any, name: Any) -> None:
        """Push the class or function `module.name` as a name. Raises UnsafePickleError if it is not on the list."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self.unsafe(f"names a class by a {type(module).__name__} and a {type(name).__name__}")
        full = f"{module}.{name}".replace("__builtin__.", "builtins.", 1)
        plain = name.isidentifier()
        storage = module == "torch" and name in _DTYPES
        listed = full in _CONTAINERS or full in _TENSORS or full in _INERT or full.startswith(_INERT_PREFIXES)
        if not plain or not (storage or listed):
            raise self.unsafe(f"asks for {full:.200}, which no YOLOv8 file needs")
        self.stack.append(_Name(full))

    def pop_mark(self) -> list[Any]:
        """Everything above the last mark."""
        start = len(self.stack) - 1
        while self.stack[start] is not _MARK:
            start -= 1
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def tuple_of(self, count: int) -> None:
        """Replace the top `count` values by a tuple of them."""
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise IndexError("tuple of more than the stack holds")
        self.stack[-count:] = [items]

    def append(self, items: list[Any]) -> None:
        """Extend the list on top."""
        _expect(self.stack[-1], list).extend(items)

    def add(self) -> None:
        """Extend the set on top."""
        items = self.pop_mark()
        _expect(self.stack[-1], set).update(map(_key, items))

    def set_items(self, items: list[Any]) -> None:
        """Fill the dict on top with key, value, key, value, ..."""
        _expect(self.stack[-1], dict).update(zip(map(_key, items[::2]), items[1::2], strict=True))

    def pop_two(self) -> list[Any]:
        """The top two values, lower one first."""
        second = self.stack.pop()
        return [self.stack.pop(), second]

    def stack_global(self) -> None:
        """Name a class or function by two strings."""
        self.name(*self.pop_two())

    def make(self) -> None:
        """REDUCE and NEWOBJ: what would be a call. Ours is looked up or recorded."""
        name, arguments = self.pop_two()
        if not isinstance(name, _Name):
            raise self.unsafe(f"calls a {type(name).__name__}")
        self.stack.append(self._made(name.name, _expect(arguments, tuple)))

    def _made(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name in _CONTAINERS:
            self._spend(sum(map(len, arguments)))
            return _CONTAINERS[name](*arguments)
        if name == "torch._utils._rebuild_tensor_v2":
            return self._tensor(*arguments[:4])
        if name == "torch._utils._rebuild_parameter":
            return _expect(arguments[0], torch.Tensor)
        return Record(name, arguments)

    def _spend(self, values: int) -> None:
        self._copies -= values
        if self._copies < 0:
            raise DetectorError(f"{self._archive.name}: its pickle copies the same values again and again.")

    def build(self) -> None:
        """BUILD: give a record its state. Nothing else takes one; no method of the file's classes exists here."""
        record, state = self.pop_two()
        if isinstance(record, Record):
            self._spend(len(state) if isinstance(state, dict) else 1)
            record.state.update(state if isinstance(state, dict) else {"__state__": state})
        elif not isinstance(record, dict):  # an OrderedDict's own attributes are of no use here
            raise self.unsafe(f"sets the state of a {type(record).__name__}")
        self.stack.append(record)

    def load_persistent(self) -> None:
        """A storage: ("storage", its class, key of the member, device, number of elements); in old files also None."""
        identity = self.stack.pop()
        if isinstance(identity, tuple) and len(identity) == 6 and identity[5] is None:
            identity = identity[:5]
        match identity:
            case ("storage", _Name(name), str(key), str(), int(length)) if name.removeprefix("torch.") in _DTYPES:
                dtype = _DTYPES[name.removeprefix("torch.")]
            case _:
                raise self.unsafe(f"refers to something that is not a torch storage: {reprlib.repr(identity)}")
        if not (key.isascii() and key.isalnum()):
            raise self.unsafe(f"names the storage {key!r:.200}, expected a plain number")
        self.stack.append(self._archive.storage(key, dtype, length))

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any) -> torch.Tensor:
        storage = _expect(storage, torch.Tensor)
        numbers = (offset, *_expect(size, tuple), *_expect(stride, tuple))
        if len(size) != len(stride) or not all(_is_size(number) for number in numbers) or len(numbers) > _MOST_NUMBERS:
            wrong = reprlib.repr((size, stride, offset))
            raise DetectorError(f"{self._archive.name}: a tensor has an impossible size, stride and offset: {wrong}.")
        last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
        if 0 not in size and (last >= storage.numel() or math.prod(size) > storage.numel()):
            raise DetectorError(
                f"{self._archive.name}: a tensor of size {size} reaches outside its storage of {storage.numel()}."
            )
        self._views -= math.prod(size) * storage.element_size()
        if self._views < 0:
            raise DetectorError(f"{self._archive.name}: its tensors use the same bytes again and again.")
        return torch.as_strided(storage, size, stride, offset) if 0 not in size else storage.new_empty(size)


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} where a {kind.__name__} belongs")
    return value


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST_SIZE


def _key(value: Any) -> Any:
    # Hashing a tuple nested 100,000 deep would overflow the C stack; no real file has such keys. Integers beyond
    # Python's modulus can be chosen to share one hash, and then each is compared with all before it.
    if not isinstance(value, (str, int, float, bytes, type(None))):
        raise TypeError(f"a {type(value).__name__} as key")
    if isinstance(value, int) and abs(value) >= _LARGEST_SIZE:
        raise TypeError("a key of many digits")
    return value


def _do(act: Callable[[_Machine], Any]) -> Callable[[_Machine, Any], Any]:
    return lambda machine, _: act(machine)


def _push(make: Callable[[], Any]) -> Callable[[_Machine, Any], Any]:
    return lambda machine, _: machine.stack.append(make())


def _push_argument(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


_VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
_HANDLERS: dict[str, Callable[[_Machine, Any], Any]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, argument: None),
    **dict.fromkeys(_VALUES, _push_argument),
    "NONE": _push(lambda: None),
    "NEWTRUE": _push(lambda: True),
    "NEWFALSE": _push(lambda: False),
    "EMPTY_DICT": _push(dict),
    "EMPTY_LIST": _push(list),
    "EMPTY_TUPLE": _push(tuple),
    "EMPTY_SET": _push(set),
    "MARK": _push(lambda: _MARK),
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": _do(lambda machine: machine.remember(None)),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "TUPLE": _do(lambda machine: machine.stack.append(tuple(machine.pop_mark()))),
    "TUPLE1": _do(lambda machine: machine.tuple_of(1)),
    "TUPLE2": _do(lambda machine: machine.tuple_of(2)),
    "TUPLE3": _do(lambda machine: machine.tuple_of(3)),
    "APPEND": _do(lambda machine: machine.append([machine.stack.pop()])),
    "APPENDS": _do(lambda machine: machine.append(machine.pop_mark())),
    "ADDITEMS": _do(_Machine.add),
    "FROZENSET": _do(lambda machine: machine.stack.append(frozenset(map(_key, machine.pop_mark())))),
    "SETITEM": _do(lambda machine: machine.set_items(machine.pop_two())),
    "SETITEMS": _do(lambda machine: machine.set_items(machine.pop_mark())),
    "STACK_GLOBAL": _do(_Machine.stack_global),
    "REDUCE": _do(_Machine.make),
    "NEWOBJ": _do(_Machine.make),
    "BUILD": _do(_Machine.build),
    "BINPERSID": _do(_Machine.load_persistent),
}
