"""Selection and validation of the rows and columns of a statistic, before any arithmetic.

Data that allow no estimate raise `Unusable` inside this package, which `ColumnStatistic` turns into a `NoEstimate`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Shaped

from vlaudit.errors import DataError, UsageError, VlauditError
from vlaudit.seeds import generator
from vlaudit.statistics.base import Claim, Errors, Estimate, NoEstimate
from vlaudit.statistics.inference import Bounds, Ends, Inference, Powers
from vlaudit.tables import IMAGE, Table

Where: TypeAlias = str | tuple[str, str | int | bool]
"""Rows to read: the name of a boolean column, or a pair of a column and the required value."""

_COLUMN_FIELDS = ("column", "minus", "chance", "by", "truth", "predicted")
"""Fields of statistics that name columns."""

ROUNDING = 1e-6  # float32 probabilities may sum to slightly more than 1


class Unusable(VlauditError):  # noqa: N818 - an outcome of the data, not an error of the caller
    """The selected rows allow no estimate; the message is the reason."""


class TooFew(Unusable):
    """The selected rows are valid, but too few for an interval."""


class ColumnStatistic(ABC):
    """Base class of the statistics, which are frozen dataclasses with column names as fields."""

    bounds: Bounds | None = None
    where: Where | None = None

    def __post_init__(self) -> None:
        check_bounds(self.bounds)

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns that the statistic reads."""
        selecting = self.where if isinstance(self.where, str) or self.where is None else self.where[0]
        named = (getattr(self, field, None) for field in _COLUMN_FIELDS)
        return frozenset(column for column in (*named, selecting) if column is not None)

    def __call__(self, table: Table, *, alpha: float, seed: int) -> Estimate | NoEstimate:
        """Return the estimate with an interval at level 1 - `alpha`, half of `alpha` at each end."""
        check_alpha(alpha)
        return self.interval(table, (alpha / 2, alpha / 2), seed=seed)

    def interval(self, table: Table, errors: Errors, *, seed: int) -> Estimate | NoEstimate:
        """Return the estimate with an interval whose lower and upper ends have these one-sided errors."""
        try:
            rows = select_rows(self, table, self.where, seed)
            inference = self._infer(rows)
            low, high = inference.interval(errors, rows.rng)
        except Unusable as reason:
            return NoEstimate(str(reason), too_few=isinstance(reason, TooFew))
        value, alpha = float(inference.value), sum(errors)
        low, high = min(float(low), value), max(float(high), value)  # rounding must not exclude the value
        return Estimate(value, low, high, alpha, rows.units, rows.images, inference.method, seed, inference.shown)

    def power(self, table: Table, claim: Claim, sizes: Int[np.ndarray, "sizes"], *, seed: int) -> Powers:
        """Return the probability, for each number of images, that an interval from so many images shows the claim.

        The images of the table are resampled, so the estimate is taken as the true value. Raises `Unusable` if there is
        no estimate.
        """
        rows = select_rows(self, table, self.where, seed)
        return self._infer(rows).power(claim, sizes, rows.rng)

    @abstractmethod
    def _infer(self, rows: Rows) -> Inference:
        """Return the estimate of the selected rows and its inference; raise `Unusable` if they allow none."""


@dataclass(frozen=True)
class Rows:
    """The selected rows of a table, and the selected units that the model refused.

    `image` and `open_image` are the indices of their images in the sorted image ids, so that results do not depend on
    the row order.
    """

    table: Table
    image: Int[np.ndarray, "rows"]
    open_image: Int[np.ndarray, "open"]
    rng: np.random.Generator

    @property
    def units(self) -> int:
        """Number of rows."""
        return len(self.image)

    @property
    def images(self) -> int:
        """Number of images with rows."""
        return len(np.unique(self.image))

    @property
    def one_per_image(self) -> bool:
        """True if every image has exactly one unit, answered or not."""
        every = np.concatenate([self.image, self.open_image])
        return len(every) == len(np.unique(every))

    def per_image(
        self, values: Float[np.ndarray, "rows *rest"], fill: float | None = None
    ) -> Float[np.ndarray, "images *rest"]:
        """Return the mean of each image's rows; with `fill`, refused units count with this value."""
        image = self.image
        if fill is not None:
            values = np.concatenate([values, np.full((len(self.open_image), *values.shape[1:]), fill)])
            image = np.concatenate([image, self.open_image])
        present, image = np.unique(image, return_inverse=True)
        sums = np.zeros((len(present), *values.shape[1:]))
        np.add.at(sums, image, values)
        return np.asarray(sums / np.bincount(image).reshape(-1, *[1] * (values.ndim - 1)))

    def ends(self, values: Float[np.ndarray, "rows *rest"], bounds: Bounds | None) -> Ends:
        """Return the image means for the lower and the upper end of an interval.

        Refused units count with the lowest value at the lower end and with the highest one at the upper end, so that
        the interval covers the mean for any values of theirs.
        """
        if not len(self.open_image):
            means = self.per_image(values)
            return Ends(means, means)
        if bounds is None:
            raise TooFew(
                f"the model refused {len(self.open_image)} of {self.units + len(self.open_image)} units, which may "
                "have any value without bounds"
            )
        return Ends(self.per_image(values, bounds[0]), self.per_image(values, bounds[1]))

    def numbers(
        self, column: str, minus: str | None = None, bounds: Bounds | None = None
    ) -> Float[np.ndarray, "rows *rest"]:
        """Return a column, or the difference of two; raise `Unusable` for values not finite or outside `bounds`."""
        values = _numbers(self.table, column, bounds)
        if minus is None:
            return values
        others = _numbers(self.table, minus, bounds)
        if values.shape != others.shape:
            raise Unusable(
                f"columns {column!r} and {minus!r} must have rows of equal shape, "
                f"got {values.shape[1:]} and {others.shape[1:]}"
            )
        return np.asarray(values - others)

    def labels(self, column: str) -> Shaped[np.ndarray, "rows"]:
        """Return a column of names, one per row."""
        values = _without_missing(self.table, column)
        if values.ndim != 1:
            raise DataError(f"column {column!r} must hold one name per row, got arrays of shape {values.shape[1:]}")
        return values.astype(str)


