"""Distribution of tests to the workers of pytest-xdist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByModel(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Send all tests of one model to one worker; other tests one by one."""

    def __init__(self, config: pytest.Config, log: Any, families: Sequence[str]) -> None:
        super().__init__(config, log)
        self._families = families

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid, self._families)


def scope_of(nodeid: str, families: Sequence[str]) -> str:
    """Return the model among the parameters of a test id, or the id itself.

    >>> scope_of("test_a.py::test_links[people-albef]", ["albef"])
    'albef'
    """
    _, _, parameters = nodeid.partition("[")
    named = [family for family in families if f"-{family}-" in f"-{parameters.removesuffix(']')}-"]
    return max(named, key=len, default=nodeid)
