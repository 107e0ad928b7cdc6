"""Properties of scenes as values: pixels, boxes, and the effects of edits."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.datasets.scenes import (
    SIZE,
    boxes,
    compose,
    draw,
    exchangeable,
    moved,
    recolored,
    replaced,
    swapped_hand,
    with_scenery,
    without,
    words,
)
from vlaudit.errors import UsageError

indices = st.integers(0, 3000)
SEED = 5


def own_mask(one, other, thing_id):
    """Return True where the thing, its parts or its belongings are in either scene."""
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    for scene in (one, other):
        own = {thing_id} | {thing.id for thing in scene.things if thing.holder == thing_id}
        for name, box in boxes(scene).items():
            if name in own or name.startswith(f"{thing_id}."):
                mask[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
    return mask


def assert_only_own_pixels_change(before, after, thing_id):
    differs = (draw(before) != draw(after)).any(axis=2)
    assert not (differs & ~own_mask(before, after, thing_id)).any()
    return differs


@given(indices, st.data())
@settings(max_examples=30)
def test_recolouring_changes_the_thing_and_no_other_pixel(index, data):
    scene = compose(SEED, index)
    thing = data.draw(st.sampled_from([thing for thing in scene.things if thing.color] or [None]))
    if thing is None:
        return
    color = data.draw(st.sampled_from([color for color in words.COLORS if color != thing.color]))
    after = recolored(scene, thing.id, color)
    differs = assert_only_own_pixels_change(scene, after, thing.id)
    assert differs.any()
    assert boxes(after) == boxes(scene)


@given(indices, st.data())
@settings(max_examples=30)
def test_replacing_a_thing_changes_no_pixel_outside_the_old_and_the_new_box(index, data):
    scene = compose(SEED, index)
    thing = data.draw(st.sampled_from(scene.things))
    kind = data.draw(st.sampled_from(exchangeable(thing)))
    after = replaced(scene, thing.id, kind)
    differs = assert_only_own_pixels_change(scene, after, thing.id)
    assert differs.any() == (kind != thing.kind)


@given(indices, st.data())
@settings(max_examples=30)
def test_moving_or_removing_a_thing_changes_nothing_else(index, data):
    scene = compose(SEED, index)
    thing = data.draw(st.sampled_from([thing for thing in scene.things if not thing.holder]))
    after = moved(scene, thing.id, data.draw(st.integers(20, 76)))
    assert_only_own_pixels_change(scene, after, thing.id)
    gone = without(scene, thing.id)
    assert_only_own_pixels_change(scene, gone, thing.id)
    left = boxes(gone)
    assert {name: box for name, box in boxes(scene).items() if name in left} == left
    assert thing.id not in left
    assert not any(other.holder == thing.id for other in gone.things)


@given(indices)
@settings(max_examples=30)
def test_swapping_hands_twice_is_the_identity(index):
    scene = compose(SEED, index)
    for person in scene.people():
        held = [thing for thing in scene.held_by(person.id) if thing.hand]
        if not held:
            with pytest.raises(UsageError, match="holds something"):
                swapped_hand(scene, person.id)
            continue
        after = swapped_hand(scene, person.id)
        assert_only_own_pixels_change(scene, after, person.id)
        assert after.thing(held[0].id).hand != held[0].hand
        assert swapped_hand(after, person.id) == scene


@given(indices, st.sampled_from(words.SCENERY))
@settings(max_examples=30)
def test_changing_the_scenery_keeps_all_boxes(index, name):
    scene = compose(SEED, index)
    assert boxes(with_scenery(scene, name)) == boxes(scene)


@given(indices)
@settings(max_examples=40)
def test_boxes_are_whole_pixels_inside_the_image(index):
    scene = compose(SEED, index)
    for box in boxes(scene).values():
        assert box.inside(SIZE, SIZE)
        assert all(float(edge).is_integer() for edge in box)


@given(indices)
@settings(max_examples=30)
def test_a_box_is_tight_around_the_thing(index):
    scene = compose(SEED, index)
    thing = next(thing for thing in scene.things if not thing.holder)
    for other in scene.things:
        if not other.holder and other.id != thing.id:
            scene = without(scene, other.id)
    for held in scene.held_by(thing.id):
        if thing.category != "people":
            scene = without(scene, held.id)
    differs = (draw(scene) != draw(without(scene, thing.id))).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    held = [box for name, box in boxes(scene).items() if name != "scenery"]
    extent = (
        min(box.left for box in held),
        min(box.top for box in held),
        max(box.right for box in held),
        max(box.bottom for box in held),
    )
    seen = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    # a pixel of the thing may have the very colour of the scenery behind it
    assert np.abs(np.array(extent) - np.array(seen)).max() <= 1


@given(indices)
@settings(max_examples=40)
def test_people_face_the_viewer_so_their_left_hand_is_on_the_images_right(index):
    scene = compose(SEED, index)
    where = boxes(scene)
    for person in scene.people():
        left, right = where.get(f"{person.id}.left hand"), where.get(f"{person.id}.right hand")
        if left and right:
            assert left.center[0] > right.center[0]
        for held in scene.held_by(person.id):
            if held.hand == "left" and held.id in where:
                assert where[held.id].right > person.x
            elif held.hand == "right" and held.id in where:
                assert where[held.id].left < person.x


@given(indices)
@settings(max_examples=40)
def test_no_word_names_two_single_things(index):
    scene = compose(SEED, index)
    singles = [thing for thing in scene.things if not thing.group and thing.category != "clothing"]
    kinds = [thing.kind for thing in singles if thing.place != "seat"]
    assert len(kinds) == len(set(kinds))
    hair = [person.hair for person in scene.people()]
    assert len(hair) == len(set(hair))


def test_every_kind_of_thing_occurs():
    shown = set()
    for index in range(150):
        shown |= compose(1, index).kinds()
    kinds = {kind for answers in words.CANDIDATES.values() for kind in answers}
    assert kinds - set(words.COLORS) - set(words.SIDES) <= shown


FINGERPRINT = """
import hashlib
from vlaudit.datasets.scenes import sample
state = hashlib.sha256()
for index in range(12):
    drawn = sample(3, index)
    state.update(drawn.image.pixels().tobytes())
    state.update(repr((drawn.id, drawn.image.key, drawn.caption, drawn.regions, drawn.slots)).encode())
