"""OpenMP settings of an audit: threads that wait for each other sleep instead of spinning."""

from __future__ import annotations

import os
import sys

_SPINS = 1000
"""Iterations that a waiting thread of GNU OpenMP spins before it sleeps; its default is 300,000, some milliseconds."""

_SETTINGS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": str(_SPINS)}
_CHOSEN_BY_USER = (*_SETTINGS, "KMP_BLOCKTIME")


def use_passive_wait() -> None:
    """Set the wait policy of OpenMP in the environment, unless the user has set one or torch is already imported.

    torch starts thousands of short parallel regions per second for a small model, and by default a thread that has
    finished its part spins until the others have. On a busy machine the others are not scheduled meanwhile, so that
    spinning takes the processor from the very thread that is waited for. OpenMP reads the setting when torch loads it.
    """
    if "torch" not in sys.modules and not any(name in os.environ for name in _CHOSEN_BY_USER):
        os.environ.update(_SETTINGS)
