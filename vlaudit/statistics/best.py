"""Inference for the best of many attention heads, valid although the head is chosen from the same data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vlaudit.errors import DataError
from vlaudit.statistics.base import Claim, Errors
from vlaudit.statistics.betting import betting_end, least_lower_bound
from vlaudit.statistics.bootstrap import bootstrap_interval, upper_bounds
from vlaudit.statistics.columns import ColumnStatistic, Rows, TooFew, Where, difference_bounds
from vlaudit.statistics.inference import Bounds, Ends, Powers, scale, student_power, varies
from vlaudit.statistics.resampling import RESAMPLES, shown_from, steps_for

SELECTABLE = 48  # heads with the largest means, among which a power calculation selects
DECISIVE = 8  # heads closest to a bound, whose upper ends a power calculation reads


@dataclass(frozen=True)
class BestOf(ColumnStatistic):
    """Mean of the best attention head, with an interval that accounts for selecting the head.

    The naive maximum over heads is biased upwards: the best of 144 heads of pure noise looks good. Instead:

    1. Shuffle the images. For each image, select the head with the highest mean over the *preceding* images, and keep
       that head's value on this image. The first tenth of the images is used for selection only.
    2. The estimate is the mean of the kept values. Given the preceding images, the expectation of each kept value is
       at most the best head's mean. The *lower* bound, by betting, is therefore valid for the best head.
    3. The *upper* bound is the largest of all heads' own upper bounds, each with the full error. It is too low only if
       the bound of the best head is (intersection-union), so that the error is not shared among the heads.

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
    Waudby-Smith, Ramdas (2024): predictable sequences. Berger. Multiparameter hypothesis testing and acceptance
    sampling. Technometrics 24 (1982). Bayle, Bayle, Janson, Mackey. Cross-validation confidence intervals for test
    error (2020): pooled folds are valid if the selection is stable, which it is not for heads with equal means.

    Examples
    --------
    >>> from vlaudit.tables import Table
    >>> noise = np.random.default_rng(0).random((100, 12))
    >>> noise[:, 7] = 0.5 + noise[:, 7] / 2
    >>> rows = [{"unit_id": i, "image_id": i, "mass": row.tolist()} for i, row in enumerate(noise)]
    >>> found = BestOf("mass")(Table.of(rows), alpha=0.05, seed=0)
    >>> print(found, found.shown["naive head"])
    0.782 [0.736, 0.807] 7

    """

    column: str
    minus: str | None = None
    bounds: Bounds | None = (0.0, 1.0)
    where: Where | None = None

    def _infer(self, rows: Rows) -> BestInference:
        values = rows.numbers(self.column, self.minus, self.bounds)
        if values.ndim < 2 or not values.shape[1]:
            raise DataError(
                f"column {self.column!r} must hold one array per row with one value per head, "
                f"got rows of shape {values.shape[1:]}"
            )
        bounds = self.bounds if self.minus is None else difference_bounds(self.bounds)
        means = rows.per_image(values)
        if len(means) < 2:
            raise TooFew(f"only one image ({len(values)} rows): no other image can choose the head")
        shuffled = _flat(means)[rows.rng.permutation(len(means))]
        kept, heads = select_forward(shuffled)
        ends = Ends(shuffled, shuffled)
        if len(rows.open_image):
            lowest, highest = rows.ends(values, bounds)
            order = rows.rng.permutation(len(lowest))
            ends = Ends(_flat(lowest)[order], _flat(highest)[order])
        return BestInference(float(kept.mean()), ends, bounds, _shown(means.mean(0), heads))


@dataclass(frozen=True)
class BestInference:
    """Inference for the largest mean of several columns; see `BestOf`. The images of `ends` are in random order."""

    value: float
    ends: Ends
    bounds: Bounds | None
    shown: Mapping[str, float | str]

    @property
    def method(self) -> str:
        """Name of the interval."""
        return "chosen forward, " + ("bootstrap" if self.bounds is None else "betting")

    def interval(self, errors: Errors, rng: np.random.Generator) -> tuple[float, float]:
        """Return both ends; infinite ones if a head without bounds does not vary between images."""
        kept, values = select_forward(self.ends.low)[0], self.ends.high
        if self.bounds is not None:
            low, width = self.bounds[0], self.bounds[1] - self.bounds[0]
            highest = 1 - least_lower_bound(1 - (values - low) / width, errors[1])
            return betting_end(kept, self.bounds, errors[0], lower=True), float(low + highest * width)
        lowest = bootstrap_interval(kept, (errors[0], errors[0]), rng)[0] if varies(kept) else -np.inf
        highest = upper_bounds(values, errors[1], rng).max() if all(map(varies, values.T)) else np.inf
        return float(lowest), float(highest)

    def power(self, claim: Claim, sizes: Int[np.ndarray, "sizes"], rng: np.random.Generator) -> Powers:
        """Return the probability that the end shows the claim, if the best head's mean is the estimate."""
        values = self.ends.low if claim.above else self.ends.high
        values = values + _likely_means(values, self.value) - values.mean(0)
        power = _power_above if claim.above else _power_below
        return power(values, claim, self.bounds, sizes, rng)


