"""Units depend on the sample and the seed alone; candidates come in order of preference."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from vlaudit.datasets.scenes import sample
from vlaudit.errors import UsageError
from vlaudit.samples import Box, Image, Phrase, Region, Sample, Slot, Span, words_of
from vlaudit.selection import (
    NOUNS,
    SIDE_KINDS,
    BothWays,
    EveryPhrase,
    EverySample,
    OneSlot,
    Selection,
    center,
    third,
    with_partners,
)

SAMPLES = [sample(5, index) for index in range(12)]
CAPTION = "a red ball and a blue cup"
SLOTS = (
    Slot(2, 5, "color", (), "red", ("red", "blue")),
    Slot(6, 10, "object", ("ball",), "ball", ("ball", "cup")),
    Slot(17, 21, "color", (), "blue", ("red", "blue")),
    Slot(22, 25, "object", (), "cup", ("ball", "cup")),
)


def bare(number, caption, image_id=None, **fields):
    return Sample(f"s{number}", image_id or f"i{number}", None, caption, **fields)


BALL = Box(0, 0, 3, 3)


def toys(ball=BALL):
    """Return a photo, 10 by 10 pixels, of a ball and a cup; only the ball has a box."""
    image = Image.from_array(np.zeros((10, 10, 3), np.uint8))
    return Sample("s", "i", image, CAPTION, (Region("ball", ball, "ball"),), slots=SLOTS)


def chosen(samples, seed=0, **settings):
    return list(OneSlot(settings.pop("kinds", NOUNS), **settings)(samples, seed))


def words(candidates):
    return {unit.facts["word"] for unit in candidates}


# -- OneSlot


def test_every_sample_with_a_slot_of_the_kinds_is_one_unit_with_all_such_slots_as_candidates():
    units = chosen(SAMPLES)
    fitting = [[slot for slot in one.slots if slot.kind in NOUNS] for one in SAMPLES]
    assert [{unit.slot.start for unit in candidates} for candidates in units] == [
        {slot.start for slot in slots} for slots in fitting if slots
    ]
    assert all(len({unit.sample.id for unit in candidates}) == 1 for candidates in units)
    ids = [unit.id for candidates in units for unit in candidates]
    assert len(set(ids)) == len(ids)


def test_the_order_of_candidates_depends_on_the_sample_and_the_seed_alone():
    alone = [[unit.id for unit in candidates] for one in SAMPLES for candidates in chosen([one])]
    assert alone == [[unit.id for unit in candidates] for candidates in chosen(SAMPLES)]
    first = {tuple(candidates[0].id for candidates in chosen(SAMPLES, seed)) for seed in range(4)}
    assert len(first) > 1


def test_the_tested_slot_is_marked_and_hidden():
    for candidates in chosen(SAMPLES):
        for unit in candidates:
            assert [slot for slot in unit.sample.slots if slot.asked] == [unit.slot]
            assert unit.sample.hidden_phrases == (Span(unit.slot.start, unit.slot.end),)
            word = unit.sample.text(unit.slot).lower()
            assert unit.facts == {"kind": unit.slot.kind, "word": word}


def test_one_kind_may_be_given_as_text():
    one, other = (chosen(SAMPLES, kinds=kinds) for kinds in ("color", ("color",)))
    assert list(map(list, one)) == list(map(list, other))
    assert chosen([toys()], kinds="hue") == []


def test_words_restrict_the_answers():
    assert words(*chosen([toys()], kinds="color")) == {"red", "blue"}
    assert words(*chosen([toys()], kinds="color", words=("blue", "green"))) == {"blue"}
    assert chosen([toys()], kinds="color", words=("green",)) == []


def test_located_keeps_slots_with_a_region():
    assert words(*chosen([toys()])) == {"ball", "cup"}
    assert words(*chosen([toys()], located=True)) == {"ball"}


def test_without_hiding_the_slot_is_marked_only():
    (candidates,) = chosen([toys()], hide=False, hide_kinds=("color",))
    assert all(unit.slot.asked and unit.sample.hidden_phrases == () for unit in candidates)


def test_hidden_kinds_are_hidden_in_addition():
    (candidates,) = chosen([toys()], located=True, hide_kinds=("color",))
    assert [candidates[0].sample.text(span) for span in candidates[0].sample.hidden_phrases] == ["red", "ball", "blue"]
    assert candidates[0].sample.text(candidates[0].slot) == "ball"


def test_flags_are_facts_about_the_answer():
    (candidates,) = chosen([toys()], kinds="color", flags={"warm": ("red",), "cold": ("blue",)})
    facts = {unit.facts["word"]: (unit.facts["warm"], unit.facts["cold"]) for unit in candidates}
    assert facts == {"red": (True, False), "blue": (False, True)}


def test_words_and_flags_read_the_answer_not_the_caption():
    """They differ where a data set's caption is false of its image."""
    false = replace(toys(), slots=(replace(SLOTS[0], answer="blue"),))
    ((unit,),) = chosen([false], kinds="color", words=("blue",), flags={"cold": ("blue",)})
    assert unit.facts == {"kind": "color", "word": "red", "cold": True}


