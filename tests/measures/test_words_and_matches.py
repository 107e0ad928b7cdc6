"""Words are read at the right slot, answers from its choices, and matches are compared by score."""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.errors import RefusedSample
from vlaudit.measures import (
    MatchProbability,
    Reduction,
    SideProbability,
    TwoByTwo,
    Unit,
    WordProbability,
)
from vlaudit.perturbations import SwapClauses, apply
from vlaudit.samples import SIDES, Sample, Slot, words_of
from vlaudit.traces import Match, TextAxis, Trace, Words

COLORS = ("red", "blue", "green")
CAPTION = "A red cup stands on the left while the blue ball is here"
SLOTS = (
    Slot(2, 5, "color", (), "red", COLORS),
    Slot(24, 28, "position side", (), "left", SIDES),
    Slot(39, 43, "color", (), "blue", COLORS),
)
SAMPLE = Sample("s", "i", None, CAPTION, slots=SLOTS)
BOTH = SAMPLE.hiding(SLOTS[0], SLOTS[2])
some = settings(max_examples=30)


def trace_of(sample, arrays):
    spans = words_of(sample.caption)
    axis = TextAxis((None, *spans, None))
    hidden = tuple(axis.positions(*span) for span in sample.hidden_phrases)
    return Trace("key", arrays, TextAxis(axis.spans, hidden), None)


def reduction(sample, rows, condition="shown"):
    """One reduction: `rows` are probabilities of the tested slot's choices, a row for each hidden word."""
    trace = trace_of(sample, {Words(sample.asked_slot.choices): torch.tensor(rows).log()})
    return Reduction(Unit("u", sample), condition, sample, trace)


def test_the_row_is_that_of_the_tested_slot_among_several_hidden_words():
    rows = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]
    one, other = WordProbability().reduce([reduction(BOTH.asking(SLOTS[i]), rows) for i in (0, 2)])
    third = pytest.approx(1 / 3)
    assert one == {"p": pytest.approx(0.7), "answer": "red", "truth": "red", "correct": True, "chance": third}
    assert other == {"p": pytest.approx(0.3), "answer": "green", "truth": "blue", "correct": False, "chance": third}


def test_a_slot_is_found_again_after_its_clause_moved():
    """The hidden words are then in another order: by position the wrong row would be read."""
    moved = apply([SwapClauses()], BOTH.asking(SLOTS[0]), 0)
    assert moved.caption == "The blue ball is here while a red cup stands on the left"
    (found,) = WordProbability().reduce([reduction(moved, [[0.1, 0.8, 0.1], [0.9, 0.05, 0.05]])])
    assert (found["truth"], found["p"]) == ("red", pytest.approx(0.9))


def test_the_truth_is_the_answer_of_the_slot_not_the_caption():
    """As after a perturbation of the image that makes the caption false."""
    blue = replace(BOTH, slots=(SLOTS[0].answered("blue"), *SLOTS[1:])).asking(SLOTS[0])
    (found,) = WordProbability().reduce([reduction(blue, [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])])
    assert (found["truth"], found["p"], found["correct"]) == ("blue", pytest.approx(0.2), False)


def test_the_choices_are_those_of_the_slot_and_batches_may_mix_them():
    reductions = [
        reduction(SAMPLE.hiding(SLOTS[0]).asking(SLOTS[0]), [[0.2, 0.5, 0.3]]),
        reduction(SAMPLE.hiding(SLOTS[1]).asking(SLOTS[1]), [[0.9, 0.1]]),
    ]
    assert [WordProbability().readings(one.sample) for one in reductions] == [{Words(COLORS)}, {Words(SIDES)}]
    found = WordProbability().reduce(reductions)
    assert [numbers["answer"] for numbers in found] == ["blue", "left"]
    assert [numbers["chance"] for numbers in found] == [1 / 3, 1 / 2]


@pytest.mark.parametrize("measure", [WordProbability(), SideProbability()], ids=repr)
@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (BOTH, "none of its words is tested"),
        (SAMPLE.asking(SLOTS[0]), "its tested word is not hidden"),
        (SAMPLE.hiding(SLOTS[1]).asking(SLOTS[0]), "its tested word is not hidden"),
    ],
)
def test_a_word_that_is_not_tested_or_not_hidden_is_refused(measure, sample, reason):
    with pytest.raises(RefusedSample, match=reason):
        measure.readings(sample)


@pytest.mark.parametrize("choices", [(), ("red",)])
def test_a_slot_without_a_choice_is_refused(choices):
    """With the truth as the only candidate, a random model would score 1."""
    unknown = replace(SLOTS[0], kind="mood", choices=choices)
    sample = replace(SAMPLE, slots=(unknown,)).hiding(unknown).asking(unknown)
    with pytest.raises(RefusedSample, match="its word of kind 'mood' has no choices to answer from; the data set must"):
        WordProbability().readings(sample)


