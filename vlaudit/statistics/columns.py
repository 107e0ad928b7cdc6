"""The door: every column is checked here, once, before arithmetic.

Data that allow no estimate are a named outcome: inside this room they travel as `Unusable`, and `outcome` turns them
into a `NoEstimate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from vlaudit.errors import DataError, UsageError, VlauditError
from vlaudit.seeds import generator
from vlaudit.statistics.base import Estimate, NoEstimate
from vlaudit.tables import Table

Bounds: TypeAlias = tuple[float, float]
Where: TypeAlias = str | tuple[str, str | int | bool]
"""Which rows: the name of a boolean column, or a column and the value it must have."""

ROUNDING = 1e-6  # float32 probabilities sum to a little more than one

S = TypeVar("S")
P = ParamSpec("P")


class Unusable(VlauditError):  # noqa: N818 - it is an outcome of the data, not a mistake of the caller
    """These rows allow no estimate, for the reason that the text gives."""


def outcome(call: Callable[Concatenate[S, P], Estimate]) -> Callable[Concatenate[S, P], Estimate | NoEstimate]:
    """Give the call of a statistic its named outcomes."""

    @wraps(call)
    def named(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Estimate | NoEstimate:
        try:
            return call(self, *args, **kwargs)
        except Unusable as reason:
            return NoEstimate(str(reason))

    return named


@dataclass(frozen=True)
class Rows:
    """The rows that a statistic reads: at least one of each of two images.

    `image` numbers each row's image, in the order of image ids, so that the order of rows changes nothing.
    """

    table: Table
    image: Int[np.ndarray, "rows"]
    images: int
    alpha: float
    seed: int
    rng: np.random.Generator

    @property
    def units(self) -> int:
        """How many rows there are."""
        return len(self.image)

    @property
    def one_each(self) -> bool:
        """Whether every image has one row."""
        return self.units == self.images

    def per_image(self, values: Float[np.ndarray, "rows *rest"]) -> Float[np.ndarray, "images *rest"]:
        """Return each image's mean."""
        sums = np.zeros((self.images, *values.shape[1:]))
        np.add.at(sums, self.image, values)
        sizes = np.bincount(self.image, minlength=self.images)
        return np.asarray(sums / sizes.reshape(-1, *[1] * (values.ndim - 1)))

    def numbers(
        self, column: str, minus: str | None = None, bounds: Bounds | None = None
    ) -> Float[np.ndarray, "rows *rest"]:
        """Return a column, or one minus another; each is finite and inside the bounds."""
        values = _numbers(self.table, column, bounds)
        if minus is None:
            return values
        others = _numbers(self.table, minus, bounds)
        if values.shape != others.shape:
            raise Unusable(f"rows of {column!r} have shape {values.shape[1:]}, rows of {minus!r} {others.shape[1:]}")
        return np.asarray(values - others)

    def labels(self, column: str) -> Shaped[np.ndarray, "rows"]:
        """Return a column of names, one a row."""
        values = _present(self.table, column)
        if values.ndim != 1:
            raise DataError(f"column {column!r} must hold one name a row, it holds arrays of shape {values.shape[1:]}")
        return values.astype(str)

    def estimate(self, value: float, low: float, high: float, method: str, **shown: float | str) -> Estimate:
        """Return the estimate that these rows gave; the interval is widened, if need be, to hold its value."""
        low, high = min(float(low), float(value)), max(float(high), float(value))
        return Estimate(float(value), low, high, self.alpha, self.units, self.images, method, self.seed, shown)


def read(statistic: object, table: Table, where: Where | None, alpha: float, seed: int) -> Rows:
    """Return the rows that a statistic reads, with the generator that belongs to it."""
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}")
    if not len(table):
        refused = ", ".join(f"{count} {reason}" for reason, count in sorted(table.refused.items()))
        raise Unusable(f"no rows: none of {table.planned} planned units was measured" + f" ({refused})" * bool(refused))
    selected = table if where is None else table.where(_mask(table, where))
    if not len(selected):
        raise Unusable(f"no rows: {where!r} holds for none of {len(table)}")
    ids, image = np.unique(selected.images.astype(str), return_inverse=True)
    if len(ids) == 1:
        raise Unusable(f"one image only ({ids[0]}, {len(selected)} rows): an interval needs at least two")
    return Rows(selected, image, len(ids), alpha, seed, generator(seed, repr(statistic)))


def columns_of(*columns: str | None, where: Where | None) -> frozenset[str]:
    """Return the columns that a statistic reads: those given, and the one that selects its rows.

    >>> sorted(columns_of("shown.p", None, where=("type", "people")))
    ['shown.p', 'type']
    """
    selecting = where if isinstance(where, str) or where is None else where[0]
    return frozenset(column for column in (*columns, selecting) if column is not None)


def check_bounds(bounds: Bounds | None) -> None:
    """Refuse bounds that hold nothing."""
    if bounds is not None and not -np.inf < bounds[0] < bounds[1] < np.inf:
        raise UsageError(f"bounds must be two finite numbers, the lower first, or None, got {bounds}")


def difference(bounds: Bounds | None) -> Bounds | None:
    """Return what a difference of two bounded numbers is bounded by.

    >>> difference((0.0, 1.0))
    (-1.0, 1.0)
    """
    return None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])


def _mask(table: Table, where: Where) -> Shaped[np.ndarray, "rows"]:
    column, wanted = (where, True) if isinstance(where, str) else where
    values = _present(table, column)
    if isinstance(where, str) and values.dtype != bool:
        raise DataError(f"where={column!r} must name a boolean column, it holds {values.dtype}")
    return np.asarray(values == wanted)


def _numbers(table: Table, column: str, bounds: Bounds | None) -> Float[np.ndarray, "rows *rest"]:
    raw = _present(table, column)
    try:
        values = raw.astype(float)
    except (ValueError, TypeError):
        raise DataError(f"column {column!r} must hold numbers, it holds {raw.dtype} such as {raw.flat[0]!r}") from None
    nans, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if nans or infinite:
        found = " and ".join(f"{n} {what}" for n, what in ((nans, "NaN"), (infinite, "infinite")) if n)
        raise Unusable(f"column {column!r} has {found} of {values.size} values")
    if bounds is None:
        return values
    low, high = bounds
    outside = (values < low - ROUNDING) | (values > high + ROUNDING)
    if outside.any():
        raise Unusable(
            f"column {column!r} has {int(outside.sum())} of {values.size} values outside its bounds "
            f"[{low:g}, {high:g}], such as {values[outside][0]:g}"
        )
    return np.asarray(np.clip(values, low, high))


def _present(table: Table, column: str) -> Shaped[np.ndarray, "rows *rest"]:
    """Return a column without gaps."""
    try:
        values = table[column]
    except ValueError:  # arrays that numpy cannot stack
        raise Unusable(f"rows of column {column!r} hold arrays of different lengths") from None
    gaps = sum(value is None for value in values.flat) if values.dtype == object else 0
    if gaps:
        raise Unusable(f"column {column!r} has {gaps} missing of {values.size} values")
    return values
