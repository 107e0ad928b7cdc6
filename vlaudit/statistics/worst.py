"""Extremes over several categories or groups, with intervals that hold for all of them simultaneously."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from vlaudit.errors import UsageError
from vlaudit.statistics.base import Claim, Errors
from vlaudit.statistics.betting import least_lower_bound, lower_bounds
from vlaudit.statistics.columns import ColumnStatistic, Rows, TooFew, Unusable, Where
from vlaudit.statistics.inference import Bounds, Ends, MeanInference, Powers
from vlaudit.statistics.means import mean_of
from vlaudit.statistics.resampling import RESAMPLES, shown_from, steps_for


@dataclass(frozen=True)
class LargestGap(ColumnStatistic):
    """Largest absolute difference, over categories, between the predicted and the true rate of a category.

    1. For each category, average over images as `Mean` does, with +1 for a unit with this prediction and -1 for a unit
       with this truth. The mean is the predicted rate minus the true rate.
    2. The estimate is the largest absolute difference.
    3. The *lower* bound is the largest lower bound of a category, over- or under-predicted, by betting in [-1, 1]; its
       error is shared among these (two per category). The *upper* bound is the largest upper bound, each with the full
       error: it is too low only if the bound of the worst category is (intersection-union, Berger 1982).

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
    0.094 [0.034, 0.152] red

    """

    truth: str
    predicted: str
    categories: tuple[str, ...]
    where: Where | None = None

    def __post_init__(self) -> None:
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise UsageError(f"categories must be at least two distinct names, got {self.categories}")

    def _infer(self, rows: Rows) -> GapInference:
        truth, predicted = (self._labels(rows, column) for column in (self.truth, self.predicted))
        gaps = np.stack([(predicted == name) * 1.0 - (truth == name) for name in self.categories], axis=1)
        means, shown = rows.per_image(gaps).mean(0), dict[str, float | str]()
        for name in self.categories:
            shown[f"{name} predicted"] = float(rows.per_image((predicted == name) * 1.0).mean())
            shown[f"{name} true"] = float(rows.per_image((truth == name) * 1.0).mean())
        shown["largest at"] = self.categories[int(np.abs(means).argmax())]
        ends = rows.ends(gaps, (-1.0, 1.0))
        order = rows.rng.permutation(len(ends.low))
        return GapInference(float(np.abs(means).max()), Ends(ends.low[order], ends.high[order]), shown)

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
class GapInference:
    """Inference for the largest absolute mean of several columns; see `LargestGap`. Images are in random order."""

    value: float
    ends: Ends
    shown: Mapping[str, float | str]
    method: str = "betting, shared below"

    def interval(self, errors: Errors, rng: np.random.Generator) -> tuple[float, float]:
        """Return both ends."""
        above, below = _mirrored(self.ends.low, -self.ends.high), _mirrored(self.ends.high, -self.ends.low)
        lowest = lower_bounds(above, errors[0] / above.shape[1]).max() * 2 - 1
        highest = 1 - 2 * least_lower_bound(1 - below, errors[1])
        return max(float(lowest), 0.0), float(highest)

    def power(self, claim: Claim, sizes: Int[np.ndarray, "sizes"], rng: np.random.Generator) -> Powers:
        """Return the probability that the end shows the claim, by the distribution of resampled images."""
        values = _mirrored(*((self.ends.low, -self.ends.high) if claim.above else (self.ends.high, -self.ends.low)))
        error, bound = (claim.error / values.shape[1] if claim.above else claim.error), (claim.bound + 1) / 2
        if not claim.above:
            values, bound = 1 - values, 1 - bound
        draws = values[rng.integers(len(values), size=(steps_for(sizes).max(), RESAMPLES // 2))]
        found = shown_from(draws, values.mean(0), sizes, bound=bound, error=error)
        return np.asarray((found.any(2) if claim.above else found.all(2)).mean(1))


def _mirrored(
    over: Float[np.ndarray, "images columns"], under: Float[np.ndarray, "images columns"]
) -> Float[np.ndarray, "images both"]:
    """Return differences in both directions, scaled from [-1, 1] to [0, 1]."""
    return (np.concatenate([over, under], axis=1) + 1) / 2


@dataclass(frozen=True)
class LargestSpread(ColumnStatistic):
    """Difference between the largest and the smallest group mean.

    1. Average within images and then over the images of each group, as `Mean` does. An image counts in each group in
       which it has units.
    2. The estimate is the largest mean minus the smallest.
    3. The *lower* bound is the largest lower bound minus the smallest upper bound of a group; its error is shared among
       all these. The *upper* bound is the largest upper bound minus the smallest lower bound of another group; it is
       too low only if one of the two bounds of the best and the worst group is, so each has half of the error.

    Bounds of groups are exact for a boolean column with one unit per image, otherwise by betting. The estimate is
    biased upwards because it is a maximum; the bounds are valid nonetheless. `shown` contains the mean of each group.

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

    def _infer(self, rows: Rows) -> SpreadInference:
        values, names = rows.numbers(self.column, bounds=self.bounds), rows.labels(self.by)
        groups = np.unique(names)
        if silent := {str(name) for name in _labels_of(rows.table.unanswered, self.by)} - set(map(str, groups)):
            raise TooFew(f"the model refused all units of group {', '.join(sorted(silent))}")
        if len(groups) < 2:
            raise TooFew(f"column {self.by!r}: at least two groups are required, got only {str(groups[0])!r}")
        binary = rows.table[self.column].dtype == bool
        means = [self._group(rows, values, str(name), binary=binary) for name in groups]
        return SpreadInference({str(name): group for name, group in zip(groups, means, strict=True)})

    def _group(self, rows: Rows, values: Float[np.ndarray, "rows"], name: str, *, binary: bool) -> MeanInference:
        """Return the inference of one group; a refused unit of an unknown group counts in each."""
        chosen, member = rows.labels(self.by) == name, np.ones(len(rows.open_image), dtype=bool)
        if self.by in rows.table.unanswered.columns:
            labels = rows.table.unanswered[self.by].to_list()
            member = np.array([label is None or str(label) == name for label in labels], dtype=bool)
        group = Rows(rows.table.where(chosen), rows.image[chosen], rows.open_image[member], rows.rng)
        return mean_of(group, values[chosen], self.bounds, binary=binary)