def test_a_trace_of_a_sample_whose_word_is_not_hidden_is_refused():
    with pytest.raises(RefusedSample, match="condition shown: its tested word is not hidden"):
        WordProbability().reduce([reduction(SAMPLE.hiding(SLOTS[0]).asking(SLOTS[2]), [[0.5, 0.3, 0.2]])])


@some
@given(st.lists(st.integers(1, 1000), min_size=3, max_size=3), st.lists(st.integers(1, 1000), min_size=3, max_size=3))
def test_probabilities_are_those_of_the_model_and_sameness_is_of_answers(one, other):
    """The probability is over the model's whole scope: the three words need not sum to 1."""
    hidden = SAMPLE.hiding(SLOTS[0]).asking(SLOTS[0])
    measure = WordProbability(reference="shown")
    shown, gray = measure.reduce([reduction(hidden, [[count / 4000 for count in counts]]) for counts in (one, other)])
    row = measure.row(Unit("u", hidden), {"shown": shown, "gray": gray})
    assert row["shown.p"] == pytest.approx(one[0] / 4000, rel=1e-5)
    assert row["shown.correct"] == (one[0] == max(one))
    assert row["gray.same"] == (one.index(max(one)) == other.index(max(other)))
    assert set(row) == measure.columns(["shown", "gray"])
    assert set(WordProbability().row(Unit("u", hidden), {"gray": gray})) == WordProbability().columns(["gray"])


@pytest.mark.parametrize(("one", "other", "share"), [(0.3, 0.2, 1), (0.2, 0.3, 0), (0.2, 0.2, 0.5), (0.0, 0.0, 0.5)])
def test_the_true_word_is_compared_between_conditions_and_a_tie_counts_half(one, other, share):
    """The other choices do not matter: a model may answer neither correctly."""
    hidden = SAMPLE.hiding(SLOTS[0]).asking(SLOTS[0])
    measure = WordProbability(preferred={"own_preferred": ("own", "other")})
    assert measure.named == {"own", "other"}
    found = measure.reduce([reduction(hidden, [[p, 0.6, 0.1]]) for p in (one, other)])
    row = measure.row(Unit("u", hidden), dict(zip(("own", "other"), found, strict=True)))
    assert row["own_preferred"] == share
    assert set(row) == measure.columns(["own", "other"])


def sides(original, mirrored):
    """The row of a sample whose image is mirrored, from the probabilities of left and right."""
    hidden = SAMPLE.hiding(SLOTS[1]).asking(SLOTS[1])
    flipped = replace(hidden, slots=(SLOTS[0], hidden.asked_slot.answered("right"), SLOTS[2]))
    measure = SideProbability(reference="original")
    batch = [reduction(hidden, [original], "original"), reduction(flipped, [mirrored], "mirrored")]
    row = measure.row(Unit("u", hidden), dict(zip(("original", "mirrored"), measure.reduce(batch), strict=True)))
    assert set(row) == measure.columns(["original", "mirrored"])
    return row


def test_the_mirror_image_has_the_other_side_for_its_truth():
    row = sides([0.8, 0.2], [0.3, 0.7])
    assert (row["original.truth"], row["mirrored.truth"]) == ("left", "right")
    assert (row["accuracy"], row["flips"]) == (1, True)
    assert row["left"] == pytest.approx((0.8 + 0.3) / 2)
    assert row["mirrored.p"] == pytest.approx(0.7)
    assert row["mirrored.p_left"] == pytest.approx(0.3)


def test_a_habit_is_right_half_the_time_and_never_flips():
    row = sides([0.8, 0.2], [0.9, 0.1])
    assert (row["accuracy"], row["flips"]) == (0.5, False)
    assert row["left"] == pytest.approx(0.85)


def test_the_preferred_side_is_read_from_probabilities_among_both_sides():
    """Answers alone would show no preference here, or a total one; a vocabulary has further words."""
    assert sides([0.9, 0.1], [0.45, 0.55])["left"] == pytest.approx(0.675)
    assert sides([0.51, 0.49], [0.51, 0.49])["left"] == pytest.approx(0.51)
    assert sides([0.2, 0.2], [0.01, 0.03])["left"] == pytest.approx((0.5 + 0.25) / 2)
    assert sides([0.0, 0.0], [0.0, 0.0])["left"] == 0.5


