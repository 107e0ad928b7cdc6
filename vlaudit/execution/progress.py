"""Progress of a run: one line updated in place on a terminal, one line every 30 s in a log."""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

_LINE_EVERY = 30.0  # seconds, in a log
_UPDATE_EVERY = 0.2  # seconds, on a terminal


@runtime_checkable
class Stream(Protocol):
    """Text output of a run."""

    def write(self, text: str, /) -> int:
        """Write a text."""
        ...

    def flush(self) -> None:
        """Flush what was written."""
        ...

    def isatty(self) -> bool:
        """Return whether the output is a terminal."""
        ...


class Progress:
    """Count finished passes out of `total`, and report them on `stream` (None: silent).

    The line states finished and total passes, passes per second, and the time left at that rate. The total is an
    estimate ("about 9000") while a part of the images is not planned yet.
    """

    def __init__(self, total: int = 0, stream: Stream | None = None, *, label: str = "") -> None:
        self.total, self.done, self.label, self._stream = total, 0, label, stream
        self._in_place = stream is not None and stream.isatty()
        self._started = self._written = time.monotonic()
        self._about = ""

    def expect(self, passes: int, share: float) -> None:
        """State how many passes are planned so far, for which share of the images."""
        self.total, self._about = round(passes / share), "about " * (share < 1)

    def advance(self, count: int) -> None:
        """Count finished passes."""
        self.done += count
        now = time.monotonic()
        if self._stream is not None and now - self._written >= (_UPDATE_EVERY if self._in_place else _LINE_EVERY):
            self._written = now
            self._write(str(self))

    def __str__(self) -> str:
        elapsed = time.monotonic() - self._started
        rate = self.done / elapsed if elapsed > 0 else 0.0
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "no pass done yet"
        return f"{self.label} {self.done}/{self._about}{self.total} passes, {rate:.1f}/s, {left}".strip()

    def close(self) -> None:
        """Clear the line on a terminal."""
        if self._in_place and self._stream is not None:
            self._stream.write("\x1b[K")
            self._stream.flush()

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        # on a terminal: append to the text already on the line, then restore the cursor
        self._stream.write(f"\x1b7{text}\x1b[K\x1b8" if self._in_place else f"{text}\n")
        self._stream.flush()
