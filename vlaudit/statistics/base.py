"""The statistic protocol and its results: an estimate with an interval, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from vlaudit.tables import Table

Errors: TypeAlias = tuple[float, float]
"""One-sided errors of the lower and the upper end of an interval."""


class Claim(NamedTuple):
    """Claim that a value is at least (`above`) or at most `bound`, shown by an end with a one-sided error."""

    bound: float
    error: float
    above: bool


@dataclass(frozen=True)
class Estimate:
    """A value with a confidence interval at level 1 - `alpha`, clustered by image.

    `alpha` is the sum of the one-sided errors of both ends; an end may be infinite.

    `units` and `clusters` are the numbers of rows and of images. `method` names the interval ("exact", "betting",
    "bootstrap", "chosen forward, betting", ...), and `seed` determines its random draws. `shown` holds further numbers
    for the report (the naive maximum, the chosen head); verdicts do not depend on them.

    Raises `ValueError` if the value is NaN or outside its interval.
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
        if not self.low <= self.value <= self.high:  # also true for NaN
            raise ValueError(f"an estimate must have low <= value <= high, got {self.low}, {self.value}, {self.high}")

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class NoEstimate:
    """The reason why the data allow no estimate, with counts: NaN or infinite values, no rows.

    `too_few` states that nothing is broken: more images would give an estimate. The verdict is then inconclusive
    instead of an error.
    """

    reason: str
    too_few: bool = False


@runtime_checkable
class Statistic(Protocol):
    """A function from table to estimate; a frozen dataclass with its settings, such as column names, as fields."""

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns that the statistic reads."""
        ...

    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate | NoEstimate:
        """Return the estimate with a confidence interval at level 1 - `alpha`; `seed` determines random draws.

        Each end must be valid by itself, with a one-sided error of `alpha` / 2.
        """
        ...
