"""Words at the right slot, answers from the right set, matches compared as they should be."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.errors import DataError
from vlaudit.measures import (
    MatchProbability,
    Reduction,
    SideProbability,
    TwoByTwo,
    Unit,
    WordProbability,
)
from vlaudit.samples import SIDES, Sample, Slot, Span, words_of
from vlaudit.traces import Match, TextAxis, Trace, Words

COLORS = ("red", "blue", "green")
CAPTION = "A red cup stands on the left and the blue ball is here"
SLOTS = (Slot(2, 5, "color"), Slot(24, 28, "position side"), Slot(37, 41, "color"))
SAMPLE = Sample("s", "i", None, CAPTION, slots=SLOTS)
some = settings(max_examples=30)


def trace_of(sample, arrays):
    spans = words_of(sample.caption)
    axis = TextAxis((None, *spans, None))
    hidden = tuple(axis.positions(*span) for span in sample.hidden_phrases)
    return Trace("key", arrays, TextAxis(axis.spans, hidden), None)


def ask(sample, unit, rows, words, condition="shown"):
    """One reduction: `rows` are probabilities, a row for each hidden word."""
    trace = trace_of(sample, {Words(words): torch.tensor(rows).log()})
    return Reduction(unit, condition, sample, trace)


def test_the_row_is_that_of_the_units_slot_wherever_it_stands_among_the_hidden():
    hidden = SAMPLE.hiding(SLOTS[0], SLOTS[2])
    rows = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]
    measure = WordProbability(COLORS)
    first, last = (ask(hidden, Unit(f"u{i}", SAMPLE, SLOTS[i]), rows, COLORS) for i in (0, 2))
    one, other = measure.reduce([first, last])
    assert (one["p"], one["answer"], one["truth"], one["correct"]) == (pytest.approx(0.7), "red", "red", True)
    assert (other["p"], other["answer"], other["truth"], other["correct"]) == (
        pytest.approx(0.3),
        "green",
        "blue",
        False,
    )


def test_a_slot_is_found_again_after_its_clause_moved():
    """The hidden words stand in the other order then: by position the wrong row would be read."""
    hidden = SAMPLE.hiding(SLOTS[0], SLOTS[2])
    moved = _exchanged(hidden)
    unit = Unit("u", SAMPLE, SLOTS[0])
    (found,) = WordProbability(COLORS).reduce([ask(moved, unit, [[0.1, 0.8, 0.1], [0.9, 0.05, 0.05]], COLORS)])
    assert (found["truth"], found["p"]) == ("red", pytest.approx(0.9))


def _exchanged(sample):
    """The two clauses by hand: "the blue ball is here and A red cup stands on the left"."""
    caption = "the blue ball is here and A red cup stands on the left"
    slots = tuple(
        replace(
            slot, start=caption.index(sample.text(slot)), end=caption.index(sample.text(slot)) + len(sample.text(slot))
        )
        for slot in sample.slots
    )
    hidden = tuple(sorted(Span(slot.start, slot.end) for slot in (slots[0], slots[2])))
    return replace(sample, caption=caption, slots=slots, hidden_phrases=hidden)


def test_a_condition_that_hides_another_word_alone_asks_for_that_word():
    unit = Unit("u", SAMPLE, SLOTS[1])
    (found,) = WordProbability(COLORS).reduce([ask(SAMPLE.hiding(SLOTS[2]), unit, [[0.1, 0.8, 0.1]], COLORS)])
    assert (found["truth"], found["correct"]) == ("blue", True)


@pytest.mark.parametrize("hidden", [(), (SLOTS[0], SLOTS[1])])
def test_a_word_that_is_not_hidden_cannot_be_asked_for(hidden):
    unit = Unit("u", SAMPLE, SLOTS[2])
    reduction = ask(SAMPLE.hiding(*hidden), unit, [[0.5, 0.3, 0.2]] * len(hidden) or [[1.0, 0.0, 0.0]], COLORS)
    with pytest.raises(DataError, match="unit u"):
        WordProbability(COLORS).reduce([reduction])


def test_the_truth_must_be_one_of_the_words():
    unit = Unit("u", SAMPLE, SLOTS[0])
    with pytest.raises(DataError, match="'red' must be one of"):
        WordProbability(("blue", "green")).reduce([ask(SAMPLE.hiding(SLOTS[0]), unit, [[0.5, 0.5]], ("blue", "green"))])


def test_the_set_may_depend_on_the_slot_and_batches_may_mix_sets():
    sets = {"color": COLORS, "position side": SIDES}
    measure = WordProbability(lambda sample, slot: sets[slot.kind])
    reductions = [
        ask(SAMPLE.hiding(SLOTS[0]), Unit("a", SAMPLE, SLOTS[0]), [[0.2, 0.5, 0.3]], COLORS),
        ask(SAMPLE.hiding(SLOTS[1]), Unit("b", SAMPLE, SLOTS[1]), [[0.9, 0.1]], SIDES),
    ]
    assert [numbers["answer"] for numbers in measure.reduce(reductions)] == ["blue", "left"]


@some
@given(st.lists(st.integers(1, 1000), min_size=3, max_size=3), st.lists(st.integers(1, 1000), min_size=3, max_size=3))
def test_probabilities_are_those_of_the_model_and_sameness_is_of_answers(one, other):
    """The probability is over the model's whole scope: the three words need not sum to 1."""
    unit, hidden = Unit("u", SAMPLE, SLOTS[0]), SAMPLE.hiding(SLOTS[0])
    rows = [[count / 4000 for count in counts] for counts in (one, other)]
    measure = WordProbability(COLORS, clean="shown")
    shown, gray = measure.reduce([ask(hidden, unit, [row], COLORS) for row in rows])
    row = measure.row(unit, {"shown": shown, "gray": gray})
    assert row["shown.p"] == pytest.approx(one[0] / 4000, rel=1e-5)
    assert row["shown.correct"] == (one[0] == max(one))
    assert row["gray.same"] == (one.index(max(one)) == other.index(max(other)))
    assert "shown.same" not in row


