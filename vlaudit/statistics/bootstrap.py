"""Intervals for means of unbounded numbers, by resampling images.

Source:
    Efron, Tibshirani. An introduction to the bootstrap (1993), chapters 13 (percentiles) and 8 (clusters).
    Hesterberg. What teachers should know about the bootstrap. The American Statistician 69 (2015).
    Romano, Wolf. Stepwise multiple testing as formalized data snooping. Econometrica 73 (2005) (the maximum).

Differs: percentiles are taken at their nominal level and then moved away from the value by the factor by which
Student's quantile exceeds the normal one; Hesterberg moves the level instead, which at our levels needs millions of
draws. Without it, 10 images miss 11% of the time instead of 5%, with it 6% (docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import scipy
from jaxtyping import Float

LEAST_DRAWS = 2000
DRAWS_IN_A_TAIL = 50  # leaves a quantile uncertain by about a fiftieth of its distance from the value
CHUNK = 1 << 22  # weights that are held at once


def draws_for(alpha: float) -> int:
    """Return how many draws leave enough beyond each of the two quantiles to know where these lie.

    >>> draws_for(0.05), draws_for(0.0025)
    (2000, 40000)
    """
    return max(LEAST_DRAWS, math.ceil(2 * DRAWS_IN_A_TAIL / alpha))


def resampled_means(
    values: Float[np.ndarray, "images columns"], draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws columns"]:
    """Return the column means of `draws` resamples of the images, as a product of matrices.

    How often each image was drawn makes a row of weights; weights times values are the sums of all resamples.
    """
    return np.concatenate([weights @ values / len(values) for weights in _weights(len(values), draws, rng)])


def bootstrap_interval(
    values: Float[np.ndarray, "images"], alpha: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of the mean at 1 - `alpha`, stretched for few images.

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
    """Return upper bounds that lie above all the columns' means at once, with probability 1 - `alpha`.

    1. Resample the images, all columns together, so that their dependence stays.
    2. In each resample take the largest of (mean - resampled mean) / standard error over columns.
    3. The quantile 1 - alpha of these maxima, stretched by `student_factor`, is the reach in standard errors.

    Every column must vary between images.
    """
    mean, error = values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))
    shifts = (mean - resampled_means(values, draws_for(2 * alpha), rng)) / error
    reach = np.quantile(shifts.max(1), 1 - alpha) * student_factor(len(values), 2 * alpha)
    return np.asarray(mean + reach * error)


def student_factor(images: int, alpha: float) -> float:
    """Return by how much resampling `images` images understates the reach of an interval at 1 - `alpha`.

    The spread of a resample is short by sqrt((n - 1) / n), and normal quantiles stand in for Student's.

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
