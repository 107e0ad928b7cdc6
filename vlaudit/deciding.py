"""Decide a criterion: from a statistic and a table to a verdict.

The two ends of an interval have different errors. The end that can *fail* a criterion has the criterion's share of the
suite's error (half of it at each end for `within`). The end that can *pass* it has `PASS_ERROR`, one-sided, and is not
shared: a run passes only if all its criteria pass, so further criteria never make a wrong pass of the run more likely
(intersection-union test, Berger 1982).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import scipy
from jaxtyping import Float, Int

from vlaudit.findings import Criterion, Verdict
from vlaudit.statistics.base import Claim, Errors, Estimate, NoEstimate, Statistic
from vlaudit.statistics.columns import ColumnStatistic
from vlaudit.tables import Table

PASS_ERROR = 0.01
"""Probability, one-sided, that a criterion passes although the true value misses the bound."""
POWER = 0.8
"""Probability that the number of images in a message is enough."""
MAX_IMAGES = 1_000_000
"""Above this many images, no number is stated."""
STEP = 1.6
"""Ratio of the numbers of images at which the power is computed."""


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

    `images` is the number of images of the run (`--limit`), to which `Verdict.needed` refers; by default, the number of
    images with units. A gate with several looks divides both `pass_error` and `criterion.alpha` among them.
    """
    found = decisive_interval(statistic, table, criterion, seed=seed, pass_error=pass_error)
    if isinstance(found, NoEstimate):
        return Verdict(criterion, "inconclusive" if found.too_few else "error", found.reason)
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        reason = f"{found.value:.3f} against {criterion}: no interval ({found.method})"
        return Verdict(criterion, "inconclusive", reason)
    if not isinstance(statistic, ColumnStatistic):
        return compare(found, criterion)
    sizes = _sizes(found.clusters, max(images or 0, found.clusters))
    if compare(found, criterion).outcome != "inconclusive":
        sizes = sizes[:1]  # only the power at the size run is of interest
    claims = _claims(found.value, criterion, pass_error)
    missed = sum(1 - statistic.power(table, claim, sizes, seed=seed) for claim in claims)
    powers = np.maximum(1 - missed, 0.0)
    return compare(found, criterion, float(powers[0]), _needed(sizes, powers, found.clusters, images))


def decisive_interval(
    statistic: Statistic, table: Table, criterion: Criterion, *, seed: int, pass_error: float = PASS_ERROR
) -> Estimate | NoEstimate:
    """Return the estimate with the one interval that decides, as `decide` states."""
    passing = _interval(statistic, table, _errors(criterion, pass_error), seed)
    if criterion.within is None or isinstance(passing, NoEstimate) or _inside(passing, criterion):
        return passing
    failing = _interval(statistic, table, (criterion.alpha / 2, criterion.alpha / 2), seed)
    if isinstance(failing, NoEstimate) or _outside(failing, criterion):
        return failing
    return replace(failing, low=min(passing.low, failing.low), high=max(passing.high, failing.high))


def compare(estimate: Estimate, criterion: Criterion, power: float | None = None, needed: int | None = None) -> Verdict:
    """Return the verdict for an interval whose ends have the errors that `decide` states."""
    summary = f"{estimate} against {criterion}"
    if _inside(estimate, criterion):
        return Verdict(criterion, "pass", summary, estimate, power=power)
    if _outside(estimate, criterion):
        return Verdict(criterion, "fail", summary, estimate, power=power)
    if needed is None and power is not None:
        summary += "; no realistic number of images decides it"
    elif needed is not None:
        summary += f"; about {needed:,} images would decide it"
    return Verdict(criterion, "inconclusive", summary, estimate, needed, power)


def _errors(criterion: Criterion, pass_error: float) -> Errors:
    """Return the errors of the lower and the upper end, for a pass if the criterion has two bounds."""
    if criterion.within is not None:
        return pass_error, pass_error
    return (pass_error, criterion.alpha) if criterion.at_least is not None else (criterion.alpha, pass_error)


def _interval(statistic: Statistic, table: Table, errors: Errors, seed: int) -> Estimate | NoEstimate:
    """Return the estimate with the given error at each end."""
    if isinstance(statistic, ColumnStatistic):
        return statistic.interval(table, errors, seed=seed)
    if len(table.unanswered):
        return NoEstimate(f"the model refused {len(table.unanswered)} of {table.planned} units", too_few=True)
    lower, upper = (statistic(table, alpha=2 * error, seed=seed) for error in errors)
    if isinstance(lower, NoEstimate) or isinstance(upper, NoEstimate):
        return lower if isinstance(lower, NoEstimate) else upper
    return replace(lower, high=upper.high, alpha=sum(errors))


def _inside(estimate: Estimate, criterion: Criterion) -> bool:
    low, high = criterion.bounds
    return low <= estimate.low and estimate.high <= high


def _outside(estimate: Estimate, criterion: Criterion) -> bool:
    low, high = criterion.bounds
    return estimate.high < low or estimate.low > high


def _claims(value: float, criterion: Criterion, pass_error: float) -> list[Claim]:
    """Return what the interval must show for the decision that is right if `value` is the true value."""
    low, high = criterion.bounds
    fail_error = criterion.alpha if criterion.within is None else criterion.alpha / 2
    if value < low:
        return [Claim(low, fail_error, above=False)]
    if value > high:
        return [Claim(high, fail_error, above=True)]
    claims = [Claim(low, pass_error, above=True), Claim(high, pass_error, above=False)]
    return [claim for claim in claims if math.isfinite(claim.bound)]


def _sizes(clusters: int, images: int) -> Int[np.ndarray, "sizes"]:
    """Return increasing numbers of clusters, from those of the run to those of `MAX_IMAGES` images."""
    count = math.ceil(math.log(max(MAX_IMAGES / images, 1), STEP)) + 1
    return np.asarray(np.ceil(clusters * STEP ** np.arange(count)).astype(int))


def _needed(
    sizes: Int[np.ndarray, "sizes"], powers: Float[np.ndarray, "sizes"], clusters: int, images: int | None
) -> int | None:
    """Return the number of images with power `POWER`; None above `MAX_IMAGES`.

    An image of the run has units with the probability `clusters / images`, so more clusters need more images.
    """
    size, images = _crossing(sizes, powers), max(images or 0, clusters)
    if size is None:
        return None
    needed = max(round_up(size * images / clusters), images + 1)
    return needed if needed <= MAX_IMAGES else None


def _crossing(sizes: Int[np.ndarray, "sizes"], powers: Float[np.ndarray, "sizes"]) -> float | None:
    """Return the size at which the power reaches `POWER`; None if none does.

    Between two sizes, the normal quantile of the power is taken as linear in the square root of the size.
    """
    enough = powers >= POWER
    if not enough.any():
        return None
    after = int(enough.argmax())
    if after == 0:
        return float(sizes[0])
    low, high = (scipy.stats.norm.ppf(np.clip(powers[i], 0.01, 0.99)) for i in (after - 1, after))
    weight = (scipy.stats.norm.ppf(POWER) - low) / (high - low)
    root = (1 - weight) * math.sqrt(sizes[after - 1]) + weight * math.sqrt(sizes[after])
    return float(root**2)


def round_up(number: float) -> int:
    """Return a number rounded up to two digits.

    >>> round_up(1234.5), round_up(7)
    (1300, 7)
    """
    digit: int = 10 ** max(math.floor(math.log10(number)) - 1, 0)
    return int(math.ceil(number / digit) * digit)
