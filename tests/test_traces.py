import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from vlaudit.errors import RequestError
from vlaudit.samples import Box, Span
from vlaudit.traces import ImageAxis, Match, TextAxis, Trace, Words

GRID = ImageAxis((None, *(Box(x, y, x + 8, y + 8) for y in range(0, 32, 8) for x in range(0, 32, 8))), "patch")


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 32), st.integers(1, 32))
def test_patch_weights_add_up_to_the_area_of_the_box(x, y, width, height):
    box = Box(x, y, min(x + width, 32), min(y + height, 32))
    assert GRID.weights(box).sum() * 64 == pytest.approx(box.area)


def test_the_whole_image_is_every_patch_and_never_cls():
    assert GRID.weights(Box(0, 0, 32, 32)).tolist() == [0.0, *[1.0] * 16]


def test_a_region_represents_a_box_that_it_overlaps_by_half():
    axis = ImageAxis((None, Box(0, 0, 10, 10), Box(20, 0, 30, 10)), "region")
    assert axis.weights(Box(1, 0, 11, 10)).tolist() == [0, 1, 0]
    assert not axis.weights(Box(8, 0, 18, 10)).any()


def test_special_positions_are_not_text():
    axis = TextAxis((None, Span(0, 3), None, Span(4, 6)), hidden=((3,),))
    assert axis.text == (1, 3)
    assert axis.hidden_positions == (3,)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_positions_cover_their_characters_and_no_others(lengths):
    ends = np.cumsum(lengths).tolist()
    axis = TextAxis((None, *(Span(end - length, end) for length, end in zip(lengths, ends, strict=True))))
    for character in range(ends[-1]):
        (position,) = axis.positions(character, character + 1)
        span = axis.spans[position]
        assert span.start <= character < span.end


def test_a_reading_that_was_not_requested_is_an_error():
    trace = Trace("key", {Match(): torch.tensor(1.0)}, TextAxis(()), None)
    assert trace[Match()] == 1
    with pytest.raises(RequestError, match=r"reading Words\(words=None\) was not requested; requested: Match\(\)"):
        trace[Words()]
