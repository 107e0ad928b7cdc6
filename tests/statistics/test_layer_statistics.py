import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy import stats
from simulated import table

from vlaudit.statistics import Change, Last, Mean, NoEstimate, Trend
from vlaudit.statistics.layers import rank_trend

layers = arrays(
    float, st.tuples(st.integers(2, 12), st.integers(2, 6)), elements=st.integers(0, 8).map(lambda k: k / 8)
)


def estimate(statistic, values, alpha=0.05):
    return statistic(table(range(len(values)), x=values), alpha=alpha, seed=0)


@given(layers)
def test_the_trend_is_spearmans_correlation(values):
    for row, trend in zip(values, rank_trend(values), strict=True):
        expected = 0 if np.ptp(row) == 0 else stats.spearmanr(row, np.arange(len(row))).statistic
        assert trend == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30)
@given(layers)
def test_reversing_the_layers_negates_change_and_trend(values):
    for statistic in (Change("x"), Trend("x")):
        assert estimate(statistic, values[:, ::-1]).value == pytest.approx(
            -estimate(statistic, values).value, abs=1e-12
        )


@settings(max_examples=30)
@given(layers)
def test_last_and_change_are_means_over_the_named_layers(values):
    assert estimate(Last("x"), values).value == pytest.approx(values[:, -1].mean())
    assert estimate(Change("x"), values).value == pytest.approx((values[:, -1] - values[:, 0]).mean())
    assert estimate(Change("x", first=-1, last=0), values).value == pytest.approx((values[:, 0] - values[:, -1]).mean())


@settings(max_examples=30)
@given(layers)
def test_a_trend_is_invariant_to_monotone_transformations(values):
    assert estimate(Trend("x"), np.exp(values)).value == pytest.approx(estimate(Trend("x"), values).value)


def test_intervals_equal_those_of_a_mean():
    values = np.random.default_rng(0).random((40, 3))
    last, change = estimate(Last("x"), values), estimate(Change("x", bounds=None), values)
    mean = Mean("y")(table(range(40), y=values[:, -1]), alpha=0.05, seed=0)
    assert (last.method, change.method) == ("betting", "bootstrap")
    assert (last.low, last.high) == pytest.approx((mean.low, mean.high), abs=0.02)


def test_constant_layers_have_zero_trend_with_an_interval():
    values = np.zeros((60, 5))
    trend, last = estimate(Trend("x"), values), estimate(Last("x"), values)
    assert trend.value == last.value == 0
    assert trend.low < 0 < trend.high
    assert last.low == 0 < last.high < 0.1


def test_one_layer_gives_no_estimate():
    assert estimate(Last("x"), np.zeros((9, 1))) == NoEstimate("column 'x': at least two layers are required, got 1")