# -- partners


def test_a_partner_has_another_image_and_another_caption():
    samples = [bare(0, "a dog", "i"), bare(1, "a cat", "i"), bare(2, "A dog"), bare(3, "a cow")]
    partners = [one.partner.id for one in with_partners(samples)]
    assert partners == ["s3", "s2", "s3", "s0"]
    assert [unit.sample.partner.id for (unit,) in EverySample()(samples, 0)] == partners


def test_a_partner_differs_in_pixels_where_they_are_known():
    """Two ids of one picture are one picture."""
    images = [Image.from_array(np.full((2, 2, 3), shade, np.uint8)) for shade in (1, 1, 2)]
    samples = [replace(bare(i, f"caption {i}"), image=image) for i, image in enumerate(images)]
    assert [one.partner.id for one in with_partners(samples)] == ["s2", "s2", "s0"]


def test_without_another_image_there_is_no_partner():
    ((unit,),) = EverySample()([bare(0, "a dog")], 0)
    assert unit.sample.partner is None


def test_slots_have_the_partner_of_their_sample():
    partners = {one.id: one.partner for one in with_partners(SAMPLES)}
    assert all(unit.sample.partner == partners[unit.sample.id] for (unit, *_) in chosen(SAMPLES))


# -- EverySample


def test_captions_with_a_left_out_word_are_left_out_whole_words_only():
    samples = [bare(0, "a dog on the Left"), bare(1, "leftovers"), bare(2, "right."), bare(3, "bright")]
    units = [unit.id for (unit,) in EverySample(without_words=("left", "right"))(samples, 0)]
    assert units == ["s1", "s3"]


def animal(number, word, *shown):
    """Return a sample whose caption names an animal; the image shows further things that the caption does not name."""
    slot = Slot(2, 2 + len(word), "animal", (), word, ("cat", "dog", "cow"))
    regions = tuple(Region(f"r{i}", Box(0, 0, 1, 1), label) for i, label in enumerate(shown))
    return bare(number, f"a {word} number {number}", slots=(slot,), regions=regions)


def test_a_partner_with_another_answer_shows_neither_answer_of_the_pair():
    """Neighbours are passed over: one with the same animal, one that shows it unnamed, one without any animal."""
    same, unnamed, none = animal(1, "dog"), animal(2, "cat", "Dog"), bare(3, "a street")
    fitting, last = animal(4, "cow"), animal(5, "cat")
    first = animal(0, "dog", "cat")  # its image shows a cat, so that the caption of the last one is true of it
    (units, *_) = OneSlot("animal", partner="other answer")([first, same, unnamed, none, last, fitting], 0)
    assert units[0].sample.partner == fitting
    (units, *_) = OneSlot("animal")([first, same, unnamed, none, last, fitting], 0)
    assert units[0].sample.partner == same


def test_without_a_sample_of_another_answer_there_is_no_partner():
    found = OneSlot("animal", partner="other answer")([animal(0, "dog"), animal(1, "dog"), bare(2, "a street")], 0)
    assert [units[0].sample.partner for units in found] == [None, None]


def test_most_scenes_have_a_partner_with_another_answer_for_their_first_word():
    found = chosen([sample(5, index) for index in range(60)], partner="other answer")
    pairs = [(units[0].slot, units[0].sample.partner) for units in found]
    assert sum(partner is not None for _, partner in pairs) >= 0.9 * len(pairs)
    assert all(slot.answer not in {one.answer for one in partner.slots} for slot, partner in pairs if partner)


# -- BothWays


def test_every_slot_is_tested_in_the_image_and_in_its_mirror_image():
    one_way = OneSlot(NOUNS, located=True, hide_kinds=SIDE_KINDS)
    plain, both = list(one_way(SAMPLES, 0)), list(BothWays(one_way)(SAMPLES, 0))
    assert len(both) == 2 * len(plain)
    for units, original, mirrored in zip(plain, both[::2], both[1::2], strict=True):
        assert [unit.id for unit in original] == [f"{unit.id}:original" for unit in units]
        assert [unit.id for unit in mirrored] == [f"{unit.id}:mirrored" for unit in units]
        for unit, flipped in zip(units, mirrored, strict=True):
            (region,) = unit.slot.region_ids[:1]
            width = unit.sample.image.width
            assert flipped.sample.region(region).box == unit.sample.region(region).box.mirrored(width)
            assert flipped.sample.hidden_phrases == unit.sample.hidden_phrases


def test_both_ways_show_the_outer_thirds_equally_often():
    thirds = [units[0].facts["third"] for units in BothWays(OneSlot(NOUNS, located=True))(SAMPLES, 0)]
    assert thirds.count("left") == thirds.count("right") > 0


