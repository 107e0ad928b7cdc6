"""What a statistic is, and what it gives: an estimate with its doubt, or a named reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from vlaudit.tables import Table


@dataclass(frozen=True)
class Estimate:
    """A value with an interval that covers with probability 1 - `alpha`, units clustered by image.

    `method` names the interval ("exact", "betting", "bootstrap", "cross-fitted ..."); `seed` belongs to its draws.
    `shown` holds numbers for the report that no verdict reads (the naive maximum, the head that was chosen).
    An estimate that is not a number, or lies outside its interval, is refused with a `ValueError`.
    """

    value: float
    low: float
    high: float
    alpha: float
    units: int
    clusters: int
    method: str
    seed: int | None = None
    shown: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:  # NaN compares with nothing, so it stops here too
            raise ValueError(f"an estimate needs low <= value <= high, got {self.low}, {self.value}, {self.high}")

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class NoEstimate:
    """Why the data allow no estimate: no rows, one cluster, NaN or infinity in a column (how many)."""

    reason: str


@runtime_checkable
class Statistic(Protocol):
    """Settings as fields of a frozen dataclass (which columns), table in, estimate out."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        ...

    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate | NoEstimate:
        """Return the estimate with an interval at 1 - alpha."""
        ...
