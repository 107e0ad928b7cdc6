"""How far a run is: one line that moves on a terminal, one line every 30 s where there is none."""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

_LINE_EVERY = 30.0  # seconds, in a log
_MOVE_EVERY = 0.2  # seconds, on a terminal


@runtime_checkable
class Stream(Protocol):
    """Something that text can be written to."""

    def write(self, text: str, /) -> int:
        """Take a text."""
        ...

    def flush(self) -> None:
        """Show what was written."""
        ...

    def isatty(self) -> bool:
        """Say whether a person watches."""
        ...


class Progress:
    """Count finished passes out of `total` and say so on `stream`; nothing is written where it is None.

    Done/total, passes a second, and the time left at that rate.
    """

    def __init__(self, total: int, stream: Stream | None = None, *, label: str = "") -> None:
        self.total, self.done, self.label, self._stream = total, 0, label, stream
        self._moves = stream is not None and stream.isatty()
        self._started = self._said = time.monotonic()

    def advance(self, count: int) -> None:
        """Count finished passes."""
        self.done += count
        now = time.monotonic()
        if self._stream is not None and now - self._said >= (_MOVE_EVERY if self._moves else _LINE_EVERY):
            self._said = now
            self._write(str(self))

    def __str__(self) -> str:
        elapsed = time.monotonic() - self._started
        rate = self.done / elapsed if elapsed > 0 else 0.0
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "no pass done yet"
        return f"{self.label} {self.done}/{self.total} passes, {rate:.1f}/s, {left}".strip()

    def close(self) -> None:
        """Wipe the moving line."""
        if self._moves and self._stream is not None:
            self._stream.write("\x1b[K")
            self._stream.flush()

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        self._stream.write(f"\x1b7{text}\x1b[K\x1b8" if self._moves else f"{text}\n")  # behind what stands there
        self._stream.flush()
