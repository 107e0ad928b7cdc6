"""Streaming of large JSON lists, one element in memory at a time, with random access by image id."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from vlaudit.datasets.base import Refusal
from vlaudit.errors import DataError

MAX_LENGTH = 1 << 27
"""Maximum number of characters of an element; an image of Visual Genome has some hundred thousand."""

_CHUNK = 1 << 20
_WHITESPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


class Element(NamedTuple):
    """An element of the list: its index, the position and length of its bytes in the file, and its value."""

    number: int
    start: int
    length: int
    value: Any


class _Window:
    """The buffered part of a file: `text` from index `start` on, which is at byte `offset` of the file."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text, self.start, self.offset, self.ended = "", 0, 0, False

    def fill(self) -> bool:
        """Read more, at least doubling the buffer; return False at the end of the file."""
        if self.ended:
            return False
        held = self.text[self.start :]
        if len(held) > MAX_LENGTH:
            raise self.error(f"an element must have at most {MAX_LENGTH} characters")
        more = self.file.read(max(_CHUNK, len(held)))
        try:
            self.text, self.start = held + self.decoder.decode(more, final=not more), 0
        except UnicodeDecodeError as reason:
            raise self.error(f"must be UTF-8 ({reason.reason})") from reason
        self.ended = not more
        return True

    def skip(self, count: int) -> int:
        """Advance by this number of characters, and return their number of bytes."""
        passed = len(self.text[self.start : self.start + count].encode())
        self.start += count
        self.offset += passed
        return passed

    def next(self) -> str:
        """Advance to the next character that is not white space and return it; "" at the end of the file."""
        while True:
            while self.start < len(self.text) and self.text[self.start] in _WHITESPACE:
                self.skip(1)
            if self.start < len(self.text):
                return self.text[self.start]
            if not self.fill():
                return ""

    def value(self) -> tuple[Any, int]:
        """Read one JSON value, and return it with its number of bytes."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.start)
            except (ValueError, RecursionError) as reason:
                if isinstance(reason, RecursionError) or not self.fill():
                    raise self.error(f"must be valid JSON: {getattr(reason, 'msg', reason)}") from reason
                continue
            if end < len(self.text) or not self.fill():  # a value at the end of the buffer may continue: 12|34
                return value, self.skip(end - self.start)

    def error(self, problem: str) -> DataError:
        return DataError(f"{self.path}: byte {self.offset}: {problem}; check that the file is complete and unpacked")


def elements(path: Path) -> Iterator[Element]:
    """Yield the elements of the JSON list in a file, reading the file lazily.

    Raises `DataError` with the byte position if the file is not a JSON list.
    """
    with path.open("rb") as file:
        window = _Window(path, file)
        if window.next() == "\ufeff":
            window.skip(1)
        if window.next() != "[":
            raise window.error("must contain a JSON list of images")
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
            raise window.error(f"the list must end with a bracket, got the end of the file after {index} images")


def _expect_comma(window: _Window) -> None:
    if window.next() != ",":
        raise window.error(f"images must be separated by commas, got {window.next()!r}")
    window.skip(1)
    window.next()


class ImageList:
    """A JSON list with one object per image, with access by image id in any order.

    The file is read sequentially as far as needed, and the positions of the images are stored, so that lists in the
    same order are read once, and none is kept in memory. Records without an image id or with a duplicate one are added
    to `refusals` when they are read.
    """

    def __init__(self, path: Path, refusals: list[Refusal]) -> None:
        self.path = path
        self.refusals = refusals
        self._stream = elements(path)
        self._positions: dict[str, tuple[int, int]] = {}

    def get(self, image_id: str) -> Any | None:
        """Return the object of an image, the first if there are several, or None."""
        if image_id in self._positions:
            return self._reread(*self._positions[image_id])
        for element in self._stream:
            found = image_id_of(element.value)
            if found is None or found in self._positions:
                self._refuse(element.number, found)
                continue
            self._positions[found] = (element.start, element.length)
            if found == image_id:
                return element.value
        return None

    def _refuse(self, number: int, image_id: str | None) -> None:
        self.refusals.append(Refusal(self.path.name, f"record {number + 1}", refusal_reason(image_id)))

    def _reread(self, start: int, length: int) -> Any:
        with self.path.open("rb") as file:
            file.seek(start)
            return json.loads(file.read(length))


def refusal_reason(image_id: str | None) -> str:
    """Return the reason for refusing a record with a missing (None) or duplicate image id."""
    return "missing key 'image_id'" if image_id is None else f"duplicate image {image_id}; the first record is kept"


def image_id_of(value: Any) -> str | None:
    """Return the image id of a record as a string, or None."""
    image_id = value.get("image_id") if isinstance(value, dict) else None
    return str(image_id) if isinstance(image_id, int | str) and not isinstance(image_id, bool) else None
