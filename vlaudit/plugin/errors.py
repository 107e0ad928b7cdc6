"""Usage errors that are found during collection, by this process or by a worker of pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest

_KEY = "vlaudit_error"


def stop(session: pytest.Session, message: str) -> None:
    """End the session with a usage error, exit code 4; a worker runs nothing and lets its controller do so."""
    session.items.clear()  # pytest ends the collection also after an error, which must stay the first
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        raise pytest.UsageError(message)
    output[_KEY] = message


def raise_error_of(worker: Any) -> None:
    """Raise the usage error of a worker that has ended, if it found one."""
    message = getattr(worker, "workeroutput", {}).get(_KEY)
    if message is not None:
        raise pytest.UsageError(message)
