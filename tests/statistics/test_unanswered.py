"""Units that the model refused count with the value worst for a pass and best for a fail."""

from collections import Counter
from itertools import product

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from vlaudit.deciding import decide
from vlaudit.findings import Criterion
from vlaudit.statistics import (
    AboveChance,
    BestOf,
    Change,
    LargestGap,
    LargestSpread,
    Last,
    Mean,
    NoEstimate,
    Proportion,
    Trend,
)
from vlaudit.tables import Table

CHOICES = {
    Mean("p"): [{"p": p} for p in (0.0, 0.5, 1.0)],
    Mean("p", minus="q"): [{"p": p, "q": q} for p, q in product((0.0, 1.0), repeat=2)],
    Proportion("right"): [{"right": right} for right in (False, True)],
    AboveChance("right", "chance"): [{"right": right, "chance": c} for right in (False, True) for c in (0.1, 0.5)],
    Last("layers"): [{"layers": [0.5, p]} for p in (0.0, 1.0)],
    Change("layers"): [{"layers": list(pair)} for pair in product((0.0, 1.0), repeat=2)],
    Trend("layers"): [{"layers": list(pair)} for pair in product((0.0, 1.0), repeat=2)],
    BestOf("heads"): [{"heads": list(pair)} for pair in product((0.0, 1.0), repeat=2)],
    LargestGap("truth", "answer", ("x", "y")): [{"truth": a, "answer": b} for a, b in product("xy", repeat=2)],
    LargestSpread("p", by="bin"): [{"p": p} for p in (0.0, 0.5, 1.0)],
}
"""Values that a refused unit may have had, for each statistic."""


def row(rng, i):
    p = rng.beta(5, 2)
    return {
        "unit_id": f"u{i}",
        "image_id": f"i{i}",
        "bin": "ab"[i % 2],
        "p": p,
        "q": rng.random() / 2,
        "right": bool(rng.random() < 0.85),
        "chance": 0.25,
        "layers": sorted(rng.random(2).tolist()),
        "heads": rng.beta([5, 2], 2).tolist(),
        "truth": "xy"[i % 2],
        "answer": "xy"[i % 2] if rng.random() < 0.9 else "x",
    }


@st.composite
def tables(draw):
    """Draw measured rows and refused units, which have an image of their own or share one."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = [row(rng, i) for i in range(draw(st.integers(4, 30)))]
    images = draw(st.lists(st.integers(0, len(rows) + 2), min_size=1, max_size=2))
    refused = [
        {"unit_id": f"r{n}", "image_id": f"i{i}", "bin": draw(st.sampled_from("ab"))} for n, i in enumerate(images)
    ]
    return rows, refused


def table_of(rows, refused):
    return Table.of(rows, refused=Counter({"too long": len(refused)}), unanswered=refused)


def filled(statistic, rows, refused):
    """Yield the table for every choice of the refused units' values."""
    for chosen in product(CHOICES[statistic], repeat=len(refused)):
        extra = [{**rows[0], **unit, **values} for unit, values in zip(refused, chosen, strict=True)]
        yield Table.of([*rows, *extra])


def value_of(statistic, table):
    """Return the value for which the interval is valid: of the best head its true mean, not the chosen heads'."""
    found = statistic(table, alpha=0.5, seed=0)
    return found.shown.get("naive maximum", found.value)


@settings(max_examples=12)
@given(tables(), st.sampled_from([0.3, 0.01]))
@pytest.mark.parametrize("statistic", CHOICES, ids=repr)
def test_the_interval_contains_every_possible_value(statistic, drawn, alpha):
    rows, refused = drawn
    found = statistic(table_of(rows, refused), alpha=alpha, seed=0)
    possible = [value_of(statistic, table) for table in filled(statistic, rows, refused)]
    assert found.low <= min(possible) + 1e-9
    assert found.high >= max(possible) - 1e-9


@settings(max_examples=8)
@given(tables(), st.floats(0.05, 0.95), st.sampled_from(["at_least", "at_most"]))
@pytest.mark.parametrize("statistic", CHOICES, ids=repr)
def test_a_verdict_holds_for_every_possible_value(statistic, drawn, bound, side):
    """Brute force: no values that may be filled in would turn a pass into a failure, or a failure into a pass."""
    rows, refused = drawn
    outcome = verdict(statistic, table_of(rows, refused), **{side: bound})
    if outcome == "inconclusive":
        return
    meets = (side == "at_least") == (outcome == "pass")  # the values are at least, or at most, the bound
    for table in filled(statistic, rows, refused):
        value = value_of(statistic, table)
        assert value >= bound - 1e-9 if meets else value <= bound + 1e-9
        assert verdict(statistic, table, **{side: bound}) in (outcome, "inconclusive")


