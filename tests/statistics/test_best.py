import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy import stats
from simulated import doubled, shuffled, table

from vlaudit.statistics import BestOf, NoEstimate
from vlaudit.statistics.best import chosen_before

heads = arrays(float, st.tuples(st.integers(3, 20), st.integers(1, 5)), elements=st.floats(0, 1, allow_subnormal=False))


def ask(values, statistic=None, alpha=0.05, **more):
    made = table(range(len(values)), heads=values, **more)
    return (statistic or BestOf("heads"))(made, alpha=alpha, seed=0)


@given(arrays(float, st.tuples(st.integers(2, 30), st.integers(1, 6)), elements=st.integers(0, 9)))
def test_each_image_is_tested_at_the_head_that_was_best_before_it(values):
    kept, chosen = chosen_before(values)
    start = len(values) - len(kept)
    assert start == -(-len(values) // 10)
    for i, (value, head) in enumerate(zip(kept, chosen, strict=True), start=start):
        assert value == values[i, head]
        assert values[:i, head].sum() == values[:i].sum(0).max()


@given(arrays(float, (20, 4), elements=st.integers(0, 9)), st.integers(1, 19))
def test_the_choice_never_sees_the_image_it_is_tested_on(values, image):
    """Changing an image changes no choice up to it."""
    _, before = chosen_before(values)
    changed = values.copy()
    changed[image:] = 9 - changed[image:]
    _, after = chosen_before(changed)
    start = len(values) - len(before)
    assert (before[: image + 1 - start] == after[: image + 1 - start]).all()


@settings(max_examples=30)
@given(heads)
def test_the_interval_holds_its_value_within_bounds(values):
    found = ask(values)
    assert 0 <= found.low <= found.value <= found.high <= 1


@settings(max_examples=15)
@given(heads, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_rows_matters(values, random):
    made = table(range(len(values)), heads=values)
    order = random.sample(range(len(values)), len(values))
    first, *others = (
        BestOf("heads")(each, alpha=0.05, seed=0) for each in (made, shuffled(made, order), doubled(made))
    )
    for other in others:
        assert (other.value, other.low, other.high) == pytest.approx((first.value, first.low, first.high))


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_a_head_that_does_it_is_found_and_its_mean_covered(bounds):
    values = np.random.default_rng(0).beta(2, 6, (120, 4, 6))
    values[:, 2, 3] = np.random.default_rng(1).beta(8, 2, 120)
    found = ask(values, BestOf("heads", bounds=bounds))
    assert found.low <= 0.8 <= found.high
    assert found.low > 0.7
    assert found.shown["naive head"] == found.shown["chosen head"] == "2.3"
    assert found.shown["chosen share"] > 0.9
    assert found.shown["naive maximum"] == pytest.approx(values.mean(0).max())


def test_heads_of_one_axis_are_named_by_their_number():
    values = np.random.default_rng(0).random((30, 5))
    values[:, 4] = 1
    assert ask(values).shown["naive head"] == "4"


def test_the_paired_form_subtracts_head_by_head():
    rng = np.random.default_rng(0)
    linked, random = rng.random((80, 6)) / 2, rng.random((80, 6)) / 2
    linked[:, 1] += 0.5
    paired = ask(linked, BestOf("heads", minus="random"), random=random)
    assert paired.shown["naive maximum"] == pytest.approx((linked - random).mean(0).max())
    assert paired.low < 0.5 < paired.high
    alone = ask(linked - random + 0, BestOf("heads", bounds=(-1.0, 1.0)))
    assert paired.high == pytest.approx(alone.high, abs=0.05)


def test_heads_that_do_nothing_still_leave_doubt():
    """All zeros: a bootstrap would say [0, 0]; the upper bound of ten images must not."""
    found = ask(np.zeros((10, 6)))
    assert found.value == found.low == 0
    assert found.high > 1 - (0.05 / 2 / 6) ** (1 / 10) - 0.01


def test_an_unbounded_head_that_never_varies_is_named():
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[:, 1] = 0
    found = ask(values, BestOf("heads", bounds=None))
    assert isinstance(found, NoEstimate)
    assert found.reason.startswith("1 of 3 columns: all 20 images have the same mean (0)")


def test_columns_of_different_shapes_are_named():
    found = ask(np.zeros((9, 3)), BestOf("heads", minus="other"), other=np.zeros((9, 2)))
    assert found == NoEstimate("rows of 'heads' have shape (3,), rows of 'other' (2,)")


def simulate(repetitions, draw, claim, statistic):
    """Return how often the interval lies above the claim, and how often a naive test of the maximum does."""
    above = naive = 0
    for seed in range(repetitions):
        values = draw(np.random.default_rng(seed))
        found = statistic(table(range(len(values)), heads=values), alpha=0.1, seed=seed)
        best = values[:, values.mean(0).argmax()]
        above += found.low > claim
        naive += stats.ttest_1samp(best, claim, alternative="greater").pvalue < 0.05
    return above, naive


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_noise_is_no_finding_and_the_naive_maximum_says_it_is(bounds):
    """24 heads of noise around one half: does some head exceed one half? One side of 90% leaves 5%."""
    statistic = BestOf("heads", bounds=bounds)
    above, naive = simulate(100, lambda rng: rng.random((40, 24)), 0.5, statistic)
    assert above <= stats.binom.ppf(0.999, 100, 0.05)
    assert naive > 60


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_a_good_head_is_seldom_judged_bad(bounds):
    """Failing needs the upper bound below the best head's mean: at most 5% of 100 draws, however many heads."""
    below = 0
    for seed in range(100):
        values = np.random.default_rng(seed).random((40, 24))
        found = BestOf("heads", bounds=bounds)(table(range(40), heads=values), alpha=0.1, seed=seed)
        below += found.high < 0.5
    assert below <= stats.binom.ppf(0.999, 100, 0.05)


def test_pooled_folds_would_raise_false_alarms():
    """Why heads are chosen forward: the pooled mean of five folds scatters more than its parts say (see Notes)."""
    rng, alarms, n, heads = np.random.default_rng(0), 0, 40, 20
    for _ in range(400):
        values = rng.random((n, heads))
        fold = np.arange(n) % 5
        kept = np.empty(n)
        for k in range(5):
            kept[fold == k] = values[fold == k, values[fold != k].mean(0).argmax()]
        alarms += stats.ttest_1samp(kept, 0.5, alternative="greater").pvalue < 0.05
    assert alarms > stats.binom.ppf(0.999, 400, 0.05)
