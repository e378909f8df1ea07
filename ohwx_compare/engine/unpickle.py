"""Reading a `.pt` without running any of it.

A `.pt` is a zip of one pickle and raw storages. A pickle is a program; here it is interpreted, opcode by opcode, by a
machine that has no instruction for calling anything: a class or function that the pickle names is looked up in the
list below, never imported. Tensors are built from the storages by our own code, everything else that is allowed
becomes an inert `Record`.
Format: pickletools (CPython) for the opcodes, torch's `torch/serialization.py` for the zip's members.
"""

import math
import pickletools
import reprlib
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ohwx_compare.errors import DetectorError, UnsafePickleError
from ohwx_compare.files.regular import require_regular

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

_PUSH_ARGUMENT = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_PUSH_NEW: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_SKIP = {"PROTO", "FRAME"}

# What a small file may cost: real ones stay far below.
_LARGEST_SIZE = 2**40  # of a side, a stride, an offset
_MOST_NUMBERS = 100  # in the size, stride and offset of a tensor
_LARGEST_PICKLE = 4_000_000  # bytes; YOLOv8x has 0.3 MB
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
_LOCAL_HEADER = 30  # bytes before a member's name, at least


def read_pt(path: Path) -> Any:
    """What `torch.save` wrote to `path`: containers, numbers, CPU tensors in the file's dtypes, and Records.

    Nothing of the file runs. Raises UnsafePickleError naming what is outside the allow-list, DetectorError for a file
    that is not a zip of torch's, is damaged or cut off, or points outside its own storages.
    """
    try:
        require_regular(path)
        with zipfile.ZipFile(path) as archive:
            return _read(_Archive(archive, path.name))
    except zipfile.BadZipFile as error:
        raise DetectorError(f"{path.name}: {_why_no_zip(path, error)}") from error
    except (EOFError, RuntimeError, ValueError, struct.error) as error:
        raise DetectorError(f"{path.name} cannot be read as a zip ({error}); download it again.") from error
    except OSError as error:
        raise DetectorError(f"{path} cannot be read: {error}.") from error


