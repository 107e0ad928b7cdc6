import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from simulated import covers, doubled, shuffled, table

from vlaudit.errors import UsageError
from vlaudit.statistics import LargestGap, LargestSpread, NoEstimate
from vlaudit.statistics.betting import betting_end
from vlaudit.statistics.columns import select_rows
from vlaudit.statistics.inference import exact_end

COLORS = ("red", "blue", "green")
names = st.sampled_from(COLORS)
answers = st.lists(st.tuples(st.integers(0, 6), names, names), min_size=4, max_size=25).filter(
    lambda rows: len({image for image, _, _ in rows}) > 1
)
GAP = LargestGap("truth", "predicted", COLORS)
SPREAD = LargestSpread("right", by="bin")


def table_of(rows):
    image, truth, predicted = zip(*rows, strict=True)
    return table(image, truth=truth, predicted=predicted)


def estimate(statistic, data, alpha=0.05):
    return statistic(data, alpha=alpha, seed=0)


@settings(max_examples=30)
@given(answers)
def test_exchanging_truth_and_prediction_keeps_the_gap(rows):
    exchanged = [(image, predicted, truth) for image, truth, predicted in rows]
    one, other = estimate(GAP, table_of(rows)), estimate(GAP, table_of(exchanged))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@settings(max_examples=30)
@given(answers, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_rows_matters(rows, random):
    data = table_of(rows)
    order = random.sample(range(len(data)), len(data))
    first, *others = (estimate(GAP, each) for each in (data, shuffled(data, order), doubled(data)))
    for other in others:
        assert (other.value, other.low, other.high) == pytest.approx((first.value, first.low, first.high))


@settings(max_examples=30)
@given(answers)
def test_the_gap_is_the_largest_difference_of_rates(rows):
    found = estimate(GAP, table_of(rows))
    rates = [found.shown[f"{color} predicted"] - found.shown[f"{color} true"] for color in COLORS]
    assert found.value == pytest.approx(max(map(abs, rates)))
    assert abs(sum(rates)) < 1e-9
    assert 0 <= found.low <= found.value <= found.high <= 1


@settings(max_examples=20)
@given(answers)
def test_the_upper_end_of_the_gap_is_the_largest_of_all_categories_own_upper_ends(rows):
    """Unshared, over- and under-predicted: the largest is too low only if that of the worst category is."""
    data = table_of(rows)
    values = GAP._infer(select_rows(GAP, data, None, 0)).ends.high
    both = np.concatenate([values, -values], axis=1)
    own = [betting_end(column, (-1.0, 1.0), 0.025, lower=False) for column in both.T]
    found = estimate(GAP, data)
    assert found.high == pytest.approx(max(*own, found.value))


@settings(max_examples=20)
@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=30), min_size=2, max_size=5))
def test_the_upper_end_of_the_spread_shares_over_two_groups_for_any_number_of_groups(groups):
    """Exact bounds at half of the error each; the lower end shares over both bounds of all groups."""
    data = table(
        range(sum(map(len, groups))),
        right=np.concatenate(groups),
        bin=np.repeat([f"g{i}" for i in range(len(groups))], [len(group) for group in groups]),
    )
    found, share = estimate(SPREAD, data), 0.025 / 2
    upper = [exact_end(sum(group), len(group), share, lower=False) for group in groups]
    lower = [exact_end(sum(group), len(group), share, lower=True) for group in groups]
    pairs = [(i, j) for i in range(len(groups)) for j in range(len(groups)) if i != j]
    assert found.high == pytest.approx(max(upper[i] - lower[j] for i, j in pairs))
    share /= len(groups)
    highest = max(exact_end(sum(group), len(group), share, lower=True) for group in groups)
    lowest = min(exact_end(sum(group), len(group), share, lower=False) for group in groups)
    assert found.low == pytest.approx(max(highest - lowest, 0))


def test_an_over_predicted_category_is_found_and_named():
    truth = list(COLORS) * 100
    predicted = ["red" if i % 2 else color for i, color in enumerate(truth)]
    found = estimate(GAP, table(range(300), truth=truth, predicted=predicted))
    assert found.shown["largest at"] == "red"
    assert found.value == pytest.approx(1 / 3)
    assert 0.2 < found.low < found.high < 0.45


def test_three_perfect_images_do_not_prove_calibration():
    found = estimate(GAP, table(range(3), truth=COLORS, predicted=COLORS))
    assert found.value == 0
    assert found.high > 0.5


def test_names_outside_the_categories_are_counted():
    found = estimate(GAP, table(range(4), truth=["red", "red", "mauve", "blue"], predicted=["red"] * 4))
    assert found == NoEstimate("column 'truth': 1 of 4 values are not in categories, such as 'mauve'")
    with pytest.raises(UsageError, match="categories must be at least two distinct names"):
        LargestGap("truth", "predicted", ("red", "red"))


@pytest.mark.parametrize("each", [1, 2])
def test_the_spread_is_best_minus_worst_group(each):
    right = np.repeat([True] * 90 + [False] * 10 + [True] * 60 + [False] * 40, each)
    data = table(np.repeat(range(200), each), right=right, bin=np.repeat(["left"] * 100 + ["right"] * 100, each))
    found = estimate(SPREAD, data)
    assert found.value == pytest.approx(0.3)
    assert found.shown == {"left": 0.9, "right": 0.6}
    assert 0 < found.low < 0.3 < found.high < 0.6


def test_a_group_of_one_image_leaves_the_interval_wide():
    """A perfect model on few scenes: the spread is undecided, not an error."""
    found = estimate(SPREAD, table(range(40), right=[True] * 40, bin=["a"] * 39 + ["b"]))
    assert found.value == found.low == 0
    assert found.high > 0.9


def test_a_single_group_is_too_few():
    data = table(range(5), right=[True] * 5, bin=["a"] * 5)
    reason = "column 'bin': at least two groups are required, got only 'a'"
    assert estimate(SPREAD, data) == NoEstimate(reason, too_few=True)


def test_the_interval_of_perfect_groups_has_width():
    found = estimate(SPREAD, table(range(40), right=[True] * 40, bin=["a", "b"] * 20))
    assert found.value == found.low == 0
    assert 0.1 < found.high < 0.3


def test_intervals_of_biased_maxima_cover():
    """The maximum over categories of pure noise is never 0, but its interval contains 0. 80 draws at 90%."""
    rng, gaps, spreads = np.random.default_rng(0), 0, 0
    for _ in range(80):
        truth, predicted = rng.permutation(list(COLORS) * 20), rng.permutation(list(COLORS) * 20)
        gaps += covers(estimate(GAP, table(range(60), truth=truth, predicted=rng.choice(COLORS, 60)), 0.1), 0)
        data = table(range(60), right=rng.random(60) < 0.8, bin=predicted)
        spreads += covers(estimate(SPREAD, data, 0.1), 0)
    assert min(gaps, spreads) >= stats.binom.ppf(0.001, 80, 0.9)
