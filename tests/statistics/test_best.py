import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy import stats
from simulated import doubled, shuffled, table

from vlaudit.statistics import BestOf, NoEstimate
from vlaudit.statistics.best import select_forward
from vlaudit.statistics.betting import betting_end
from vlaudit.statistics.columns import select_rows

heads = arrays(float, st.tuples(st.integers(3, 20), st.integers(1, 5)), elements=st.floats(0, 1, allow_subnormal=False))


def estimate(values, statistic=None, alpha=0.05, **more):
    rows = table(range(len(values)), heads=values, **more)
    return (statistic or BestOf("heads"))(rows, alpha=alpha, seed=0)


@given(arrays(float, st.tuples(st.integers(2, 30), st.integers(1, 6)), elements=st.integers(0, 9)))
def test_each_image_is_tested_on_the_head_that_was_best_on_preceding_images(values):
    kept, chosen = select_forward(values)
    start = len(values) - len(kept)
    assert start == -(-len(values) // 10)
    for i, (value, head) in enumerate(zip(kept, chosen, strict=True), start=start):
        assert value == values[i, head]
        assert values[:i, head].sum() == values[:i].sum(0).max()


@given(arrays(float, (20, 4), elements=st.integers(0, 9)), st.integers(1, 19))
def test_the_selection_does_not_depend_on_the_tested_image(values, image):
    """Changing an image changes no selection up to that image."""
    _, before = select_forward(values)
    changed = values.copy()
    changed[image:] = 9 - changed[image:]
    _, after = select_forward(changed)
    start = len(values) - len(before)
    assert (before[: image + 1 - start] == after[: image + 1 - start]).all()


@settings(max_examples=30)
@given(heads)
def test_the_interval_contains_the_value_and_is_within_bounds(values):
    found = estimate(values)
    assert 0 <= found.low <= found.value <= found.high <= 1


@settings(max_examples=15)
@given(heads, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_rows_matters(values, random):
    rows = table(range(len(values)), heads=values)
    order = random.sample(range(len(values)), len(values))
    first, *others = (
        BestOf("heads")(each, alpha=0.05, seed=0) for each in (rows, shuffled(rows, order), doubled(rows))
    )
    for other in others:
        assert (other.value, other.low, other.high) == pytest.approx((first.value, first.low, first.high))


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_the_best_head_is_selected_and_its_mean_covered(bounds):
    values = np.random.default_rng(0).beta(2, 6, (120, 4, 6))
    values[:, 2, 3] = np.random.default_rng(1).beta(8, 2, 120)
    found = estimate(values, BestOf("heads", bounds=bounds))
    assert found.low <= 0.8 <= found.high
    assert found.low > 0.7
    assert found.shown["naive head"] == found.shown["chosen head"] == "2.3"
    assert found.shown["chosen share"] > 0.9
    assert found.shown["naive maximum"] == pytest.approx(values.mean(0).max())


def test_heads_of_one_axis_are_named_by_index():
    values = np.random.default_rng(0).random((30, 5))
    values[:, 4] = 1
    assert estimate(values).shown["naive head"] == "4"


def test_the_paired_form_subtracts_head_by_head():
    rng = np.random.default_rng(0)
    linked, random = rng.random((80, 6)) / 2, rng.random((80, 6)) / 2
    linked[:, 1] += 0.5
    paired = estimate(linked, BestOf("heads", minus="random"), random=random)
    assert paired.shown["naive maximum"] == pytest.approx((linked - random).mean(0).max())
    assert paired.low < 0.5 < paired.high
    alone = estimate(linked - random + 0, BestOf("heads", bounds=(-1.0, 1.0)))
    assert paired.high == pytest.approx(alone.high, abs=0.05)


def test_the_interval_of_constant_zeros_has_width():
    """A bootstrap gives [0, 0] for ten images of zeros; the upper bound must not."""
    found = estimate(np.zeros((10, 6)))
    assert found.value == found.low == 0
    assert found.high > 1 - 0.025 ** (1 / 10) - 0.01


def test_an_unbounded_head_without_variance_has_no_upper_end():
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[:, 1] = 0
    found = estimate(values, BestOf("heads", bounds=None))
    assert found.high == np.inf
    assert np.isfinite(found.low)


@settings(max_examples=20)
@given(heads)
def test_the_upper_end_is_the_largest_of_all_heads_own_upper_ends(values):
    """Unshared: one more head never changes the bound of another."""
    whole = estimate(values)
    shuffled = (
        BestOf("heads")._infer(select_rows(BestOf("heads"), table(range(len(values)), heads=values), None, 0)).ends.high
    )
    own = [betting_end(head, (0.0, 1.0), 0.025, lower=False) for head in shuffled.T]
    assert whole.high == pytest.approx(max(*own, whole.value))


def test_columns_of_different_shapes_give_no_estimate():
    found = estimate(np.zeros((9, 3)), BestOf("heads", minus="other"), other=np.zeros((9, 2)))
    assert found == NoEstimate("columns 'heads' and 'other' must have rows of equal shape, got (3,) and (2,)")


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_noise_exceeds_its_mean_at_the_nominal_rate_but_the_naive_maximum_does_not(bounds):
    """24 heads of noise around 0.5, tested for exceeding 0.5: one side of a 90% interval allows 5% false alarms."""
    above = naive = 0
    for seed in range(100):
        values = np.random.default_rng(seed).random((40, 24))
        found = BestOf("heads", bounds=bounds)(table(range(40), heads=values), alpha=0.1, seed=seed)
        best = values[:, values.mean(0).argmax()]
        above += found.low > 0.5
        naive += stats.ttest_1samp(best, 0.5, alternative="greater").pvalue < 0.05
    assert above <= stats.binom.ppf(0.999, 100, 0.05)
    assert naive > 60


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_the_upper_bound_covers_the_best_mean_at_the_nominal_rate(bounds):
    """The upper bound is below the best head's mean in at most 5% of draws, for any number of heads."""
    below = 0
    for seed in range(100):
        values = np.random.default_rng(seed).random((40, 24))
        found = BestOf("heads", bounds=bounds)(table(range(40), heads=values), alpha=0.1, seed=seed)
        below += found.high < 0.5
    assert below <= stats.binom.ppf(0.999, 100, 0.05)


def test_pooled_folds_would_raise_false_alarms():
    """The pooled mean of five folds varies more than its folds imply (see the Notes of `BestOf`)."""
    rng, alarms, n, heads = np.random.default_rng(0), 0, 40, 20
    for _ in range(400):
        values = rng.random((n, heads))
        fold = np.arange(n) % 5
        kept = np.empty(n)
        for k in range(5):
            kept[fold == k] = values[fold == k, values[fold != k].mean(0).argmax()]
        alarms += stats.ttest_1samp(kept, 0.5, alternative="greater").pvalue < 0.05
    assert alarms > stats.binom.ppf(0.999, 400, 0.05)
