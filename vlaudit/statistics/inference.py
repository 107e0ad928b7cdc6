"""Inference for a mean over images: interval, and power of a claim at other numbers of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import scipy
from jaxtyping import Float, Int

from vlaudit.statistics.base import Claim, Errors
from vlaudit.statistics.betting import betting_end
from vlaudit.statistics.bootstrap import bootstrap_interval
from vlaudit.statistics.resampling import betting_power

Bounds: TypeAlias = tuple[float, float]
Powers: TypeAlias = Float[np.ndarray, "sizes"]


class Ends(NamedTuple):
    """Image means from which the lower and the upper end are computed; they differ only for refused units."""

    low: Float[np.ndarray, "images *rest"]
    high: Float[np.ndarray, "images *rest"]


@runtime_checkable
class Inference(Protocol):
    """Estimate of one table, reduced to values per image, with its interval and its power."""

    @property
    def value(self) -> float:
        """The estimate."""
        ...

    @property
    def method(self) -> str:
        """Name of the interval."""
        ...

    @property
    def shown(self) -> Mapping[str, float | str]:
        """Further numbers for the report."""
        ...

    def interval(self, errors: Errors, rng: np.random.Generator) -> tuple[float, float]:
        """Return the lower and the upper end, each valid with its one-sided error."""
        ...

    def power(self, claim: Claim, sizes: Int[np.ndarray, "sizes"], rng: np.random.Generator) -> Powers:
        """Return the probability, per number of images, that the interval shows the claim."""
        ...


@dataclass(frozen=True)
class MeanInference:
    """Mean over images of one number per image.

    The interval is exact (Clopper and Pearson) if all values are 0 or 1 (`binary`), by betting for other bounded
    values, and an image bootstrap without bounds.
    """

    value: float
    ends: Ends
    bounds: Bounds | None
    binary: bool = False
    shown: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """Name of the interval."""
        if self.binary:
            return "exact"
        if self.bounds is not None:
            return "betting"
        return "bootstrap" if varies(self.ends.low) else "none without bounds: all images have the same mean"

    def interval(self, errors: Errors, rng: np.random.Generator) -> tuple[float, float]:
        """Return both ends; infinite ones if values without bounds do not vary between images."""
        low, high = self.ends
        if self.binary:
            fewest, most = round(float(low.sum())), round(float(high.sum()))
            return exact_end(fewest, len(low), errors[0], lower=True), exact_end(most, len(low), errors[1], lower=False)
        if self.bounds is not None:
            order = rng.permutation(len(low))  # betting depends on it
            lowest = betting_end(low[order], self.bounds, errors[0], lower=True)
            return lowest, betting_end(high[order], self.bounds, errors[1], lower=False)
        return bootstrap_interval(low, errors, rng) if varies(low) else (-np.inf, np.inf)

    def power(self, claim: Claim, sizes: Int[np.ndarray, "sizes"], rng: np.random.Generator) -> Powers:
        """Return the probability that the end shows the claim, by the distribution of resampled images."""
        means = self.ends.low if claim.above else self.ends.high
        if self.binary:
            return exact_power(float(means.mean()), claim, sizes)
        if self.bounds is not None:
            scaled, bound = scale(means, claim, self.bounds)
            return betting_power(scaled, bound, claim.error, sizes, rng)
        return student_power(means, claim, sizes)


def scale(
    values: Float[np.ndarray, "images *rest"], claim: Claim, bounds: Bounds
) -> tuple[Float[np.ndarray, "images *rest"], float]:
    """Return values and bound in [0, 1], mirrored such that the claim is "the mean is at least the bound"."""
    low, width = bounds[0], bounds[1] - bounds[0]
    scaled, bound = (values - low) / width, (claim.bound - low) / width
    return (scaled, bound) if claim.above else (1 - scaled, 1 - bound)


def exact_end(successes: int, images: int, error: float, *, lower: bool) -> float:
    """Return one end of the interval of Clopper and Pearson (1934) with a one-sided error.

    >>> round(exact_end(20, 20, 0.025, lower=True), 3), exact_end(20, 20, 0.025, lower=False)
    (0.832, 1.0)
    """
    if lower:
        return float(scipy.stats.beta.ppf(error, successes, images - successes + 1)) if successes else 0.0
    return float(scipy.stats.beta.isf(error, successes + 1, images - successes)) if successes < images else 1.0


def exact_power(p: float, claim: Claim, sizes: Int[np.ndarray, "sizes"]) -> Powers:
    """Return the probability that an exact end shows the claim if the probability of a success is `p`.

    An end shows the claim if the count exceeds the quantile of the binomial distribution at the bound.
    """
    p, bound = (p, claim.bound) if claim.above else (1 - p, 1 - claim.bound)
    if bound <= 0:
        return np.ones(len(sizes))
    if bound > 1:
        return np.zeros(len(sizes))
    return np.asarray(scipy.stats.binom.sf(scipy.stats.binom.isf(claim.error, sizes, bound), sizes, p))


def student_power(means: Float[np.ndarray, "images"], claim: Claim, sizes: Int[np.ndarray, "sizes"]) -> Powers:
    """Return the probability that Student's interval shows the claim, which approximates the bootstrap."""
    if not varies(means):
        return np.zeros(len(sizes))
    gap = (means.mean() - claim.bound) * (1 if claim.above else -1)
    critical = scipy.stats.t.isf(claim.error, np.maximum(sizes - 1, 1))
    return np.asarray(scipy.stats.norm.cdf(gap / means.std(ddof=1) * np.sqrt(sizes) - critical))


def varies(means: Float[np.ndarray, "images"]) -> bool:
    """Return whether the means of images differ by more than rounding; one image does not determine a variance."""
    return bool(np.ptp(means) > 1e-12 * np.abs(means).max())
