"""Possible new places of a thing in a scene that keep the caption true and hide nothing else."""

from __future__ import annotations

from vlaudit.datasets.scenes.captions import side_of
from vlaudit.datasets.scenes.drawing import boxes, is_next_to, union
from vlaudit.datasets.scenes.world import SIZE, Scene, Thing
from vlaudit.errors import UsageError
from vlaudit.samples import Box, Sample

MIN_DISTANCE = 8
"""Minimum distance of a move in pixels: one patch."""


def places(scene: Scene, sample: Sample, thing_id: str) -> list[int]:
    """Return the x (bottom centre, pixels) of every possible new place of a thing, at least `MIN_DISTANCE` away.

    At each place, the thing and everything that it holds are inside the image, overlap anything else by at most a tenth
    (or no more than before), and agree with the caption on side, neighbours and occlusion.
    """
    thing = scene.thing(thing_id)
    if thing.holder:
        raise UsageError(f"thing_id must name a free-standing thing, got {thing_id!r} of {thing.holder!r}")
    if "behind" in sample.caption.split() and _is_behind(scene, thing):
        return []
    return [
        thing.x + by
        for by in range(-SIZE, SIZE)
        if abs(by) >= MIN_DISTANCE and _is_free(scene, thing, by) and _still_true(scene, sample, thing, by)
    ]


def _is_behind(scene: Scene, thing: Thing) -> bool:
    return any(other.kind == "table" and other.layer > 1 for other in scene.things) and thing.category != "animals"


def _extent(scene: Scene, thing: Thing) -> Box:
    """Return the box around a thing and everything that it holds."""
    where = boxes(scene)
    extent = where[thing.id]
    for held in scene.held_by(thing.id):
        extent = union(extent, where.get(held.id, extent))
    return extent


def _is_free(scene: Scene, thing: Thing, by: int) -> bool:
    before = _extent(scene, thing)
    after = before.shifted(by, 0)
    if not after.inside(SIZE, SIZE):
        return False
    where = boxes(scene)
    others = (other for other in scene.things if not other.holder and other.id != thing.id and other.id in where)
    return all(_hides_no_more(before, after, _extent(scene, other)) for other in others)


def _hides_no_more(before: Box, after: Box, other: Box) -> bool:
    allowed = max(before.intersection(other).area, 0.1 * min(after.area, other.area))
    return after.intersection(other).area <= allowed


def _still_true(scene: Scene, sample: Sample, thing: Thing, by: int) -> bool:
    where = boxes(scene)
    after = {**where, thing.id: where[thing.id].shifted(by, 0)}
    for slot in sample.slots:
        if (
            slot.kind == "position side"
            and thing.id in slot.region_ids
            and side_of(after[thing.id]) != sample.text(slot)
        ):
            return False
    if {"next", "near"}.isdisjoint(sample.caption.split()):
        return True
    return all(is_next_to(where, thing, other) == is_next_to(after, thing, other) for other in scene.things)
