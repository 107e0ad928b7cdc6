"""The worst of several: which category is over-predicted most, how far apart groups lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import numpy as np

from vlaudit.errors import UsageError
from vlaudit.statistics.base import Estimate
from vlaudit.statistics.columns import Bounds, Rows, Unusable, Where, check_bounds, columns_of, outcome, read
from vlaudit.statistics.means import mean_interval
from vlaudit.tables import Table


class _Part(NamedTuple):
    """One category or group: its mean, and an interval that holds together with all the others'."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LargestGap:
    """The largest difference, over categories, between how often a category is predicted and how often it is true.

    1. For each category, count a unit +1 where it is predicted, -1 where it is true, and average as `Mean` does: that
       is the predicted rate minus the true rate.
    2. Give each of the categories an interval by betting in [-1, 1] at its share, alpha / categories, of the error:
       all of them hold at once.
    3. The estimate is the largest absolute difference; its bounds follow from the intervals.

    The estimate itself is biased upwards, as maxima are; the bounds are not. Betting with shares instead of a
    bootstrap of the maximum, because a category that is never wrong in the sample would get no width from a bootstrap,
    and a model judged on three images would pass. `shown` holds both rates of each category.

    Parameters
    ----------
    truth, predicted
        Columns of names, one a row.
    categories
        All names that may occur.

    Examples
    --------
    >>> rows = [
    ...     {"unit_id": i, "image_id": i, "color": c, "answer": "red" if i % 7 == 0 else c}
    ...     for i, c in enumerate(["red", "blue", "green"] * 60)
    ... ]
    >>> found = LargestGap("color", "answer", ("red", "blue", "green"))(Table.of(rows), alpha=0.05, seed=0)
    >>> print(found, found.shown["largest at"])
    0.094 [0.040, 0.166] red

    """

    truth: str
    predicted: str
    categories: tuple[str, ...]
    where: Where | None = None

    def __post_init__(self) -> None:
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise UsageError(f"categories must be at least two different names, got {self.categories}")

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return columns_of(self.truth, self.predicted, where=self.where)

    @outcome
    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate:
        """Return the estimate with an interval at 1 - alpha."""
        rows = read(self, table, self.where, alpha, seed)
        truth, predicted = (self._known(rows, column) for column in (self.truth, self.predicted))
        parts, shown = [], dict[str, float | str]()
        for name in self.categories:
            told, true = rows.per_image((predicted == name) * 1.0), rows.per_image((truth == name) * 1.0)
            low, high, _ = mean_interval(told - true, (-1.0, 1.0), alpha / len(self.categories), rows.rng)
            parts.append(_Part(name, float((told - true).mean()), low, high))
            shown |= {f"{name} predicted": float(told.mean()), f"{name} true": float(true.mean())}
        worst = max(parts, key=lambda part: abs(part.value))
        low = max(max(part.low, -part.high, 0.0) for part in parts)
        high = max(max(part.high, -part.low) for part in parts)
        return rows.estimate(abs(worst.value), low, high, "betting, shared", **shown, **{"largest at": worst.name})

    def _known(self, rows: Rows, column: str) -> np.ndarray:
        names = rows.labels(column)
        strange = ~np.isin(names, self.categories)
        if strange.any():
            raise Unusable(
                f"column {column!r} has {int(strange.sum())} of {len(names)} values outside the categories, "
                f"such as {str(names[strange][0])!r}"
            )
        return names


@dataclass(frozen=True)
class LargestSpread:
    """How far the mean of the best group lies above that of the worst.

    1. Average within images and then over the images of each group, as `Mean` does; an image counts in each group in
       which it has units.
    2. Give each group an interval at its share, alpha / groups, of the error: exact for a boolean column with one unit
       an image, else by betting. All of them hold at once.
    3. The estimate is the largest mean minus the smallest; its bounds follow from the intervals.

    The estimate is biased upwards, as maxima are: two equal groups never give 0. The bounds are not. `shown` holds the
    mean of each group.

    Parameters
    ----------
    column
        A column of numbers within `bounds`.
    by
        A column that names each row's group.

    Examples
    --------
    >>> rows = [{"unit_id": i, "image_id": i, "right": i % 8 > 0, "bin": "ab"[i // 100]} for i in range(200)]
    >>> print(LargestSpread("right", by="bin")(Table.of(rows), alpha=0.05, seed=0))
    0.010 [0.000, 0.167]

    """

    column: str
    by: str
    bounds: Bounds = (0.0, 1.0)
    where: Where | None = None

    def __post_init__(self) -> None:
        check_bounds(self.bounds)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return columns_of(self.column, self.by, where=self.where)

    @outcome
    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate:
        """Return the estimate with an interval at 1 - alpha."""
        rows = read(self, table, self.where, alpha, seed)
        rows.numbers(self.column, bounds=self.bounds)  # refuse the column as a whole, before it is taken apart
        names = np.unique(rows.labels(self.by))
        if len(names) < 2:
            raise Unusable(f"column {self.by!r} has one group only ({names[0]}): a spread needs two")
        parts = [self._part(rows, str(name), alpha / len(names), seed) for name in names]
        values = [part.value for part in parts]
        low = max(max(part.low for part in parts) - min(part.high for part in parts), 0.0)
        high = max(best.high - worst.low for best, worst in permutations(parts, 2))
        return rows.estimate(
            max(values) - min(values), low, high, "shared", **{part.name: part.value for part in parts}
        )

    def _part(self, rows: Rows, name: str, alpha: float, seed: int) -> _Part:
        table = rows.table.where(rows.labels(self.by) == name)
        try:
            group = read((self, name), table, None, alpha, seed)
        except Unusable as reason:
            raise Unusable(f"group {name}: {reason}") from None
        values = group.numbers(self.column, bounds=self.bounds)
        means = group.per_image(values)
        exact = table[self.column].dtype == bool and group.one_each
        low, high, _ = mean_interval(means, self.bounds, alpha, group.rng, yes_or_no=exact)
        return _Part(name, float(means.mean()), low, high)
