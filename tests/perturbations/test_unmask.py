"""Unmasking takes back every hiding; another tested word is hidden alone."""

import drawn_samples
import numpy as np
import pytest
from hypothesis import given, settings

from vlaudit.errors import RefusedSample
from vlaudit.perturbations import AskOther, Cover, Unmask, apply
from vlaudit.samples import Box, Image, Region, Sample, Slot

# beartype picks at random which items of a container it checks, also while Hypothesis draws a sample
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

SLOTS = (Slot(2, 5, "color"), Slot(6, 9, "animal", ("r0",)), Slot(15, 18, "object"), Slot(26, 30, "position side"))


def photo():
    image = Image.from_array(np.arange(300).astype(np.uint8).reshape(10, 10, 3))
    region = Region("r0", Box(0, 0, 5, 5), "dog")
    return Sample("s", "i", image, "a red dog on a mat on the left", (region,), slots=SLOTS)


@settings(max_examples=30)
@given(drawn_samples.captioned())
def test_unmasking_takes_back_every_hiding(sample):
    shown = apply([Unmask()], sample, 0)
    assert shown.hidden_phrases == ()
    assert shown.hiding(*sample.hidden_phrases) == sample
    assert apply([Unmask()], shown, 0) == shown


def test_what_was_done_for_a_hidden_word_stays_done():
    """Cover the object of a hidden word, then show the whole caption; the word stays the tested one."""
    sample = photo().hiding(SLOTS[1]).asking(SLOTS[1])
    covered = apply([Cover(), Unmask()], sample, 0)
    assert not covered.region("r0").visible
    assert covered.hidden_phrases == ()
    assert covered.image.key != sample.image.key
    assert covered.asked_slot == sample.asked_slot


def test_another_word_is_tested_and_hidden_alone():
    sample = photo().hiding(*SLOTS).asking(SLOTS[3])
    other = apply([AskOther(("object", "animal"))], sample, 0)
    assert sample.text(other.asked_slot) == "dog", "the first of the caption, not of the kinds"
    assert [sample.text(span) for span in other.hidden_phrases] == ["dog"]
    assert [slot.asked for slot in other.slots] == [False, True, False, False]


def test_the_tested_word_itself_may_be_the_other():
    sample = photo().hiding(*SLOTS).asking(SLOTS[1])
    assert apply([AskOther(("animal",))], sample, 0).asked_slot == sample.asked_slot


def test_a_caption_without_another_word_is_refused():
    with pytest.raises(RefusedSample, match="its caption has no slot of kind person or vehicle"):
        apply([AskOther(("person", "vehicle"))], photo().asking(SLOTS[0]), 0)
