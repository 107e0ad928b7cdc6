"""Power of a betting bound at other numbers of images, by resampling the images at hand.

The lower bound of a mean is at least t if betting rejects "the mean is at most t". One hypothesis is enough for the
power, so many resamples of many sizes are bet on at once.

A size beyond `MAX_STEPS` images is represented by `MAX_STEPS` images whose distance from the bound is multiplied by the
square root of the ratio of the sizes: near its bound, the log-wealth depends only on the distance relative to the
standard error (a diffusion limit).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from vlaudit.statistics.betting import reaches_target

RESAMPLES = 64
MAX_STEPS = 400


def betting_power(
    values: Float[np.ndarray, "images"],
    bound: float,
    error: float,
    sizes: Int[np.ndarray, "sizes"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "sizes"]:
    """Return the share of resamples, per size, whose lower bound of the mean is at least `bound`; values in [0, 1]."""
    if bound <= 0:
        return np.ones(len(sizes))
    draws = values[rng.integers(len(values), size=(steps_for(sizes).max(), RESAMPLES))]
    return np.asarray(
        shown_from(draws[:, :, None], float(values.mean()), sizes, bound=bound, error=error)[:, :, 0].mean(1)
    )


def steps_for(sizes: Int[np.ndarray, "sizes"]) -> Int[np.ndarray, "sizes"]:
    """Return the number of images that represent each size."""
    return np.asarray(np.minimum(sizes, MAX_STEPS))


def shown_from(
    draws: Float[np.ndarray, "steps resamples columns"],
    means: float | Float[np.ndarray, "columns"],
    sizes: Int[np.ndarray, "sizes"],
    *,
    bound: float,
    error: float,
    first: float = 0.0,
) -> Bool[np.ndarray, "sizes resamples columns"]:
    """Return whether the bound is shown by the first images of each resample, as many as the size.

    `means` are the true means of the columns. The share `first` of the images is left out at the start.
    """
    lengths = steps_for(sizes)
    stretch = np.sqrt(sizes / lengths)[:, None, None]
    bounds = np.asarray(means) - (np.asarray(means) - bound) * stretch
    shape = (len(sizes), *draws.shape[1:])
    found = np.ones(shape, dtype=bool)
    possible = np.broadcast_to(bounds < 1, shape)
    open_ = possible & np.broadcast_to(bounds > 0, shape)
    found[~possible] = False
    size, resample, column = np.nonzero(open_)
    flat = draws[:, resample, column]
    starts = np.ceil(lengths * first).astype(int)
    found[open_] = reaches_target(
        flat, np.broadcast_to(bounds, shape)[open_], np.log(1 / error), starts[size], lengths[size]
    )
    return found