def _why_no_zip(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        return f"the zip is damaged or cut off ({error}); download the file again."
    if start[:1] == b"\x80":
        return "it is in torch's old format (before 1.6), which is not read; save it again with a newer torch."
    return "it is not a .pt file: torch.save writes a zip; choose another file."


class _Archive:
    """The members of one `.pt`."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self._archive = archive
        self._members = {info.filename: info for info in archive.infolist()}
        self.size = _size(archive, name)
        pickles = [member for member in self._members if member.count("/") == 1 and member.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise DetectorError(f"{name} is a zip with {len(pickles)} files data.pkl in it, expected one.")
        self._root = pickles[0].removesuffix("data.pkl")
        order = self.read("byteorder") if self._root + "byteorder" in self._members else b"little"
        if order not in (b"little", b"big"):
            raise DetectorError(f"{name} names the byte order {order!r}, expected little or big.")
        self.order = "<" if order == b"little" else ">"

    def read(self, member: str) -> bytes:
        """The bytes of a member. Compressed ones are refused: torch writes none, and they could unpack to anything."""
        info = self._members.get(self._root + member)
        if info is None:
            raise DetectorError(f"{self.name} lacks {member}; download it again.")
        if info.compress_type != zipfile.ZIP_STORED:
            raise DetectorError(f"{self.name}: {member} is compressed, which torch.save never does.")
        if info.file_size != info.compress_size:
            raise DetectorError(f"{self.name}: {member} claims {info.file_size:,} bytes of {info.compress_size:,}.")
        return self._archive.read(info)

    def pickle(self) -> bytes:
        """The pickle. Raises DetectorError for one that would take long to read."""
        if (length := self._members[self._root + "data.pkl"].file_size) > _LARGEST_PICKLE:
            raise DetectorError(f"{self.name}: its pickle has {length:,} bytes, expected at most {_LARGEST_PICKLE:,}.")
        return self.read("data.pkl")

    def storage(self, key: str, dtype: torch.dtype, length: int) -> torch.Tensor:
        """Storage `key` as a 1-d tensor of `length` elements."""
        raw = np.frombuffer(self.read(f"data/{key}"), np.uint8)
        width = torch.empty(0, dtype=dtype).element_size()
        if not 0 <= length * width <= raw.size:
            raise DetectorError(f"{self.name}: storage {key} holds {raw.size} bytes, but claims {length} x {width}.")
        raw = raw[: length * width]
        words = raw.view(f"{self.order}u{width}").astype(f"=u{width}")  # also the copy that makes it writable
        return torch.from_numpy(words.view(np.uint8)).view(dtype) if length else torch.empty(0, dtype=dtype)


def _size(archive: zipfile.ZipFile, name: str) -> int:
    """Bytes of the zip's members. Raises DetectorError where two share bytes or one leaves the file."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [*(info.header_offset for info in infos), archive.start_dir]
    for info, following in zip(infos, starts[1:], strict=True):
        if info.header_offset + _LOCAL_HEADER + len(info.orig_filename) + info.compress_size > following:
            raise DetectorError(f"{name}: {info.filename[:80]} overlaps what follows in the zip; download it again.")
    return archive.start_dir


def _read(archive: _Archive) -> Any:
    data = archive.pickle()
    machine = _Machine(archive, _COPIES * len(data))
    try:
        for opcode, argument, _ in pickletools.genops(data):
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
        # A well-formed pickle cannot get here: the opcodes do not fit the stack.
        raise DetectorError(f"{archive.name}: its pickle is damaged ({error}); download it again.") from error


class _Machine:
    """A pickle machine whose only values are containers, literals, tensors and Records."""

    def __init__(self, archive: _Archive, copies: int) -> None:
        self._copies = copies  # values that calls may still copy
        self._views = _VIEWS * archive.size  # bytes that tensors may still show
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._archive = archive
        self._storages: dict[tuple[str, str], torch.Tensor] = {}

    def step(self, opcode: str, argument: Any) -> None:
        """Carry out one opcode as pickletools decodes it."""
        if opcode in _PUSH_ARGUMENT:
            self.stack.append(argument)
        elif opcode in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif opcode == "MEMOIZE":
            self._memo[len(self._memo)] = self.stack[-1]
        elif opcode in _PUSH_NEW:
            self.stack.append(_PUSH_NEW[opcode]())
        elif opcode == "MARK":
            self.stack.append(_MARK)
        elif opcode == "GLOBAL":
            self.name(*argument.split(" ", 1))
        elif opcode not in _SKIP and opcode != "STOP":
            handler = _HANDLERS.get(opcode)
            if handler is None:
                raise self._unsafe(f"uses the pickle opcode {opcode}, which torch.save never writes")
            handler(self)

    def _unsafe(self, what: str) -> UnsafePickleError:
        return UnsafePickleError(
            f"{self._archive.name} {what}. Nothing of it ran; get the file from a source you trust."
        )

    def name(self, module: Any, name: Any) -> None:
        """Push the class or function `module.name` as a name. Raises UnsafePickleError if it is not on the list."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self._unsafe(f"names a class by a {type(module).__name__} and a {type(name).__name__}")
        full = f"{module}.{name}".replace("__builtin__.", "builtins.", 1)
        plain = name.isidentifier()
        storage = module == "torch" and name in _DTYPES
        listed = full in _CONTAINERS or full in _TENSORS or full in _INERT or full.startswith(_INERT_PREFIXES)
        if not plain or not (storage or listed):
            raise self._unsafe(f"asks for {full:.200}, which no YOLOv8 file needs")
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
        items = tuple(self.stack[len(self.stack) - count :])
        if len(items) != count:
            raise IndexError("tuple of more than the stack holds")
        self.stack[len(self.stack) - count :] = [items]

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
            raise self._unsafe(f"calls a {type(name).__name__}")
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
            raise self._unsafe(f"sets the state of a {type(record).__name__}")
        self.stack.append(record)

    def load_persistent(self) -> None:
        """A storage: ("storage", its class, key of the member, device, number of elements)."""
        identity = self.stack.pop()
        match identity:
            case ("storage", _Name(name), str(key), str(), int(length)) if name.removeprefix("torch.") in _DTYPES:
                storage = (key, name.removeprefix("torch."))
            case _:
                raise self._unsafe(f"refers to something that is not a torch storage: {reprlib.repr(identity)}")
        if not (key.isascii() and key.isalnum()):
            raise self._unsafe(f"names the storage {key!r:.200}, expected a plain number")
        if storage not in self._storages:
            self._storages[storage] = self._archive.storage(key, _DTYPES[storage[1]], length)
        self.stack.append(self._storages[storage])

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
    # Hashing a tuple nested 100,000 deep would overflow the C stack; no real file has such keys.
    if not isinstance(value, (str, int, float, bytes, type(None))):
        raise TypeError(f"a {type(value).__name__} as key")
    return value


_HANDLERS: dict[str, Callable[[_Machine], Any]] = {
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "APPEND": lambda machine: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine: machine.append(machine.pop_mark()),
    "ADDITEMS": _Machine.add,
    "FROZENSET": lambda machine: machine.stack.append(frozenset(map(_key, machine.pop_mark()))),
    "SETITEM": lambda machine: machine.set_items(machine.pop_two()),
    "SETITEMS": lambda machine: machine.set_items(machine.pop_mark()),
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.make,
    "NEWOBJ": _Machine.make,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.load_persistent,
}
