"""What a data set is: samples one after another, and what it refused on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vlaudit.errors import UsageError, nearest
from vlaudit.samples import Sample


@dataclass(frozen=True)
class Refusal:
    """A record that gives no sample: in which file, where in it, and why."""

    file: str
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.reason}"


@runtime_checkable
class Dataset(Protocol):
    """Samples in an order that never changes, and the records that were refused.

    Iterating reads lazily, so that a limit reads no more than it needs; every iteration gives equal samples.
    `refusals` holds what was refused among the records read so far, each once. An image that turns out to be
    broken only when its pixels are decoded raises `RefusedSample` there, and whoever decodes counts it.
    """

    name: str
    refusals: list[Refusal]

    def __iter__(self) -> Iterator[Sample]:
        """Give the samples."""
        ...

    def describe(self) -> str:
        """Return one line for the report's banner: what was read, from where, and how much of it."""
        ...


def parse_options(text: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the head and the options of `"HEAD,name=value,..."`; `UsageError` for a name that is not known.

    A comma that no `name=` follows belongs to what stands before it, so that a folder may hold one.

    >>> parse_options("my, photos,captions=a.json", ("captions", "images"))
    ('my, photos', {'captions': 'a.json'})
    """
    head, *rest = re.split(r",(?=\w+=)", text)
    if re.match(r"\w+=", head):
        head, rest = "", [head, *rest]
    options = {}
    for option in rest:
        name, value = option.split("=", 1)
        if name not in known:
            raise UsageError(f"--data has no option {name!r}{nearest(name, known)}")
        options[name] = value
    return head, options
