"""The data set protocol: an iterable of samples, with a list of refused records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vlaudit.errors import UsageError, nearest
from vlaudit.samples import Sample


@dataclass(frozen=True)
class Refusal:
    """A refused record: its file, its location in the file, and the reason."""

    file: str
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.reason}"


@runtime_checkable
class Dataset(Protocol):
    """An iterable of samples in a fixed order, with a list of refused records.

    Iteration is lazy, so that a limit reads no more than necessary, and every iteration yields equal samples.
    `refusals` contains every refused record among those read so far once. An image whose pixels cannot be decoded
    raises `RefusedSample` at decoding; the caller counts it.
    """

    name: str
    refusals: list[Refusal]

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples."""
        ...

    def describe(self) -> str:
        """Return one line for the report: the source of the data and the numbers of records read."""
        ...


def parse_options(text: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Split `"HEAD,name=value,..."` into head and options; raise `UsageError` for an unknown option.

    A comma that is not followed by `name=` belongs to the preceding value, so that a folder name may contain one.

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
            raise UsageError(f"--data: unknown option {name!r}{nearest(name, known)}")
        options[name] = value
    return head, options
