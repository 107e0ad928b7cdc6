"""Answer sets hold what the caption says, and false words are named by nothing known about the photo."""

from dataclasses import replace

import pytest
from vlaudit.datasets.answers import PHOTO_ANSWERS, answers, false_words

from vlaudit.datasets.hints import OtherCaptions
from vlaudit.datasets.mining import slots_in
from vlaudit.datasets.scenes import candidates, sample
from vlaudit.samples import Box, Region, Sample

SCENES = [sample(2, index) for index in range(10)]


def photo(caption, others=(), labels=()):
    regions = tuple(Region(f"r{i}", Box(0, 0, 1, 1), label) for i, label in enumerate(labels))
    return Sample("s", "i", None, caption, regions, slots=slots_in(caption), world=OtherCaptions(tuple(others)))


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.id)
def test_scenes_answer_with_the_words_of_their_world(scene):
    for slot in scene.slots:
        assert answers(scene, slot) == candidates(slot.kind)
        assert false_words(scene, slot) == ()


def test_what_a_photo_s_caption_says_is_always_among_the_answers():
    one = photo("Two Puppies on a red couch")
    dogs, _, couch = one.slots
    assert answers(one, dogs) == (*PHOTO_ANSWERS["animal"], "puppies")
    assert answers(one, couch)[-1] == "couch"
    assert answers(one, one.slots[1]) == PHOTO_ANSWERS["color"]


def test_words_are_false_where_no_caption_and_no_region_names_them():
    one = photo("a dog on a bench", others=["a puppy and two cats"], labels=["horse"])
    animals = false_words(one, one.slots[0])
    assert set(PHOTO_ANSWERS["animal"]) - set(animals) == {"dog", "cat", "horse"}
    assert "bench" not in false_words(one, one.slots[1])


def test_a_photo_without_other_captions_is_judged_by_its_own():
    one = replace(photo("a dog"), world=None)
    assert "dog" not in false_words(one, one.slots[0])
    assert "cat" in false_words(one, one.slots[0])
