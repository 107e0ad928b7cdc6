"""Verdicts from intervals whose ends have different errors, and how many images decide."""

import math
from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from vlaudit.deciding import MAX_IMAGES, PASS_ERROR, compare, decide
from vlaudit.findings import Criterion
from vlaudit.statistics import BestOf, Mean, Proportion
from vlaudit.statistics.base import Estimate
from vlaudit.tables import Table

numbers = st.floats(-2, 2, allow_nan=False)
three = st.lists(numbers, min_size=3, max_size=3).map(sorted)


def criterion(alpha=0.001, **bound):
    return Criterion("side_accuracy", "twice chance", alpha, **bound)


def estimate(low, value, high, clusters=100, alpha=0.05):
    return Estimate(value, low, high, alpha, 2 * clusters, clusters, "betting")


def outcome(found, **bound):
    return compare(found, criterion(**bound)).outcome


def table(units=1, **columns):
    """Return a table with `units` rows per image."""
    lists = {name: np.asarray(values).tolist() for name, values in columns.items()}
    rows = zip(*lists.values(), strict=True)
    return Table.of(
        [{"unit_id": i, "image_id": i // units, **dict(zip(lists, row, strict=True))} for i, row in enumerate(rows)]
    )


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


# -- errors of the ends

answers = st.lists(st.booleans(), min_size=2, max_size=80)
alphas = st.sampled_from([0.005, 0.0006])


def ends(answers, low_error, high_error):
    """Return the exact ends with these one-sided errors."""
    rows = table(right=answers)
    low, high = (Proportion("right")(rows, alpha=2 * error, seed=0) for error in (low_error, high_error))
    return low.low, high.high


@settings(max_examples=40)
@given(answers, st.floats(0.05, 0.95), alphas)
def test_the_passing_end_has_one_percent_and_the_failing_end_the_share(answers, bound, alpha):
    for side, errors in (("at_least", (PASS_ERROR, alpha)), ("at_most", (alpha, PASS_ERROR))):
        verdict = decide(Proportion("right"), table(right=answers), criterion(alpha, **{side: bound}), seed=0)
        found = verdict.estimate
        assert (found.low, found.high) == pytest.approx(ends(answers, *errors))
        assert verdict.outcome == outcome(found, **{side: bound})
        assert found.alpha == pytest.approx(PASS_ERROR + alpha)


@settings(max_examples=40)
@given(answers, st.floats(0.05, 0.6), alphas)
def test_within_passes_at_one_percent_and_fails_at_half_the_share_at_each_end(answers, low, alpha):
    bounds = (low, low + 0.35)
    verdict = decide(Proportion("right"), table(right=answers), criterion(alpha, within=bounds), seed=0)
    passing, failing = ends(answers, PASS_ERROR, PASS_ERROR), ends(answers, alpha / 2, alpha / 2)
    passes = bounds[0] <= passing[0] and passing[1] <= bounds[1]
    fails = failing[1] < bounds[0] or failing[0] > bounds[1]
    assert verdict.outcome == ("pass" if passes else "fail" if fails else "inconclusive")
    shown = passing if passes else failing
    assert (verdict.estimate.low, verdict.estimate.high) == pytest.approx(shown)


def test_looks_share_the_error_of_a_pass():
    """97 of 100 against 0.9: shown at an error of 1%, not at a third of it."""
    rows, bound = table(right=[True] * 97 + [False] * 3), criterion(at_least=0.9)
    assert decide(Proportion("right"), rows, bound, seed=0).outcome == "pass"
    assert decide(Proportion("right"), rows, bound, seed=0, pass_error=PASS_ERROR / 10).outcome == "inconclusive"


# -- outcomes without an interval


def test_broken_data_are_an_error_and_too_few_data_are_inconclusive():
    bound = criterion(at_least=0.5)
    broken = decide(Mean("p"), table(p=[0.5, math.nan]), bound, seed=0)
    assert (broken.outcome, broken.reason) == ("error", "column 'p': 1 NaN among 2 values")
    empty = decide(Mean("p", where=("kind", "x")), table(p=[0.5], kind=["y"]), bound, seed=0)
    assert (empty.outcome, empty.estimate) == ("inconclusive", None)


def test_one_image_is_inconclusive_with_a_valid_wide_interval():
    verdict = decide(Mean("p"), table(4, p=[1.0] * 4), criterion(at_least=0.5), seed=0)
    assert verdict.outcome == "inconclusive"
    assert verdict.estimate.low < 0.1
    assert verdict.needed > 1


@pytest.mark.parametrize("values", [[3.0], [3.0] * 30])
def test_an_infinite_interval_is_inconclusive_and_never_shown(values):
    verdict = decide(Mean("x", bounds=None), table(x=values), criterion(at_least=0), seed=0)
    assert (verdict.outcome, verdict.estimate) == ("inconclusive", None)
    assert "no interval (none without bounds" in verdict.reason


# -- power and number of images


@given(st.lists(st.booleans(), min_size=5, max_size=200), st.floats(0.02, 0.98), st.integers(1, 4))
def test_the_number_of_images_counts_those_without_units(answers, bound, every):
    """If one image in `every` has units, `every` times as many are needed."""
    rows, bounded = table(right=answers), criterion(at_least=bound)
    one = decide(Proportion("right"), rows, bounded, seed=0)
    other = decide(Proportion("right"), rows, bounded, seed=0, images=every * len(answers))
    assert (one.outcome, one.power) == (other.outcome, other.power)
    assert one.outcome == "inconclusive" or one.needed is None
    if other.needed is not None:
        assert len(answers) * every < other.needed <= MAX_IMAGES
        assert other.needed == pytest.approx(every * one.needed, rel=0.11)
        assert f"about {other.needed:,} images would decide it" in other.reason
    elif other.outcome == "inconclusive":
        assert other.reason.endswith("no realistic number of images decides it")


def test_a_value_on_its_bound_is_decided_by_no_realistic_number():
    verdict = decide(Proportion("right"), table(right=[True, False] * 50), criterion(at_least=0.5), seed=0)
    assert (verdict.outcome, verdict.needed) == ("inconclusive", None)
    assert verdict.reason.endswith("no realistic number of images decides it")
    assert verdict.power <= PASS_ERROR


def shares_decided(statistic, draw, size, bound, repetitions=24):
    """Return how often a run of this size is decided."""
    verdicts = [decide(statistic, draw(np.random.default_rng(i), size), bound, seed=i) for i in range(repetitions)]
    return np.mean([verdict.outcome in ("pass", "fail") for verdict in verdicts])


def flags(p):
    return lambda rng, size: table(right=rng.random(size) < p)


def resampled(**columns):
    def draw(rng, size):
        chosen = rng.integers(len(next(iter(columns.values()))), size=size)
        return table(**{name: np.asarray(values)[chosen] for name, values in columns.items()})

    return draw


def heads(best, count=24):
    """Heads around 1/4, and one around `best`."""
    others = [0.25] * (count - 1)

    def draw(rng, size):
        return table(h=rng.beta(8 * np.array([best, *others]), 8 * (1 - np.array([best, *others])), (size, count)))

    return draw


RNG = np.random.default_rng(0)
P, SMALL = RNG.beta(4, 2, 100), RNG.beta(1, 20, 40)
CASES = {
    "nine of ten": (Proportion("right"), table(right=[True] * 36 + [False] * 4), flags(0.9), {"at_least": 0.8}),
    "all": (Proportion("right"), table(right=[True] * 20), flags(1.0), {"at_least": 0.8}),
    "failing": (Proportion("right"), table(right=[True] * 75 + [False] * 25), flags(0.75), {"at_least": 0.85}),
    "betting": (Mean("p"), table(p=P), resampled(p=P), {"at_least": 0.6}),
    "betting, far": (Mean("p"), table(p=P), resampled(p=P), {"at_least": 0.68}),
    "little variance": (Mean("p"), table(p=SMALL), resampled(p=SMALL), {"at_most": 0.1}),
    "best head": (BestOf("h"), heads(0.45)(RNG, 50), None, {"at_least": 0.38}),
    "no head": (BestOf("h"), heads(0.25)(RNG, 60), None, {"at_least": 0.35}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_stated_number_of_images_decides_within_a_factor_of_one_and_a_half(name):
    """Brute force: decide fresh data whose true value is the estimate, with more and with fewer images than stated."""
    statistic, rows, draw, bound = CASES[name]
    verdict = decide(statistic, rows, criterion(0.0005, **bound), seed=0)
    assert verdict.outcome == "inconclusive"
    draw = draw or heads(max(verdict.estimate.value, 0.25))
    more = shares_decided(statistic, draw, math.ceil(verdict.needed * 1.5), verdict.criterion)
    fewer = shares_decided(statistic, draw, math.floor(verdict.needed / 1.5), verdict.criterion)
    assert more >= 0.75
    assert fewer <= 0.85
    assert fewer < more or name == "all"


@pytest.mark.parametrize("bound", [0.6, 0.64, 0.75])
def test_the_power_is_the_share_of_runs_of_this_size_that_decide(bound):
    verdict = decide(Mean("p"), table(p=P), criterion(0.0005, at_least=bound), seed=0)
    assert verdict.power == pytest.approx(
        shares_decided(Mean("p"), resampled(p=P), len(P), verdict.criterion, 60), abs=0.2
    )


@dataclass(frozen=True)
class Foreign:
    """A statistic of a user's own: it implements only the protocol."""

    columns = frozenset({"p"})

    def __call__(self, table, *, alpha, seed):
        return Mean("p")(table, alpha=alpha, seed=seed)


def test_a_statistic_of_a_users_own_is_decided_at_the_same_errors():
    own, ours = (decide(one, table(p=P), criterion(at_least=0.66), seed=0) for one in (Foreign(), Mean("p")))
    assert own.estimate == ours.estimate
    assert own.outcome == ours.outcome == "inconclusive"
    assert (own.power, own.needed) == (None, None)
    assert own.reason == f"{own.estimate} against at least 0.66"


def test_a_statistic_of_a_users_own_is_inconclusive_about_refused_units():
    rows = Table(table(p=P).frame, 101, {"too long": 1}, table(p=[0.5]).frame.drop("p"))
    verdict = decide(Foreign(), rows, criterion(at_least=0.1), seed=0)
    assert (verdict.outcome, verdict.reason) == ("inconclusive", "the model refused 1 of 101 units")
