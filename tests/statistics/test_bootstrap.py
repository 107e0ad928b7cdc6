import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from vlaudit.statistics import bootstrap
from vlaudit.statistics.bootstrap import (
    bootstrap_interval,
    draws_for,
    resampled_means,
    student_factor,
    upper_bounds,
)

SIMULATIONS = 200


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("alpha", [0.1, 0.01])
@pytest.mark.parametrize("law", ["normal", "lognormal"])
def test_the_interval_is_scipys_percentile_interval_times_the_student_factor(law, alpha):
    x = getattr(rng(3), law)(size=60)
    low, high = bootstrap_interval(x, (alpha / 2, alpha / 2), rng())
    theirs = stats.bootstrap(
        (x,), np.mean, n_resamples=20000, confidence_level=1 - alpha, method="percentile", vectorized=True, rng=rng(1)
    ).confidence_interval
    factor = student_factor(60, alpha)
    tolerance = 0.25 * x.std() / np.sqrt(60)
    assert (x.mean() - low) / factor == pytest.approx(x.mean() - theirs.low, abs=tolerance)
    assert (high - x.mean()) / factor == pytest.approx(theirs.high - x.mean(), abs=tolerance)


def test_resampled_means_have_the_standard_error_of_scipys():
    x = rng(5).exponential(size=(40, 3))
    means = resampled_means(x, 8000, rng())
    for column, ours in zip(x.T, means.T, strict=True):
        theirs = stats.bootstrap((column,), np.mean, n_resamples=8000, method="percentile", rng=rng(1))
        assert ours.std(ddof=1) == pytest.approx(theirs.standard_error, rel=0.04)
        assert ours.mean() == pytest.approx(column.mean(), abs=4 * theirs.standard_error / np.sqrt(8000))


def test_columns_are_resampled_together():
    """Images are resampled, so a column and its copy stay equal."""
    x = rng(1).normal(size=30)
    means = resampled_means(np.stack([x, x, -x], 1), 500, rng())
    assert means[:, 0] == pytest.approx(means[:, 1])
    assert means[:, 0] == pytest.approx(-means[:, 2])


def test_results_do_not_depend_on_the_chunk_size(monkeypatch):
    x = rng(1).normal(size=(30, 2))
    whole = resampled_means(x, 1001, rng())
    monkeypatch.setattr(bootstrap, "CHUNK", 64 * 30)
    assert resampled_means(x, 1001, rng()) == pytest.approx(whole)


@settings(max_examples=30)
@given(st.floats(1e-4, 0.5))
def test_at_least_fifty_draws_are_beyond_each_quantile(alpha):
    assert draws_for(alpha) >= 2000
    assert draws_for(alpha) * alpha / 2 >= 50


@settings(max_examples=30)
@given(st.integers(2, 500), st.floats(0.001, 0.3))
def test_the_student_factor_decreases_with_the_number_of_images(images, alpha):
    assert student_factor(images, alpha) > student_factor(images + 1, alpha) > 1


@pytest.mark.parametrize("images", [8, 40])
def test_the_mean_of_normal_numbers_is_covered(images):
    inside = 0
    for seed in range(SIMULATIONS):
        low, high = bootstrap_interval(rng(seed).normal(size=images), (0.05, 0.05), rng(seed + 1))
        inside += low <= 0 <= high
    assert stats.binomtest(inside, SIMULATIONS, 0.9).pvalue > 0.001


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 30))
def test_a_higher_level_widens_the_interval(seed, images):
    x = rng(seed).normal(size=images)
    widths = [np.diff(bootstrap_interval(x, (alpha / 2, alpha / 2), rng(1)))[0] for alpha in (0.2, 0.05, 0.02)]
    assert widths == sorted(widths)


def test_an_upper_bound_per_column_covers_each_mean():
    """Each by itself, as an intersection-union test needs; all together are missed more often."""
    missed = np.zeros(20)
    for seed in range(SIMULATIONS):
        missed += upper_bounds(rng(seed).normal(size=(40, 20)), 0.05, rng(seed + 1)) < 0
    assert stats.binomtest(int(missed.sum()), 20 * SIMULATIONS, 0.05).pvalue > 0.001


def test_upper_bounds_are_those_of_the_interval():
    x = rng(2).normal(size=(30, 3))
    expected = [bootstrap_interval(column, (0.05, 0.05), rng(1))[1] for column in x.T]
    assert upper_bounds(x, 0.05, rng(1)) == pytest.approx(expected, abs=0.02)
