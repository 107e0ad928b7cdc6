"""Validate a TOML file against a pydantic model, with the file and line of every mistake."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vlaudit.errors import UsageError, nearest

MAX_ERRORS = 3
"""Mistakes listed in one message."""

_UNKNOWN = "extra_forbidden"  # types of mistakes, in pydantic's words
_NO_TABLE = ("dict_type", "model_type", "model_attributes_type")

Model = TypeVar("Model", bound=BaseModel)
Key = tuple[str, ...]


def read_text(path: Path, source: str) -> str:
    """Return the text of a file. Raises `UsageError`, which starts with `source`, for a file that cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: cannot read the file: {error}") from None


def parse(text: str, model: type[Model], source: str) -> Model:
    """Return the validated content of a TOML text.

    Raises `UsageError` with `source` and line: invalid TOML, an unknown key with the nearest known one, a wrong type
    or value.
    """
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source}: not TOML: {error}") from None
    except ValidationError as error:
        raise UsageError("\n".join(_messages(text, error, source, model))) from None


def line_of(text: str, key: Sequence[str | int]) -> int:
    r"""Return the line, counted from 1, of the table or value with this key, or of the nearest enclosing table.

    >>> line_of("a = 1\n[b.c]\nd = 2\n", ["b", "c", "d"])
    3
    """
    lines = _lines_of_keys(text)
    wanted = tuple(map(str, key))
    for depth in range(len(wanted), 0, -1):
        found = [line for path, line in lines.items() if path[:depth] == wanted[:depth]]
        if found:
            return min(found)
    return 1


def _messages(text: str, error: ValidationError, source: str, model: type[BaseModel]) -> list[str]:
    """Return one line per mistake; unknown keys first, because a misspelt key is also a missing one."""
    found = sorted(error.errors(), key=lambda one: one["type"] != _UNKNOWN)
    return [f"{source}, line {line_of(text, one['loc'])}: {_mistake(one, model)}" for one in found[:MAX_ERRORS]]


def _mistake(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return a mistake without file and line; an unknown key with the nearest one that exists."""
    *table, key = error["loc"]
    if error["type"] == _UNKNOWN:
        place = f"{'.'.join(map(str, table))}: " if table else ""
        return f"{place}no key {str(key)!r}{nearest(str(key), _keys_at(model, table))}"
    rule = "Input should be a table" if error["type"] in _NO_TABLE else error["msg"]
    return f"{'.'.join(map(str, error['loc']))}: {rule}, got {error['input']!r}"


def _keys_at(model: object, place: Sequence[int | str]) -> list[str]:
    """Return the keys of the pydantic model at a place inside another one, through mappings and lists."""
    for part in place:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[str(part)].annotation
        else:
            model = get_args(model)[-1]
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _lines_of_keys(text: str) -> dict[Key, int]:
    """Map every table header and every key at the start of a line to its line; tables of an array are numbered."""
    lines: dict[Key, int] = {}
    table: Key = ()
    arrays: Counter[Key] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.fullmatch(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?", line):
            table = _parts(header[2])
            if header[1] == "[[":
                arrays[table] += 1
                table = (*table, str(arrays[table] - 1))
            lines.setdefault(table, number)
        elif key := re.match(r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+|\s*\.\s*)+)\s*=""", line):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def _parts(dotted: str) -> Key:
    """Split a dotted TOML key; quoted parts may contain dots."""
    return tuple(part.strip("\"'") for part in re.findall(r'"[^"]*"|\'[^\']*\'|[^.\s]+', dotted))
