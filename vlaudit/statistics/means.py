"""The mean of a column, and the interval that every mean over images shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float

from vlaudit.errors import DataError
from vlaudit.statistics.base import Estimate
from vlaudit.statistics.betting import betting_interval
from vlaudit.statistics.bootstrap import bootstrap_interval
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
from vlaudit.tables import Table


@dataclass(frozen=True)
class Mean:
    """The mean of a column, or of one column minus another, every image counting once.

    1. Average each image's units; the estimate is the mean of these averages.
    2. The interval is exact (Clopper and Pearson) for a boolean column with one unit an image, by betting
       (`vlaudit.statistics.betting`) within bounds, and an image bootstrap without them.

    Parameters
    ----------
    column, minus
        Columns of numbers; `minus` is subtracted unit by unit, so both conditions of a unit are compared.
    bounds
        What a value of a column can be; probabilities and accuracies by default. A difference is then bounded by
        their range: [-1, 1]. With None, numbers may be anything, and the interval is only as good as a bootstrap.
    where
        The rows to read: a boolean column, or a column and its value.

    Returns
    -------
    A `NoEstimate` where there are no rows, one image, NaN, infinity, or values outside the bounds; and, without bounds,
    where all images have the same mean: then nothing in the data tells how far another image could lie.

    References
    ----------
    Clopper, Pearson. The use of confidence or fiducial limits illustrated in the case of the binomial (1934).
    Waudby-Smith, Ramdas (2024). Efron, Tibshirani (1993), chapter 13.

    Examples
    --------
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

    def __post_init__(self) -> None:
        check_bounds(self.bounds)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return columns_of(self.column, self.minus, where=self.where)

    @outcome
    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate:
        """Return the estimate with an interval at 1 - alpha."""
        rows = read(self, table, self.where, alpha, seed)
        values = rows.numbers(self.column, self.minus, self.bounds)
        if self.minus is not None:
            return mean_of(rows, values, difference(self.bounds))
        return mean_of(rows, values, self.bounds, yes_or_no=rows.table[self.column].dtype == bool)


@dataclass(frozen=True)
class Proportion:
    """The share of units for which a boolean column holds, every image counting once.

    As `Mean`, and refuses a column that is not boolean. With one unit an image the interval is the exact one of
    Clopper and Pearson; with more, an image's share lies in [0, 1] and the interval is by betting.

    >>> rows = [{"unit_id": i, "image_id": i, "right": True} for i in range(20)]
    >>> print(Proportion("right")(Table.of(rows), alpha=0.05, seed=0))
    1.000 [0.832, 1.000]
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
        values = rows.numbers(self.column)
        if not np.isin(values, (0, 1)).all():
            raise DataError(f"column {self.column!r} must be boolean to give a proportion; for numbers use Mean")
        return mean_of(rows, values, (0.0, 1.0), yes_or_no=True)


def mean_of(
    rows: Rows, values: Float[np.ndarray, "rows *rest"], bounds: Bounds | None, *, yes_or_no: bool = False
) -> Estimate:
    """Return the mean over images of one number a row, with the interval that its kind allows."""
    if values.ndim != 1:
        raise DataError(f"a mean needs one number a row, the column holds arrays of shape {values.shape[1:]}")
    means = rows.per_image(values)
    low, high, method = mean_interval(means, bounds, rows.alpha, rows.rng, yes_or_no=yes_or_no and rows.one_each)
    return rows.estimate(means.mean(), low, high, method)


def mean_interval(
    means: Float[np.ndarray, "images"],
    bounds: Bounds | None,
    alpha: float,
    rng: np.random.Generator,
    *,
    yes_or_no: bool = False,
) -> tuple[float, float, str]:
    """Return the interval of a mean of independent images, and how it was made; `yes_or_no`: all are 0 or 1."""
    if yes_or_no:
        successes = round(float(means.sum()))
        exact = scipy.stats.binomtest(successes, len(means)).proportion_ci(1 - alpha, method="exact")
        return exact.low, exact.high, "exact"
    if bounds is not None:
        return *betting_interval(means, bounds, alpha, rng), "betting"
    refuse_constant(means[:, None])
    return *bootstrap_interval(means, alpha, rng), "bootstrap"


def refuse_constant(means: Float[np.ndarray, "images columns"]) -> None:
    """Refuse unbounded columns that do not vary between images."""
    constant = np.ptp(means, axis=0) <= 1e-12 * np.abs(means).max(0)
    if constant.any():
        value, which = means[0, constant.argmax()], f"{int(constant.sum())} of {len(constant)} columns: "
        raise Unusable(
            f"{which if len(constant) > 1 else ''}all {len(means)} images have the same mean ({value:g}), and without "
            "bounds nothing tells how far another could lie; state bounds=(low, high) if there are any"
        )