@given(st.floats(0, 9, width=16), st.floats(0.5, 10, width=16))
@settings(max_examples=40)
def test_the_third_is_that_of_the_centre(left, width):
    box = Box(left, 0, min(left + width, 10), 5)
    expected = ("left", "middle", "right")[sum(box.center[0] >= edge for edge in (10 / 3, 20 / 3))]
    assert third(toys(box).asking(SLOTS[1])) == expected


@pytest.mark.parametrize("other", [toys(), toys().asking(SLOTS[3]), replace(toys(), image=None).asking(SLOTS[1])])
def test_without_slot_region_or_image_there_is_no_third(other):
    assert third(other) == ""


def test_a_sample_without_an_image_is_tested_one_way():
    without = replace(toys(), image=None)
    found = [units[0].facts for units in BothWays(OneSlot(NOUNS))([without], 0)]
    assert [(facts["third"], facts["half"]) for facts in found] == [("", "")]


def test_the_halves_of_the_height_have_as_many_units():
    """Scenes show hardly any object in their upper third: the median height divides the tested ones."""
    samples = [sample(5, index) for index in range(60)]
    chosen_ones = [units[0] for units in BothWays(OneSlot(NOUNS, located=True))(samples, 0)]
    halves = [unit.facts["half"] for unit in chosen_ones]
    assert set(halves) == {"upper", "lower"}
    assert abs(halves.count("upper") - halves.count("lower")) <= 6  # equal heights are on one side
    heights = {half: [center(u.sample)[1] for u in chosen_ones if u.facts["half"] == half] for half in set(halves)}
    assert max(heights["upper"]) < min(heights["lower"])


# -- EveryPhrase


def test_every_phrase_with_a_region_is_a_unit():
    phrases = (Phrase("p0", 0, 10, "other", ("ball",)), Phrase("p1", 15, 25, "other"))
    ((unit,),) = EveryPhrase()([replace(toys(), phrases=phrases)], 0)
    assert unit.id == "s:0"
    assert unit.facts == {"type": "other", "phrase": "a red ball", "start": 0, "end": 10, "regions": ["ball"]}


def test_where_no_phrase_is_marked_nouns_are_phrases():
    """Not colours, which have no type."""
    colored = replace(SLOTS[0], region_ids=("ball",))
    ((unit,),) = EveryPhrase()([replace(toys(), slots=(colored, *SLOTS[1:]))], 0)
    assert (unit.facts["type"], unit.facts["phrase"]) == ("other", "ball")


@pytest.mark.parametrize(("box", "kept"), [(Box(0, 0, 6, 6), 0), (Box(0, 0, 10, 5), 1), (Box(0, 0, 5, 10), 1)])
def test_smaller_leaves_out_what_fills_more_than_half_of_both_sides(box, kept):
    """A box of more than half of either side alone can be shifted off itself along the other."""
    assert len(list(EveryPhrase(smaller=True)([toys(box)], 0))) == kept
    assert len(list(EveryPhrase()([toys(box)], 0))) == 1


# -- all


@pytest.mark.parametrize(
    "selection",
    [
        EverySample(),
        OneSlot(NOUNS, flags={"animate": ("dog",)}),
        BothWays(OneSlot(NOUNS, located=True)),
        EveryPhrase(),
    ],
    ids=lambda selection: type(selection).__name__,
)
def test_a_selection_states_the_facts_of_its_units(selection):
    assert isinstance(selection, Selection)
    units = [unit for candidates in selection(SAMPLES, 0) for unit in candidates]
    assert units
    assert {frozenset(unit.facts or {}) for unit in units} == {selection.columns}


@given(st.lists(st.sampled_from(SAMPLES), unique_by=lambda one: one.id))
@settings(max_examples=20)
def test_selections_leave_captions_and_images_alone(samples):
    for selection in (EverySample(), OneSlot(NOUNS), EveryPhrase()):
        for unit in (unit for candidates in selection(samples, 0) for unit in candidates):
            (own,) = (one for one in samples if one.id == unit.sample.id)
            assert (unit.sample.caption, unit.sample.image, unit.sample.regions) == (
                own.caption,
                own.image,
                own.regions,
            )
            assert [slot.start for slot in unit.sample.slots] == [slot.start for slot in own.slots]
            assert set(unit.sample.hidden_phrases) <= set(words_of(own.caption))


def test_a_misspelt_kind_is_named_and_a_kind_of_ones_own_is_not():
    with pytest.raises(UsageError, match=r"no kind of slot is called 'colour'.*color"):
        OneSlot("colour")
    assert OneSlot("mood").kinds == "mood"


@given(st.integers(1, 6))
def test_what_is_only_shown_may_read_the_first_images_alone(images):
    units = [unit for (unit,) in EverySample(images=images)(SAMPLES, 0)]
    assert [unit.sample.id for unit in units] == [one.id for one in SAMPLES[:images]]
