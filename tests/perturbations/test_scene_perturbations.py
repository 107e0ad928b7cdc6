"""Perturbations that use the scene world: redrawing, hints, foils and clauses; and properties on drawn images."""

import numpy as np
import pytest

from vlaudit.datasets import scenes
from vlaudit.errors import RefusedSample
from vlaudit.perturbations import (
    CopyHint,
    Cover,
    CoverElsewhere,
    Foil,
    Grayscale,
    Hint,
    LuminanceNoise,
    MaskWords,
    Mirror,
    Move,
    Recolor,
    SwapClauses,
    SwapSides,
    apply,
)
from vlaudit.perturbations.regions import mask_of, rect_of
from vlaudit.perturbations.world import Clausal, Foiling, Hinting, Redrawable
from vlaudit.samples import COLORS, SIDES

SAMPLES = [scenes.sample(0, index) for index in range(60)]


def answers(steps, samples=SAMPLES, seed=0):
    """Pairs of a sample and its perturbed version, without refused ones."""
    found = []
    for sample in samples:
        try:
            found.append((sample, apply(steps, sample, seed)))
        except RefusedSample:
            continue
    return found


def changed(sample, after):
    return (sample.image.pixels() != after.image.pixels()).any(axis=2)


def hiding(kind):
    """Every sample with one slot of this kind, hidden."""
    of_kind = [(sample, [slot for slot in sample.slots if slot.kind == kind]) for sample in SAMPLES]
    return [sample.hiding(slots[0]) for sample, slots in of_kind if len(slots) == 1]


def test_a_scene_is_a_world_that_answers_everything():
    """The structural protocols are met."""
    for protocol in (Redrawable, Hinting, Foiling, Clausal):
        assert isinstance(SAMPLES[0].world, protocol)


def test_a_redrawn_colour_changes_one_thing():
    """Only inside its box, only its colour word, and the caption stays."""
    found = answers([Recolor()], hiding("color"))
    assert len(found) > 20
    for sample, after in found:
        hidden = sample.hidden_phrases[0]
        (region_id, *others) = next(slot.region_ids for slot in sample.slots if slot.start == hidden.start)
        mask = mask_of([rect_of(sample.region(one).box, sample.image) for one in (region_id, *others)], 96, 96)
        assert changed(sample, after).any()
        assert not changed(sample, after)[~mask].any()
        assert after.caption == sample.caption
        old, new = sample.region(region_id), after.region(region_id)
        assert old.box == new.box
        assert set(old.attributes) & set(COLORS) != set(new.attributes) & set(COLORS)
        slot = next(slot for slot in after.slots if slot.start == hidden.start)
        assert {slot.answer} == set(new.attributes) & set(COLORS)
        assert slot.choices == scenes.candidates("color")


def test_a_thing_of_a_scene_is_moved():
    """Its box lies elsewhere, the caption and the kinds of things stay, and no region is lost."""
    found = answers([Move()], hiding("animal") + hiding("vehicle"))
    assert len(found) > 10
    for sample, after in found:
        hidden = sample.hidden_phrases[0]
        slot = next(slot for slot in sample.slots if slot.start == hidden.start)
        region_id = slot.region_ids[0]
        assert sample.region(region_id).box != after.region(region_id).box
        assert {region.id for region in after.regions} == {region.id for region in sample.regions}
        assert after.caption == sample.caption
        assert after.slots == sample.slots


def test_what_redraws_must_come_first():
    """Drawing again would undo the pixels' edit, so it is refused, and in the other order it is not."""
    sample = hiding("color")[0]
    with pytest.raises(RefusedSample, match="its image was edited before; a perturbation that redraws must come first"):
        apply([Mirror(), Recolor()], sample, 0)
    assert apply([Recolor(), Mirror()], sample, 0).image.key != sample.image.key


def test_a_colour_that_scenes_do_not_have_is_refused():
    """With the reason that the world gives."""
    with pytest.raises(RefusedSample, match="orange"):
        apply([Recolor(color="orange")], hiding("color")[0], 0)


def test_hints_follow_the_caption_with_one_blank():
    """After the caption, with one blank; the hint does not name the word and the copy hint does."""
    hinted = answers([Hint()], hiding("animal"))
    assert len(hinted) > 5
    for sample, after in hinted:
        word = sample.text(sample.hidden_phrases[0])
        added = after.caption.removeprefix(f"{sample.caption} ")
        assert added == sample.world.hint(sample, next(s for s in sample.slots if sample.text(s) == word))
        assert word not in added.split()
    for sample, after in answers([CopyHint()], hiding("animal")):
        word = sample.text(sample.hidden_phrases[0])
        assert word in after.caption.removeprefix(sample.caption).split()


def test_clauses_of_scenes_join_at_and_or_while():
    """The same words in another order, and twice is nothing."""
    found = answers([SwapClauses()])
    assert len(found) > 20
    for sample, after in found:
        assert after.caption != sample.caption
        assert sorted(after.caption.split()) == sorted(sample.caption.split())
        assert apply([SwapClauses()], after, 0) == sample
        assert sorted(map(after.text, after.phrases)) == sorted(map(sample.text, sample.phrases))


@pytest.mark.parametrize("kind", ["color", "animal", "hand side", "position side"])
def test_a_foil_is_false_of_the_scene(kind):
    """No object of the image has the word; colours of hair are not considered."""
    found = answers([Foil(kind)])
    assert found
    for sample, after in found:
        new = set(after.caption.split()) - set(sample.caption.split())
        assert len(new) == 1
        if kind in ("color", "animal"):
            things = [region for region in sample.regions if not region.id.endswith(".hair")]
            shown = {word for region in things for word in (region.label, *region.attributes)}
            assert not new & shown
        else:
            assert new < set(SIDES)


def test_a_mirrored_scene_shows_the_other_hand():
    """Labels and attributes follow, so a swapped caption is true of the mirrored image."""
    sample = hiding("hand side")[0]
    slot = next(slot for slot in sample.slots if slot.kind == "hand side")
    mirrored = apply([Mirror(), SwapSides()], sample, 0)
    assert sample.text(slot) in sample.region(slot.region_ids[0]).attributes
    swapped = next(slot for slot in mirrored.slots if slot.kind == "hand side")
    assert mirrored.text(swapped) in mirrored.region(slot.region_ids[0]).attributes
    assert mirrored.text(swapped) == swapped.answer != sample.text(slot)


def test_few_scenes_are_refused_by_what_audits_need():
    """Covers, controls and distortions are possible for nearly all."""
    for steps in ([Cover()], [CoverElsewhere()]):
        asked = hiding("color") + hiding("animal")
        assert len(answers(steps, asked)) >= 0.95 * len(asked)
    for _, after in answers([LuminanceNoise()]):
        after.image.pixels()


def test_the_control_distortion_is_as_strong_as_gray_on_scenes():
    """Within 2%, on flat and colourful drawings."""
    for sample in SAMPLES[:20]:
        original = sample.image.pixels().astype(float)
        strengths = [
            np.sqrt(np.mean((apply([one], sample, 0).image.pixels() - original) ** 2))
            for one in (Grayscale(), LuminanceNoise())
        ]
        assert strengths[1] == pytest.approx(strengths[0], rel=0.02)


def test_masks_leave_the_image_object_alone():
    """So that every text perturbation of an image shares its encoding."""
    sample, after = answers([MaskWords()])[0]
    assert after.image is sample.image
