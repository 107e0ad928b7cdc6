"""Means and proportions of columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vlaudit.errors import DataError
from vlaudit.statistics.columns import ColumnStatistic, Rows, Where, difference_bounds
from vlaudit.statistics.inference import Bounds, MeanInference


@dataclass(frozen=True)
class Mean(ColumnStatistic):
    """Mean of a column, or of the difference of two columns; every image counts once.

    1. Average each image's units; the estimate is the mean of these averages.
    2. The interval is exact (Clopper and Pearson) for a boolean column with one unit per image. It is by betting
       (`vlaudit.statistics.betting`) for other bounded columns, and an image bootstrap if `bounds` is None.

    Parameters
    ----------
    column, minus, bounds, where
        See `vlaudit.statistics`.

    References
    ----------
    Clopper, Pearson. The use of confidence or fiducial limits illustrated in the case of the binomial (1934).
    Waudby-Smith, Ramdas (2024). Efron, Tibshirani (1993), chapter 13.

    Examples
    --------
    >>> from vlaudit.tables import Table
    >>> rows = [
    ...     {"unit_id": i, "image_id": i // 2, "shown.p": 0.9 - i % 5 / 50, "covered.p": i % 7 / 20} for i in range(80)
    ... ]
    >>> print(Mean("shown.p", minus="covered.p")(Table.of(rows), alpha=0.05, seed=0))
    0.714 [0.544, 0.770]

    """

    column: str
    minus: str | None = None
    bounds: Bounds | None = (0.0, 1.0)
    where: Where | None = None

    def _infer(self, rows: Rows) -> MeanInference:
        values = rows.numbers(self.column, self.minus, self.bounds)
        if self.minus is not None:
            return mean_of(rows, values, difference_bounds(self.bounds))
        return mean_of(rows, values, self.bounds, binary=rows.table[self.column].dtype == bool)


@dataclass(frozen=True)
class Proportion(ColumnStatistic):
    """Proportion of units for which a boolean column is true; every image counts once.

    Same as `Mean` for a boolean column, and raises `DataError` for any other column. The interval is exact (Clopper
    and Pearson) with one unit per image, and by betting with more, because an image's average is then not binary.

    >>> from vlaudit.tables import Table
    >>> rows = [{"unit_id": i, "image_id": i, "right": True} for i in range(20)]
    >>> print(Proportion("right")(Table.of(rows), alpha=0.05, seed=0))
    1.000 [0.832, 1.000]
    """

    column: str
    where: Where | None = None

    def _infer(self, rows: Rows) -> MeanInference:
        values = rows.numbers(self.column)
        other = ~np.isin(values, (0, 1))
        if other.any():
            raise DataError(
                f"column {self.column!r} must be boolean for a Proportion, got {values[other][0]:g}; use Mean instead"
            )
        return mean_of(rows, values, (0.0, 1.0), binary=True)


@dataclass(frozen=True)
class AboveChance(ColumnStatistic):
    """Mean accuracy above chance, (correct - chance) / (1 - chance): 0 for guessing, 1 for no error.

    1. Rescale each unit by the chance level of its own question, 1/k for k choices. The result is at least -1,
       because a question has at least two choices.
    2. Average over units and images as `Mean` does; the interval is by betting in [-1, 1].

    Parameters
    ----------
    column, where
        See `vlaudit.statistics`; the column holds correctness, from 0 to 1.
    chance
        Column with the chance level of each unit, in [0, 0.5]; other values give a `NoEstimate`.

    Examples
    --------
    >>> from vlaudit.tables import Table
    >>> rows = [{"unit_id": i, "image_id": i, "correct": i % 5 > 0, "correct.chance": 0.25} for i in range(100)]
    >>> print(AboveChance("correct", "correct.chance")(Table.of(rows), alpha=0.05, seed=0))
    0.733 [0.574, 0.834]

    """

    column: str
    chance: str
    where: Where | None = None

    def _infer(self, rows: Rows) -> MeanInference:
        correct, chance = rows.numbers(self.column, bounds=(0.0, 1.0)), rows.numbers(self.chance, bounds=(0.0, 0.5))
        if correct.shape != chance.shape:
            raise DataError(
                f"columns {self.column!r} and {self.chance!r} must hold one number per row, "
                f"got rows of shape {correct.shape[1:]} and {chance.shape[1:]}"
            )
        return mean_of(rows, (correct - chance) / (1 - chance), (-1.0, 1.0))


def mean_of(
    rows: Rows, values: Float[np.ndarray, "rows *rest"], bounds: Bounds | None, *, binary: bool = False
) -> MeanInference:
    """Return the inference for one number per row; `binary` states that all numbers are 0 or 1."""
    if values.ndim != 1:
        raise DataError(f"the column of a mean must hold one number per row, got arrays of shape {values.shape[1:]}")
    value = float(rows.per_image(values).mean())
    return MeanInference(value, rows.ends(values, bounds), bounds, binary and rows.one_per_image)
