"""What part of the suite's error a criterion owns."""

from __future__ import annotations

from vlaudit.errors import UsageError


def share(alpha: float, criteria: int) -> float:
    """Return the error that each of `criteria` criteria may make, so that all of them together make `alpha`.

    `criteria` counts what the thresholds list for this family and expectation, whatever is selected, so that `-k`,
    order and workers never change a verdict. Plain Bonferroni (Dunn 1961): the criteria read the same images, so
    nothing is known about how they depend on each other.

    >>> share(0.05, 20)
    0.0025
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}")
    if criteria < 1:
        raise UsageError(f"an error can be shared by at least one criterion, got {criteria}")
    return alpha / criteria
