"""Attention between phrases and regions, and its random partners."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.errors import RefusedSample
from vlaudit.measures import PhraseRegionAttention, Reduction, Unit
from vlaudit.measures.links import other_phrases, shifted
from vlaudit.samples import Box, Image, Phrase, Region, Sample, words_of
from vlaudit.traces import ImageAxis, TextAxis, Trace

SIDE, PATCH = 96, 12
CAPTION = "a red dog on a mat near a tree"
DOG, MAT, TREE = Box(12, 24, 36, 48), Box(40, 60, 90, 90), Box(60, 0, 84, 30)
some = settings(max_examples=40)


def sample(dog=DOG):
    regions = (Region("dog", dog, "dog"), Region("mat", MAT, "mat"), Region("tree", TREE, "tree"))
    phrases = (
        Phrase("p0", 0, 9, "animals", ("dog",)),
        Phrase("p1", 13, 18, "other", ("mat",)),
        Phrase("p2", 24, 30, "other", ("tree",)),
    )
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    return Sample("s", "i", Image.from_array(pixels), CAPTION, regions, phrases)


def unit_of(number=0, dog=DOG):
    asked = sample(dog)
    phrase = asked.phrases[number]
    facts = {"start": phrase.start, "end": phrase.end, "regions": list(phrase.region_ids)}
    return Unit(f"s:{phrase.start}", asked, facts)


def patches():
    cells = [Box(x, y, x + PATCH, y + PATCH) for y in range(0, SIDE, PATCH) for x in range(0, SIDE, PATCH)]
    return ImageAxis((None, *cells), "patch")


def regions(asked):
    return ImageAxis((None, *(region.box for region in asked.regions)), "region")


TEXT = TextAxis((None, *words_of(CAPTION), None))


def row(direction, attention, unit, axis):
    measure = PhraseRegionAttention(direction)
    trace = Trace("key", {measure.reading: attention}, TEXT, axis)
    (numbers,) = measure.reduce([Reduction(unit, "own", unit.sample, trace)])
    found = measure.row(unit, {"own": numbers})
    assert set(found) == measure.columns(["own"])
    return {name.removeprefix(f"{direction}."): np.array(values) for name, values in found.items()}


def uniform(queries, keys):
    return torch.full((2, 3, queries, keys), 1 / keys)


@some
@given(st.integers(0, 60), st.integers(0, 60), st.integers(5, 30), st.integers(5, 30))
def test_uniform_attention_links_nothing_above_random(left, top, width, height):
    """The shifted place has the same area to the fraction of a patch, so the excess is 0 wherever the box lies."""
    unit = unit_of(dog=Box(left, top, left + width, top + height))
    found = row("text_image", uniform(len(TEXT), 65), unit, patches())
    assert found["linked"].shape == (2, 3)
    np.testing.assert_allclose(found["linked"], width * height / PATCH**2 / 65, rtol=1e-5)
    np.testing.assert_allclose(found["excess"], 0, atol=1e-6)
    np.testing.assert_array_equal(found["above"], 0.5)


@pytest.mark.parametrize("direction", ["text_image", "image_text"])
def test_uniform_attention_over_regions_links_nothing_above_random(direction):
    unit = unit_of()
    shape = (len(TEXT), 4) if direction == "text_image" else (4, len(TEXT))
    found = row(direction, uniform(*shape), unit, regions(unit.sample))
    np.testing.assert_allclose(found["excess"], 0, atol=1e-6)
    np.testing.assert_array_equal(found["above"], 0.5)


@some
@given(st.integers(0, 999), st.floats(1e-4, 1.0))
def test_the_share_of_partners_below_does_not_depend_on_the_scale_of_attention(seed, scale):
    """As with more keys under the same softmax; against a count over the partners."""
    unit = unit_of(1)
    attention = torch.rand(2, 3, 4, len(TEXT), generator=torch.Generator().manual_seed(seed)).softmax(-1)
    found, smaller = (row("image_text", a, unit, regions(unit.sample)) for a in (attention, attention * scale))
    np.testing.assert_array_equal(found["above"], smaller["above"])
    mat, dog, tree = (attention[:, :, 2, tokens].mean(-1) for tokens in (slice(5, 7), slice(1, 4), slice(8, 10)))
    expected = ((mat > dog).float() + (mat > tree).float()) / 2
    np.testing.assert_array_equal(found["above"], expected)


def test_every_other_region_is_a_partner_of_its_own():
    """The dog's region is above the mat's and below the tree's: half, for any mean of the two."""
    unit = unit_of()
    attention = torch.zeros(1, 1, len(TEXT), 4)
    attention[..., 1], attention[..., 2], attention[..., 3] = 0.2, 0.1, 0.7
    found = row("text_image", attention, unit, regions(unit.sample))
    assert found["above"].item() == 0.5
    assert found["random"].item() == pytest.approx(0.4)


