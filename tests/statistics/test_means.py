import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from simulated import clustered, covers, doubled, shuffled, table

from vlaudit.statistics import AboveChance, Mean, NoEstimate, Proportion
from vlaudit.statistics.inference import Ends, MeanInference

shares = st.floats(0, 1, allow_subnormal=False)
columns = st.lists(shares, min_size=2, max_size=30)
several_images = st.lists(st.tuples(st.integers(0, 5), shares, shares), min_size=4, max_size=30).filter(
    lambda rows: len({image for image, _, _ in rows}) > 1
)


def estimate(statistic, data, alpha=0.05):
    return statistic(data, alpha=alpha, seed=0)


@settings(max_examples=30)
@given(several_images)
def test_swapping_the_columns_negates_the_value(rows):
    image, a, b = zip(*rows, strict=True)
    data = table(image, a=a, b=b)
    assert estimate(Mean("a", minus="b"), data).value == pytest.approx(-estimate(Mean("b", minus="a"), data).value)


@settings(max_examples=30)
@given(columns, st.sampled_from([None, (0.0, 1.0)]))
def test_reflecting_the_values_reflects_the_interval(values, bounds):
    values = np.array([*values, 0.0, 1.0])
    low, high = interval(values, bounds)
    assert interval(1 - values, bounds) == pytest.approx((1 - high, 1 - low))


def interval(values, bounds):
    inference = MeanInference(values.mean(), Ends(values, values), bounds)
    return inference.interval((0.02, 0.02), np.random.default_rng(0))


@settings(max_examples=30)
@given(several_images, st.randoms(use_true_random=False), st.sampled_from([None, (0.0, 1.0)]))
def test_the_order_of_rows_changes_nothing(rows, random, bounds):
    image, a, _ = zip(*rows, strict=True)
    data = table([*image, 8, 9], a=[*a, 0.0, 1.0])
    order = random.sample(range(len(data)), len(data))
    one, other = (estimate(Mean("a", bounds=bounds), each) for each in (data, shuffled(data, order)))
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))


@settings(max_examples=30)
@given(several_images)
def test_duplicating_every_unit_changes_nothing(rows):
    image, a, b = zip(*rows, strict=True)
    data = table(image, a=a, b=b)
    one, other = (estimate(Mean("a", minus="b"), each) for each in (data, doubled(data)))
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))
    assert (other.units, other.clusters) == (2 * one.units, one.clusters)


def test_every_image_counts_once():
    """An image with forty units weighs as much as an image with one."""
    data = table([0] * 40 + [1], p=[1.0] * 40 + [0.0])
    assert estimate(Mean("p"), data).value == 0.5


@settings(max_examples=30)
@given(columns, st.sampled_from([0.2, 0.05, 0.002]))
def test_the_interval_contains_the_value_and_is_within_bounds(values, alpha):
    found = estimate(Mean("p"), table(range(len(values)), p=values), alpha)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.method == "betting"


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
@pytest.mark.parametrize("kind", ["boolean", "number"])
def test_a_higher_level_widens_the_interval(bounds, kind):
    rng = np.random.default_rng(1)
    values = rng.random(80) < 0.7 if kind == "boolean" else rng.beta(4, 2, 80)
    found = [
        estimate(Mean("p", bounds=bounds), table(range(80), p=values), alpha) for alpha in (0.2, 0.05, 0.01, 0.002)
    ]
    widths = [each.high - each.low for each in found]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


@pytest.mark.parametrize("values", [np.ones(20), np.ones(20, dtype=bool)])
def test_the_interval_of_twenty_successes_has_width(values):
    """A bootstrap gives [1, 1], which passes any threshold."""
    found = estimate(Mean("p"), table(range(20), p=values))
    assert found.value == found.high == 1.0
    assert 0.75 < found.low < 0.9


@settings(max_examples=25)
@given(st.lists(st.booleans(), min_size=2, max_size=60), st.sampled_from([0.1, 0.003]))
def test_one_unit_per_image_gives_the_exact_binomial_interval(values, alpha):
    found = estimate(Proportion("right"), table(range(len(values)), right=values), alpha)
    exact = stats.binomtest(sum(values), len(values)).proportion_ci(1 - alpha, method="exact")
    assert (found.low, found.high, found.method) == (pytest.approx(exact.low), pytest.approx(exact.high), "exact")


def test_units_of_one_image_are_not_independent_trials():
    once, twice = (estimate(Proportion("right"), each) for each in _right_by_image())
    assert twice.method == "betting"
    assert twice.value == once.value
    assert twice.high - twice.low > 0.9 * (once.high - once.low)


def _right_by_image():
    data = table(range(60), right=[True, True, False] * 20)
    return data, doubled(data)


def test_unbounded_constants_give_an_interval_without_ends():
    found = estimate(Mean("x", bounds=None), table(range(20), x=np.full(20, 3.0)))
    assert (found.value, found.low, found.high) == (3, -np.inf, np.inf)
    assert found.method == "none without bounds: all images have the same mean"


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(2, 12), st.booleans()), min_size=2, max_size=30))
def test_accuracy_above_chance_is_rescaled_per_question(questions):
    choices, right = (np.array(column) for column in zip(*questions, strict=True))
    found = estimate(AboveChance("right", "chance"), table(range(len(right)), right=right, chance=1 / choices))
    assert found.value == pytest.approx(((right - 1 / choices) / (1 - 1 / choices)).mean())
    assert -1 <= found.low <= found.value <= found.high <= 1


def test_guessing_is_not_above_chance():
    """600 guesses among 2 and 4 choices: the accuracy is .375, the value is 0."""
    rng = np.random.default_rng(1)
    chance = np.tile([0.5, 0.25], 300)
    found = estimate(AboveChance("right", "chance"), table(range(600), right=rng.random(600) < chance, chance=chance))
    assert found.low < 0 < found.high
    perfect = estimate(AboveChance("right", "chance"), table(range(600), right=[True] * 600, chance=chance))
    assert perfect.value == 1


def test_a_chance_level_of_a_single_choice_is_refused():
    found = estimate(AboveChance("right", "chance"), table(range(9), right=[True] * 9, chance=[1.0] * 9))
    assert found == NoEstimate("column 'chance': 9 of 9 values outside the bounds [0, 0.5], such as 1")


def test_unbounded_numbers_are_bootstrapped():
    rng = np.random.default_rng(0)
    found = estimate(Mean("x", bounds=None), table(range(50), x=rng.normal(5, 2, 50)))
    assert found.method == "bootstrap"
    assert covers(found, 5)


def test_resampling_rows_instead_of_images_undercovers():
    """With five correlated rows per image, rows must not count as clusters."""
    rng, inside, by_row = np.random.default_rng(3), 0, 0
    for _ in range(80):
        image, values = clustered(rng)
        inside += covers(estimate(Mean("p", bounds=None), table(image, p=values)), 0.5)
        by_row += covers(estimate(Mean("p", bounds=None), table(range(len(values)), p=values)), 0.5)
    assert inside >= 69
    assert by_row <= 64