def select_rows(statistic: object, table: Table, where: Where | None, seed: int) -> Rows:
    """Return the rows that a statistic reads, with a generator seeded by `seed` and the statistic's `repr`."""
    if not len(table):
        refused = ", ".join(f"{count} {reason}" for reason, count in sorted(table.refused.items()))
        raise TooFew(f"no rows: none of {table.planned} planned units was measured" + f" ({refused})" * bool(refused))
    selected = table if where is None else table.where(_mask(table, where))
    if not len(selected):
        raise TooFew(f"no rows: where={where!r} selects none of {len(table)} rows")
    selected = replace(selected, unanswered=_unanswered(table, where))
    images = [selected.images.astype(str)]
    if len(selected.unanswered):
        images.append(selected.unanswered[IMAGE].to_numpy().astype(str))
    _, image = np.unique(np.concatenate(images), return_inverse=True)
    return Rows(selected, image[: len(selected)], image[len(selected) :], generator(seed, repr(statistic)))


def _unanswered(table: Table, where: Where | None) -> pl.DataFrame:
    """Return the selected refused units; those whose value in the column of `where` is unknown count too."""
    if where is None or not len(table.unanswered):
        return table.unanswered
    column, required = (where, True) if isinstance(where, str) else where
    if column not in table.unanswered.columns:
        return table.unanswered
    return table.unanswered.filter([value in (required, None) for value in table.unanswered[column].to_list()])


def check_alpha(alpha: float) -> None:
    """Raise `UsageError` unless `alpha` is strictly between 0 and 1."""
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must be strictly between 0 and 1, got {alpha}")


def check_bounds(bounds: Bounds | None) -> None:
    """Raise `UsageError` unless `bounds` is None or two finite numbers in increasing order."""
    if bounds is not None and not -np.inf < bounds[0] < bounds[1] < np.inf:
        raise UsageError(f"bounds must be None or two finite numbers in increasing order, got {bounds}")


def difference_bounds(bounds: Bounds | None) -> Bounds | None:
    """Return the bounds of the difference of two numbers with the given bounds.

    >>> difference_bounds((0.0, 1.0))
    (-1.0, 1.0)
    """
    return None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])


def _mask(table: Table, where: Where) -> Shaped[np.ndarray, "rows"]:
    column, required = (where, True) if isinstance(where, str) else where
    values = _without_missing(table, column)
    if isinstance(where, str) and values.dtype != bool:
        raise DataError(
            f"where={column!r} must name a boolean column, got dtype {values.dtype}; "
            "to select by value, pass a pair (column, value)"
        )
    return np.asarray(values == required)


def _numbers(table: Table, column: str, bounds: Bounds | None) -> Float[np.ndarray, "rows *rest"]:
    raw = _without_missing(table, column)
    try:
        values = raw.astype(float)
    except (ValueError, TypeError):
        raise DataError(f"column {column!r} must hold numbers, got {raw.dtype} such as {raw.flat[0]!r}") from None
    nans, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if nans or infinite:
        found = " and ".join(f"{count} {kind}" for count, kind in ((nans, "NaN"), (infinite, "infinite")) if count)
        raise Unusable(f"column {column!r}: {found} among {values.size} values")
    if bounds is None:
        return values
    low, high = bounds
    outside = (values < low - ROUNDING) | (values > high + ROUNDING)
    if outside.any():
        raise Unusable(
            f"column {column!r}: {int(outside.sum())} of {values.size} values outside the bounds "
            f"[{low:g}, {high:g}], such as {values[outside][0]:g}"
        )
    return np.asarray(np.clip(values, low, high))


def _without_missing(table: Table, column: str) -> Shaped[np.ndarray, "rows *rest"]:
    """Return a column; raise `Unusable` if values are missing or the rows' arrays differ in length."""
    try:
        values = table[column]
    except ValueError:  # arrays that numpy cannot stack
        raise Unusable(f"column {column!r}: rows hold arrays of different lengths") from None
    missing = sum(value is None for value in values.flat) if values.dtype == object else 0
    if missing:
        raise Unusable(f"column {column!r}: {missing} missing among {values.size} values")
    return values
