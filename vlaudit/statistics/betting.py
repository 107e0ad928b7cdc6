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
from jaxtyping import Bool, Float, Int

GRID_SIZE = 1000  # bounds are rounded outwards to a thousandth of the range
MAX_STAKE = 0.9  # largest share of the wealth that is staked on one image
PRUNE_EVERY = 8  # images between two removals of rejected hypotheses


def betting_end(
    values: Float[np.ndarray, "images"], bounds: tuple[float, float], error: float, *, lower: bool
) -> float:
    """Return a lower or upper bound for the mean, valid with probability 1 - `error`; values in random order.

    1. Scale the values from `bounds` to [0, 1]; for an upper bound, subtract them from one.
    2. Bet against "at most m" for every m of a grid, with target 1 / error.

    >>> round(betting_end(np.ones(20), (0.0, 1.0), 0.025, lower=True), 2)
    0.82
    """
    low, width = bounds[0], bounds[1] - bounds[0]
    scaled = ((values - low) / width)[:, None]
    end = lower_bounds(scaled, error)[0] if lower else 1 - lower_bounds(1 - scaled, error)[0]
    return float(low + end * width)


def lower_bounds(
    values: Float[np.ndarray, "images columns"], alpha: float, most: float = 1.0
) -> Float[np.ndarray, "columns"]:
    """Return a lower bound for each column's mean, each valid with probability 1 - `alpha`; values are in [0, 1].

    Bounds above `most` are not searched for: `most` is then returned.
    A row may depend on the preceding rows, provided that its conditional expectation is at most the mean to be bounded.
    """
    grid = np.arange(1, round(most * GRID_SIZE) + 1) / GRID_SIZE
    if not len(grid):
        return np.zeros(values.shape[1])
    rejected = _rejected(values, grid, np.log(1 / alpha))
    first_accepted = np.where(rejected.all(0), len(grid), (~rejected).argmax(0))
    return first_accepted / GRID_SIZE


def least_lower_bound(values: Float[np.ndarray, "images columns"], alpha: float) -> float:
    """Return the smallest of the `lower_bounds` of all columns.

    The column with the smallest mean probably has it, so larger bounds of the others are not searched for.
    """
    first = values.mean(0).argmin()
    least = float(lower_bounds(values[:, [first]], alpha)[0])
    return float(lower_bounds(values, alpha, least).min())


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


def reaches_target(
    values: Float[np.ndarray, "steps columns"],
    m: Float[np.ndarray, "columns"],
    target: float,
    starts: Int[np.ndarray, "columns"],
    stops: Int[np.ndarray, "columns"],
) -> Bool[np.ndarray, "columns"]:
    """Return for which columns the log-wealth against "the mean is at most m" reaches the target.

    Each column has its own hypothesis `m` in (0, 1) and consists of its rows from `starts` to `stops`.
    """
    reached = np.zeros(len(m), dtype=bool)
    index = np.arange(len(m))
    wealth, squares = np.zeros(len(m)), np.full(len(m), 0.25)
    for step, row in enumerate(values):
        if step % PRUNE_EVERY == 0:
            done = wealth >= target
            reached[index[done]] = True
            keep = ~done & (stops > step)
            index, starts, stops = index[keep], starts[keep], stops[keep]
            m, wealth, squares = m[keep], wealth[keep], squares[keep]
            if not len(index):
                break
        active = (starts <= step) & (step < stops)
        played = np.maximum(step - starts, 0)
        left = np.maximum(stops - starts - played, 1)
        stake = np.sqrt(2 * np.maximum(target - wealth, 0) * (played + 1) / (left * squares))
        above = np.where(active, row[index] - m, 0.0)
        wealth += np.log1p(np.minimum(stake, MAX_STAKE / m) * above)
        squares += above**2
    reached[index[wealth >= target]] = True
    return reached
