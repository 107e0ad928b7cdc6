"""Detector features of a region after a perturbation of its image: kept, zero, or dropped."""

from dataclasses import replace

import drawn_samples
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vlaudit.datasets.scenes.dataset import sample as drawn_scene
from vlaudit.errors import RefusedSample
from vlaudit.perturbations import (
    Blank,
    Cover,
    CoverElsewhere,
    Grayscale,
    Hint,
    LuminanceNoise,
    MaskWords,
    Mirror,
    Move,
    Recolor,
    Unmask,
    apply,
)
from vlaudit.perturbations.regions import rect_of
from vlaudit.samples import Box, Image, Region, Sample

FILLS = ("mean", "noise", "blur")
ALL_OVER = (Mirror(), Grayscale(), LuminanceNoise())
some = settings(max_examples=40, deadline=None)

# beartype picks at random which items of a container it checks, also while Hypothesis draws a sample
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def detected(sample):
    """The sample as a detector's file gives it: every region with features, classes and a confidence."""
    regions = tuple(
        replace(region, features=np.full(4, 1 + row, np.float32), classes=np.full(5, 0.2), confidence=0.2)
        for row, region in enumerate(sample.regions)
    )
    return replace(sample, regions=regions)


def perturbed(perturbation, sample):
    try:
        after = apply([perturbation], detected(sample), 0)
        after.image.pixels()
    except RefusedSample:
        assume(False)
    return after


def said(region):
    """Return the state of the features: "kept", "withheld" as zeros, or "forgotten"."""
    if region.features is None:
        assert region.classes is None
        assert region.confidence is None
        return "forgotten"
    if not region.features.any():
        assert region.features.shape == (4,)
        assert region.classes is None
        assert region.confidence is None
        return "withheld"
    assert region.classes is not None
    assert region.confidence == 0.2
    return "kept"


def shared(one, other):
    """The number of pixels that both rectangles hold."""
    rows = min(one.bottom, other.bottom) - max(one.top, other.top)
    columns = min(one.right, other.right) - max(one.left, other.left)
    return max(rows, 0) * max(columns, 0)


def area(rect):
    return shared(rect, rect)


@some
@given(drawn_samples.photos(), st.sampled_from(FILLS), st.data())
def test_features_of_a_covered_object_never_survive(sample, fill, data):
    """Neither its own, nor those of any other region that held more than half of it, or lay in it by more than half."""
    covered = data.draw(st.sampled_from(sample.regions))
    after = perturbed(Cover((covered.id,), fill), sample)
    hidden = rect_of(covered.box, sample.image)
    for region in after.regions:
        own = rect_of(region.box, sample.image)
        in_both = shared(own, hidden)
        hit = in_both > area(hidden) / 2 or in_both > area(own) / 2
        assert said(region) == ("withheld" if hit else "kept")
    assert said(after.region(covered.id)) == "withheld"


@some
@given(drawn_samples.photos(), st.sampled_from(FILLS))
def test_the_control_of_a_cover_leaves_the_object_its_features(sample, fill):
    """Equal damage elsewhere: the regions that were asked about are as the detector saw them."""
    after = perturbed(CoverElsewhere(("r0",), fill), sample)
    assert said(after.region("r0")) == "kept"


@some
@given(drawn_samples.photos(), st.data())
def test_recolouring_forgets_what_it_touched_and_nothing_else(sample, data):
    """The features do not describe the new pixels, and the detector is not available."""
    asked = data.draw(st.sampled_from(sample.regions))
    after = perturbed(Recolor((asked.id,)), sample)
    tinted = rect_of(asked.box, sample.image)
    for region in after.regions:
        touched = shared(rect_of(region.box, sample.image), tinted) > 0
        assert said(region) == ("forgotten" if touched else "kept")


@some
@given(drawn_samples.photos(), st.sampled_from((Cover(()), CoverElsewhere(()), Recolor(()), Unmask())))
def test_hiding_nothing_changes_nothing(sample, perturbation):
    """Every region has the features that it had, and the request's key is the same."""
    before = detected(sample)
    after = apply([perturbation], before, 0)
    assert [region.key for region in after.regions] == [region.key for region in before.regions]
    assert after == before


@some
@given(drawn_samples.photos())
def test_a_blank_withholds_the_features_of_all(sample):
    """They become zero, at the same boxes."""
    after = perturbed(Blank(), sample)
    assert {said(region) for region in after.regions} == {"withheld"}
    assert [region.box for region in after.regions] == [region.box for region in sample.regions]


@some
@given(drawn_samples.photos(), st.sampled_from(ALL_OVER))
def test_what_changes_the_whole_image_makes_all_features_forgotten(sample, perturbation):
    """Nothing can encode the changed pixels again, where features come from a file."""
    assert {said(region) for region in perturbed(perturbation, sample).regions} == {"forgotten"}


@some
@given(drawn_samples.photos())
def test_mirroring_twice_restores_boxes_and_not_features(sample):
    """Dropped features are not restored."""
    after = apply([Mirror(), Mirror()], detected(sample), 0)
    np.testing.assert_allclose([r.box for r in after.regions], [r.box for r in sample.regions], atol=1e-9)
    assert {said(region) for region in after.regions} == {"forgotten"}


@pytest.mark.parametrize("perturbation", [Move(), Recolor()], ids=repr)
def test_a_redrawn_scene_has_no_detector_features(perturbation):
    """Its regions are new: an adapter encodes them."""
    scene = next(s for s in map(hiding_one_thing, range(200)) if s is not None and redrawn(perturbation, s) is not None)
    assert {said(region) for region in redrawn(perturbation, scene).regions} == {"forgotten"}


def hiding_one_thing(index):
    """A scene as a detector's file gives it, with one colour of its caption hidden; None where it names none."""
    scene = detected(drawn_scene(5, index))
    slots = [slot for slot in scene.slots if slot.kind == "color" and len(slot.region_ids) == 1]
    return scene.hiding(slots[0]) if slots else None


def redrawn(perturbation, scene):
    try:
        return apply([perturbation], scene, 0)
    except RefusedSample:
        return None


@pytest.mark.parametrize("perturbation", [MaskWords(("color",)), Hint()], ids=repr)
def test_text_perturbations_keep_the_image_and_regions(perturbation):
    """Only the caption differs."""
    answers = (redrawn(perturbation, scene) for scene in map(hiding_one_thing, range(200)) if scene is not None)
    after = next(answer for answer in answers if answer is not None)
    assert {said(region) for region in after.regions} == {"kept"}


@pytest.mark.parametrize("perturbation", [Cover(("a",)), Blank()], ids=repr)
def test_a_region_without_features_stays_without(perturbation):
    """Zeros would differ from the encoding of a covered box."""
    image = Image.from_array(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    sample = Sample("s", "i", image, "a dog", (Region("a", Box(1, 1, 5, 5), "dog"),))
    (region,) = apply([perturbation], sample, 0).regions
    assert said(region) == "forgotten"


@pytest.mark.parametrize("what", ["features", "classes", "confidence"])
def test_detector_features_are_part_of_a_regions_key(what):
    """Two requests that differ in it alone are two passes."""
    region = Region("a", Box(0, 0, 1, 1), "dog", features=np.ones(3), classes=np.ones(2) / 2, confidence=0.5)
    other = replace(region, **{what: 0.25 if what == "confidence" else getattr(region, what) / 2})
    assert replace(region).key == region.key
    assert len({region.key, other.key, replace(region, **{what: None}).key}) == 3
