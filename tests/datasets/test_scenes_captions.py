"""Properties of scene captions: they are true, their spans are exact, and no word reveals another."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.datasets.scenes import (
    candidates,
    captions,
    compose,
    copy_hint_for,
    describe,
    foils,
    hint_for,
    is_sideless,
    sample,
    scene_of,
    vocabulary,
    words,
)
from vlaudit.datasets.scenes.captions import MAX_WORDS, MIN_WORDS
from vlaudit.datasets.scenes.pairs import MAX_WORDS_WITH_HINT, joint_of
from vlaudit.samples import PHRASE_TYPES, words_of

indices, variants = st.integers(0, 3000), st.integers(0, 4)
SEED = 7

SAYS = {
    "on a": "on",
    "under a": "under",
    "behind a": "behind",
    "next to the": "next to",
    "near the": "next to",
    "covers the": "covering",
    "rides": "riding",
    "riding": "riding",
    "plays": "playing",
    "playing": "playing",
    "eats": "eating",
    "eating": "eating",
    "wears": "wearing",
    "wearing": "wearing",
    "holds": "holding",
    "holding": "holding",
    "carries": "holding",
    "carrying": "holding",
    "has": "holding",
}


@given(indices, variants)
@settings(max_examples=50)
def test_every_slot_is_true_of_its_regions(index, variant):
    drawn = sample(SEED, index, variant)
    assert drawn.slots
    for slot in drawn.slots:
        word = drawn.text(slot)
        assert word in candidates(slot.kind)
        assert slot.region_ids
        for name in slot.region_ids:
            region = drawn.region(name)
            assert word in (region.label, *region.attributes)
            if slot.kind == "hand side":
                assert region.label == "hand"


@given(indices, variants)
@settings(max_examples=50)
def test_a_caption_states_only_relations_of_the_sample(index, variant):
    drawn = sample(SEED, index, variant)
    named = {name for phrase in drawn.phrases for name in phrase.region_ids}
    shown = {rel.predicate for rel in drawn.relations if {rel.subject, rel.object} <= named | {"scenery"}}
    for text, predicate in SAYS.items():
        if f" {text} " in f" {drawn.caption} ":
            assert predicate in shown, (drawn.caption, text)


@given(indices, variants)
@settings(max_examples=50)
def test_phrases_are_whole_words_with_visible_regions(index, variant):
    drawn = sample(SEED, index, variant)
    starts, ends = zip(*words_of(drawn.caption), strict=True)
    taken = 0
    for phrase in drawn.phrases:
        assert phrase.type in PHRASE_TYPES
        assert phrase.start in starts
        assert phrase.end in ends
        assert phrase.start >= taken
        taken = phrase.end
        assert phrase.region_ids
        text = drawn.text(phrase).split()
        for name in phrase.region_ids:
            label = drawn.region(name).label
            assert {label, words.PLURALS.get(label), "person", "people"} & set(text)
        assert (len(phrase.region_ids) > 1) == bool({"two", "three"} & set(text))


@given(indices, variants)
@settings(max_examples=50)
def test_a_caption_is_lower_case_and_of_limited_length(index, variant):
    drawn = sample(SEED, index, variant)
    spoken = drawn.caption.split(" ")
    assert MIN_WORDS <= len(spoken) <= MAX_WORDS
    assert set(spoken) <= set(vocabulary())
    assert "an" not in spoken
    assert is_sideless(drawn) == (not any(slot.kind.endswith("side") for slot in drawn.slots))


@given(indices, variants)
@settings(max_examples=50)
def test_no_answer_occurs_elsewhere_in_its_caption(index, variant):
    drawn = sample(SEED, index, variant)
    spoken = Counter(drawn.caption.split())
    for slot in drawn.slots:
        if not slot.kind.endswith("side"):
            assert spoken[drawn.text(slot)] == 1
    assert sum(slot.kind == "position side" for slot in drawn.slots) <= 1


@given(indices, variants)
@settings(max_examples=40)
def test_a_hint_makes_the_word_likely_without_naming_it(index, variant):
    drawn = sample(SEED, index, variant)
    for slot in drawn.slots:
        hint, copy = hint_for(drawn, slot), copy_hint_for(drawn, slot)
        if hint:
            assert drawn.text(slot) not in hint.split()
            assert len(f"{drawn.caption} {hint}".split()) <= MAX_WORDS_WITH_HINT
        assert copy is None or copy.split().count(drawn.text(slot)) == 1


@pytest.mark.parametrize("word", words.HINTS)
def test_no_hint_contains_a_form_of_its_word(word):
    forms = {word, *(word + ending for ending in ("s", "es", "ed", "er", "ers", "ing", "y"))}
    assert not forms & set(words.HINTS[word].split())


def test_every_answer_has_a_hint_of_its_own():
    answers = {word for kind, words_ in words.CANDIDATES.items() if "side" not in kind for word in words_}
    assert set(words.HINTS) == answers
    assert len(set(words.HINTS.values())) == len(answers)


@given(indices, variants)
@settings(max_examples=40)
def test_foils_are_false(index, variant):
    drawn = sample(SEED, index, variant)
    for slot in drawn.slots:
        for word in foils(scene_of(drawn), drawn, slot):
            assert word in candidates(slot.kind)
            assert all(word not in (region.label, *region.attributes) for region in map(drawn.region, slot.region_ids))
            if slot.kind == "color":
                assert all(word != thing.color for thing in scene_of(drawn).things)
            elif not slot.kind.endswith("side"):
                assert all(word != region.label for region in drawn.regions)


@given(indices, variants)
@settings(max_examples=40)
def test_a_joint_divides_a_caption_into_two_clauses(index, variant):
    drawn = sample(SEED, index, variant)
    joint = joint_of(drawn.caption)
    if joint is None:
        assert not {"and", "while"} & set(drawn.caption.split())
        return
    assert drawn.text(joint) in (" and ", " while ")
    assert all(part.end <= joint.start or joint.end <= part.start for part in (*drawn.phrases, *drawn.slots))


def test_both_orders_of_clauses_occur():
    """The text-order control needs a model trained on both orders."""
    orders = set()
    for index in range(60):
        kinds = [slot.kind for slot in sample(2, index).slots if slot.kind in ("person", "animal", "vehicle", "object")]
        orders.add(tuple(dict.fromkeys(kinds)))
    pairs = {order for order in orders if len(order) == 2}
    assert any(pair[::-1] in pairs for pair in pairs)


def test_a_scene_has_several_captions():
    several = [len({caption.text for caption in captions(compose(4, index))}) for index in range(10)]
    assert min(several) >= 2
    assert sum(several) / len(several) > 5


def test_an_edited_scene_is_described_by_the_same_template():
    """Changing the colour of one thing changes only the words about it."""
    from vlaudit.datasets.scenes import recolored

    drawn = next(s for s in (sample(0, i) for i in range(99)) if any(slot.kind == "color" for slot in s.slots))
    slot = next(slot for slot in drawn.slots if slot.kind == "color")
    scene = scene_of(drawn)
    color = foils(scene, drawn, slot)[0]
    text = describe(recolored(scene, slot.region_ids[0], color), 0).text
    assert text == drawn.caption.replace(drawn.text(slot), color)
