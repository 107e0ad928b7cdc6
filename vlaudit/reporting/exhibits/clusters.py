"""Means with bootstrap intervals over images, for drawings only; verdicts use the statistics of the criteria."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from vlaudit.errors import DataError
from vlaudit.tables import Table

_DRAWS = 1000
_TAILS = (2.5, 97.5)
NOTE = "Whiskers and bands: 95%, images resampled; for reading, no verdict uses them."


class Mean(NamedTuple):
    """Mean over images of the means over each image's units, with a 95% interval: three arrays of one shape."""

    value: Float[np.ndarray, "..."]
    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]
    units: int
    images: int


def numbers(table: Table, column: str) -> Float[np.ndarray, "rows ..."]:
    """Return a column as floats, true as 1; raise `DataError` if it is not numeric."""
    values = table[column]
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"column {column!r} must contain numbers to be drawn, got {values.dtype}") from error


def clustered_mean(table: Table, column: str) -> Mean:
    """Return the mean of a column, elementwise for arrays, with percentile bootstrap intervals over images.

    Units with NaN are left out. Raises `DataError` if no unit remains.
    """
    values = numbers(table, column)
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.any():
        raise DataError(f"column {column!r} must contain numbers to be drawn, got only NaN or infinity")
    per_image = _per_image(values[finite], table.images[finite])
    drawn = np.tensordot(_resamples(len(per_image)), per_image, axes=1)
    low, high = np.percentile(drawn, _TAILS, axis=0)
    return Mean(per_image.mean(axis=0), np.asarray(low), np.asarray(high), int(finite.sum()), len(per_image))


@lru_cache(maxsize=1)  # the columns of a table have the same images
def _resamples(images: int) -> Float[np.ndarray, "draws images"]:
    """Return the weight of each image in each bootstrap sample."""
    return np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), _DRAWS) / images


def _per_image(
    values: Float[np.ndarray, "rows ..."], images: Shaped[np.ndarray, "rows"]
) -> Float[np.ndarray, "images ..."]:
    """Return the mean of each image's units."""
    _, image, units = np.unique(images.astype(str), return_inverse=True, return_counts=True)
    sums = np.zeros((len(units), *values.shape[1:]))
    np.add.at(sums, image, values)
    return sums / units.reshape(-1, *[1] * (values.ndim - 1))
