"""Statistics of columns with one value per layer: last value, change, monotone trend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float

from vlaudit.errors import DataError
from vlaudit.statistics.columns import ColumnStatistic, Rows, Unusable, Where, difference_bounds
from vlaudit.statistics.inference import Bounds, MeanInference
from vlaudit.statistics.means import mean_of


@dataclass(frozen=True)
class Last(ColumnStatistic):
    """Mean of the last layer's value; fields as in `vlaudit.statistics`, interval as for `Mean`.

    >>> from vlaudit.tables import Table
    >>> rows = [{"unit_id": i, "image_id": i, "moved": [0.0, 0.1, 0.5 + i / 200]} for i in range(40)]
    >>> print(Last("moved")(Table.of(rows), alpha=0.05, seed=0))
    0.598 [0.536, 0.645]
    """

    column: str
    bounds: Bounds | None = (0.0, 1.0)
    where: Where | None = None

    def _infer(self, rows: Rows) -> MeanInference:
        return mean_of(rows, _layers(rows, self.column, self.bounds)[:, -1], self.bounds)


@dataclass(frozen=True)
class Change(ColumnStatistic):
    """Mean of layer `last` minus layer `first`; fields as in `vlaudit.statistics`, interval as for `Mean`.

    `first` and `last` are layer indices; negative ones count from the end.

    >>> from vlaudit.tables import Table
    >>> rows = [{"unit_id": i, "image_id": i, "nmi": [0.9, 0.6, 0.2 + i / 200]} for i in range(40)]
    >>> print(Change("nmi")(Table.of(rows), alpha=0.05, seed=0))
    -0.603 [-0.654, -0.444]
    """

    column: str
    first: int = 0
    last: int = -1
    bounds: Bounds | None = (0.0, 1.0)
    where: Where | None = None

    def _infer(self, rows: Rows) -> MeanInference:
        values = _layers(rows, self.column, self.bounds)
        count = values.shape[1]
        for name, layer in (("first", self.first), ("last", self.last)):
            if not -count <= layer < count:
                raise DataError(f"{name} must be a layer index of column {self.column!r} ({count} layers), got {layer}")
        return mean_of(rows, values[:, self.last] - values[:, self.first], difference_bounds(self.bounds))


@dataclass(frozen=True)
class Trend(ColumnStatistic):
    """Mean Spearman correlation between layer index and value, from -1 to 1; fields as in `vlaudit.statistics`.

    1. Rank each unit's layers by value (equal values share a rank), and correlate the ranks with the layer index.
    2. Average over units and images as `Mean` does; the interval is by betting in [-1, 1].

    Ranks are used because the increments differ between architectures, and the claim concerns only the order. A unit
    with equal values in all layers counts as 0, which is the result of a model without fusion.

    >>> from vlaudit.tables import Table
    >>> rows = [{"unit_id": i, "image_id": i, "moved": [0.0, 0.1, 0.05, 0.2, 0.4 + i / 90]} for i in range(40)]
    >>> print(Trend("moved")(Table.of(rows), alpha=0.05, seed=0))
    0.900 [0.714, 0.948]
    """

    column: str
    where: Where | None = None

    def _infer(self, rows: Rows) -> MeanInference:
        return mean_of(rows, rank_trend(_layers(rows, self.column, None)), (-1.0, 1.0))


def rank_trend(values: Float[np.ndarray, "rows layers"]) -> Float[np.ndarray, "rows"]:
    """Return the rank correlation of each row with its column index, 0 if all values of the row are equal.

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
        raise DataError(f"column {column!r} must hold one value per layer, got rows of shape {values.shape[1:]}")
    if values.shape[1] < 2:
        raise Unusable(f"column {column!r}: at least two layers are required, got {values.shape[1]}")
    return values
