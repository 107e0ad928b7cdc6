"""Properties of every perturbation of an image, for any photo."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import drawn_samples
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations import (
    Blank,
    Cover,
    CoverElsewhere,
    Grayscale,
    LuminanceNoise,
    Mirror,
    Move,
    Recolor,
    apply,
)
from vlaudit.perturbations.recolor import HUES, LUMA
from vlaudit.perturbations.regions import mask_of, rect_of
from vlaudit.samples import COLORS, Box, Image, Region, Sample, Slot

FILLS = ("mean", "noise", "blur")
EVERY = (
    *(Cover("color", fill) for fill in FILLS),
    *(CoverElsewhere("color", fill) for fill in FILLS),
    Blank(),
    Grayscale(),
    LuminanceNoise(),
    Recolor("color"),
    Mirror(),
)
some = settings(max_examples=40)

# beartype picks at random which items of a container it checks, also while Hypothesis draws a sample
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def perturbed(perturbation, sample, seed=0):
    try:
        return apply([perturbation], sample, seed)
    except RefusedSample:
        assume(False)


def pixels_of(sample):
    try:
        return sample.image.pixels()
    except RefusedSample:
        assume(False)


def box_mask(sample, *ids):
    image = sample.image
    return mask_of([rect_of(sample.region(one).box, image) for one in ids], image.height, image.width)


@some
@given(drawn_samples.photos())
def test_mirroring_twice_is_nothing(sample):
    """Pixels, boxes, labels, attributes and relations come back."""
    twice = apply([Mirror(), Mirror()], sample, 0)
    np.testing.assert_array_equal(twice.image.pixels(), sample.image.pixels())
    assert [(r.label, r.attributes) for r in twice.regions] == [(r.label, r.attributes) for r in sample.regions]
    np.testing.assert_allclose([r.box for r in twice.regions], [r.box for r in sample.regions], atol=1e-9)
    assert (twice.relations, twice.caption, twice.slots) == (sample.relations, sample.caption, sample.slots)


@some
@given(drawn_samples.photos())
def test_mirroring_flips_the_image_and_the_sides_of_what_it_shows(sample):
    """A left hand becomes a right hand, and the caption stays."""
    mirrored = perturbed(Mirror(), sample)
    np.testing.assert_array_equal(mirrored.image.pixels(), np.fliplr(sample.image.pixels()))
    sides = {"left": "right", "right": "left", "left hand": "right hand"}
    for before, after in zip(sample.regions, mirrored.regions, strict=True):
        assert after.label == sides.get(before.label, before.label)
        assert after.attributes == tuple(sides.get(word, word) for word in before.attributes)
    assert mirrored.relations[0].predicate == "right of"
    assert mirrored.caption == sample.caption
    assert [slot.answer for slot in mirrored.slots] == [sides.get(slot.answer, slot.answer) for slot in sample.slots]
    assert [slot.choices for slot in mirrored.slots] == [slot.choices for slot in sample.slots]


@some
@given(drawn_samples.photos(), st.sampled_from(EVERY))
def test_boxes_stay_inside_and_the_image_keeps_its_size(sample, perturbation):
    """No perturbation makes a box leave the image, or the pixels differ from the stated size."""
    after = perturbed(perturbation, sample)
    assert pixels_of(after).shape == sample.image.pixels().shape
    assert all(region.box.inside(after.image.width, after.image.height) for region in after.regions)
    assert [region.id for region in after.regions] == [region.id for region in sample.regions]


@some
@given(drawn_samples.photos(), st.sampled_from([Cover("color", fill) for fill in FILLS] + [Recolor("color", "blue")]))
def test_pixels_outside_the_box_stay_equal(sample, perturbation):
    """Only pixels that the box touches change."""
    after = perturbed(perturbation, sample)
    outside = ~box_mask(sample, "r0")
    np.testing.assert_array_equal(after.image.pixels()[outside], sample.image.pixels()[outside])


@some
@given(drawn_samples.photos(), st.data(), st.sampled_from(("mean", "noise")))
def test_a_cover_does_not_depend_on_the_covered_pixels(sample, data, fill):
    """The covered image is the same for any content of the box."""
    inside = box_mask(sample, "r0")
    other = sample.image.pixels().copy()
    other[inside] = data.draw(st.integers(0, 255))
    exchanged = replace(sample, image=Image.from_array(other))
    covered, likewise = perturbed(Cover("color", fill), sample), perturbed(Cover("color", fill), exchanged)
    np.testing.assert_array_equal(covered.image.pixels(), likewise.image.pixels())


@some
@given(drawn_samples.photos())
def test_a_region_is_not_visible_once_more_than_half_of_it_is_covered(sample):
    """The covered region and regions under the same cover become invisible; the others stay."""
    after = perturbed(Cover("color"), sample)
    covered = box_mask(sample, "r0")
    for region in after.regions:
        own = box_mask(sample, region.id)
        assert region.visible == (covered[own].mean() <= 0.5)
    assert not after.region("r0").visible


@settings(max_examples=80)
@given(drawn_samples.photos(), st.integers(0, 5))
def test_the_control_covers_an_equal_area_off_the_object(sample, seed):
    """As many pixels as `Cover` covers, none of them the object's, each place inside the image."""
    perturbation = CoverElsewhere("color", "noise")
    after = perturbed(perturbation, sample, seed)
    changed = (after.image.pixels() != sample.image.pixels()).any(axis=2)
    target = box_mask(sample, "r0")
    assert not changed[target].any()
    assert changed.sum() <= target.sum()
    assert after.region("r0").visible


