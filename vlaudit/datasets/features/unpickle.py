"""Pickles of plain data, read without running anything that they name.

A pickle is a program: it may name any function and call it. Here a name is looked up in our own short list, and what
stands there only collects numbers. Not even numpy's own functions run, because the state that a pickle gives an array
or a type can break them; arrays are made from their bytes once all is read.
Formats: numpy's `ndarray.__reduce__` (protocols 0 to 4) and `_frombuffer` (protocol 5); Python's `_codecs.encode` and
`__builtin__.bytes`, by which protocols below 3 write bytes and no bytes.
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


class Unsafe(Exception):  # noqa: N818 - becomes a refusal, nobody sees it as an error
    """A pickle that holds more than plain data, or is broken; the text says what."""


def shown(value: object) -> str:
    """Return the beginning of a value for a message; deep parts are left out, which may name each other without end.

    >>> shown(b"ten"), shown({"a": [1]})
    ('ten', "{'a': [1]}")
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return (text if isinstance(text, str) else reprlib.repr(text))[:60]


def plain_dtype(code: object) -> np.dtype[Any]:
    """Return the number type that a code like `<f4` names; `Unsafe` for objects, records, text and all else."""
    text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
    if not isinstance(text, str) or not _PLAIN.fullmatch(text) or text.endswith("f1"):
        raise Unsafe(f"it holds an array of type {shown(text)!r}; only numbers are read")
    return np.dtype(text)


def plain_array(data: object, dtype: np.dtype[Any], shape: object, order: str = "C") -> Shaped[np.ndarray, "..."]:
    """Return an array of these bytes; `Unsafe` where the bytes do not fill the shape exactly."""
    sides = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    if not all(isinstance(side, int) and side >= 0 for side in sides):
        raise Unsafe(f"it holds an array whose shape is {shown(shape)}")
    if not isinstance(data, bytes | bytearray) or len(data) != math.prod(sides) * dtype.itemsize:
        raise Unsafe(f"it holds an array whose bytes do not fill its shape {sides}")
    return np.frombuffer(data, dtype).reshape(sides, order="F" if order == "F" else "C")


class _Named:
    """What a name in a pickle becomes: it can be called as listed, and the pickle cannot change it."""

    def __init__(self, made: Callable[..., Any]) -> None:
        self._made = made

    def __call__(self, *arguments: Any) -> Any:
        return self._made(*arguments)

    def __setstate__(self, state: object) -> None:
        raise Unsafe("it tries to change what it names")


class _Type:
    """A number type as a pickle builds it: a code first, then its byte order."""

    def __init__(self, code: object = None, *_flags: object) -> None:
        self._code = code
        self._order: Any = "="

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            raise Unsafe("it holds an array of records; only numbers are read")
        self._order = state[1]

    def plain(self) -> np.dtype[Any]:
        dtype = plain_dtype(self._code)
        return dtype.newbyteorder(self._order) if self._order in ("<", ">") else dtype


class _Array:
    """An array as a pickle builds it: nothing first, then shape, type and bytes."""

    def __init__(self, *_empty: object) -> None:
        self._state: tuple[Any, ...] = ()

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise Unsafe("it holds an array with a state that numpy does not write")
        self._state = state

    def plain(self) -> Shaped[np.ndarray, "..."]:
        if not self._state:
            raise Unsafe("it holds an array without content")
        _, shape, dtype, fortran, data = self._state
        return plain_array(data, _dtype(dtype), shape, "F" if fortran else "C")


def _dtype(given: object) -> np.dtype[Any]:
    if not isinstance(given, _Type):
        raise Unsafe("it holds an array without a number type")
    return given.plain()


def _scalar(dtype: object, data: object = b"") -> Any:
    return plain_array(data, _dtype(dtype), ()).item()


def _from_buffer(data: object, dtype: object, shape: object, order: object = "C") -> _Array:
    array = _Array()  # not numpy's: the pickle could still change its state
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _latin_bytes(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Unsafe("it encodes text as something other than bytes")
    return text.encode("latin-1")


def _no_bytes(*content: object) -> bytes:
    if content:
        raise Unsafe("it makes bytes of something else")
    return b""


_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _latin_bytes,
    ("__builtin__", "bytes"): _no_bytes,
    **{(f"{package}.multiarray", "_reconstruct"): _Array for package in _NUMPY},
    **{(f"{package}.multiarray", "scalar"): _scalar for package in _NUMPY},
    **{(f"{package}.numeric", "_frombuffer"): _from_buffer for package in _NUMPY},
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise Unsafe(f"it names {module}.{name}, which is not plain data; nothing of it was run")
        return _Named(_ADMITTED[module, name])


def unpickled(data: bytes) -> Any:
    """Return the numbers, text, bytes, arrays and containers that a pickle holds.

    Raises `Unsafe` for a pickle that names anything else, holds an array of objects, or is broken.
    """
    try:
        _check_memo(data)
        return _plain(_PlainUnpickler(io.BytesIO(data)).load(), {})
    except Unsafe:
        raise
    except Exception as reason:  # a broken pickle raises whatever its wrong steps raise
        raise Unsafe(f"it is no pickle of plain data: {type(reason).__name__}: {reason}") from reason


def _check_memo(data: bytes) -> None:
    """Refuse a step that numbers what it remembers far ahead: the reader takes memory for all numbers before."""
    for step, argument, _ in pickletools.genops(data):
        if step.name in {"PUT", "LONG_BINPUT"} and (argument or 0) > len(data):
            raise Unsafe(f"it asks for a memory of {argument} values")


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Return the value with numpy's arrays in it, each part once: a part may be named a million times."""
    if id(value) not in done:
        done[id(value)] = _made_plain(value, done)
    return done[id(value)]


def _made_plain(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, _Array):
        return value.plain()
    if isinstance(value, dict):
        return {_plain(key, done): _plain(held, done) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_plain(held, done) for held in value)
    if isinstance(value, _Type | _Named):
        raise Unsafe("it holds a type or a function, which is not plain data")
    return value
