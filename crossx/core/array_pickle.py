"""Pickles that hold named arrays of NumPy and nothing else, read without running what a pickle can run.

Public data sets come as such pickles. Three names are resolved, to stand-ins that only collect an array's description;
NumPy itself is not called before the description has been checked.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossx.core.errors import InputError

MOST_BYTES = 2**30
"""Largest file that is read."""
_OPCODES = {
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK"),
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "LIST", "APPEND", "APPENDS"),
    *("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
    *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
}
"""Opcodes of mappings of arrays. Not among them are those that make instances, and extensions and persistent ids."""
_KINDS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_MOST_AXES = 32
_MOST_DIGITS = 20
"""Longest number in decimal digits; Python takes a quadratic time for more."""


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read a pickle of a mapping from texts to numeric arrays, of protocol 3 or 4, or a binary one of Python 2.

    Args:
        path: An existing file.

    Returns:
        The arrays by name, in the file's order; they cannot be written to.

    Raises:
        InputError: When the file cannot be read, is too large, cut or no pickle, names anything but the three names of
            NumPy's arrays, or holds anything but a mapping of arrays.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: must have at most {MOST_BYTES} bytes, got {path.stat().st_size}")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: must be a pickle of arrays that can be read ({error})") from None
    try:
        _check_opcodes(content)
        found = _ArrayUnpickler(content).load()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # the ways in which a pickle can be broken have no common exception
        raise InputError(f"{path}: must be a pickle of arrays, got what is none, or cut ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: must be a mapping from names to arrays, got a {type(found).__name__}")
    for name, array in found.items():
        if not isinstance(name, str) or not isinstance(array, _Array) or array.value is None:
            raise InputError(
                f"{path}: must be a mapping from names to arrays, got a {_what(array)} under {str(name)[:40]!r}"
            )
    return {name: array.value for name, array in found.items()}


def _what(value: object) -> str:
    return "n array without content" if isinstance(value, _Array) else type(value).__name__


def _check_opcodes(content: bytes) -> None:
    """Refuse what no pickle of arrays has; the unpickler would otherwise make room for whatever a number says."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name not in _OPCODES:
            raise InputError(f"must be a pickle of arrays, got the opcode {opcode.name}")
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not (
            isinstance(argument, int) and 0 <= argument <= count
        ):
            raise InputError(f"must be a pickle of arrays, got a memo of {argument} entries")
        if opcode.name in ("INT", "LONG", "LONG1") and len(str(argument)) > _MOST_DIGITS:
            raise InputError("must be a pickle of arrays, got an astronomical number")


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler that knows three names."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")  # Python 2 keeps the bytes of arrays as text

    def find_class(self, module: str, name: str) -> object:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _Reconstruct()
        if module == "numpy" and name in ("ndarray", "dtype"):
            return _DTypes() if name == "dtype" else _NDARRAY
        named = f"{module}.{name}"[:80]
        raise InputError(
            f"must name nothing but NumPy's arrays, got {named!r}, which is not read; where you trust the file, save "
            "its arrays again with pickle protocol 3 or 4"
        )


_NDARRAY = "numpy.ndarray"


class _Reconstruct:
    """Stand-in for the function that makes an empty array. No stand-in has attributes that a pickle could set."""

    __slots__ = ()

    def __call__(self, *_: object) -> "_Array":
        return _Array()


class _DTypes:
    """Stand-in for the class of number types."""

    __slots__ = ()

    def __call__(self, kind: object, *_: object) -> "_DType":
        if kind not in _KINDS:
            raise InputError(f"must have arrays of numbers, got the type {str(kind)[:40]!r}")
        return _DType(str(kind))


class _DType:
    """A type of numbers, and the order of its bytes."""

    __slots__ = ("kind", "order")

    def __init__(self, kind: str) -> None:
        self.kind, self.order = kind, "="

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "=")):
            raise InputError("must have arrays of numbers, got another type")
        self.order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.kind)


class _Array:
    """An array whose content follows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: npt.NDArray[Any] | None = None

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _DType)):
            raise InputError("must have arrays of numbers, got the state of something else")
        _, shape, dtype, is_fortran, raw = state
        if isinstance(raw, str):
            raw = raw.encode("latin1")
        if not (
            isinstance(shape, tuple)
            and len(shape) <= _MOST_AXES
            and all(isinstance(side, int) and side >= 0 for side in shape)
        ):
            raise InputError("must have arrays of numbers, got a shape that is none")
        size = dtype.dtype.itemsize
        for side in shape:
            size *= side
        if not isinstance(raw, bytes) or size != len(raw):
            raise InputError(f"must have arrays with as many bytes as their shapes {shape} say, got another number")
        self.value = np.frombuffer(raw, dtype.dtype).reshape(shape, order="F" if is_fortran else "C")