@settings(max_examples=12)
@given(tables())
@pytest.mark.parametrize(
    ("statistic", "worst", "best"),
    [
        (Mean("p"), {"p": 0.0}, {"p": 1.0}),
        (Mean("p", minus="q"), {"p": 0.0, "q": 1.0}, {"p": 1.0, "q": 0.0}),
        (Last("layers"), {"layers": [1.0, 0.0]}, {"layers": [0.0, 1.0]}),
        (Trend("layers"), {"layers": [1.0, 0.0]}, {"layers": [0.0, 1.0]}),
    ],
    ids=repr,
)
def test_each_end_is_that_of_its_extreme_values(statistic, worst, best, drawn):
    """The lower end is that of a model with the worst answers, the upper end that of one with the best."""
    rows, refused = drawn
    found = statistic(table_of(rows, refused), alpha=0.05, seed=0)
    low, high = (
        statistic(Table.of([*rows, *({**rows[0], **unit, **values} for unit in refused)]), alpha=0.05, seed=0)
        for values in (worst, best)
    )
    assert (found.low, found.high) == pytest.approx((low.low, high.high))


def verdict(statistic, table, **bound):
    return decide(statistic, table, Criterion("c", "why", 0.01, **bound), seed=0).outcome


@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=2, max_size=40), st.integers(1, 3), st.floats(0.05, 0.95))
def test_an_exact_verdict_is_that_of_the_worst_and_the_best_values(answers, refused, bound):
    """Exact intervals are monotone, so no slack is needed: the ends are those of the fill-ins."""
    rows = [{"unit_id": f"u{i}", "image_id": f"u{i}", "right": right} for i, right in enumerate(answers)]
    units = [{"unit_id": f"r{i}", "image_id": f"r{i}"} for i in range(refused)]
    found = Proportion("right")(table_of(rows, units), alpha=0.02, seed=0)
    ends = [
        Proportion("right")(Table.of([*rows, *({**unit, "right": value} for unit in units)]), alpha=0.02, seed=0)
        for value in (False, True)
    ]
    assert (found.low, found.high) == (ends[0].low, ends[1].high)
    outcomes = {
        verdict(Proportion("right"), Table.of([*rows, *({**unit, "right": v} for unit in units)]), at_least=bound)
        for v in (False, True)
    }
    assert verdict(Proportion("right"), table_of(rows, units), at_least=bound) in {
        outcomes.pop() if len(outcomes) == 1 else "inconclusive",
        "inconclusive",
    }


def test_a_model_does_not_pass_by_refusing():
    """Nine of ten images refused: what was measured is perfect, and decides nothing."""
    rng = np.random.default_rng(0)
    rows = [{**row(rng, i), "right": True} for i in range(100)]
    units = [{"unit_id": f"r{i}", "image_id": f"r{i}"} for i in range(900)]
    assert verdict(Proportion("right"), table_of(rows, []), at_least=0.8) == "pass"
    assert verdict(Proportion("right"), table_of(rows, units), at_least=0.8) == "inconclusive"


def test_refused_units_count_only_where_the_statistic_reads_them():
    rng = np.random.default_rng(0)
    rows = [row(rng, i) for i in range(60)]
    units = [{"unit_id": "r", "image_id": "r", "bin": "b"}]
    alone, other = Mean("p", where=("bin", "a")), Mean("p", where=("bin", "b"))
    assert alone(table_of(rows, units), alpha=0.05, seed=0) == alone(Table.of(rows), alpha=0.05, seed=0)
    assert other(table_of(rows, units), alpha=0.05, seed=0).low < other(Table.of(rows), alpha=0.05, seed=0).low
    unknown = Table(pl.DataFrame(rows), 61, {"too long": 1}, pl.DataFrame([{"unit_id": "r", "image_id": "r"}]))
    assert alone(unknown, alpha=0.05, seed=0).low < alone(Table.of(rows), alpha=0.05, seed=0).low


@pytest.mark.parametrize("statistic", [Mean("p", bounds=None), BestOf("heads", bounds=None)], ids=repr)
def test_an_unbounded_quantity_is_inconclusive(statistic):
    rng = np.random.default_rng(0)
    data = table_of([row(rng, i) for i in range(60)], [{"unit_id": "r", "image_id": "r"}])
    found = statistic(data, alpha=0.05, seed=0)
    assert found == NoEstimate("the model refused 1 of 61 units, which may have any value without bounds", too_few=True)
    assert verdict(statistic, data, at_least=-5) == "inconclusive"


def test_a_group_whose_units_were_all_refused_is_inconclusive():
    rng = np.random.default_rng(0)
    rows = [row(rng, i) for i in range(60)]
    data = table_of(rows, [{"unit_id": "r", "image_id": "r", "bin": "c"}])
    assert verdict(LargestSpread("p", by="bin"), data, at_most=0.9) == "inconclusive"
