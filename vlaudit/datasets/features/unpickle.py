"""Safe reading of pickles that contain plain data only.

A pickle is a program that may call any function by name. Here, names are resolved in a short list of replacements that
only collect data. Functions of numpy are not called either, because a crafted state of an array or dtype can crash
them; arrays are built from their bytes after the whole pickle has been read.
Formats: numpy's `ndarray.__reduce__` (protocols 0 to 4) and `_frombuffer` (protocol 5); Python's `_codecs.encode` and
`__builtin__.bytes`, which protocols below 3 use for bytes and for empty bytes.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Shaped

_PLAIN = re.compile(r"[<>=|]?([?]|b1|[fiu][1248]|f16)")
_NUMPY = ("numpy.core", "numpy._core")


class UnsafePickle(Exception):  # noqa: N818 - becomes a refusal, never an error
    """A pickle is broken or contains more than plain data; the message states what."""


def preview(value: object) -> str:
    """Return a short representation of a value for a message; deep or recursive parts are omitted.

    >>> preview(b"ten"), preview({"a": [1]})
    ('ten', "{'a': [1]}")
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return (text if isinstance(text, str) else reprlib.repr(text))[:60]


def plain_dtype(code: object) -> np.dtype[Any]:
    """Return the numeric dtype of a code like `<f4`; raise `UnsafePickle` for all other types."""
    text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
    if not isinstance(text, str) or not _PLAIN.fullmatch(text) or text.endswith("f1"):
        raise UnsafePickle(f"arrays must be numeric, got type {preview(text)!r}")
    return np.dtype(text)


def plain_array(data: object, dtype: np.dtype[Any], shape: object, order: str = "C") -> Shaped[np.ndarray, "..."]:
    """Return an array from bytes; raise `UnsafePickle` if their number does not match the shape."""
    sides = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    if not all(isinstance(side, int) and side >= 0 for side in sides):
        raise UnsafePickle(f"the shape of an array must be non-negative integers, got {preview(shape)}")
    if not isinstance(data, bytes | bytearray) or len(data) != math.prod(sides) * dtype.itemsize:
        raise UnsafePickle(f"the bytes of an array must match its shape {sides}")
    return np.frombuffer(data, dtype).reshape(sides, order="F" if order == "F" else "C")


class _Callable:
    """Replacement of a name in a pickle: a function whose state the pickle cannot change."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise UnsafePickle("a pickle must not set the state of a function")


class _Type:
    """A numeric dtype under construction: first its code, then its byte order."""

    def __init__(self, code: object = None, *_flags: object) -> None:
        self._code = code
        self._order: Any = "="

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            raise UnsafePickle("arrays must be numeric, got an array of records")
        self._order = state[1]

    def plain(self) -> np.dtype[Any]:
        dtype = plain_dtype(self._code)
        return dtype.newbyteorder(self._order) if self._order in ("<", ">") else dtype


class _Array:
    """An array under construction: first empty, then with shape, dtype and bytes."""

    def __init__(self, *_empty: object) -> None:
        self._state: tuple[Any, ...] = ()

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise UnsafePickle("the state of an array must have the five parts that numpy writes")
        self._state = state

    def plain(self) -> Shaped[np.ndarray, "..."]:
        if not self._state:
            raise UnsafePickle("an array must have a state, got none")
        _, shape, dtype, fortran, data = self._state
        return plain_array(data, _dtype(dtype), shape, "F" if fortran else "C")


def _dtype(given: object) -> np.dtype[Any]:
    if not isinstance(given, _Type):
        raise UnsafePickle("an array must have a numeric dtype, got none")
    return given.plain()


def _scalar(dtype: object, data: object = b"") -> Any:
    return plain_array(data, _dtype(dtype), ()).item()


def _from_buffer(data: object, dtype: object, shape: object, order: object = "C") -> _Array:
    array = _Array()  # not a numpy array, because the pickle may still set its state
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _latin_bytes(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnsafePickle("_codecs.encode must get a string and the encoding latin1")
    return text.encode("latin-1")


def _empty_bytes(*content: object) -> bytes:
    if content:
        raise UnsafePickle("__builtin__.bytes must get no argument")
    return b""


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _latin_bytes,
    ("__builtin__", "bytes"): _empty_bytes,
    **{(f"{package}.multiarray", "_reconstruct"): _Array for package in _NUMPY},
    **{(f"{package}.multiarray", "scalar"): _scalar for package in _NUMPY},
    **{(f"{package}.numeric", "_frombuffer"): _from_buffer for package in _NUMPY},
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UnsafePickle(f"only plain data are allowed, got a reference to {module}.{name}; nothing was executed")
        return _Callable(_ALLOWED[module, name])


def load_plain(data: bytes) -> Any:
    """Return the numbers, text, bytes, arrays and containers of a pickle.

    Raises `UnsafePickle` if the pickle refers to anything else, contains an array of objects, or is broken.
    """
    try:
        _check_memo(data)
        return _plain(_PlainUnpickler(io.BytesIO(data)).load(), {})
    except UnsafePickle:
        raise
    except Exception as reason:  # a broken pickle may raise any exception
        raise UnsafePickle(f"not a pickle of plain data: {type(reason).__name__}: {reason}") from reason


def _check_memo(data: bytes) -> None:
    """Refuse memo indices far beyond the length of the pickle, for which the reader would allocate memory."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in {"PUT", "LONG_BINPUT"} and (argument or 0) > len(data):
            raise UnsafePickle(f"memo indices must be at most the length of the pickle, got {argument}")


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Return the value with arrays built, converting each part once, because parts may be referenced repeatedly."""
    if id(value) not in done:
        done[id(value)] = _converted(value, done)
    return done[id(value)]


def _converted(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, _Array):
        return value.plain()
    if isinstance(value, dict):
        return {_plain(key, done): _plain(held, done) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_plain(held, done) for held in value)
    if isinstance(value, _Type | _Callable):
        raise UnsafePickle("only plain data are allowed, got a type or a function")
    return value
