import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from vlaudit.statistics.betting import GRID_SIZE, betting_end, least_lower_bound, lower_bounds, reaches_target

values = arrays(float, st.integers(2, 40), elements=st.floats(0, 1, allow_subnormal=False))


def betting_interval(x, bounds, alpha, rng):
    shuffled = rng.permutation(x)
    return betting_end(shuffled, bounds, alpha / 2, lower=True), betting_end(shuffled, bounds, alpha / 2, lower=False)


def reference_lower_bound(values, alpha):
    """Return the lower bound of one column, one hypothesis at a time, with wealth instead of its logarithm."""
    low = 0.0
    for m in np.arange(1, GRID_SIZE + 1) / GRID_SIZE:
        wealth, squares, n = 1.0, 0.25, len(values)
        for i, x in enumerate(values):
            missing = max(np.log(1 / alpha / wealth), 0)
            stake = min(np.sqrt(2 * missing / (n - i) / (squares / (i + 1))), 0.9 / m)
            wealth *= 1 + stake * (x - m)
            squares += (x - m) ** 2
        if wealth < 1 / alpha * (1 - 1e-12) or m > values.mean():
            return low
        low = m
    return low


@pytest.mark.parametrize("seed", range(4))
def test_lower_bounds_equal_the_reference(seed):
    x = np.random.default_rng(seed).beta(4, 2, (25, 2))
    expected = [reference_lower_bound(column, 0.02) for column in x.T]
    assert lower_bounds(x, 0.02) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40)
@given(arrays(float, st.tuples(st.integers(2, 30), st.integers(1, 6)), elements=st.floats(0, 1)), st.floats(0.01, 1))
def test_the_least_lower_bound_is_the_smallest_of_all(x, most):
    every = lower_bounds(x, 0.05)
    assert least_lower_bound(x, 0.05) == every.min()
    most = round(most * GRID_SIZE) / GRID_SIZE
    assert lower_bounds(x, 0.05, most) == pytest.approx(np.minimum(every, most))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(0, 5))
def test_one_hypothesis_is_rejected_as_by_the_bound(seed, images, first):
    """The bound itself was rejected, the grid point above it was not; columns may end early or start late."""
    rng = np.random.default_rng(seed)
    x = rng.beta(4, 2, (images + 6, 1))
    played = x[first : first + images]
    bound = lower_bounds(played, 0.05)[0]
    m = np.array([bound, bound + 1 / GRID_SIZE])
    inside = (m > 0) & (m < 1)
    starts, stops = np.full(2, first), np.full(2, min(first + images, len(x)))
    found = reaches_target(np.repeat(x, 2, 1)[:, inside], m[inside], np.log(20), starts[inside], stops[inside])
    assert found.tolist() == np.array([True, False])[inside].tolist()


@settings(max_examples=40)
@given(values, st.sampled_from([0.1, 0.01]))
def test_the_lower_bound_is_in_range_and_below_the_mean(x, alpha):
    (low,) = lower_bounds(x[:, None], alpha)
    assert 0 <= low <= max(x.mean(), 1 / GRID_SIZE)


@settings(max_examples=40)
@given(values, st.sampled_from([(-1.0, 1.0), (0.0, 3.0)]))
def test_bounds_scale_the_interval(x, bounds):
    low, high = bounds
    one = betting_interval(x, (0.0, 1.0), 0.05, np.random.default_rng(0))
    other = betting_interval(low + x * (high - low), bounds, 0.05, np.random.default_rng(0))
    assert other == pytest.approx([low + end * (high - low) for end in one], abs=2.1 * (high - low) / GRID_SIZE)


@pytest.mark.parametrize("images", [5, 20, 100])
def test_all_ones_are_bounded_nearly_as_well_as_exactly(images):
    low, high = betting_interval(np.ones(images), (0.0, 1.0), 0.05, np.random.default_rng(0))
    exact = 0.025 ** (1 / images)
    assert high == 1
    assert exact - 0.06 < low <= exact + 1e-9


@pytest.mark.parametrize("law", ["rare success", "rare failure", "fair coin", "skewed", "small differences"])
@pytest.mark.parametrize("images", [12, 60])
def test_the_mean_is_covered_for_any_distribution(law, images):
    """1000 simulations at level 90%, one per column: a miss rate above 13% would be significant."""
    rng, n = np.random.default_rng(images), 1000
    x, truth = {
        "rare success": (rng.random((images, n)) < 0.03, 0.03),
        "rare failure": (rng.random((images, n)) < 0.97, 0.97),
        "fair coin": (rng.random((images, n)) < 0.5, 0.5),
        "skewed": (rng.beta(0.3, 3, (images, n)), 0.3 / 3.3),
        "small differences": (np.clip(rng.normal(0.52, 0.02, (images, n)), 0, 1), 0.52),
    }[law]
    x = x.astype(float)
    missed = (lower_bounds(x, 0.05) > truth).sum() + (1 - lower_bounds(1 - x, 0.05) < truth).sum()
    assert missed <= 0.13 * n


def test_rows_may_depend_on_preceding_rows():
    """Selecting each row's column by the preceding rows leaves the error rate valid."""
    rng = np.random.default_rng(0)
    columns = []
    for _ in range(1000):
        coins = (rng.random((30, 10)) < 0.5).astype(float)
        chosen = np.r_[0, coins.cumsum(0)[:-1].argmax(1)]
        columns.append(coins[np.arange(30), chosen])
    assert (lower_bounds(np.stack(columns, 1), 0.05) > 0.5).mean() <= 0.075


@settings(max_examples=40)
@given(values)
def test_a_higher_level_widens_the_interval(x):
    bounds = [lower_bounds(x[:, None], alpha)[0] for alpha in (0.2, 0.05, 0.005)]
    assert bounds == sorted(bounds, reverse=True)


def test_the_interval_is_at_most_a_quarter_wider_than_the_normal_one():
    x = np.random.default_rng(0).beta(2, 2, 200)
    low, high = betting_interval(x, (0.0, 1.0), 0.05, np.random.default_rng(0))
    assert high - low < 1.25 * 2 * 1.96 * x.std() / np.sqrt(200)
