"""Mining of slots from captions, on real and realistic sentences."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.datasets.mining import forms, names_word, slots_in
from vlaudit.datasets.words import BODY_PARTS, CATEGORY, COLORED_THINGS, FRUIT, KIND
from vlaudit.samples import COLORS

DATA = Path(__file__).parents[3] / "shared" / "data"


def mined(caption, *kinds):
    return [caption[slot.start : slot.end] for slot in slots_in(caption) if slot.kind in kinds]


@pytest.mark.parametrize(
    "caption, colors",
    [
        ("A red stop sign next to a large bush with red flowers.", ["red", "red"]),
        ("LARGE BLACK AND WHITE PANDA BEAR WALKING AROUND", ["BLACK", "WHITE"]),
        ("A grey cat and a gray dog", ["grey", "gray"]),
        ("An orange bus parked in front of a church", ["orange"]),
        ("Orange bus on a tree lined street", ["Orange"]),
        ("Someone has parked a classic orange ten speed bicycle.", []),
        ("an orange and white cat", ["orange", "white"]),
        ("the bus is orange", ["orange"]),
        ("a bird holding a piece of orange while perched on a tree branch", []),
        ("an orange sitting on a table", []),
        ("an orange and a banana", []),
        ("A bunch of yellow and orange fruit in varied sizes.", ["yellow"]),
        ("peeled orange", []),
        ("A glass of orange juice", []),
        ("Pears and oranges have dirt and brown spots.", ["brown"]),
        ("A bowl of food that looks like worms and some greens.", []),
        ("A black and white photo of a white cat", ["white"]),
        ("A black and white striped picture", []),
        ("a black and white cat", ["black", "white"]),
        ("A Boston Red Sox player", []),
        ("a black man and a white dog", ["white"]),
        ("a red-haired person", []),
        ("bored riders", []),
    ],
)
def test_colours_are_found_where_they_are_colours(caption, colors):
    """Not as fruit, kinds of photos, teams, people, or parts of compounds."""
    assert mined(caption, "color") == colors


@pytest.mark.parametrize(
    "caption, hands, positions",
    [
        ("A man holding a frisbee in his right hand at a park.", ["right"], []),
        ("the man's left arm is up", ["left"], []),
        ("A dog with one left paw up", ["left"], []),
        ("a boy on the left.", [], ["left"]),
        ("a boy on the left holding a kite", [], ["left"]),
        ("a cat to the RIGHT of a dog", [], ["RIGHT"]),
        ("A bike on the left side of the road", [], ["left"]),
        ("a sign on the right-hand side", [], ["right"]),
        ("a clock in the upper left corner", [], ["left"]),
        ("the bird lies on its left side", [], ["left"]),
        ("A coast guard boat right next to a tall ship at dock.", [], []),
        ("The young child's umbrella is left open in the house.", [], []),
        ("He left the room", [], []),
        ("food left on the plate", [], []),
        ("what is left of the cake", [], []),
        ("a train on the right track", [], []),
        ("turn left at the sign", [], []),
        ("a left handed batter", [], []),
        ("a bright light", [], []),
        ("left and right hands", [], []),
        ("he is right now standing", [], []),
    ],
)
def test_sides_are_found_where_they_are_sides(caption, hands, positions):
    """Not as "remaining", "correct" or a direction; the side of a hand and of a place are different kinds."""
    assert mined(caption, "hand side") == hands
    assert mined(caption, "position side") == positions


@pytest.mark.parametrize(
    "caption, nouns",
    [
        ("A Woman feeds two horses near a truck", [("person", "Woman"), ("animal", "horses"), ("vehicle", "truck")]),
        ("A pizza slice at a train station", []),
        ("a hot dog and a teddy bear", []),
        ("a clock on a clock tower", [("object", "clock")]),
        ("two baby elephants with a baby", [("animal", "elephants"), ("person", "baby")]),
        ("a bus-stop", []),
        ("people ride by on scooters", [("person", "people")]),
    ],
)
def test_nouns_are_found_where_they_are_shown(caption, nouns):
    """Not as modifiers of another noun."""
    kinds = ("person", "animal", "vehicle", "object")
    found = [(slot.kind, caption[slot.start : slot.end]) for slot in slots_in(caption) if slot.kind in kinds]
    assert found == nouns


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from(("a", "red", "Orange", "left", "hand", "his", "on", "the", "dog", "-", ".", "and")), max_size=12
    )
)
def test_slots_are_words_in_order_and_never_overlap(words):
    """For any text."""
    caption = " ".join(words)
    slots = slots_in(caption)
    for one, other in pairwise(slots):
        assert one.end <= other.start
    assert all(caption[slot.start : slot.end].isalpha() for slot in slots)


@pytest.mark.parametrize(
    "text, word",
    [
        ("Two men", "man"),
        ("a Dog's ball", "dogs"),
        ("riding along", "ride"),
        ("running", "runs"),
        ("buses", "bus"),
        ("ladies", "lady"),
        ("knives", "knife"),
        ("a snowboarder", "snowboard"),
        ("A BASEBALL", "ball"),
        ("grey", "gray"),
        ("skis", "ski"),
    ],
)
def test_a_form_of_a_word_names_it(text, word):
    """Plurals, verb endings, compounds."""
    assert names_word(text, word)


@pytest.mark.parametrize("text, word", [("a cat", "car"), ("bread", "red"), ("the bust", "bus"), ("she leans", "leaf")])
def test_another_word_does_not(text, word):
    """Short words are not matched inside longer ones."""
    assert not names_word(text, word)


@given(st.from_regex(r"[a-z]{1,10}('s)?", fullmatch=True))
def test_a_word_is_a_form_of_itself(word):
    """Without its genitive."""
    assert word.removesuffix("'s") in forms(word)


def test_the_word_lists_agree_with_each_other():
    """Each noun has a kind and a category, no word is both a colour and a noun, and lists hold words."""
    assert KIND.keys() == CATEGORY.keys()
    assert not set(COLORS) & KIND.keys()
    for words in (BODY_PARTS, COLORED_THINGS, FRUIT, KIND):
        assert all(word.isalpha() and word.islower() for word in words)


@pytest.mark.skipif(not (DATA / "coco_captions").is_dir(), reason="the real records are not available")
def test_most_real_captions_have_a_slot():
    """Of 795 captions; and exactly one of the three with "left" or "right" names a side."""
    captions = []
    for path in sorted((DATA / "coco_captions").glob("captions_*.json")):
        captions += [record["caption"] for record in json.loads(path.read_text(encoding="utf-8"))["annotations"]]
    assert len(captions) == 795
    assert sum(bool(slots_in(caption)) for caption in captions) > 0.8 * len(captions)
    sided = [caption for caption in captions if mined(caption, "hand side", "position side")]
    assert sided == ["A man holding a frisbee in his right hand at a park."]