def test_a_control_that_tests_another_word_has_no_sides():
    hidden = BOTH.asking(SLOTS[0])
    (found,) = SideProbability().reduce([reduction(hidden, [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], "plain")])
    assert set(found) == {"p", "answer", "truth", "correct", "chance"}


def scores(**values):
    unit = Unit("u", SAMPLE)
    reductions = [
        Reduction(unit, name, SAMPLE, trace_of(SAMPLE, {Match(): torch.tensor(value)}))
        for name, value in values.items()
    ]
    return unit, reductions


@some
@given(st.floats(-30, 30), st.floats(-30, 30))
def test_matches_are_compared_by_score_and_a_tie_counts_half(one, other):
    measure = MatchProbability({"own": ("a", "b")}, {"change": ("a", "b")})
    unit, reductions = scores(a=one, b=other)
    row = measure.row(unit, dict(zip("ab", measure.reduce(reductions), strict=True)))
    one, other = (float(torch.tensor(value)) for value in (one, other))
    assert row["own"] == (0.5 if one == other else one > other)
    assert row["own.chance"] == 0.5
    assert row["a.p"] == pytest.approx(1 / (1 + math.exp(-one)))
    assert row["a.accepted"] == (row["a.p"] > 0.5)
    assert row["change"] == pytest.approx(abs(row["a.p"] - row["b.p"]))
    assert set(row) == measure.columns("ab")


def test_several_pairs_give_their_share():
    measure = MatchProbability({"own": (("a", "b"), ("b", "c"), ("c", "a"))})
    unit, reductions = scores(a=3.0, b=2.0, c=1.0)
    assert measure.row(unit, dict(zip("abc", measure.reduce(reductions), strict=True)))["own"] == pytest.approx(2 / 3)


@some
@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(-9, 9), st.floats(-9, 9), st.floats(-9, 9))
def test_pairings_of_two_images_are_at_chance_for_scores_of_image_and_caption_alone(a, b, image, other, together):
    """Scores of each caption (a, b) and each image alone have no effect; any effect of the pair has."""
    pairs = (("own", "other_caption"), ("other_pair", "other_image"))
    measure = MatchProbability({"preferred": pairs})

    def preferred(effect):
        values = {"own": a + image + effect, "other_caption": b + image - effect}
        values |= {"other_pair": b + other + effect, "other_image": a + other - effect}
        rounded = {name: round(value * 64) / 64 for name, value in values.items()}
        unit, reductions = scores(**rounded)
        return measure.row(unit, dict(zip(rounded, measure.reduce(reductions), strict=True)))["preferred"]

    a, b, image, other = (round(value * 64) / 64 for value in (a, b, image, other))
    assert preferred(0.0) == 0.5
    assert preferred(20 + abs(together)) == 1
    assert preferred(-20 - abs(together)) == 0


@pytest.mark.parametrize(
    ("measure", "required"),
    [
        (MatchProbability({"own": ("a", "b")}), set()),
        (MatchProbability({"own": ("a", "b")}, across_images=True), {"comparable matches"}),
        (MatchProbability(changes={"change": ("a", "b")}), {"comparable matches"}),
        (TwoByTwo(MatchProbability(across_images=True), ("a", "b", "c", "d")), {"comparable matches"}),
        (WordProbability(), set()),
    ],
    ids=repr,
)
def test_scores_of_different_images_must_be_comparable(measure, required):
    """A score that ranks the captions of one image has no meaning across images."""
    assert measure.requires == required


def test_the_effects_of_image_and_hint_add_up():
    values = {"x.shown": 0.9, "x.covered": 0.2, "x.shown_hint": 0.95, "x.covered_hint": 0.6}
    measure = TwoByTwo(MatchProbability(), tuple(values), prefix="x.")
    found = {name: {"score": 0.0, "p": p, "accepted": p > 0.5} for name, p in values.items()}
    row = measure.row(Unit("u", SAMPLE), found)
    assert row["x.vision_effect"] == pytest.approx(0.7)
    assert row["x.hint_effect"] == pytest.approx(0.4)
    assert row["x.interaction"] == pytest.approx(0.35 - 0.7)
    assert row["x.shown.p"] == 0.9
    assert set(row) == measure.columns(values)


def test_a_design_in_two_factors_reads_what_its_measure_reads():
    """And refuses what it refuses."""

    @dataclass(frozen=True)
    class Picky(WordProbability):
        def refusal(self, unit):
            return "never"

    measure, hidden = TwoByTwo(Picky(), ("a", "b", "c", "d")), SAMPLE.hiding(SLOTS[0]).asking(SLOTS[0])
    assert measure.needs == WordProbability().needs
    assert measure.readings(hidden) == {Words(COLORS)}
    assert measure.refusal(Unit("u", hidden)) == "never"