def sides(original, mirrored, slot=SLOTS[1]):
    unit, hidden = Unit("u", SAMPLE, slot), SAMPLE.hiding(slot)
    asked = [ask(hidden, unit, [row], SIDES, name) for name, row in (("original", original), ("mirrored", mirrored))]
    measure = SideProbability()
    found = measure.reduce(asked)
    return measure.row(unit, dict(zip(("original", "mirrored"), found, strict=True)))


def test_the_mirror_image_has_the_other_side_for_its_truth():
    row = sides([0.8, 0.2], [0.3, 0.7])
    assert (row["original.truth"], row["mirrored.truth"]) == ("left", "right")
    assert (row["accuracy"], row["flips"], row["left"]) == (1, True, 0.5)
    assert row["mirrored.p"] == pytest.approx(0.7)
    assert row["mirrored.p_left"] == pytest.approx(0.3)


def test_a_habit_is_right_half_the_time_and_never_flips():
    row = sides([0.8, 0.2], [0.9, 0.1])
    assert (row["accuracy"], row["flips"], row["left"]) == (0.5, False, 1.0)


def scores(**values):
    unit = Unit("u", SAMPLE)
    reductions = [
        Reduction(unit, name, SAMPLE, trace_of(SAMPLE, {Match(): torch.tensor(value)}))
        for name, value in values.items()
    ]
    return unit, reductions


@some
@given(st.floats(-30, 30), st.floats(-30, 30))
def test_matches_are_compared_by_score_and_a_tie_is_no_preference(one, other):
    measure = MatchProbability(above={"told": (("a", "b"),)}, changes={"moved": ("a", "b")})
    unit, reductions = scores(a=one, b=other)
    row = measure.row(unit, dict(zip("ab", measure.reduce(reductions), strict=True)))
    one, other = (float(torch.tensor(value)) for value in (one, other))
    assert row["told"] == (one > other)
    assert row["a.p"] == pytest.approx(1 / (1 + math.exp(-one)))
    assert row["a.accepted"] == (row["a.p"] > 0.5)
    assert row["moved"] == pytest.approx(abs(row["a.p"] - row["b.p"]))


def test_several_pairs_give_their_share():
    measure = MatchProbability(above={"told": (("a", "b"), ("b", "c"), ("c", "a"))})
    unit, reductions = scores(a=3.0, b=2.0, c=1.0)
    assert measure.row(unit, dict(zip("abc", measure.reduce(reductions), strict=True)))["told"] == pytest.approx(2 / 3)


def test_the_effects_of_image_and_hint_add_up():
    cells = {"x.shown": 0.9, "x.covered": 0.2, "x.shown_hint": 0.95, "x.covered_hint": 0.6}
    measure = TwoByTwo(MatchProbability(), prefix="x.")
    row = measure.row(Unit("u", SAMPLE), {name: {"score": 0.0, "p": p} for name, p in cells.items()})
    assert row["x.vision_effect"] == pytest.approx(0.7)
    assert row["x.hint_effect"] == pytest.approx(0.4)
    assert row["x.interaction"] == pytest.approx(0.35 - 0.7)
    assert row["x.shown.p"] == 0.9
