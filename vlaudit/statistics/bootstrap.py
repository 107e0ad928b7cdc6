"""Bootstrap intervals for means of unbounded numbers, resampling images.

Source:
    Efron, Tibshirani. An introduction to the bootstrap (1993), chapters 13 (percentiles) and 8 (clusters).
    Hesterberg. What teachers should know about the bootstrap. The American Statistician 69 (2015).
    Romano, Wolf. Stepwise multiple testing as formalized data snooping. Econometrica 73 (2005) (maximum statistic).

Differs: percentiles are taken at the nominal level, and their distances from the value are then multiplied by the ratio
of Student's quantile to the normal one. Hesterberg adjusts the level instead, which at our levels needs millions of
draws. At a nominal error of 5% with 10 images, the interval misses 11% of the time without the correction and 6% with
it (docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import scipy
from jaxtyping import Float

MIN_DRAWS = 2000
DRAWS_PER_TAIL = 50  # Monte Carlo error of a quantile: about a fiftieth of its distance from the value
CHUNK = 1 << 22  # resampling weights in memory at once


def draws_for(alpha: float) -> int:
    """Return the number of draws that leaves at least 50 beyond each of the two quantiles, and at least 2000.

    >>> draws_for(0.05), draws_for(0.0025)
    (2000, 40000)
    """
    return max(MIN_DRAWS, math.ceil(2 * DRAWS_PER_TAIL / alpha))


def resampled_means(
    values: Float[np.ndarray, "images columns"], draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws columns"]:
    """Return the column means of `draws` resamples of the images, computed as a matrix product.

    A row of weights counts how often each image was drawn; weights times values are the sums of the resamples.
    """
    return np.concatenate([weights @ values / len(values) for weights in _weights(len(values), draws, rng)])


def bootstrap_interval(
    values: Float[np.ndarray, "images"], alpha: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of the mean at level 1 - `alpha`, widened for small samples.

    1. Resample the images and take the mean of each resample.
    2. Take the quantiles alpha / 2 and 1 - alpha / 2 of these means.
    3. Multiply their distances from the mean by `student_factor`.
    """
    value = values.mean()
    means = resampled_means(values[:, None], draws_for(alpha), rng)[:, 0]
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    factor = student_factor(len(values), alpha)
    return float(value - factor * (value - low)), float(value + factor * (high - value))


def simultaneous_upper_bounds(
    values: Float[np.ndarray, "images columns"], alpha: float, rng: np.random.Generator
) -> Float[np.ndarray, "columns"]:
    """Return upper bounds that exceed the means of all columns simultaneously with probability 1 - `alpha`.

    1. Resample the images, all columns together, which preserves their dependence.
    2. In each resample, take the maximum over columns of (mean - resampled mean) / standard error.
    3. The quantile 1 - alpha of these maxima, multiplied by `student_factor`, is the critical value.

    Every column must vary between images.
    """
    mean, error = values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))
    shifts = (mean - resampled_means(values, draws_for(2 * alpha), rng)) / error
    critical = np.quantile(shifts.max(1), 1 - alpha) * student_factor(len(values), 2 * alpha)
    return np.asarray(mean + critical * error)


def student_factor(images: int, alpha: float) -> float:
    """Return the small-sample correction for the half-width of a bootstrap interval at level 1 - `alpha`.

    The bootstrap understates the standard error by sqrt((n - 1) / n), and uses normal instead of Student's quantiles.

    >>> round(student_factor(40, 0.05), 3), round(student_factor(40, 0.0025), 3)
    (1.045, 1.083)
    """
    student, normal = scipy.stats.t.isf(alpha / 2, images - 1), scipy.stats.norm.isf(alpha / 2)
    return float(student / normal * math.sqrt(images / (images - 1)))


def _weights(images: int, draws: int, rng: np.random.Generator) -> Iterator[Float[np.ndarray, "chunk images"]]:
    step = max(1, CHUNK // images)
    for start in range(0, draws, step):
        chunk = min(step, draws - start)
        drawn = rng.integers(images, size=(chunk, images)) + images * np.arange(chunk)[:, None]
        yield np.bincount(drawn.ravel(), minlength=chunk * images).reshape(chunk, images).astype(float)
