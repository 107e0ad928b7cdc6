"""Inference for the best of many attention heads, valid although the head is chosen from the same data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vlaudit.errors import DataError
from vlaudit.statistics.base import Estimate
from vlaudit.statistics.betting import lower_bounds
from vlaudit.statistics.bootstrap import bootstrap_interval, simultaneous_upper_bounds
from vlaudit.statistics.columns import (
    Bounds,
    ColumnStatistic,
    Rows,
    Where,
    difference_bounds,
)
from vlaudit.statistics.means import check_varies


@dataclass(frozen=True)
class BestOf(ColumnStatistic):
    """Mean of the best attention head, with an interval that accounts for selecting the head.

    The naive maximum over heads is biased upwards: the best of 144 heads of pure noise looks good. Instead:

    1. Shuffle the images. For each image, select the head with the highest mean over the *preceding* images, and keep
       that head's value on this image. The first tenth of the images is used for selection only.
    2. The estimate is the mean of the kept values. Given the preceding images, the expectation of each kept value is
       at most the best head's mean. The *lower* bound, by betting at alpha / 2, is therefore valid for the best head.
    3. The *upper* bound is simultaneous: with probability 1 - alpha / 2 it exceeds the mean of every head. It uses
       betting with an equal share of the error per head, or, without bounds, a bootstrap of the maximum.

    The criterion "some head reaches t" thus passes only if a head selected on other images reaches t, and fails only
    if no head does. `shown` contains the naive maximum and its head.

    Parameters
    ----------
    column, minus, bounds, where
        See `vlaudit.statistics`. Each row holds an array, (heads,) or (layers, heads).

    Notes
    -----
    Cross-fitting in K folds (select on the other folds, test on this one, pool) is *not* valid here. The selections of
    the folds depend on each other's data, so the pooled mean varies more than the within-fold variance implies. On 144
    heads of noise, at a nominal rate of 2.5%, the pooled test raises 7% (K = 5) and 10% (K = 10) false alarms, and the
    naive maximum 98% (`python -m benchmarks.calibration`). Forward selection makes the kept values a martingale
    difference sequence, and the bound is valid at any number of images.

    References
    ----------
    Waudby-Smith, Ramdas (2024): predictable sequences. Romano, Wolf (2005): the bootstrap of the maximum. Bayle,
    Bayle, Janson, Mackey. Cross-validation confidence intervals for test error (2020): pooled folds are valid if the
    selection is stable, which it is not for heads with equal means.

    Examples
    --------
    >>> from vlaudit.tables import Table
    >>> noise = np.random.default_rng(0).random((100, 12))
    >>> noise[:, 7] = 0.5 + noise[:, 7] / 2
    >>> rows = [{"unit_id": i, "image_id": i, "mass": row.tolist()} for i, row in enumerate(noise)]
    >>> found = BestOf("mass")(Table.of(rows), alpha=0.05, seed=0)
    >>> print(found, found.shown["naive head"])
    0.782 [0.736, 0.822] 7

    """

    column: str
    minus: str | None = None
    bounds: Bounds | None = (0.0, 1.0)
    where: Where | None = None

    def _estimate(self, rows: Rows) -> Estimate:
        values = rows.numbers(self.column, self.minus, self.bounds)
        if values.ndim < 2 or not values.shape[1]:
            raise DataError(
                f"column {self.column!r} must hold one array per row with one value per head, "
                f"got rows of shape {values.shape[1:]}"
            )
        bounds = self.bounds if self.minus is None else difference_bounds(self.bounds)
        means = rows.per_image(values)
        shuffled = rows.rng.permutation(means.reshape(rows.images, -1))
        kept, heads = select_forward(shuffled)
        low, high = _interval(shuffled, kept, bounds, rows.alpha, rows.rng)
        method = "chosen forward, " + ("bootstrap" if bounds is None else "betting")
        return rows.estimate(kept.mean(), low, high, method, **_shown(means.mean(0), heads))


def select_forward(
    values: Float[np.ndarray, "images heads"],
) -> tuple[Float[np.ndarray, "tested"], Int[np.ndarray, "tested"]]:
    """Return, per image after the first tenth, the value and index of the head with the best preceding images.

    >>> kept, heads = select_forward(np.array([[0.0, 1.0], [5.0, 0.0], [0.0, 7.0]]))
    >>> kept.tolist(), heads.tolist()
    ([0.0, 0.0], [1, 0])
    """
    start = -(-len(values) // 10)
    preceding_sums = np.cumsum(values, axis=0)[start - 1 : -1]
    heads = preceding_sums.argmax(axis=1)
    return values[np.arange(start, len(values)), heads], heads


def _interval(
    values: Float[np.ndarray, "images heads"],
    kept: Float[np.ndarray, "tested"],
    bounds: Bounds | None,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    if bounds is None:
        check_varies(values)
        check_varies(kept[:, None])
        return bootstrap_interval(kept, alpha, rng)[0], float(simultaneous_upper_bounds(values, alpha / 2, rng).max())
    low, width = bounds[0], bounds[1] - bounds[0]
    lowest = lower_bounds((kept[:, None] - low) / width, alpha / 2)[0]
    highest = 1 - lower_bounds(1 - (values - low) / width, alpha / 2 / values.shape[1]).min()
    return float(low + lowest * width), float(low + highest * width)


def _shown(means: Float[np.ndarray, "*heads"], chosen: Int[np.ndarray, "tested"]) -> dict[str, float | str]:
    """Return further numbers for the report; verdicts do not depend on them."""
    return {
        "naive maximum": float(means.max()),
        "naive head": _head_name(int(means.argmax()), means.shape),
        "chosen head": _head_name(int(chosen[-1]), means.shape),
        "chosen share": float((chosen == chosen[-1]).mean()),
    }


def _head_name(index: int, shape: tuple[int, ...]) -> str:
    """Return the zero-based position of a head: `layer.head` if rows have shape (layers, heads)."""
    return ".".join(str(int(axis)) for axis in np.unravel_index(index, shape))
