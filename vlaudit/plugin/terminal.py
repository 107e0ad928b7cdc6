"""The terminal behind pytest's capture."""

from __future__ import annotations

import contextlib
import sys

import pytest


class Terminal:
    """Standard error with pytest's capture suspended during each write, as pytest's live log does."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def write(self, text: str, /) -> int:
        """Write a text and flush it."""
        with self._suspended():
            written = sys.stderr.write(text)
            sys.stderr.flush()
        return written

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def isatty(self) -> bool:
        """Return whether standard error is a terminal."""
        with self._suspended():
            return sys.stderr.isatty()

    def _suspended(self) -> contextlib.AbstractContextManager[None]:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            return contextlib.nullcontext()
        suspended: contextlib.AbstractContextManager[None] = capture.global_and_fixture_disabled()
        return suspended
