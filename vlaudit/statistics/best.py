"""Does some head do it? Valid inference over the best of many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vlaudit.errors import DataError
from vlaudit.statistics.base import Estimate
from vlaudit.statistics.betting import lower_bounds
from vlaudit.statistics.bootstrap import bootstrap_interval, simultaneous_upper_bounds
from vlaudit.statistics.columns import Bounds, Where, check_bounds, columns_of, difference, outcome, read
from vlaudit.statistics.means import refuse_constant
from vlaudit.tables import Table


@dataclass(frozen=True)
class BestOf:
    """The mean of the best head, where nobody says beforehand which head that is.

    The naive maximum over heads is biased upwards: of 144 heads of pure noise the best one looks good. Here:

    1. Shuffle the images. For each image, choose the head with the highest mean over the images *before* it, and keep
       that head's value on this image; the first tenth of the images only choose.
    2. The estimate is the mean of the kept values. Given the images before, each has a mean of at most the best
       head's, so the *lower* bound, by betting at alpha / 2, is valid for the best head.
    3. The *upper* bound is simultaneous: it lies above the mean of every head at once with probability 1 - alpha / 2,
       by betting with a share of that error for each head, or without bounds by a bootstrap of the maximum.

    So "some head reaches t" passes only where a head chosen on other images reaches it, and fails only if no head
    does. The naive maximum and its head are in `shown`.

    Parameters
    ----------
    column, minus
        Columns whose rows hold an array, (heads,) or (layers, heads); `minus` is subtracted head by head.
    bounds, where
        As in `Mean`.

    Notes
    -----
    Cross-fitting in K folds (choose on the other folds, test on this one, pool) is *not* valid here: each fold tests
    a head that the other folds liked, and those liked each other's, so the pooled mean scatters more than its parts
    say. On 144 heads of noise, where 2.5% is promised, the pooled test raises 7% (K = 5) and 10% (K = 10) false alarms
    and the naive maximum 98% (`python -m benchmarks.calibration`). Choosing forward in one order makes the kept values
    a martingale, and the bound holds at any number of images.

    References
    ----------
    Waudby-Smith, Ramdas (2024), on predictable sequences. Romano, Wolf (2005), on the maximum. Bayle, Bayle, Janson,
    Mackey. Cross-validation confidence intervals for test error (2020), on when pooled folds are valid: a stable
    choice, which heads that tie are not.

    Examples
    --------
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
        if values.ndim < 2 or not values.shape[1]:
            raise DataError(f"column {self.column!r} must hold an array a row, with a value a head")
        bounds = self.bounds if self.minus is None else difference(self.bounds)
        means = rows.per_image(values)
        shuffled = rows.rng.permutation(means.reshape(rows.images, -1))
        kept, heads = chosen_before(shuffled)
        low, high = _interval(shuffled, kept, bounds, alpha, rows.rng)
        shown = _shown(means.mean(0), heads)
        return rows.estimate(kept.mean(), low, high, "chosen forward, " + _kind(bounds), **shown)


def chosen_before(
    values: Float[np.ndarray, "images heads"],
) -> tuple[Float[np.ndarray, "tested"], Int[np.ndarray, "tested"]]:
    """Return each image's value at the head that was best on the images before it, and that head.

    >>> kept, heads = chosen_before(np.array([[0.0, 1.0], [5.0, 0.0], [0.0, 7.0]]))
    >>> kept.tolist(), heads.tolist()
    ([0.0, 0.0], [1, 0])
    """
    start = -(-len(values) // 10)
    before = np.cumsum(values, axis=0)[start - 1 : -1]
    heads = before.argmax(axis=1)
    return values[np.arange(start, len(values)), heads], heads


def _interval(
    values: Float[np.ndarray, "images heads"],
    kept: Float[np.ndarray, "tested"],
    bounds: Bounds | None,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    if bounds is None:
        refuse_constant(values)
        refuse_constant(kept[:, None])
        return bootstrap_interval(kept, alpha, rng)[0], float(simultaneous_upper_bounds(values, alpha / 2, rng).max())
    low, width = bounds[0], bounds[1] - bounds[0]
    lowest = lower_bounds((kept[:, None] - low) / width, alpha / 2)[0]
    highest = 1 - lower_bounds(1 - (values - low) / width, alpha / 2 / values.shape[1]).min()
    return float(low + lowest * width), float(low + highest * width)


def _kind(bounds: Bounds | None) -> str:
    return "bootstrap" if bounds is None else "betting"


def _shown(means: Float[np.ndarray, "*heads"], chosen: Int[np.ndarray, "tested"]) -> dict[str, float | str]:
    """Return what the report shows beside the estimate; no verdict reads it."""
    last, share = int(chosen[-1]), float((chosen == chosen[-1]).mean())
    return {
        "naive maximum": float(means.max()),
        "naive head": _name(int(means.argmax()), means.shape),
        "chosen head": _name(last, means.shape),
        "chosen share": share,
    }


def _name(index: int, shape: tuple[int, ...]) -> str:
    """Return the position of a head, counted from 0: `layer.head` where rows hold (layers, heads)."""
    return ".".join(str(int(axis)) for axis in np.unravel_index(index, shape))
