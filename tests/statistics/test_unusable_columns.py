"""Data that allow no estimate are a named outcome, the same for every statistic."""

import numpy as np
import pytest
from simulated import table

from vlaudit.errors import DataError, UsageError
from vlaudit.statistics import (
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
    return table(images, p=rng.random(n), right=rng.random(n) < 0.5, layers=rng.random((n, 3)), color=colors[:n])


def ask(statistic, made):
    return statistic(made, alpha=0.05, seed=0)


@pytest.mark.parametrize("statistic", EVERY, ids=repr)
def test_usable_data_give_an_estimate(statistic):
    found = ask(statistic, usable())
    assert isinstance(found, Estimate)
    assert (found.units, found.clusters, found.alpha, found.seed) == (30, 30, 0.05, 0)


@pytest.mark.parametrize("statistic", EVERY, ids=repr)
def test_no_rows_are_named_with_what_was_refused(statistic):
    from collections import Counter

    found = ask(statistic, Table.of([], refused=Counter({"too long": 3})))
    assert found == NoEstimate("no rows: none of 3 planned units was measured (3 too long)")


@pytest.mark.parametrize("statistic", EVERY, ids=repr)
def test_one_image_is_named(statistic):
    found = ask(statistic, usable([7] * 12))
    assert found == NoEstimate("one image only (image-7, 12 rows): an interval needs at least two")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ([np.nan, np.nan, np.inf], "2 NaN and 1 infinite of 30 values"),
        ([-np.inf], "1 infinite of 30 values"),
        ([1.5], "1 of 30 values outside its bounds [0, 1], such as 1.5"),
    ],
)
def test_bad_numbers_are_counted(bad, said):
    values = np.full(30, 0.5)
    values[: len(bad)] = bad
    assert ask(Mean("p"), table(range(30), p=values)) == NoEstimate(f"column 'p' has {said}")


def test_bad_numbers_are_found_in_arrays_and_in_what_is_subtracted():
    values = np.full((30, 2), 0.5)
    values[3, 1] = np.nan
    made = table(range(30), good=np.full((30, 2), 0.5), bad=values)
    for statistic in (Last("bad"), BestOf("bad"), BestOf("good", minus="bad")):
        assert ask(statistic, made) == NoEstimate("column 'bad' has 1 NaN of 60 values")


def test_missing_values_are_named():
    answers = [True, None] + [False] * 8
    assert ask(Proportion("x"), table(range(10), x=answers)) == NoEstimate("column 'x' has 1 missing of 10 values")


def test_arrays_of_different_lengths_are_named():
    made = Table.of([{"unit_id": i, "image_id": i, "x": [0.5] * (2 + i % 2)} for i in range(10)])
    assert ask(Last("x"), made) == NoEstimate("rows of column 'x' hold arrays of different lengths")


def test_rounding_is_no_violation_of_bounds():
    found = ask(Mean("p"), table(range(30), p=np.full(30, 1 + 1e-7)))
    assert found.value == 1.0


def test_where_nothing_is_selected_says_so():
    made = table(range(5), p=[0.5] * 5, kind=["a"] * 5)
    assert ask(Mean("p", where=("kind", "b")), made) == NoEstimate("no rows: ('kind', 'b') holds for none of 5")


def test_where_selects_rows_by_a_flag_or_by_a_value():
    made = table(range(60), p=[0.2, 0.8] * 30, high=[False, True] * 30, kind=["low", "high"] * 30)
    assert ask(Mean("p", where="high"), made).value == pytest.approx(0.8)
    assert ask(Mean("p", where=("kind", "low")), made).value == pytest.approx(0.2)


def test_mistakes_of_an_audit_are_errors_not_outcomes():
    made = usable()
    with pytest.raises(DataError, match="'color' must hold numbers, it holds object such as 'red'"):
        ask(Mean("color"), made)
    with pytest.raises(DataError, match="no column 'nothing'"):
        ask(Mean("nothing"), made)
    with pytest.raises(DataError, match=r"one number a row, the column holds arrays of shape \(3,\)"):
        ask(Mean("layers"), made)
    with pytest.raises(DataError, match="'p' must be boolean"):
        ask(Proportion("p"), made)
    with pytest.raises(DataError, match="where='color' must name a boolean column"):
        ask(Mean("p", where="color"), made)
    with pytest.raises(DataError, match="last=3 is no layer of 'layers', which has 3"):
        ask(Change("layers", last=3), made)
    with pytest.raises(DataError, match="one value a layer"):
        ask(Last("p"), made)
    with pytest.raises(DataError, match="a value a head"):
        ask(BestOf("p"), made)
    with pytest.raises(DataError, match="one name a row"):
        ask(LargestSpread("p", by="layers"), made)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.0, 0.0), (0.0, np.inf), (np.nan, 1.0)])
def test_bounds_that_hold_nothing_are_refused(bounds):
    for statistic in (Mean, Last, Change, BestOf):
        with pytest.raises(UsageError, match="bounds must be two finite numbers"):
            statistic("x", bounds=bounds)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, np.nan])
def test_an_alpha_that_is_no_error_rate_is_refused(alpha):
    with pytest.raises(UsageError, match="alpha must lie between 0 and 1"):
        Mean("p")(usable(), alpha=alpha, seed=0)
    with pytest.raises(UsageError, match="alpha must lie between 0 and 1"):
        share(alpha, 3)


def test_shares_of_the_error_add_up_to_it():
    assert sum(share(0.05, 17) for _ in range(17)) == pytest.approx(0.05)
    with pytest.raises(UsageError, match="at least one criterion, got 0"):
        share(0.05, 0)


@pytest.mark.parametrize("value", [np.nan, 2.0])
def test_an_estimate_outside_its_interval_is_no_estimate(value):
    with pytest.raises(ValueError, match="low <= value <= high"):
        Estimate(value, 0.0, 1.0, 0.05, 10, 10, "exact")
