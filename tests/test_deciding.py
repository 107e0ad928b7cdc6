"""Verdicts from intervals."""

import hypothesis.strategies as st
from hypothesis import given

from vlaudit.deciding import compare
from vlaudit.findings import Criterion
from vlaudit.statistics.base import Estimate

numbers = st.floats(-2, 2, allow_nan=False)
three = st.lists(numbers, min_size=3, max_size=3).map(sorted)


def criterion(alpha=0.05, **bound):
    return Criterion("side_accuracy", "twice chance", alpha, **bound)


def estimate(low, value, high, clusters=100, alpha=0.05):
    return Estimate(value, low, high, alpha, 2 * clusters, clusters, "betting")


def outcome(found, **bound):
    return compare(found, criterion(**bound)).outcome


@given(three, numbers)
def test_an_interval_on_one_side_of_a_bound_decides(ends, bound):
    low, _, high = ends
    found = estimate(*ends)
    expected = "pass" if low >= bound else "fail" if high < bound else "inconclusive"
    assert outcome(found, at_least=bound) == expected
    mirrored = estimate(-high, -ends[1], -low)
    assert outcome(mirrored, at_most=-bound) == expected


@given(three, st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted))
def test_within_requires_both_bounds(ends, bounds):
    low, _, high = ends
    expected = (
        "pass"
        if bounds[0] <= low and high <= bounds[1]
        else "fail"
        if high < bounds[0] or low > bounds[1]
        else "inconclusive"
    )
    assert outcome(estimate(*ends), within=tuple(bounds)) == expected


@given(three, numbers, st.floats(0, 1), st.floats(0, 1))
def test_a_narrower_interval_never_takes_a_decision_back(ends, bound, from_below, from_above):
    low, value, high = ends
    wide = outcome(estimate(*ends), at_least=bound)
    narrow = estimate(low + from_below * (value - low), value, max(high - from_above * (high - value), value))
    assert wide in (outcome(narrow, at_least=bound), "inconclusive")


def test_the_reason_states_estimate_and_bound():
    verdict = compare(estimate(0.91, 0.95, 0.98), criterion(at_least=0.9))
    assert (verdict.outcome, verdict.reason) == ("pass", "0.950 [0.910, 0.980] against at least 0.9")
    assert verdict.needed is None
