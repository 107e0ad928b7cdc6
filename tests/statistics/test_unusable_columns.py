"""Every statistic returns a `NoEstimate` with the same reason for data that allow no estimate."""

import numpy as np
import pytest
from simulated import table

from vlaudit.errors import DataError, UsageError
from vlaudit.statistics import (
    AboveChance,
    BestOf,
    Change,
    Estimate,
    LargestGap,
    LargestSpread,
    Last,
    Mean,
    NoEstimate,
    Proportion,
    Trend,
    share,
)
from vlaudit.tables import Table

EVERY = [
    Mean("p"),
    Mean("p", minus="p"),
    Proportion("right"),
    AboveChance("right", "half"),
    Last("layers"),
    Change("layers"),
    Trend("layers"),
    BestOf("layers"),
    LargestGap("color", "color", ("red", "blue")),
    LargestSpread("p", by="color"),
]


def usable(images=range(30)):
    n = len(images)
    rng = np.random.default_rng(0)
    colors = ["red", "blue"] * n
    return table(
        images, p=rng.random(n), right=rng.random(n) < 0.5, layers=rng.random((n, 3)), color=colors[:n], half=[0.5] * n
    )


def estimate(statistic, data):
    return statistic(data, alpha=0.05, seed=0)


@pytest.mark.parametrize("statistic", EVERY, ids=repr)
def test_usable_data_give_an_estimate(statistic):
    found = estimate(statistic, usable())
    assert isinstance(found, Estimate)
    assert (found.units, found.clusters, found.alpha, found.seed) == (30, 30, 0.05, 0)


@pytest.mark.parametrize("statistic", EVERY, ids=repr)
def test_no_rows_give_no_estimate_with_the_refusals(statistic):
    from collections import Counter

    found = estimate(statistic, Table.of([], refused=Counter({"too long": 3})))
    assert found == NoEstimate("no rows: none of 3 planned units was measured (3 too long)", too_few=True)


@pytest.mark.parametrize("statistic", EVERY, ids=repr)
def test_one_image_decides_nothing(statistic):
    """The interval is valid and wide; what has none says that the data are too few."""
    found = estimate(statistic, usable([7] * 12))
    if isinstance(found, NoEstimate):
        assert found.too_few
        assert "only one image" in found.reason
    else:
        widest = 1 if isinstance(statistic, (LargestGap, LargestSpread)) else 2
        assert found.high - found.low > (0.9 if found.value >= 0 and widest == 1 else 0.8)
        assert found.clusters == 1


@pytest.mark.parametrize("statistic", [Mean("p", bounds=None), Change("layers", bounds=None)], ids=repr)
def test_one_image_without_bounds_gives_an_infinite_interval(statistic):
    found = estimate(statistic, usable([7] * 12))
    assert (found.low, found.high) == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("invalid", "reason"),
    [
        ([np.nan, np.nan, np.inf], "2 NaN and 1 infinite among 30 values"),
        ([-np.inf], "1 infinite among 30 values"),
        ([1.5], "1 of 30 values outside the bounds [0, 1], such as 1.5"),
    ],
)
def test_invalid_numbers_are_counted(invalid, reason):
    values = np.full(30, 0.5)
    values[: len(invalid)] = invalid
    assert estimate(Mean("p"), table(range(30), p=values)) == NoEstimate(f"column 'p': {reason}")


def test_invalid_numbers_are_found_in_arrays_and_in_the_subtracted_column():
    values = np.full((30, 2), 0.5)
    values[3, 1] = np.nan
    data = table(range(30), good=np.full((30, 2), 0.5), bad=values)
    for statistic in (Last("bad"), BestOf("bad"), BestOf("good", minus="bad")):
        assert estimate(statistic, data) == NoEstimate("column 'bad': 1 NaN among 60 values")


def test_missing_values_give_no_estimate():
    answers = [True, None] + [False] * 8
    assert estimate(Proportion("x"), table(range(10), x=answers)) == NoEstimate("column 'x': 1 missing among 10 values")


def test_arrays_of_different_lengths_give_no_estimate():
    data = Table.of([{"unit_id": i, "image_id": i, "x": [0.5] * (2 + i % 2)} for i in range(10)])
    assert estimate(Last("x"), data) == NoEstimate("column 'x': rows hold arrays of different lengths")


