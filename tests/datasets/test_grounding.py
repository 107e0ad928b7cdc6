"""Slots of captions whose phrases are linked to regions: the noun of a phrase, its kind, and links of colours."""

import pytest

from vlaudit.datasets.grounding import KIND_OF_TYPE, grounded_slots, head, label_of
from vlaudit.datasets.words import TYPE_OF_NOUN
from vlaudit.samples import PHRASE_TYPES, Phrase


def slots(caption, **phrases):
    """Return the slots of a caption; phrases as words (with _ for a space) = (type, regions)."""
    marked = []
    for words, (kind, regions) in phrases.items():
        text = words.replace("_", " ")
        start = caption.index(text)
        marked.append(Phrase("p", start, start + len(text), kind, tuple(regions)))
    found = grounded_slots(caption, sorted(marked, key=lambda phrase: phrase.start))
    return [(caption[slot.start : slot.end], slot.kind, "".join(slot.region_ids)) for slot in found]


@pytest.mark.parametrize(
    "phrase, noun, label",
    [
        ("Two young guys", "guys", "guys"),
        ("The players of the baseball team", "players", "players"),
        ("A group of several men", "men", "men"),
        ("a crowd of a lot of people", "people", "people"),
        ("a man 's arm", "arm", "arm"),
        ("a red and white shirt", "shirt", "shirt"),
        ("a blue t-shirt", "shirt", "t-shirt"),
        ("A man in a blue shirt", "man", "man"),
        ("Texas A&M", None, "a&m"),
        ("# 8", None, "# 8"),
        ("each other", None, "other"),
        ("black", None, "black"),
        ("The young", None, "young"),
    ],
)
def test_the_noun_of_a_phrase_is_its_head(phrase, noun, label):
    """It is also the label of the region, if there is one."""
    found = head(phrase)
    assert (found and phrase[slice(*found)]) == noun
    assert label_of(phrase) == label


def test_the_type_of_the_phrase_determines_the_kind_of_its_noun():
    """Also for words in no list; body parts are no slots."""
    found = slots(
        "a surgeon plays a sitar with brown hair",
        a_surgeon=("people", "1"),
        a_sitar=("instruments", "2"),
        brown_hair=("bodyparts", "3"),
    )
    assert found == [("surgeon", "person", "1"), ("sitar", "instrument", "2"), ("brown", "color", "3")]


def test_a_noun_that_modifies_another_is_no_slot():
    """In "a dog trainer", "dog" is no slot."""
    assert slots("a dog trainer near a bike rack", a_dog_trainer=("people", "1"), a_bike_rack=("other", "2")) == [
        ("trainer", "person", "1"),
        ("rack", "object", "2"),
    ]


def test_nouns_that_are_joined_are_both_slots():
    """They share the boxes of their phrase."""
    assert slots("a man and a woman run", a_man_and_a_woman=("people", "12")) == [
        ("man", "person", "12"),
        ("woman", "person", "12"),
    ]


def test_words_outside_phrases_and_without_boxes_stay_as_mined():
    """Without regions; a slot whose kind comes from its type needs a box."""
    assert slots("a dog and a cat in a harness", a_cat=("animals", ""), a_harness=("clothing", "")) == [
        ("dog", "animal", ""),
        ("cat", "animal", ""),
    ]


@pytest.mark.parametrize(
    "caption, phrases, color",
    [
        ("a red hat", {"a_red_hat": ("clothing", "1")}, ("red", "color", "1")),
        ("a red hat", {"hat": ("clothing", "1")}, ("red", "color", "1")),
        ("two red hats", {"two_red_hats": ("clothing", "12")}, ("red", "color", "")),
        ("a red and blue hat", {"a_red_and_blue_hat": ("clothing", "1")}, ("red", "color", "")),
        ("a hat is red", {"a_hat": ("clothing", "1")}, ("red", "color", "")),
        ("in black", {"black": ("clothing", "1")}, ("black", "color", "1")),
    ],
)
def test_a_colour_is_linked_to_the_single_object_that_has_it(caption, phrases, color):
    """The object of its phrase or of the next phrase."""
    assert color in slots(caption, **phrases)


def test_colours_of_people_are_no_slots():
    """The colour of "white males" is not that of their clothes."""
    assert slots("Two white males run", Two_white_males=("people", "1")) == [("males", "person", "1")]


def test_a_side_means_the_regions_of_its_phrase():
    """A hand has a box, the side of a picture has none."""
    found = slots("a ball in his left hand , on the right", his_left_hand=("bodyparts", "3"))
    assert ("left", "hand side", "3") in found
    assert ("right", "position side", "") in found


def test_every_type_but_parts_of_a_body_has_a_kind():
    """And every type of a noun is one of the eight."""
    assert {*PHRASE_TYPES} - {*KIND_OF_TYPE} == {"bodyparts"}
    assert set(TYPE_OF_NOUN.values()) == {*PHRASE_TYPES} - {"other"}
