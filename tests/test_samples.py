import re
from dataclasses import replace
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from vlaudit.errors import DataError
from vlaudit.samples import Box, Image, Phrase, Region, Relation, Sample, Slot, Span, words_of

sides = st.integers(0, 60)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w + 1, y + h + 1), sides, sides, sides, sides)


def sample(caption="a red dog", **settings):
    return Sample("s", "i", None, caption, **settings)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_0_and_1(one, other):
    assert one.iou(other) == other.iou(one)
    assert 0 <= one.iou(other) <= 1
    assert one.iou(one) == 1


@given(boxes, boxes)
def test_overlap_counts_pixels(one, other):
    """Against brute force: half-open boxes of whole pixels."""
    canvas = np.zeros((2, 130, 130), bool)
    for layer, box in zip(canvas, (one, other), strict=True):
        layer[box.top : box.bottom, box.left : box.right] = True
    both, either = (canvas[0] & canvas[1]).sum(), (canvas[0] | canvas[1]).sum()
    assert one.intersection(other).area == both
    assert one.iou(other) == pytest.approx(both / either)


@given(boxes)
def test_mirroring_a_box_twice_is_nothing(box):
    assert box.mirrored(121).mirrored(121) == box
    assert box.mirrored(121).area == box.area


@given(arrays(np.uint8, (3, 4, 3)))
def test_equal_pixels_have_equal_keys(pixels):
    image, other = Image.from_array(pixels), Image.from_array(pixels.copy())
    assert image == other
    assert (image.key == Image.from_array(255 - pixels).key) == np.array_equal(pixels, 255 - pixels)


def test_an_edit_is_computed_on_demand_and_leaves_the_original():
    done = []

    def darken(pixels):
        done.append(1)
        pixels[:] = 0
        return pixels

    bright = Image.from_array(np.full((2, 2, 3), 200, np.uint8))
    dark = bright.edited("darken", darken)
    assert not done
    assert dark.key != bright.key
    assert dark.pixels().sum() == 0
    assert bright.pixels().min() == 200


def test_pixels_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="read-only"):
        Image.from_array(np.zeros((2, 2, 3), np.uint8)).pixels()[0] = 1


def test_holding_an_array_leaves_it_writeable():
    pixels = np.zeros((2, 2, 3), np.uint8)
    Image.from_array(pixels).pixels()
    pixels[0] = 1


def test_an_image_of_another_size_than_stated_is_an_error():
    wrong = Image("key", 9, 9, lambda: np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(DataError, match=re.escape("(9, 9, 3), got (2, 2, 3)")):
        wrong.pixels()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"phrases": (Phrase("p", 3, 80, "people"),)}, "9 characters, got 3:80"),
        ({"slots": (Slot(5, 5, "color"),)}, "9 characters, got 5:5"),
        ({"hidden_phrases": (Span(-1, 2),)}, "got -1:2"),
        ({"phrases": (Phrase("p", 0, 2, "people", ("missing",)),)}, "'missing'"),
        ({"relations": (Relation("a", "on", "b"),)}, "'a'"),
        ({"regions": (Region("a", Box(0, 0, 1, 1), "x"),) * 2}, "same id"),
        ({"slots": (Slot(2, 5, "color", (), "pink", ("red", "blue")),)}, "one of its choices .red, blue., got 'pink'"),
        ({"slots": (Slot(2, 5, "color", choices=("red", "blue")),)}, "one of its choices .red, blue., got ''"),
    ],
)
def test_a_sample_that_contradicts_itself_is_refused(settings, message):
    with pytest.raises(DataError, match=message):
        sample(**settings)


def test_hiding_adds_up_and_hiding_nothing_changes_nothing():
    whole = sample(slots=(Slot(2, 5, "color"), Slot(6, 9, "object")))
    assert whole.hiding() == whole
    assert whole.hiding(whole.slots[1]).hiding(whole.slots[0]).hidden_phrases == (Span(2, 5), Span(6, 9))
    assert whole.hiding(*whole.slots).hiding(whole.slots[0]) == whole.hiding(*whole.slots)


RED, DOG = Slot(2, 5, "color", (), "red", ("red", "blue")), Slot(6, 9, "animal", (), "dog", ("dog", "cat"))


def test_a_slot_takes_another_answer_and_adds_it_to_its_choices():
    assert RED.answered("blue") == Slot(2, 5, "color", (), "blue", ("red", "blue"))
    assert RED.answered("teal") == Slot(2, 5, "color", (), "teal", ("red", "blue", "teal"))


def test_a_slot_without_choices_gets_none_by_another_answer():
    """With the answer as its only choice every model would be right."""
    assert Slot(2, 5, "color").answered("blue").choices == ()


def test_one_slot_is_tested_at_a_time():
    whole = sample(slots=(RED, DOG))
    assert whole.asked_slot is None
    color = whole.asking(RED)
    assert color.asked_slot == replace(RED, asked=True)
    assert (color.caption, color.hidden_phrases) == (whole.caption, ())
    assert color.asking(DOG) == whole.asking(DOG)
    assert color.asking(RED) == color.asking(color.asked_slot) == color


def test_samples_differ_in_image_and_caption():
    one = sample()
    assert one.differs_from(replace(one, image_id="j", caption="a blue dog"))
    assert not one.differs_from(replace(one, caption="a blue dog"))
    assert not one.differs_from(replace(one, image_id="j", caption="A Red Dog"))


@pytest.mark.parametrize(("shades", "differ"), [((1, 2), True), ((1, 1), False), ((1, None), True)])
def test_equal_pixels_under_two_ids_are_one_image(shades, differ):
    one, other = (shade and Image.from_array(np.full((2, 2, 3), shade, np.uint8)) for shade in shades)
    first = replace(sample(), image=one)
    second = Sample("t", "j", other, "a blue dog")
    assert first.differs_from(second) == second.differs_from(first) == differ


def test_neither_partner_nor_world_make_two_samples_differ():
    """They are no inputs of a model."""
    one = sample()
    assert replace(one, partner=sample("a cat"), world=object()) == one


@given(st.text())
def test_words_are_where_the_caption_has_letters(caption):
    spans = words_of(caption)
    covered = {i for span in spans for i in range(*span)}
    assert all((i in covered) == c.isalnum() for i, c in enumerate(caption) if c not in "'\u2019")
    assert all(one.end < other.start for one, other in pairwise(spans))