def test_a_head_that_looks_at_the_box_is_found():
    unit, axis = unit_of(), patches()
    attention = uniform(len(TEXT), 65).clone()
    inside = [i for i, cell in enumerate(axis.boxes) if cell and cell.intersection(DOG).area > 0]
    attention[1, 2, 1:4] = 0  # "a red dog"
    attention[1, 2, 1:4, inside] = 1 / len(inside)
    found = row("text_image", attention, unit, axis)
    assert found["linked"][1, 2] == pytest.approx(1)
    assert found["random"][1, 2] < 0.2
    assert found["above"][1, 2] == 1
    assert np.unravel_index(found["excess"].argmax(), (2, 3)) == (1, 2)


def test_only_the_phrase_s_own_tokens_are_read():
    unit, axis = unit_of(), patches()
    attention = uniform(len(TEXT), 65).clone()
    attention[:, :, 4:] = 0
    attention[:, :, 4:, 1] = 1.0
    attention[:, :, 0] = float("nan")  # [CLS]
    np.testing.assert_allclose(row("text_image", attention, unit, axis)["excess"], 0, atol=1e-6)


def test_regions_that_look_for_their_phrase_are_found():
    unit = unit_of()
    attention = uniform(4, len(TEXT)).clone()
    attention[0, 0, 1] = 0  # the dog's region
    attention[0, 0, 1, 1:4] = 1 / 3
    found = row("image_text", attention, unit, regions(unit.sample))
    assert found["linked"][0, 0] == pytest.approx(1)
    assert found["random"][0, 0] == pytest.approx(0)
    np.testing.assert_allclose(found["excess"][1], 0, atol=1e-6)


def test_phrases_are_compared_token_for_token():
    """The mat's phrase has 2 tokens, the others 5: the mass of two of them, each by its mean."""
    unit = unit_of(1)
    attention = torch.zeros(1, 1, 4, len(TEXT))
    attention[..., 1:4], attention[..., 8:10], attention[..., 5:7] = 0.1, 0.2, 0.15  # dog, tree, mat
    found = row("image_text", attention, unit, regions(unit.sample))
    assert found["linked"].item() == pytest.approx(0.3)
    assert found["random"].item() == pytest.approx(2 * (3 * 0.1 + 2 * 0.2) / 5)


@some
@given(st.integers(0, 40), st.integers(0, 40), st.integers(2, 60), st.integers(2, 60))
def test_shifted_places_lie_inside_and_apart(left, top, width, height):
    box = Box(left, top, min(left + width, SIDE), min(top + height, SIDE))
    places = shifted(unit_of(dog=box), 0)
    for (place,) in places:
        assert place.inside(SIDE + 1e-9, SIDE + 1e-9)
        assert place.intersection(box).area < 1e-9
        assert place.area == pytest.approx(box.area)
    if 2 * box.width > SIDE and 2 * box.height > SIDE:
        assert not places
    if max(box.left, SIDE - box.right) > box.width + 2:
        assert {place[0].top for place in places} == {box.top}  # a usual height gives no link


def test_places_belong_to_the_unit():
    assert shifted(unit_of(), 0) == shifted(unit_of(), 0)
    assert shifted(unit_of(), 0) != shifted(unit_of(), 1)
    assert len(shifted(unit_of(), 0)) == 8


def test_a_phrase_without_a_detected_region_is_refused():
    """Without a detected region at the phrase's box there is no number, not a zero."""
    unit = unit_of()
    far = ImageAxis((None, Box(90, 90, 96, 96)), "region")
    with pytest.raises(RefusedSample, match="sees none of the phrase's regions"):
        row("text_image", uniform(len(TEXT), 2), unit, far)
    alone = ImageAxis((None, DOG), "region")
    with pytest.raises(RefusedSample, match="no random partner"):
        row("text_image", uniform(len(TEXT), 2), unit, alone)


def test_a_unit_without_a_partner_is_refused_before_any_pass():
    full = Sample("s", "i", sample().image, "a dog", (Region("dog", Box(0, 0, 96, 96), "dog"),))
    unit = Unit("s:0", full, {"start": 0, "end": 5, "regions": ["dog"]})
    assert "no equal area" in PhraseRegionAttention("text_image").refusal(unit)
    assert "no other phrase" in PhraseRegionAttention("image_text").refusal(unit)
    assert PhraseRegionAttention("text_image").refusal(unit_of()) is None
    assert PhraseRegionAttention("image_text").refusal(unit_of()) is None


def test_other_phrases_name_nothing_of_the_unit():
    assert [CAPTION[slice(*span)] for span in other_phrases(unit_of())] == ["a mat", "a tree"]
