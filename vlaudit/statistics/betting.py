"""An interval for the mean of bounded numbers that holds at any sample size, whatever their distribution.

A gambler doubts the claim "the mean is at most m" and bets on each image in turn that its value exceeds m, at odds
that are fair if the claim is true. Fair games do not make rich: by Ville's inequality the chance that the wealth is
ever multiplied by 1 / alpha is at most alpha. So every m that made the gambler that rich is refuted, and the lowest
m that was not is the lower bound. How much is staked decides how narrow the interval is, never whether it is valid.

Source:
    Waudby-Smith, Ramdas. Estimating means of bounded random variables by betting. JRSS B 86 (2024).
    Voracek, Orabona. STaR-Bets: sequential target-recalculating bets for tighter confidence intervals. NeurIPS 2025.

Differs: the stake is the second paper's, which asks before each image what would reach the target on the last one,
with the second moment about m of the images before; at most nine tenths of the wealth are put at risk, so that no
single image ruins. The first paper's stake (capital hedged, a fixed number of images) gives intervals about a tenth
wider. Grid points stand for the claims just below them, which keeps the bound valid between them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

CELLS = 1000  # the bound is rounded outwards to a thousandth of the range
RISK = 0.9  # part of the wealth that one image may take
DROP_EVERY = 8  # images between two clearings of the table


def betting_interval(
    values: Float[np.ndarray, "images"], bounds: tuple[float, float], alpha: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return an interval that covers the mean with probability at least 1 - `alpha`.

    1. Scale the values from `bounds` to [0, 1] and shuffle them, because the bets follow an order.
    2. Bet against "at most m" for every m of a grid, with target 2 / alpha: that gives the lower bound.
    3. The same for one minus the values gives the upper bound.

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
    """Return a lower bound of each column's mean, each valid with probability 1 - `alpha`; values lie in [0, 1].

    A row may depend on the rows before it, as long as its mean, given them, is at most the mean that is bounded.
    """
    grid = np.arange(1, CELLS + 1) / CELLS
    refuted = _refuted(values, grid, np.log(1 / alpha))
    first_standing = np.where(refuted.all(0), CELLS, (~refuted).argmax(0))
    return first_standing / CELLS


def _refuted(
    values: Float[np.ndarray, "images columns"], grid: Float[np.ndarray, "cells"], target: float
) -> Bool[np.ndarray, "cells columns"]:
    """Return which claims "the mean of this column is at most m" made the gambler's log-wealth reach the target."""
    claim, column = np.nonzero(grid[:, None] <= values.mean(0))  # the others stand: nobody would bet against them
    m, rich = grid[claim], np.zeros((len(grid), values.shape[1]), dtype=bool)
    wealth, squares = np.zeros(len(m)), np.full(len(m), 0.25)  # one imagined value at half the range
    for image, row in enumerate(values):
        missing = np.maximum(target - wealth, 0)
        stake = np.sqrt(2 * missing * (image + 1) / ((len(values) - image) * squares))
        above = row[column] - m
        wealth += np.log1p(np.minimum(stake, RISK / m) * above)
        squares += above**2
        if image % DROP_EVERY == DROP_EVERY - 1 or image == len(values) - 1:
            done = wealth >= target
            rich[claim[done], column[done]] = True
            claim, column = claim[~done], column[~done]
            m, wealth, squares = m[~done], wealth[~done], squares[~done]
    return rich