def test_the_control_area_is_equal_where_every_change_shows():
    """On an image of two colours, the covered pixels can be counted: as many as the boxes hold."""
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[::2, ::2] = 255
    regions = (Region("a", Box(2, 3, 9, 8), "dog"), Region("b", Box(6, 5, 12, 11), "dog"))
    sample = Sample("s", "i", Image.from_array(pixels), "dogs", regions, slots=(Slot(0, 4, "animal", ("a", "b")),))
    for seed in range(20):
        after = apply([CoverElsewhere("animal", "mean")], sample, seed)
        grey = (after.image.pixels() != pixels).any(axis=2)
        assert grey.sum() == box_mask(sample, "a", "b").sum()
        assert not grey[box_mask(sample, "a", "b")].any()


def test_the_control_reaches_every_free_place():
    """Places are drawn from all shifts: over many seeds, exactly those that a plain search finds."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    region = Region("a", Box(1, 1, 3, 3), "dog")
    sample = Sample("s", "i", Image.from_array(pixels), "dog", (region,), slots=(Slot(0, 3, "animal", ("a",)),))
    free = {
        (left, top)
        for left in range(5)
        for top in range(3)
        if Box(left, top, left + 2, top + 2).intersection(region.box).area == 0
    }
    edited = (apply([CoverElsewhere("animal")], sample, seed).image for seed in range(300))
    assert len({image.key for image in edited}) == len(free)


def test_a_region_without_room_next_to_it_is_refused():
    """More than half the width and height leaves no place for an equal area."""
    region = Region("a", Box(1, 1, 9, 9), "dog")
    sample = Sample("s", "i", Image.from_array(np.zeros((10, 10, 3), np.uint8)), "dog", (region,))
    with pytest.raises(RefusedSample, match="s: the region is too large: no equal area is free outside it"):
        apply([CoverElsewhere(("a",))], sample, 0)


def test_a_region_that_fills_the_image_is_refused():
    """Nothing would be left, and there is no outside to take a colour from."""
    region = Region("a", Box(0, 0, 10, 10), "dog")
    sample = Sample("s", "i", Image.from_array(np.zeros((10, 10, 3), np.uint8)), "dog", (region,))
    with pytest.raises(RefusedSample, match="the region fills the image"):
        apply([Cover(("a",))], sample, 0)


@some
@given(drawn_samples.photos(), st.sampled_from((Cover, CoverElsewhere, Recolor, Move)))
def test_hiding_nothing_changes_nothing(sample, kind):
    """No regions: the very same sample, image object and key included."""
    assert apply([kind(())], sample, 0) is sample
    assert sample.hiding() == sample
    assert sample.hiding().image is sample.image


@pytest.mark.parametrize("perturbation", [Cover("color"), Cover(("missing",)), Cover()], ids=repr)
def test_a_sample_without_such_a_region_is_refused(perturbation):
    """No linked slot, no such id, nothing hidden: each says what is missing."""
    image = Image.from_array(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(RefusedSample, match=r"no (color slot|region 'missing'|hidden word)"):
        apply([perturbation], Sample("s", "i", image, "a red dog", slots=(Slot(2, 5, "color"),)), 0)


@pytest.mark.parametrize("perturbation", EVERY, ids=repr)
def test_a_sample_without_an_image_is_refused(perturbation):
    """Without pixels nothing can be covered."""
    sample = Sample("s", "i", None, "red", (Region("a", Box(0, 0, 2, 2), "dog"),), slots=(Slot(0, 3, "color", ("a",)),))
    with pytest.raises(RefusedSample, match="s: it has no image"):
        apply([perturbation], sample, 0)


def test_hidden_selects_the_regions_of_hidden_words():
    """`"hidden"` means the regions of the slots and phrases that the model may not read, and no others."""
    regions = (Region("a", Box(0, 0, 2, 2), "dog"), Region("b", Box(4, 4, 6, 6), "ball"))
    slots = (Slot(0, 3, "animal", ("a",)), Slot(4, 8, "object", ("b",)))
    sample = Sample("s", "i", Image.from_array(np.zeros((8, 8, 3), np.uint8)), "dog ball", regions, slots=slots)
    assert [r.visible for r in apply([Cover()], sample.hiding(slots[1]), 0).regions] == [True, False]


@some
@given(drawn_samples.photos())
def test_gray_keeps_each_pixels_luma(sample):
    """Within half a grey level of BT.601 luma in exact arithmetic, three equal channels, and twice is once."""
    pixels = sample.image.pixels()
    gray = perturbed(Grayscale(), sample).image.pixels()
    assert (gray == gray[..., :1]).all()
    assert np.abs(gray[..., 0] - pixels @ LUMA).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(apply([Grayscale(), Grayscale()], sample, 0).image.pixels(), gray)


@some
@given(drawn_samples.pixels())
def test_gray_equals_pillows_luminance(pixels):
    """An independent answer: Pillow's "L", which rounds in another place."""
    sample = Sample("s", "i", Image.from_array(pixels), "a")
    pillow = np.asarray(Pillow.fromarray(pixels).convert("L")).astype(int)
    assert np.abs(perturbed(Grayscale(), sample).image.pixels()[..., 0] - pillow).max() <= 1


