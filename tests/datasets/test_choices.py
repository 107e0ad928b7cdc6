"""Slots have an answer and choices; false words occur in no caption and no label of the photo."""

from dataclasses import replace

import pytest

from vlaudit.datasets.choices import PHOTO_CHOICES, photo_slot
from vlaudit.datasets.hints import OtherCaptions
from vlaudit.datasets.mining import slots_in
from vlaudit.datasets.scenes import candidates, sample
from vlaudit.perturbations import Foil, apply
from vlaudit.samples import Box, Region, Sample, Span

SCENES = [sample(2, index) for index in range(10)]


def photo(caption, others=(), labels=()):
    regions = tuple(Region(f"r{i}", Box(0, 0, 1, 1), label) for i, label in enumerate(labels))
    return Sample("s", "i", None, caption, regions, slots=slots_in(caption), world=OtherCaptions(tuple(others)))


def foils(one, slot):
    return one.world.foils(one, slot)


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.id)
def test_scenes_are_answered_with_the_words_of_their_world(scene):
    for slot in scene.slots:
        assert slot.answer == scene.text(slot)
        assert slot.choices == candidates(slot.kind)


def test_what_a_photo_s_caption_says_is_the_answer_and_always_among_the_choices():
    one = photo("Two Puppies on a red couch")
    dogs, color, couch = one.slots
    assert (dogs.answer, dogs.choices) == ("puppies", (*PHOTO_CHOICES["animal"], "puppies"))
    assert (couch.answer, couch.choices[-1]) == ("couch", "couch")
    assert (color.answer, color.choices) == ("red", PHOTO_CHOICES["color"])


def test_a_kind_that_nothing_is_known_about_has_no_choices():
    """Not the truth alone: with one choice every model is right."""
    slot = photo_slot("a calm sea", Span(2, 6), "mood")
    assert (slot.answer, slot.choices) == ("calm", ())


def test_words_are_false_where_no_caption_and_no_region_names_them():
    one = photo("a dog on a bench", others=["a puppy and two cats"], labels=["horse"])
    animals = foils(one, one.slots[0])
    assert set(PHOTO_CHOICES["animal"]) - set(animals) == {"dog", "cat", "horse"}
    assert "bench" not in foils(one, one.slots[1])


def test_a_photo_is_foiled_by_what_its_world_knows_to_be_false():
    """Without a world by any choice that the caption does not hold."""
    one = photo("a dog", others=["a bird, a cat, a horse, sheep, an elephant, a bear"])
    one = one.asking(one.slots[0])
    assert {apply([Foil("asked")], one, seed).caption for seed in range(5)} == {"a cow"}
    alone = {apply([Foil("asked")], replace(one, world=None), seed).caption.split()[-1] for seed in range(60)}
    assert alone == set(PHOTO_CHOICES["animal"]) - {"dog"}