def _likely_means(values: Float[np.ndarray, "images heads"], best: float) -> Float[np.ndarray, "heads"]:
    """Return head means without the luck of the sample: shrunk to their average, the largest equal to `best`.

    Means are shrunk by the share of their variance that is sampling variance (James and Stein 1961).
    """
    means = values.mean(0)
    noise, spread = values.var(0).mean() / len(values), means.var()
    kept = max(0.0, 1 - noise / spread) if spread > 0 else 0.0
    best = max(best, float(means.mean()))
    likely = np.minimum(means.mean() + kept * (means - means.mean()), best)
    likely[means.argmax()] = best
    return np.asarray(likely)


def _power_above(
    values: Float[np.ndarray, "images heads"],
    claim: Claim,
    bounds: Bounds | None,
    sizes: Int[np.ndarray, "sizes"],
    rng: np.random.Generator,
) -> Powers:
    """Return the probability that the heads chosen forward from resampled images reach the bound."""
    if bounds is None:
        return student_power(select_forward(values)[0], claim, sizes - sizes // 10)
    scaled, bound = scale(np.clip(values, *bounds), claim, bounds)
    scaled = scaled[:, np.argsort(-scaled.mean(0))[:SELECTABLE]]
    draws = scaled[rng.integers(len(scaled), size=(steps_for(sizes).max(), RESAMPLES // 2))]
    preceding = np.cumsum(draws, axis=0) - draws
    kept = np.take_along_axis(draws, preceding.argmax(2)[:, :, None], axis=2)
    shown = shown_from(kept, scaled.mean(0).max(), sizes, bound=bound, error=claim.error, first=0.1)
    return np.asarray(shown.all(2).mean(1))


def _power_below(
    values: Float[np.ndarray, "images heads"],
    claim: Claim,
    bounds: Bounds | None,
    sizes: Int[np.ndarray, "sizes"],
    rng: np.random.Generator,
) -> Powers:
    """Return the probability that the upper bounds of all heads are below the bound; the closest heads decide."""
    deviation = values.std(0) + 1e-9
    closest = np.argsort((claim.bound - values.mean(0)) / deviation)[:DECISIVE]
    values = values[:, closest]
    if bounds is None:
        return np.asarray(np.min([student_power(head, claim, sizes) for head in values.T], axis=0))
    scaled, bound = scale(np.clip(values, *bounds), claim, bounds)
    draws = scaled[rng.integers(len(scaled), size=(steps_for(sizes).max(), RESAMPLES // 2))]
    return np.asarray(shown_from(draws, scaled.mean(0), sizes, bound=bound, error=claim.error).all(2).mean(1))


def _flat(means: Float[np.ndarray, "images *heads"]) -> Float[np.ndarray, "images all"]:
    return means.reshape(len(means), -1)


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
