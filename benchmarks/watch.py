"""Time an audit from inside pytest, from the end of collection to the last file written.

As a plugin (`-s -p benchmarks.watch`) it prints the time of the audit's first pass and ends the process.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.traces import Trace


@dataclass
class Clock:
    """Wall time and processor time, in seconds."""

    wall: float = field(default_factory=time.perf_counter)
    processor: float = field(default_factory=time.process_time)

    def since(self, start: Clock) -> Clock:
        """Return the time since `start`."""
        return Clock(self.wall - start.wall, self.processor - start.processor)


class Watch:
    """A pytest plugin: `run` is the session's, `took` the time from the end of collection to the last file written."""

    def __init__(self) -> None:
        self.run: Any = None
        self.tests: Counter[str] = Counter()  # number of tests per design
        self.took: Clock | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start the clock; models are loaded and tests selected."""
        from vlaudit.plugin.outcomes import RUN  # noqa: PLC0415 (torch is loaded by then; the cold start is measured)

        marks = (item.get_closest_marker("audit") for item in session.items)
        self.tests.update(mark.args[1].id for mark in marks if mark is not None)
        self.run, self._started = session.config.stash[RUN], Clock()

    def pytest_unconfigure(self) -> None:
        """Stop the clock."""
        self.took = Clock().since(self._started)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the first pass of each model print the time."""
    from vlaudit.plugin.outcomes import RUN  # noqa: PLC0415 (as above)

    models = session.config.stash[RUN].models
    for family in models:
        _print_first_pass(models[family])


def _print_first_pass(model: ModelAdapter) -> None:
    forward = model.forward

    def first(requests: Sequence[ForwardRequest]) -> list[Trace]:
        forward(requests)
        os.write(2, f"\nfirst pass at {time.time()}\n".encode())
        os._exit(0)

    cast(Any, model).forward = first
