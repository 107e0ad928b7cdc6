"""Scenes as a data set, and the interface of their samples to perturbations."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.datasets.scenes import Scenes, batch, boxes, compose, draw, from_spec, redrawn, sample, scene_of, without
from vlaudit.datasets.scenes.view import PREDICATES
from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations.world import Clausal, Foiling, Hinting, Redrawable
from vlaudit.samples import PHRASE_TYPES, Image, Sample

indices = st.integers(0, 2000)
SEED = 9


def test_scenes_do_not_depend_on_the_limit():
    few, more = list(Scenes(3, limit=4)), list(Scenes(3, limit=9))
    assert few == more[:4]
    assert len({drawn.id for drawn in more}) == 9
    assert few[2].id == "scenes-3-2-0"
    assert few[2].image_id == "scenes-3-2"
    assert len({drawn.image.key for drawn in more}) == 9


def test_scenes_depend_on_the_seed():
    assert [s.caption for s in Scenes(0, limit=5)] != [s.caption for s in Scenes(1, limit=5)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("", Scenes()), ("seed=3,n=50", Scenes(3, 50)), ("n=2", Scenes(0, 2))],
)
def test_a_spec_states_seed_and_number(spec, expected):
    assert from_spec(spec) == expected
    assert expected.describe() == f"scenes: {expected.limit} drawn from seed {expected.seed}"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("seed=-1", "seed must be 0 or more, got -1"),
        ("n=0", "must be 1 or more, got 0"),
        ("n=many", "n must be an integer, got 'many'"),
        ("size=3", "unknown option 'size'"),
        ("photos", "takes seed=INTEGER and n=INTEGER, got 'photos'"),
    ],
)
def test_an_invalid_spec_is_an_error(spec, says):
    with pytest.raises(UsageError, match=says):
        from_spec(spec)


@given(indices)
@settings(max_examples=25)
def test_a_sample_can_be_pickled_and_shows_its_scene(index):
    drawn = sample(SEED, index)
    assert drawn.world.shown_by(drawn)
    sent = pickle.loads(pickle.dumps(drawn))  # noqa: S301 - what it reads was written here
    assert sent == drawn
    np.testing.assert_array_equal(sent.image.pixels(), draw(scene_of(drawn)))
    edited = Sample(drawn.id, drawn.image_id, Image.from_array(drawn.image.pixels()), drawn.caption, world=drawn.world)
    assert not edited.world.shown_by(edited)


def test_a_world_implements_the_protocols_of_perturbations():
    world = sample(0, 0).world
    for protocol in (Redrawable, Hinting, Foiling, Clausal):
        assert isinstance(world, protocol)


@given(indices, st.integers(0, 99))
@settings(max_examples=25)
def test_moving_a_thing_keeps_the_caption_true_and_other_things_in_place(index, seed):
    drawn = sample(SEED, index)
    for thing in scene_of(drawn).things:
        try:
            after = drawn.world.moved(drawn, thing.id, np.random.default_rng(seed))
        except RefusedSample:
            continue
        assert not thing.holder
        assert after.caption == drawn.caption
        assert after.world.shown_by(after)
        assert after.region(thing.id).box != drawn.region(thing.id).box
        for slot in after.slots:
            assert all(after.text(slot) in (r.label, *r.attributes) for r in map(after.region, slot.region_ids))
        for region in after.regions:
            assert region.box.inside(96, 96)
            if region.id != thing.id and not region.id.startswith(f"{thing.id}."):
                assert region.box == drawn.region(region.id).box
        if {"near", "next"} & set(drawn.caption.split()):
            assert {r for r in after.relations if r.predicate == "next to" and thing.id in (r.subject, r.object)} == {
                r for r in drawn.relations if r.predicate == "next to" and thing.id in (r.subject, r.object)
            }


@given(indices)
@settings(max_examples=25)
def test_worn_and_held_things_cannot_be_moved_nor_scenery_recoloured(index):
    drawn = sample(SEED, index)
    for thing in scene_of(drawn).things:
        if thing.holder:
            with pytest.raises(RefusedSample, match="must name a free-standing thing"):
                drawn.world.moved(drawn, thing.id, np.random.default_rng(0))
    with pytest.raises(RefusedSample, match="thing_id must be one of"):
        drawn.world.recolored(drawn, "scenery", "red")


@given(indices, st.data())
@settings(max_examples=25)
def test_a_recoloured_region_has_the_new_colour(index, data):
    drawn = sample(SEED, index)
    region = data.draw(st.sampled_from([r for r in drawn.regions if set(r.attributes) & set(drawn.world.colors)]))
    if region.label == "hair":
        return
    color = data.draw(st.sampled_from(drawn.world.colors))
    after = drawn.world.recolored(drawn, region.id, color)
    assert color in after.region(region.id).attributes
    assert [r for r in after.regions if r.id != region.id] == [r for r in drawn.regions if r.id != region.id]


def test_phrases_do_not_refer_to_removed_things():
    drawn = next(s for s in Scenes(0, 50) if any(slot.kind == "animal" for slot in s.slots))
    slot = next(slot for slot in drawn.slots if slot.kind == "animal")
    after = redrawn(drawn, without(scene_of(drawn), slot.region_ids[0]))
    assert after.caption == drawn.caption
    assert not [
        name for part in (*after.phrases, *after.slots) for name in part.region_ids if name == slot.region_ids[0]
    ]


def test_all_phrase_types_and_relations_occur():
    types, predicates, plural = set(), set(), False
    for drawn in Scenes(0, 150):
        types |= {phrase.type for phrase in drawn.phrases}
        predicates |= {relation.predicate for relation in drawn.relations}
        plural |= any(len(phrase.region_ids) > 1 for phrase in drawn.phrases)
    assert types == set(PHRASE_TYPES)
    assert predicates == set(PREDICATES)
    assert plural


def test_a_batch_equals_single_scenes():
    pixels, scenes = batch(2, 5, 3)
    assert scenes == [compose(2, index) for index in (5, 6, 7)]
    np.testing.assert_array_equal(pixels[1], draw(scenes[1]))
    assert boxes(scenes[0])["scenery"].area == 96 * 96


def test_only_drawn_samples_have_a_scene():
    with pytest.raises(UsageError, match="must be drawn from a scene"):
        scene_of(Sample("a", "a", None, "a dog"))
