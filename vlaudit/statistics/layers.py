"""Columns that hold a value a layer: where it ends, how far it moved, whether it grows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float

from vlaudit.errors import DataError
from vlaudit.statistics.base import Estimate
from vlaudit.statistics.columns import (
    Bounds,
    Rows,
    Unusable,
    Where,
    check_bounds,
    columns_of,
    difference,
    outcome,
    read,
)
from vlaudit.statistics.means import mean_of
from vlaudit.tables import Table


@dataclass(frozen=True)
class Last:
    """The mean of the last layer's value, every image counting once; interval and outcomes as `Mean`.

    >>> rows = [{"unit_id": i, "image_id": i, "moved": [0.0, 0.1, 0.5 + i / 200]} for i in range(40)]
    >>> print(Last("moved")(Table.of(rows), alpha=0.05, seed=0))
    0.598 [0.536, 0.645]
    """

    column: str
    bounds: Bounds | None = (0.0, 1.0)
    where: Where | None = None

    def __post_init__(self) -> None:
        check_bounds(self.bounds)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return columns_of(self.column, where=self.where)

    @outcome
    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate:
        """Return the estimate with an interval at 1 - alpha."""
        rows = read(self, table, self.where, alpha, seed)
        return mean_of(rows, _layers(rows, self.column, self.bounds)[:, -1], self.bounds)


@dataclass(frozen=True)
class Change:
    """The mean of one layer's value minus another's, unit by unit; interval and outcomes as `Mean`.

    `first` and `last` count layers as Python does, from either end.

    >>> rows = [{"unit_id": i, "image_id": i, "nmi": [0.9, 0.6, 0.2 + i / 200]} for i in range(40)]
    >>> print(Change("nmi")(Table.of(rows), alpha=0.05, seed=0))
    -0.603 [-0.654, -0.444]
    """

    column: str
    first: int = 0
    last: int = -1
    bounds: Bounds | None = (0.0, 1.0)
    where: Where | None = None

    def __post_init__(self) -> None:
        check_bounds(self.bounds)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return columns_of(self.column, where=self.where)

    @outcome
    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate:
        """Return the estimate with an interval at 1 - alpha."""
        rows = read(self, table, self.where, alpha, seed)
        values = _layers(rows, self.column, self.bounds)
        count = values.shape[1]
        for name, layer in (("first", self.first), ("last", self.last)):
            if not -count <= layer < count:
                raise DataError(f"{name}={layer} is no layer of {self.column!r}, which has {count}")
        return mean_of(rows, values[:, self.last] - values[:, self.first], difference(self.bounds))


@dataclass(frozen=True)
class Trend:
    """How steadily a value grows with depth: Spearman's correlation between layer and value, from -1 to 1.

    1. Rank each unit's layers by their value (equal values share a rank) and correlate the ranks with the layers'.
    2. Average over units and images as `Mean` does; the interval is by betting in [-1, 1].

    Ranks, because how much a layer adds differs by architecture and only the order is claimed. A unit whose layers
    all have one value has no trend: it counts as 0, which is what a model without fusion gives.

    >>> rows = [{"unit_id": i, "image_id": i, "moved": [0.0, 0.1, 0.05, 0.2, 0.4 + i / 90]} for i in range(40)]
    >>> print(Trend("moved")(Table.of(rows), alpha=0.05, seed=0))
    0.900 [0.714, 0.948]
    """

    column: str
    where: Where | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return columns_of(self.column, where=self.where)

    @outcome
    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate:
        """Return the estimate with an interval at 1 - alpha."""
        rows = read(self, table, self.where, alpha, seed)
        return mean_of(rows, rank_trend(_layers(rows, self.column, None)), (-1.0, 1.0))


def rank_trend(values: Float[np.ndarray, "rows layers"]) -> Float[np.ndarray, "rows"]:
    """Return each row's rank correlation with its position, 0 where all its values are equal.

    >>> rank_trend(np.array([[1.0, 2.0, 5.0], [3.0, 2.0, 1.0], [4.0, 4.0, 4.0]])).tolist()
    [1.0, -1.0, 0.0]
    """
    ranks = scipy.stats.rankdata(values, axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    depth = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    norm = np.sqrt((ranks**2).sum(1) * (depth**2).sum())
    trend = np.divide(ranks @ depth, norm, out=np.zeros(len(values)), where=norm > 0)
    return np.asarray(np.clip(trend, -1, 1))


def _layers(rows: Rows, column: str, bounds: Bounds | None) -> Float[np.ndarray, "rows layers"]:
    values = rows.numbers(column, bounds=bounds)
    if values.ndim != 2:
        raise DataError(f"column {column!r} must hold one value a layer, its rows have shape {values.shape[1:]}")
    if values.shape[1] < 2:
        raise Unusable(f"column {column!r} has {values.shape[1]} layers: depth needs at least two")
    return values
