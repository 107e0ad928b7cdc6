"""Division of an error rate among criteria."""

from __future__ import annotations

from vlaudit.errors import UsageError
from vlaudit.statistics.columns import check_alpha


def share(alpha: float, criteria: int) -> float:
    """Return the Bonferroni share of the error rate `alpha` for each of `criteria` criteria (Dunn 1961).

    The number is that of the thresholds, selected or not, so that `-k`, test order and workers never change a verdict.
    The dependence between the criteria is unknown, because they use the same images.

    >>> share(0.05, 20)
    0.0025
    """
    check_alpha(alpha)
    if criteria < 1:
        raise UsageError(f"criteria must be at least 1, got {criteria}")
    return alpha / criteria