def test_rounding_errors_do_not_violate_bounds():
    found = estimate(Mean("p"), table(range(30), p=np.full(30, 1 + 1e-7)))
    assert found.value == 1.0


def test_where_without_matching_rows_gives_no_estimate():
    data = table(range(5), p=[0.5] * 5, kind=["a"] * 5)
    found = estimate(Mean("p", where=("kind", "b")), data)
    assert found == NoEstimate("no rows: where=('kind', 'b') selects none of 5 rows", too_few=True)


def test_where_selects_rows_by_a_boolean_column_or_by_a_value():
    data = table(range(60), p=[0.2, 0.8] * 30, high=[False, True] * 30, kind=["low", "high"] * 30)
    assert estimate(Mean("p", where="high"), data).value == pytest.approx(0.8)
    assert estimate(Mean("p", where=("kind", "low")), data).value == pytest.approx(0.2)


def test_mistakes_of_an_audit_raise_errors():
    data = usable()
    with pytest.raises(DataError, match="'color' must hold numbers, got object such as 'red'"):
        estimate(Mean("color"), data)
    with pytest.raises(DataError, match="no column 'nothing'"):
        estimate(Mean("nothing"), data)
    with pytest.raises(DataError, match=r"one number per row, got arrays of shape \(3,\)"):
        estimate(Mean("layers"), data)
    with pytest.raises(DataError, match="'p' must be boolean for a Proportion, got 0"):
        estimate(Proportion("p"), data)
    with pytest.raises(DataError, match="where='color' must name a boolean column, got dtype object"):
        estimate(Mean("p", where="color"), data)
    with pytest.raises(DataError, match=r"last must be a layer index of column 'layers' \(3 layers\), got 3"):
        estimate(Change("layers", last=3), data)
    with pytest.raises(DataError, match=r"one value per layer, got rows of shape \(\)"):
        estimate(Last("p"), data)
    with pytest.raises(DataError, match=r"one value per head, got rows of shape \(\)"):
        estimate(BestOf("p"), data)
    with pytest.raises(DataError, match="one name per row"):
        estimate(LargestSpread("p", by="layers"), data)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.0, 0.0), (0.0, np.inf), (np.nan, 1.0)])
def test_invalid_bounds_are_refused(bounds):
    for statistic in (Mean, Last, Change, BestOf):
        with pytest.raises(UsageError, match="bounds must be None or two finite numbers in increasing order"):
            statistic("x", bounds=bounds)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, np.nan])
def test_invalid_error_rates_are_refused(alpha):
    with pytest.raises(UsageError, match="alpha must be strictly between 0 and 1"):
        Mean("p")(usable(), alpha=alpha, seed=0)
    with pytest.raises(UsageError, match="alpha must be strictly between 0 and 1"):
        share(alpha, 3)


def test_shares_sum_to_the_error_rate():
    assert sum(share(0.05, 17) for _ in range(17)) == pytest.approx(0.05)
    with pytest.raises(UsageError, match="criteria must be at least 1, got 0"):
        share(0.05, 0)


@pytest.mark.parametrize("value", [np.nan, 2.0])
def test_an_estimate_outside_its_interval_is_refused(value):
    with pytest.raises(ValueError, match="low <= value <= high"):
        Estimate(value, 0.0, 1.0, 0.05, 10, 10, "exact")


@pytest.mark.parametrize(
    ("statistic", "columns"),
    [
        (Mean("a", minus="b", where=("c", "x")), {"a", "b", "c"}),
        (Proportion("a", where="c"), {"a", "c"}),
        (AboveChance("a", "b"), {"a", "b"}),
        (BestOf("a", minus="b"), {"a", "b"}),
        (Change("a"), {"a"}),
        (LargestGap("a", "b", ("x", "y"), where="c"), {"a", "b", "c"}),
        (LargestSpread("a", by="b"), {"a", "b"}),
    ],
    ids=repr,
)
def test_a_statistic_states_the_columns_that_it_reads(statistic, columns):
    assert statistic.columns == columns