@some
@given(drawn_samples.photos())
def test_gray_takes_the_colour_words_and_leaves_the_rest(sample):
    """White is still white."""
    for before, after in zip(sample.regions, perturbed(Grayscale(), sample).regions, strict=True):
        kept = tuple(word for word in before.attributes if word not in ("red", "blue", "dark green"))
        assert after.attributes == kept


def rms(one, other):
    return np.sqrt(np.mean((one.astype(float) - other) ** 2))


@settings(max_examples=60)
@given(drawn_samples.pixels(least=24, most=48), st.integers(0, 3))
def test_the_control_distortion_is_as_strong_as_gray_and_keeps_the_chroma(pixels, seed):
    """Root mean square change within 2% of grayscale's; differences between a pixel's channels stay exactly."""
    sample = Sample("s", "i", Image.from_array(pixels), "a")
    noisy = pixels_of(apply([LuminanceNoise()], sample, seed)).astype(int)
    wanted = rms(apply([Grayscale()], sample, 0).image.pixels(), pixels)
    # below some levels whole numbers cannot come nearer, see the next test for what photos have
    assume(wanted > 4)
    assert rms(noisy, pixels) == pytest.approx(wanted, rel=0.02)
    np.testing.assert_array_equal(np.diff(noisy, axis=2), np.diff(pixels.astype(int), axis=2))


@pytest.mark.parametrize("spread", [1, 3, 10, 40])
def test_the_control_distortion_is_as_strong_as_gray_at_every_saturation(spread):
    """From nearly grey to vivid, on an image with a few thousand pixels."""
    rng = np.random.default_rng(spread)
    base = rng.integers(60, 180, (60, 80, 1))
    pixels = (base + rng.integers(-spread, spread + 1, (60, 80, 3))).astype(np.uint8)
    sample = Sample("s", "i", Image.from_array(pixels), "a")
    wanted = rms(apply([Grayscale()], sample, 0).image.pixels(), pixels)
    assert rms(apply([LuminanceNoise()], sample, 0).image.pixels(), pixels) == pytest.approx(wanted, rel=0.02)


def test_a_grey_image_needs_no_control_distortion():
    """Grayscale changes nothing there, and so does its control."""
    pixels = np.repeat(np.arange(48, dtype=np.uint8).reshape(6, 8, 1), 3, axis=2)
    sample = Sample("s", "i", Image.from_array(pixels), "a")
    np.testing.assert_array_equal(apply([LuminanceNoise()], sample, 0).image.pixels(), pixels)


