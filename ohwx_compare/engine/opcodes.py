"""A pickle's opcodes, one after another, decoded as far as `torch.save` writes them; any other is only named.

Source: `pickletools` (CPython). Its own decoder reads what an opcode claims before anybody can refuse it: a number of
two million digits costs a minute.
"""

import pickletools
import struct
from collections.abc import Callable, Generator
from typing import Any

__all__ = ["end_of", "opcodes"]

_BARE = {  # without an argument
    **{b"(": "MARK", b".": "STOP", b"N": "NONE", b"Q": "BINPERSID", b"R": "REDUCE", b"a": "APPEND", b"b": "BUILD"},
    **{b"e": "APPENDS", b"s": "SETITEM", b"u": "SETITEMS", b"t": "TUPLE", b")": "EMPTY_TUPLE", b"]": "EMPTY_LIST"},
    **{b"}": "EMPTY_DICT", b"\x81": "NEWOBJ", b"\x85": "TUPLE1", b"\x86": "TUPLE2", b"\x87": "TUPLE3"},
    **{b"\x88": "NEWTRUE", b"\x89": "NEWFALSE", b"\x8f": "EMPTY_SET", b"\x90": "ADDITEMS", b"\x91": "FROZENSET"},
    **{b"\x93": "STACK_GLOBAL", b"\x94": "MEMOIZE"},
}
_NUMBERS = {  # and how it is stored
    **{b"K": ("BININT1", "<B"), b"M": ("BININT2", "<H"), b"J": ("BININT", "<i"), b"G": ("BINFLOAT", ">d")},
    **{b"h": ("BINGET", "<B"), b"q": ("BINPUT", "<B"), b"j": ("LONG_BINGET", "<I"), b"r": ("LONG_BINPUT", "<I")},
    **{b"\x80": ("PROTO", "<B"), b"\x95": ("FRAME", "<Q")},
}
_BYTES = {  # how their length is stored, and what they are
    **{b"X": ("BINUNICODE", "<I", "text"), b"\x8c": ("SHORT_BINUNICODE", "<B", "text")},
    **{
        b"\x8d": ("BINUNICODE8", "<Q", "text"),
        b"B": ("BINBYTES", "<I", "bytes"),
        b"C": ("SHORT_BINBYTES", "<B", "bytes"),
    },
    **{b"\x8e": ("BINBYTES8", "<Q", "bytes"), b"\x8a": ("LONG1", "<B", "number")},
}
_READ: dict[str, Callable[[bytes], Any]] = {
    "text": lambda data: data.decode("utf-8", "surrogatepass"),
    "bytes": lambda data: data,
    "number": lambda data: int.from_bytes(data, "little", signed=True),
}
_KNOWN = {opcode.code: opcode.name for opcode in pickletools.opcodes}
_PLAIN = {code[0]: name for code, name in _BARE.items()}
_FIXED = {code[0]: (name, struct.Struct(form)) for code, (name, form) in _NUMBERS.items()}
_LONG = {code[0]: (name, struct.Struct(form), _READ[kind]) for code, (name, form, kind) in _BYTES.items()}


def end_of(data: bytes, start: int, most: int) -> int:
    """Where the pickle that begins at `start` ends, within `most` bytes. Raises as `opcodes`, of which it reads all."""
    reading = opcodes(data[start : start + most])
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return start + int(end.value)


def opcodes(data: bytes) -> Generator[tuple[str, Any], None, int]:
    """Name and argument of each opcode up to STOP; of one that torch never writes the name alone, and then no more.

    Returns where it stopped reading. Raises ValueError or struct.error where the pickle is damaged or cut off.
    """
    at = 0
    while at < len(data):
        code = data[at]
        at += 1
        if (plain := _PLAIN.get(code)) is not None:
            yield plain, None
            if plain == "STOP":
                return at
        elif (fixed := _FIXED.get(code)) is not None:
            yield fixed[0], fixed[1].unpack_from(data, at)[0]
            at += fixed[1].size
        elif (long := _LONG.get(code)) is not None:
            name, form, read = long
            start = at + form.size
            at = start + form.unpack_from(data, at)[0]
            if at > len(data):
                raise ValueError(f"{name} of {at - start:,} bytes where {len(data) - start:,} are left")
            yield name, read(data[start:at])
        elif code == b"c"[0]:
            end = data.index(b"\n", data.index(b"\n", at) + 1)
            yield "GLOBAL", data[at:end].decode("utf-8").replace("\n", " ", 1)
            at = end + 1
        else:
            known = _KNOWN.get(chr(code))
            if known is None:
                raise ValueError(f"{code} is not an opcode")
            yield known, None
            return at
    raise ValueError("it ends before its last opcode")
