"""Where a thing of a scene can stand instead, with its caption still true and nothing hidden that was seen."""

from __future__ import annotations

from vlaudit.datasets.scenes.captions import side_of
from vlaudit.datasets.scenes.drawing import boxes, is_next_to, union
from vlaudit.datasets.scenes.world import SIZE, Scene, Thing
from vlaudit.errors import UsageError
from vlaudit.samples import Box, Sample

NEAREST = 8
"""Pixels that a move takes at least: one patch."""


def places(scene: Scene, sample: Sample, thing_id: str) -> list[int]:
    """Return the x (bottom centre, pixels) of every other place of a thing in its row, at least `NEAREST` away.

    There, it and all that it holds lie inside the image, hide no more than a tenth of anything else (or no more than
    before), and stand on the side of the picture, near to, and behind what the caption says.
    """
    thing = scene.thing(thing_id)
    if thing.holder:
        raise UsageError(f"a thing must stand by itself to be moved, {thing_id!r} belongs to {thing.holder!r}")
    if "behind" in sample.caption.split() and _is_behind(scene, thing):
        return []
    return [
        thing.x + by
        for by in range(-SIZE, SIZE)
        if abs(by) >= NEAREST and _is_free(scene, thing, by) and _still_true(scene, sample, thing, by)
    ]


def _is_behind(scene: Scene, thing: Thing) -> bool:
    return any(other.kind == "table" and other.layer > 1 for other in scene.things) and thing.category != "animals"


def _extent(scene: Scene, thing: Thing) -> Box:
    """Return the box of a thing and of all that it holds."""
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