def test_an_image_too_saturated_for_the_control_is_refused_when_read():
    """Pure red has one luminance; the refusal says how far it goes, with the image's id."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[..., 0] = 255
    after = apply([LuminanceNoise()], Sample("s", "i", Image.from_array(pixels), "a"), 0)
    with pytest.raises(RefusedSample, match=r"i: luminance noise must change this image by 120\.\d grey levels"):
        after.image.pixels()


@some
@given(drawn_samples.photos(), st.sampled_from(sorted(HUES)))
def test_a_recoloured_box_keeps_its_luma_and_takes_the_hue(sample, color):
    """Luma within a level; channels in the order of the colour's; the colour word is the region's only one."""
    after = perturbed(Recolor("color", color), sample)
    inside = box_mask(sample, "r0")
    old, new = sample.image.pixels()[inside], after.image.pixels()[inside].astype(float)
    assert np.abs(new @ LUMA - old @ LUMA).max() <= 1
    for high, low in ((0, 1), (1, 2), (0, 2)):
        sign = np.sign(HUES[color][high] - HUES[color][low])
        assert (sign * (new[:, high] - new[:, low]) >= -1).all()
    words = after.region("r0").attributes
    assert color in words
    assert not {"red", "blue", "dark green", "white"} & set(words) - {color}


@some
@given(drawn_samples.photos(), st.sampled_from(sorted(HUES)))
def test_recolouring_changes_the_answers_of_colour_slots_and_of_no_others(sample, color):
    """They are answered by the colour of their region; one that has no other than before keeps its answer."""
    after = perturbed(Recolor(("r0",), color), sample)
    colors = [{*one.region("r0").attributes} & {*COLORS} for one in (sample, after)]
    for old, new in zip(sample.slots, after.slots, strict=True):
        changed = old.kind == "color" and colors[0] != colors[1]
        assert new == replace(old, answer=color if changed else old.answer)


def test_a_word_whose_regions_have_two_colours_then_is_refused():
    """One of two red dogs is made blue: "red" has no one answer any more."""
    regions = tuple(Region(f"r{i}", Box(8 * i, 0, 8 * i + 4, 4), "dog", ("red",)) for i in range(2))
    slot = Slot(4, 7, "color", ("r0", "r1"), "red", COLORS)
    image = Image.from_array(np.full((12, 12, 3), 90, np.uint8))
    sample = Sample("s", "i", image, "two red dogs", regions, slots=(slot,))
    with pytest.raises(RefusedSample, match="the regions of one slot must have one colour, got blue and red"):
        apply([Recolor(("r0",), "blue")], sample, 0)
    assert apply([Recolor("color", "blue")], sample, 0).slots == (slot.answered("blue"),)


@some
@given(drawn_samples.photos(), st.sampled_from([p for p in EVERY if not isinstance(p, Mirror | Recolor)]))
def test_no_other_image_perturbation_changes_an_answer(sample, perturbation):
    """The true answers do not depend on covers, grayscale or noise."""
    assert perturbed(perturbation, sample).slots == sample.slots


@some
@given(drawn_samples.photos(), st.integers(0, 20))
def test_a_drawn_colour_is_not_one_the_region_has(sample, seed):
    """A drawn colour differs from the present ones."""
    before = set(sample.region("r0").attributes)
    drawn = set(perturbed(Recolor("color"), sample, seed).region("r0").attributes) & HUES.keys()
    assert len(drawn) == 1
    assert not drawn & before


def test_a_photo_is_given_no_lightness():
    """Black is no hue."""
    sample = Sample(
        "s", "i", Image.from_array(np.zeros((4, 4, 3), np.uint8)), "a", (Region("a", Box(0, 0, 2, 2), "x"),)
    )
    with pytest.raises(RefusedSample, match=r"in a photo, color must be one of .*, got 'black'"):
        apply([Recolor(("a",), "black")], sample, 0)


def test_nothing_is_moved_in_a_photo():
    """The pixels behind it are unknown."""
    sample = Sample(
        "s", "i", Image.from_array(np.zeros((4, 4, 3), np.uint8)), "a", (Region("a", Box(0, 0, 2, 2), "x"),)
    )
    with pytest.raises(RefusedSample, match="nothing can be moved in a photo"):
        apply([Move(("a",))], sample, 0)


def test_blanks_of_one_size_are_one_image():
    """They run once for all images of a size."""
    rng = np.random.default_rng(0)
    photos = [Image.from_array(rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)) for _ in range(2)]
    first, second = (apply([Blank()], Sample("s", "i", photo, "a"), 0).image for photo in photos)
    assert first.key == second.key
    assert (first.pixels() == 128).all()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Cover(fill="black"), "fill must be one of mean, noise, blur, got 'black'"),
        (lambda: Blank((0, 0, 256)), "color must be three numbers from 0 to 255"),
        (lambda: Recolor(color="mauve"), "color must be None or one of black, "),
        (lambda: LuminanceNoise(cells=0), "cells must be at least 1, got 0"),
    ],
)
def test_an_invalid_setting_is_an_error_at_construction(make, message):
    """Before any sample is touched."""
    with pytest.raises(UsageError, match=message):
        make()


@some
@given(drawn_samples.photos(), st.permutations(EVERY), st.integers(0, 2**32))
def test_equal_requests_give_equal_bytes_in_any_order(sample, order, seed):
    """Order, sample and other requests change nothing; equal keys mean equal bytes."""
    refused = object()

    def ask(perturbation):
        try:
            image = apply([perturbation], sample, seed).image
            return image.key, image.pixels().tobytes()
        except RefusedSample:
            return refused

    first = {perturbation: ask(perturbation) for perturbation in EVERY}
    second = {perturbation: ask(perturbation) for perturbation in order}
    assert first == second
    keys = dict(answer for answer in first.values() if answer is not refused)
    again = dict(reversed([answer for answer in first.values() if answer is not refused]))
    assert keys == again


@some
@given(drawn_samples.photos(), st.sampled_from(EVERY))
def test_captions_of_one_image_share_the_perturbed_image(sample, perturbation):
    """The draw belongs to the image, not to the caption."""
    other = replace(sample, id="s2")
    assert perturbed(perturbation, sample).image.key == perturbed(perturbation, other).image.key


@pytest.mark.parametrize("perturbation", [p for p in EVERY if not isinstance(p, Blank | Mirror | Grayscale)], ids=repr)
def test_another_seed_is_another_draw(perturbation):
    """Except where nothing is drawn."""
    rng = np.random.default_rng(0)
    region = Region("a", Box(3, 3, 9, 9), "dog")
    image = Image.from_array(rng.integers(0, 256, (30, 30, 3)).astype(np.uint8))
    sample = Sample("s", "i", image, "red", (region,), slots=(Slot(0, 3, "color", ("a",)),))
    keys = {apply([perturbation], sample, seed).image.key for seed in range(12)}
    drawn = not (isinstance(perturbation, Cover) and perturbation.fill != "noise")
    assert (len(keys) > 1) == drawn


@some
@given(drawn_samples.photos(), st.sampled_from(EVERY))
def test_a_perturbed_sample_travels_between_processes(sample, perturbation):
    """Images are recipes, and recipes can be sent."""
    after = perturbed(perturbation, sample)
    sent = pickle.loads(pickle.dumps(after))  # noqa: S301 - we wrote it the moment before
    assert sent == after
    np.testing.assert_array_equal(pixels_of(sent), pixels_of(after))


REQUEST = """
import hashlib, sys
import numpy as np
from vlaudit.perturbations import *
from vlaudit.samples import COLORS, Box, Image, Region, Sample, Slot
pixels = np.random.default_rng(7).integers(40, 200, (32, 32, 3)).astype(np.uint8)
regions = (Region("a", Box(4.5, 4, 12, 13.2), "dog", ("red",)),)
sample = Sample("s", "i", Image.from_array(pixels), "red", regions, slots=(Slot(0, 3, "color", ("a",)),))
asked = [Cover("color", "noise"), CoverElsewhere("color"), LuminanceNoise(), Recolor("color"), Mirror(), Grayscale()]
if "reversed" in sys.argv:
    asked.reverse()
for perturbation in asked:
    image = apply([perturbation], sample, 3).image
    print(repr(perturbation), image.key, hashlib.sha256(image.pixels().tobytes()).hexdigest())
"""


def test_equal_requests_give_equal_bytes_in_any_process():
    """Hash randomisation, order and process make no difference."""

    def answers(hash_seed, *arguments):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", REQUEST, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return sorted(done.stdout.splitlines())

    first = answers("1")
    assert len(first) == 6
    assert first == answers("2", "reversed")
