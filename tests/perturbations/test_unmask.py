"""Revealing takes back every hiding, and nothing else."""

import drawn_samples
import numpy as np
import pytest
from hypothesis import given, settings

from vlaudit.perturbations import Cover, Reveal, apply
from vlaudit.samples import Box, Image, Region, Sample, Slot

# beartype picks at random which items of a container it checks, also while Hypothesis draws a sample
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


@settings(max_examples=30)
@given(drawn_samples.captioned())
def test_revealing_takes_back_every_hiding(sample):
    shown = apply([Reveal()], sample, 0)
    assert shown.hidden_phrases == ()
    assert shown.hiding(*sample.hidden_phrases) == sample
    assert apply([Reveal()], shown, 0) == shown


def test_what_was_chosen_by_a_hidden_word_stays_done():
    """Cover what a hidden word names, then ask about the whole caption."""
    image = Image.from_array(np.arange(300).astype(np.uint8).reshape(10, 10, 3))
    region = Region("r0", Box(0, 0, 5, 5), "dog")
    sample = Sample("s", "i", image, "a dog", (region,), slots=(Slot(2, 5, "animal", ("r0",)),))
    covered = apply([Cover(), Reveal()], sample.hiding(sample.slots[0]), 0)
    assert not covered.region("r0").visible
    assert covered.hidden_phrases == ()
    assert covered.image.key != image.key
