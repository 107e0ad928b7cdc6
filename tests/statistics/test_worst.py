import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from simulated import covers, doubled, shuffled, table

from vlaudit.errors import UsageError
from vlaudit.statistics import LargestGap, LargestSpread, NoEstimate

COLORS = ("red", "blue", "green")
names = st.sampled_from(COLORS)
answers = st.lists(st.tuples(st.integers(0, 6), names, names), min_size=4, max_size=25).filter(
    lambda rows: len({image for image, _, _ in rows}) > 1
)
GAP = LargestGap("truth", "told", COLORS)
SPREAD = LargestSpread("right", by="bin")


def answered(rows):
    image, truth, told = zip(*rows, strict=True)
    return table(image, truth=truth, told=told)


def ask(statistic, made, alpha=0.05):
    return statistic(made, alpha=alpha, seed=0)


@settings(max_examples=30)
@given(answers)
def test_exchanging_truth_and_prediction_keeps_the_gap(rows):
    turned = [(image, told, truth) for image, truth, told in rows]
    one, other = ask(GAP, answered(rows)), ask(GAP, answered(turned))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@settings(max_examples=30)
@given(answers, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_rows_matters(rows, random):
    made = answered(rows)
    order = random.sample(range(len(made)), len(made))
    first, *others = (ask(GAP, each) for each in (made, shuffled(made, order), doubled(made)))
    for other in others:
        assert (other.value, other.low, other.high) == pytest.approx((first.value, first.low, first.high))


@settings(max_examples=30)
@given(answers)
def test_the_gap_is_the_largest_difference_of_rates(rows):
    found = ask(GAP, answered(rows))
    rates = [found.shown[f"{color} predicted"] - found.shown[f"{color} true"] for color in COLORS]
    assert found.value == pytest.approx(max(map(abs, rates)))
    assert abs(sum(rates)) < 1e-9
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_habit_is_found_and_named():
    truth = list(COLORS) * 100
    told = ["red" if i % 2 else color for i, color in enumerate(truth)]
    found = ask(GAP, table(range(300), truth=truth, told=told))
    assert found.shown["largest at"] == "red"
    assert found.value == pytest.approx(1 / 3)
    assert 0.2 < found.low < found.high < 0.45


def test_three_perfect_images_do_not_prove_calibration():
    found = ask(GAP, table(range(3), truth=COLORS, told=COLORS))
    assert found.value == 0
    assert found.high > 0.5


def test_names_outside_the_categories_are_counted():
    found = ask(GAP, table(range(4), truth=["red", "red", "mauve", "blue"], told=["red"] * 4))
    assert found == NoEstimate("column 'truth' has 1 of 4 values outside the categories, such as 'mauve'")
    with pytest.raises(UsageError, match="at least two different names"):
        LargestGap("truth", "told", ("red", "red"))


@pytest.mark.parametrize("each", [1, 2])
def test_the_spread_is_best_minus_worst_group(each):
    right = np.repeat([True] * 90 + [False] * 10 + [True] * 60 + [False] * 40, each)
    made = table(np.repeat(range(200), each), right=right, bin=np.repeat(["left"] * 100 + ["right"] * 100, each))
    found = ask(SPREAD, made)
    assert found.value == pytest.approx(0.3)
    assert found.shown == {"left": 0.9, "right": 0.6}
    assert 0 < found.low < 0.3 < found.high < 0.6


def test_groups_of_one_image_or_one_group_are_named():
    made = table(range(5), right=[True] * 5, bin=["a"] * 4 + ["b"])
    said = "group b: one image only (image-4, 1 rows): an interval needs at least two"
    assert ask(SPREAD, made) == NoEstimate(said)
    made = table(range(5), right=[True] * 5, bin=["a"] * 5)
    assert ask(SPREAD, made) == NoEstimate("column 'bin' has one group only (a): a spread needs two")


def test_perfect_groups_still_leave_doubt():
    found = ask(SPREAD, table(range(40), right=[True] * 40, bin=["a", "b"] * 20))
    assert found.value == found.low == 0
    assert 0.1 < found.high < 0.3


def test_largest_values_are_covered_though_they_are_biased():
    """The maximum over categories of pure noise is never 0; its interval is. 80 draws at 90%."""
    rng, gaps, spreads = np.random.default_rng(0), 0, 0
    for _ in range(80):
        truth, told = rng.permutation(list(COLORS) * 20), rng.permutation(list(COLORS) * 20)
        gaps += covers(ask(GAP, table(range(60), truth=truth, told=rng.choice(COLORS, 60)), 0.1), 0)
        made = table(range(60), right=rng.random(60) < 0.8, bin=told)
        spreads += covers(ask(SPREAD, made, 0.1), 0)
    assert min(gaps, spreads) >= stats.binom.ppf(0.001, 80, 0.9)
