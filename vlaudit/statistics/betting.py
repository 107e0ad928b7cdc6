"""Confidence interval for the mean of bounded numbers, valid for any distribution and at any sample size.

To test the hypothesis "the mean is at most m", bet on each image in turn that its value exceeds m, at odds that are
fair if the hypothesis is true. By Ville's inequality, the probability that the wealth ever reaches 1 / alpha times the
initial wealth is then at most alpha. Every m for which it does is rejected, and the smallest m that is not rejected is
the lower bound. The stakes affect the width of the interval, but not its validity.

Source:
    Waudby-Smith, Ramdas. Estimating means of bounded random variables by betting. JRSS B 86 (2024).
    Voracek, Orabona. STaR-Bets: sequential target-recalculating bets for tighter confidence intervals. NeurIPS 2025.

Differs: the stakes are those of the second paper. Before each image they are set such that the target would be reached
on the last one, given the second moment about m of the preceding images. At most nine tenths of the wealth are staked,
so that one image cannot lose everything. The stakes of the first paper (hedged capital, fixed number of images) give
intervals about a tenth wider. A grid point represents the interval of m up to it, which keeps the bound valid between
grid points.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

GRID_SIZE = 1000  # bounds are rounded outwards to a thousandth of the range
MAX_STAKE = 0.9  # largest share of the wealth that is staked on one image
PRUNE_EVERY = 8  # images between two removals of rejected hypotheses


def betting_interval(
    values: Float[np.ndarray, "images"], bounds: tuple[float, float], alpha: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return an interval that covers the mean with probability at least 1 - `alpha`.

    1. Scale the values from `bounds` to [0, 1] and shuffle them, because the bets depend on their order.
    2. Bet against "at most m" for every m of a grid, with target 2 / alpha, for the lower bound.
    3. Do the same with one minus the values, for the upper bound.

    >>> rng = np.random.default_rng(0)
    >>> low, high = betting_interval(np.ones(20), (0.0, 1.0), 0.05, rng)
    >>> round(low, 2), high
    (0.82, 1.0)
    """
    low, high = bounds
    scaled = rng.permutation((values - low) / (high - low))[:, None]
    lowest, highest = lower_bounds(scaled, alpha / 2)[0], 1 - lower_bounds(1 - scaled, alpha / 2)[0]
    return float(low + lowest * (high - low)), float(low + highest * (high - low))


def lower_bounds(values: Float[np.ndarray, "images columns"], alpha: float) -> Float[np.ndarray, "columns"]:
    """Return a lower bound for each column's mean, each valid with probability 1 - `alpha`; values are in [0, 1].

    A row may depend on the preceding rows, provided that its conditional expectation is at most the mean to be bounded.
    """
    grid = np.arange(1, GRID_SIZE + 1) / GRID_SIZE
    rejected = _rejected(values, grid, np.log(1 / alpha))
    first_accepted = np.where(rejected.all(0), GRID_SIZE, (~rejected).argmax(0))
    return first_accepted / GRID_SIZE


def _rejected(
    values: Float[np.ndarray, "images columns"], grid: Float[np.ndarray, "grid"], target: float
) -> Bool[np.ndarray, "grid columns"]:
    """Return for which hypotheses "the mean of this column is at most m" the log-wealth reaches the target."""
    index, column = np.nonzero(grid[:, None] <= values.mean(0))  # larger m are never rejected
    m, rejected = grid[index], np.zeros((len(grid), values.shape[1]), dtype=bool)
    wealth, squares = np.zeros(len(m)), np.full(len(m), 0.25)  # prior: one value at distance 0.5 from m
    for image, row in enumerate(values):
        missing = np.maximum(target - wealth, 0)
        stake = np.sqrt(2 * missing * (image + 1) / ((len(values) - image) * squares))
        above = row[column] - m
        wealth += np.log1p(np.minimum(stake, MAX_STAKE / m) * above)
        squares += above**2
        if image % PRUNE_EVERY == PRUNE_EVERY - 1 or image == len(values) - 1:
            done = wealth >= target
            rejected[index[done], column[done]] = True
            index, column = index[~done], column[~done]
            m, wealth, squares = m[~done], wealth[~done], squares[~done]
    return rejected