def _labels_of(frame: pl.DataFrame, column: str) -> list[object]:
    return frame[column].drop_nulls().to_list() if column in frame.columns else []


@dataclass(frozen=True)
class SpreadInference:
    """Inference for the largest mean minus the smallest mean of several groups; see `LargestSpread`."""

    groups: Mapping[str, MeanInference]
    method: str = "shared"

    @property
    def shown(self) -> Mapping[str, float | str]:
        """Mean of each group."""
        return {name: group.value for name, group in self.groups.items()}

    @property
    def value(self) -> float:
        """Largest mean minus smallest."""
        values = [group.value for group in self.groups.values()]
        return max(values) - min(values)

    def interval(self, errors: Errors, rng: np.random.Generator) -> tuple[float, float]:
        """Return both ends."""
        share = errors[0] / (2 * len(self.groups))
        inner = [group.interval((share, share), rng) for group in self.groups.values()]
        outer = [group.interval((errors[1] / 2, errors[1] / 2), rng) for group in self.groups.values()]
        lowest = max(low for low, _ in inner) - min(high for _, high in inner)
        return max(lowest, 0.0), max(best[1] - worst[0] for best, worst in permutations(outer, 2))

    def power(self, claim: Claim, sizes: Int[np.ndarray, "sizes"], rng: np.random.Generator) -> Powers:
        """Return the probability that the end shows the claim.

        Ends of groups keep their distances from the means, except that these shrink with the square root of the number
        of images, and means vary normally.
        """
        groups, share = list(self.groups.values()), claim.error / (2 * len(self.groups) if claim.above else 2)
        total = len(np.concatenate([group.ends.low for group in groups]))
        values = np.array([group.value for group in groups])
        ends = np.array([group.interval((share, share), rng) for group in groups])
        deviations = np.array([group.ends.low.std() / np.sqrt(len(group.ends.low)) for group in groups])
        shrink = np.sqrt(total / sizes)[:, None, None]
        drawn = values + shrink * deviations * rng.normal(size=(RESAMPLES * 4, len(groups)))
        low, high = drawn - shrink * (values - ends[:, 0]), drawn + shrink * (ends[:, 1] - values)
        if claim.above:
            return np.asarray((low.max(2) - high.min(2) >= claim.bound).mean(1))
        pairs = permutations(range(len(groups)), 2)
        widest = np.max([high[:, :, best] - low[:, :, worst] for best, worst in pairs], axis=0)
        return np.asarray((widest <= claim.bound).mean(1))
