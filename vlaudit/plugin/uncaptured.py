"""Standard error as a person sees it, while pytest keeps what tests write."""

from __future__ import annotations

import contextlib
import sys

import pytest


class Uncaptured:
    """A stream that lifts pytest's capture for as long as it writes, as pytest's live log does."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def write(self, text: str, /) -> int:
        """Write a text, and show it at once."""
        with self._lifted():
            written = sys.stderr.write(text)
            sys.stderr.flush()
        return written

    def flush(self) -> None:
        """Nothing waits."""

    def isatty(self) -> bool:
        """Say whether a person watches."""
        with self._lifted():
            return sys.stderr.isatty()

    def _lifted(self) -> contextlib.AbstractContextManager[None]:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            return contextlib.nullcontext()
        lifted: contextlib.AbstractContextManager[None] = capture.global_and_fixture_disabled()
        return lifted
