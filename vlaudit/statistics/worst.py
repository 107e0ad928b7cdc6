"""Extremes over several categories or groups, with intervals that hold for all of them simultaneously."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import numpy as np

from vlaudit.errors import UsageError
from vlaudit.statistics.base import Estimate
from vlaudit.statistics.columns import Bounds, ColumnStatistic, Rows, Unusable, Where, select_rows
from vlaudit.statistics.means import mean_interval


class _GroupMean(NamedTuple):
    """Mean of one category or group, with an interval that holds simultaneously with those of the others."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LargestGap(ColumnStatistic):
    """Largest absolute difference, over categories, between the predicted and the true rate of a category.

    1. For each category, average over images as `Mean` does, with +1 for a unit with this prediction and -1 for a unit
       with this truth. The mean is the predicted rate minus the true rate.
    2. Compute an interval per category by betting in [-1, 1] at error alpha / categories, so that all intervals hold
       simultaneously.
    3. The estimate is the largest absolute difference; its bounds follow from the intervals.

    The estimate is biased upwards because it is a maximum; the bounds are valid nonetheless. A bootstrap of the maximum
    would give no width to a category without errors in the sample, and a model would pass on three images. `shown`
    contains both rates of each category.

    Parameters
    ----------
    truth, predicted
        Columns of names, one per row.
    categories
        All names that may occur; others give a `NoEstimate`.
    where
        See `vlaudit.statistics`.

    Examples
    --------
    >>> from vlaudit.tables import Table
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
            raise UsageError(f"categories must be at least two distinct names, got {self.categories}")

    def _estimate(self, rows: Rows) -> Estimate:
        truth, predicted = (self._labels(rows, column) for column in (self.truth, self.predicted))
        gaps, shown = [], dict[str, float | str]()
        for name in self.categories:
            predicted_rate = rows.per_image((predicted == name) * 1.0)
            true_rate = rows.per_image((truth == name) * 1.0)
            gap = predicted_rate - true_rate
            low, high, _ = mean_interval(gap, (-1.0, 1.0), rows.alpha / len(self.categories), rows.rng)
            gaps.append(_GroupMean(name, float(gap.mean()), low, high))
            shown |= {f"{name} predicted": float(predicted_rate.mean()), f"{name} true": float(true_rate.mean())}
        largest = max(gaps, key=lambda gap: abs(gap.value))
        low = max(max(gap.low, -gap.high, 0.0) for gap in gaps)
        high = max(max(gap.high, -gap.low) for gap in gaps)
        return rows.estimate(abs(largest.value), low, high, "betting, shared", **shown, **{"largest at": largest.name})

    def _labels(self, rows: Rows, column: str) -> np.ndarray:
        names = rows.labels(column)
        unknown = ~np.isin(names, self.categories)
        if unknown.any():
            raise Unusable(
                f"column {column!r}: {int(unknown.sum())} of {len(names)} values are not in categories, "
                f"such as {str(names[unknown][0])!r}"
            )
        return names


@dataclass(frozen=True)
class LargestSpread(ColumnStatistic):
    """Difference between the largest and the smallest group mean.

    1. Average within images and then over the images of each group, as `Mean` does. An image counts in each group in
       which it has units.
    2. Compute an interval per group at error alpha / groups, so that all intervals hold simultaneously: exact for a
       boolean column with one unit per image, otherwise by betting.
    3. The estimate is the largest mean minus the smallest; its bounds follow from the intervals.

    The estimate is biased upwards because it is a maximum; the bounds are valid nonetheless. `shown` contains the mean
    of each group.

    Parameters
    ----------
    column, bounds, where
        See `vlaudit.statistics`.
    by
        Column with the name of each row's group.

    Examples
    --------
    >>> from vlaudit.tables import Table
    >>> rows = [{"unit_id": i, "image_id": i, "right": i % 8 > 0, "bin": "ab"[i // 100]} for i in range(200)]
    >>> print(LargestSpread("right", by="bin")(Table.of(rows), alpha=0.05, seed=0))
    0.010 [0.000, 0.167]

    """

    column: str
    by: str
    bounds: Bounds = (0.0, 1.0)
    where: Where | None = None

    def _estimate(self, rows: Rows) -> Estimate:
        rows.numbers(self.column, bounds=self.bounds)  # so that an error counts values of the whole column
        names = np.unique(rows.labels(self.by))
        if len(names) < 2:
            raise Unusable(f"column {self.by!r}: at least two groups are required, got only {str(names[0])!r}")
        groups = [self._group_mean(rows, str(name), rows.alpha / len(names)) for name in names]
        values = [group.value for group in groups]
        low = max(max(group.low for group in groups) - min(group.high for group in groups), 0.0)
        high = max(best.high - worst.low for best, worst in permutations(groups, 2))
        shown = {group.name: group.value for group in groups}
        return rows.estimate(max(values) - min(values), low, high, "shared", **shown)

    def _group_mean(self, rows: Rows, name: str, alpha: float) -> _GroupMean:
        table = rows.table.where(rows.labels(self.by) == name)
        try:
            group = select_rows((self, name), table, None, alpha, rows.seed)
        except Unusable as reason:
            raise Unusable(f"group {name}: {reason}") from None
        values = group.numbers(self.column, bounds=self.bounds)
        means = group.per_image(values)
        binary = table[self.column].dtype == bool and group.one_per_image
        low, high, _ = mean_interval(means, self.bounds, alpha, group.rng, binary=binary)
        return _GroupMean(name, float(means.mean()), low, high)
