"""Large JSON lists, one element in memory at a time, found again by the image that they are about."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from vlaudit.datasets.base import Refusal
from vlaudit.errors import DataError

LARGEST = 1 << 27
"""Characters that one element may take: an image of Visual Genome takes some hundred thousand."""

_CHUNK = 1 << 20
_BETWEEN = " \t\r\n"
_DECODER = json.JSONDecoder()


class Element(NamedTuple):
    """An element of the list: its number from 0, the bytes it stands in, and what it holds."""

    number: int
    start: int
    length: int
    value: Any


class _Window:
    """The part of a file that is being read: text from `start`, which stands at byte `offset`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text, self.start, self.offset, self.ended = "", 0, 0, False

    def fill(self) -> bool:
        """Read on, at least as much as is held; False at the end of the file."""
        if self.ended:
            return False
        held = self.text[self.start :]
        if len(held) > LARGEST:
            raise self.broken(f"one element takes more than {LARGEST} characters")
        more = self.file.read(max(_CHUNK, len(held)))
        try:
            self.text, self.start = held + self.decoder.decode(more, final=not more), 0
        except UnicodeDecodeError as reason:
            raise self.broken(f"it is not UTF-8 ({reason.reason})") from reason
        self.ended = not more
        return True

    def skip(self, count: int) -> int:
        """Go on by this many characters; return how many bytes they take."""
        passed = len(self.text[self.start : self.start + count].encode())
        self.start += count
        self.offset += passed
        return passed

    def next(self) -> str:
        """Go to the next character that is no white space and return it, "" at the end of the file."""
        while True:
            while self.start < len(self.text) and self.text[self.start] in _BETWEEN:
                self.skip(1)
            if self.start < len(self.text):
                return self.text[self.start]
            if not self.fill():
                return ""

    def value(self) -> tuple[Any, int]:
        """Read one JSON value and return it with the bytes it takes."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.start)
            except (ValueError, RecursionError) as reason:
                if isinstance(reason, RecursionError) or not self.fill():
                    raise self.broken(f"it must be JSON, but it is not: {getattr(reason, 'msg', reason)}") from reason
                continue
            if end < len(self.text) or not self.fill():  # what ends with the window may go on behind it: 12|34
                return value, self.skip(end - self.start)

    def broken(self, reason: str) -> DataError:
        return DataError(f"{self.path}: byte {self.offset}: {reason}; was the file cut short, or not unpacked?")


def elements(path: Path) -> Iterator[Element]:
    """Give the elements of the JSON list in a file, reading no further than asked.

    Raises `DataError` with the place where the file is no such list.
    """
    with path.open("rb") as file:
        window = _Window(path, file)
        if window.next() == "\ufeff":
            window.skip(1)
        if window.next() != "[":
            raise window.broken("it must hold a JSON list of images")
        window.skip(1)
        index = 0
        while window.next() not in ("]", ""):
            if index:
                _expect_comma(window)
            start = window.offset
            value, length = window.value()
            yield Element(index, start, length, value)
            index += 1
        if not window.next():
            raise window.broken(f"the list ends after {index} images without a bracket")


def _expect_comma(window: _Window) -> None:
    if window.next() != ",":
        raise window.broken(f"a comma must stand between images, got {window.next()!r}")
    window.skip(1)
    window.next()


class ImageList:
    """A JSON list with an object an image, asked for by image id in any order.

    The file is read from the front as far as the ids that were asked for need it, and where each image stands is
    remembered, so that lists in the same order are each read once and none is held in memory. Records without an image,
    or of one that was there before, go to `refusals` as they are passed.
    """

    def __init__(self, path: Path, refusals: list[Refusal]) -> None:
        self.path = path
        self.refusals = refusals
        self._stream = elements(path)
        self._places: dict[str, tuple[int, int]] = {}

    def get(self, image_id: str) -> Any | None:
        """Return the object of an image, the first where it is there twice; None where there is none."""
        if image_id in self._places:
            return self._again(*self._places[image_id])
        for element in self._stream:
            identity = identity_of(element.value)
            if identity is None or identity in self._places:
                self._refuse(element.number, identity)
                continue
            self._places[identity] = (element.start, element.length)
            if identity == image_id:
                return element.value
        return None

    def _refuse(self, number: int, identity: str | None) -> None:
        self.refusals.append(Refusal(self.path.name, f"record {number + 1}", misplaced(identity)))

    def _again(self, start: int, length: int) -> Any:
        with self.path.open("rb") as file:
            file.seek(start)
            return json.loads(file.read(length))


def misplaced(identity: str | None) -> str:
    """Say why a record with this image id is no further image of a list."""
    return "it has no 'image_id'" if identity is None else f"image {identity} is there twice; the first record is kept"


def identity_of(value: Any) -> str | None:
    """Return the image id of a record as text; None where it has none."""
    identity = value.get("image_id") if isinstance(value, dict) else None
    return str(identity) if isinstance(identity, int | str) and not isinstance(identity, bool) else None