print(state.hexdigest())
"""


def test_another_process_draws_equal_pixels():
    """Drawing must not depend on set order or on earlier draws."""
    prints = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", FINGERPRINT], capture_output=True, text=True, check=True, env=environment
        )
        prints.add(run.stdout)
    from vlaudit.datasets.scenes import sample

    state = hashlib.sha256()
    for index in reversed(range(12)):
        sample(3, index).image.pixels()
    for index in range(12):
        drawn = sample(3, index)
        state.update(drawn.image.pixels().tobytes())
        state.update(repr((drawn.id, drawn.image.key, drawn.caption, drawn.regions, drawn.slots)).encode())
    assert prints == {state.hexdigest() + "\n"}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda scene: recolored(scene, "missing", "red"), "thing_id must be one of"),
        (lambda scene: recolored(scene, scene.people()[0].id, "red"), "has none"),
        (lambda scene: recolored(scene, f"{scene.people()[0].id}.top", "orange"), "color must be one of red"),
        (lambda scene: moved(scene, f"{scene.people()[0].id}.top", 5), "must name a free-standing thing"),
        (lambda scene: replaced(scene, scene.people()[0].id, "dog"), "kind must be one of man"),
        (lambda scene: with_scenery(scene, "moon"), "name must be one of park"),
    ],
)
def test_an_invalid_edit_is_an_error(edit, says):
    scene = next(scene for scene in (compose(0, index) for index in range(50)) if scene.people())
    with pytest.raises(UsageError, match=says):
        edit(scene)
