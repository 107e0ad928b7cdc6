"""Decide a criterion: from a statistic and a table to a verdict.

The two ends of an interval have different errors. The end that can *fail* a criterion has the criterion's share of the
suite's error (half of it at each end for `within`). The end that can *pass* it has `PASS_ERROR`, one-sided, and is not
shared: a run passes only if all its criteria pass, so further criteria never make a wrong pass of the run more likely
(intersection-union test, Berger 1982).
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

from vlaudit.errors import UsageError
from vlaudit.findings import Criterion, Verdict
from vlaudit.statistics.base import Estimate, NoEstimate, Statistic
from vlaudit.tables import Table

PASS_ERROR = 0.01
"""Probability, one-sided, that a criterion passes although the true value misses the bound."""
POWER = 0.8
"""Probability that the number of images in a message is enough."""
MAX_IMAGES = 1_000_000
"""Above this many images, no number is stated."""


def decide(
    statistic: Statistic,
    table: Table,
    criterion: Criterion,
    *,
    seed: int,
    images: int | None = None,
    pass_error: float = PASS_ERROR,
) -> Verdict:
    """Judge a criterion on a table: pass if the interval is inside the bounds, fail if outside.

    The interval of the verdict is the one that decided. For `at_least` and `at_most`, its end towards passing has error
    `pass_error` and the other one `criterion.alpha`. For `within`, both ends of a pass have `pass_error` and both ends
    of a failure `criterion.alpha / 2`; an inconclusive verdict shows the wider of both intervals.

    Data that are too few for an interval, or an interval that reaches to infinity, are inconclusive; broken data
    (values that are missing or outside their bounds) are an error with the reason.

    Parameters
    ----------
    images
        Number of images of the run (`--limit`), for `Verdict.needed`; the number of images with units by default.
    pass_error
        Error of the passing end. A gate with several looks divides both this and `criterion.alpha` among them.

    """
    low_error, high_error = _errors(criterion, pass_error, failing=False)
    found = _interval(statistic, table, low_error, high_error, seed)
    if criterion.within is not None and not (isinstance(found, Estimate) and _inside(found, criterion)):
        passing, found = found, _interval(statistic, table, criterion.alpha / 2, criterion.alpha / 2, seed)
        if isinstance(found, Estimate) and isinstance(passing, Estimate) and not _outside(found, criterion):
            found = _wider(found, passing)
    if isinstance(found, NoEstimate):
        return Verdict(criterion, "inconclusive" if found.too_few else "error", found.reason)
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        reason = f"{found.value:g} against {criterion}: too few images for an interval ({found.clusters})"
        return Verdict(criterion, "inconclusive", reason)
    return compare(found, criterion, *_prospects(found, criterion, images or found.clusters))


def compare(estimate: Estimate, criterion: Criterion, power: float | None = None, needed: int | None = None) -> Verdict:
    """Return the verdict for an interval whose ends have the errors that `decide` states."""
    summary = f"{estimate} against {criterion}"
    if _inside(estimate, criterion):
        return Verdict(criterion, "pass", summary, estimate, power=power)
    if _outside(estimate, criterion):
        return Verdict(criterion, "fail", summary, estimate, power=power)
    enough = f"about {needed:,} images would decide it" if needed else "no realistic number of images decides it"
    return Verdict(criterion, "inconclusive", f"{summary}; {enough}", estimate, needed, power)


def _errors(criterion: Criterion, pass_error: float, *, failing: bool) -> tuple[float, float]:
    """Return the errors of the lower and the upper end."""
    if criterion.within is not None:
        return (criterion.alpha / 2, criterion.alpha / 2) if failing else (pass_error, pass_error)
    return (pass_error, criterion.alpha) if criterion.at_least is not None else (criterion.alpha, pass_error)


def _interval(
    statistic: Statistic, table: Table, low_error: float, high_error: float, seed: int
) -> Estimate | NoEstimate:
    """Return the estimate with the given error at each end."""
    found = statistic(table, alpha=2 * low_error, seed=seed)
    if low_error == high_error or isinstance(found, NoEstimate):
        return found
    other = statistic(table, alpha=2 * high_error, seed=seed)
    return other if isinstance(other, NoEstimate) else replace(found, high=other.high, alpha=low_error + high_error)


def _inside(estimate: Estimate, criterion: Criterion) -> bool:
    low, high = criterion.bounds
    return low <= estimate.low and estimate.high <= high


def _outside(estimate: Estimate, criterion: Criterion) -> bool:
    low, high = criterion.bounds
    return estimate.high < low or estimate.low > high


def _wider(one: Estimate, other: Estimate) -> Estimate:
    return replace(one, low=min(one.low, other.low), high=max(one.high, other.high))


def _prospects(estimate: Estimate, criterion: Criterion, images: int) -> tuple[float, int | None]:
    """Return the power at the size run and the number of images with power `POWER`."""
    low, high = criterion.bounds
    value, normal = estimate.value, NormalDist()
    below, above = max(value - estimate.low, 1e-12), max(estimate.high - value, 1e-12)
    z = normal.inv_cdf(1 - estimate.alpha / 2)

    def power(shrink: float) -> float:
        """Return the probability if the half-widths are divided by `shrink`."""
        if low <= value <= high:
            ends = [((value - low) / below, below), ((high - value) / above, above)]
        else:
            ends = [((low - value) / above, above)] if value < low else [((value - high) / below, below)]
        return min(normal.cdf(z * (gap * shrink - 1)) for gap, _ in ends)

    least, most = 1.0, math.sqrt(MAX_IMAGES / images) if images < MAX_IMAGES else 1.0
    if power(most) < POWER:
        return power(1.0), None
    for _ in range(40):
        middle = (least + most) / 2
        least, most = (least, middle) if power(middle) >= POWER else (middle, most)
    return power(1.0), round_up(images * most**2)


def round_up(number: float) -> int:
    """Return a number rounded up to two digits.

    >>> round_up(1234.5), round_up(7)
    (1300, 7)
    """
    digit: int = 10 ** max(math.floor(math.log10(number)) - 1, 0)
    return int(math.ceil(number / digit) * digit)
