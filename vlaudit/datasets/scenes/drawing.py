"""Drawing of scenes, and boxes of everything in them; both are pure functions of the scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from vlaudit.datasets.scenes import objects, people, sprites
from vlaudit.datasets.scenes.pen import Sprite
from vlaudit.datasets.scenes.scenery import scenery
from vlaudit.datasets.scenes.world import SIZE, Scene, Thing
from vlaudit.samples import Box


class Placed(NamedTuple):
    """A sprite with its anchor at (x, y) of the image; `parts` are the ids of the things and parts that it shows.

    A sprite with `drawn=False` only contributes to the box of something that another sprite draws.
    """

    parts: tuple[str, ...]
    sprite: Sprite
    x: int
    y: int
    drawn: bool = True

    def box(self) -> Box:
        """Return the box of the sprite, clipped to the image; it has negative size if it is outside."""
        return Box(
            max(0, self.x + self.sprite.left),
            max(0, self.y + self.sprite.top),
            min(SIZE, self.x + self.sprite.right),
            min(SIZE, self.y + self.sprite.bottom),
        )


def draw(scene: Scene) -> UInt8[np.ndarray, "96 96 3"]:
    """Return the RGB pixels of a scene."""
    image = scenery(scene.scenery, scene.texture).copy()
    for placed in _placed(scene):
        if placed.drawn:
            image.paste(
                placed.sprite.image, (placed.x + placed.sprite.left, placed.y + placed.sprite.top), placed.sprite.image
            )
    return np.asarray(image)


def boxes(scene: Scene) -> dict[str, Box]:
    """Return the box of every thing and part by id, in half-open pixels, including occluded pixels.

    Parts of a person are "ID.head", "ID.hair", "ID.left hand" and "ID.right hand". A person's box includes the clothes
    but not held things. "scenery" is the whole image. Things entirely outside the image are omitted.
    """
    return dict(_boxes(scene))


@lru_cache(maxsize=256)
def _boxes(scene: Scene) -> dict[str, Box]:
    found: dict[str, Box] = {"scenery": Box(0, 0, SIZE, SIZE)}
    for placed in _placed(scene):
        box = placed.box()
        if box.left >= box.right or box.top >= box.bottom:
            continue
        for name in placed.parts:
            found[name] = union(found[name], box) if name in found else box
    return found


def is_next_to(where: Mapping[str, Box], one: Thing, other: Thing) -> bool:
    """Return True if two single things are side by side in the front row, at most 16 pixels apart."""
    if one.id == other.id or {one.id, other.id} - where.keys():
        return False
    for thing in (one, other):
        if thing.holder or thing.group or thing.y < 70:
            return False
    gap = max(where[other.id].left - where[one.id].right, where[one.id].left - where[other.id].right)
    return -6 <= gap <= 16


def union(one: Box, other: Box) -> Box:
    """Return the smallest box that contains both."""
    return Box(
        min(one.left, other.left), min(one.top, other.top), max(one.right, other.right), max(one.bottom, other.bottom)
    )


@lru_cache(maxsize=256)
def _placed(scene: Scene) -> tuple[Placed, ...]:
    return tuple(_everything(scene))


def _everything(scene: Scene) -> Iterator[Placed]:
    for layer in range(4):
        for thing in scene.things:
            if thing.layer == layer and not thing.holder:
                yield from _standing(scene, thing)


def _standing(scene: Scene, thing: Thing) -> Iterator[Placed]:
    if thing.category == "people":
        yield from _person(scene, thing)
    elif thing.kind in sprites.ANIMALS:
        scale = 0.84 if thing.group else 1.0
        yield Placed((thing.id,), sprites.animal(thing.kind, thing.look, thing.facing, scale), thing.x, thing.y)
    elif thing.kind in sprites.VEHICLES:
        yield Placed((thing.id,), sprites.vehicle(thing.kind, thing.color, thing.look, thing.facing), thing.x, thing.y)
    elif thing.kind in objects.DRAWN:
        scale = 0.72 if thing.group else 1.0
        sprite = objects.standing(thing.kind, thing.color, thing.look, thing.facing, scale)
        yield Placed((thing.id,), sprite, thing.x, thing.y)
    else:
        yield from _furniture(scene, thing)


def _furniture(scene: Scene, thing: Thing) -> Iterator[Placed]:
    yield Placed((thing.id,), sprites.furniture(thing.kind), thing.x, thing.y)
    top = thing.y - (22 if thing.kind == "table" else 18)
    for item in scene.held_by(thing.id):
        if item.place == "cover":
            yield Placed((item.id,), sprites.cloth(item.color, item.look), thing.x, thing.y)
    for item in scene.held_by(thing.id):
        if item.place in ("on", "under"):
            scale = 1.0 if item.place == "on" else 0.86
            sprite = objects.standing(item.kind, item.color, item.look, item.facing, scale)
            yield Placed((item.id,), sprite, thing.x, top if item.place == "on" else thing.y + 1)


def _person(scene: Scene, person: Thing) -> Iterator[Placed]:
    kind, x, y, skin, name = person.kind, person.x, person.y, person.look % 4, person.id
    belongings = {thing.place: thing for thing in scene.held_by(name)}
    top, held = belongings["top"], belongings.get("hand")
    behind = people.hair_behind(kind, person.hair)
    if behind:
        yield Placed((name, f"{name}.hair"), behind, x, y)
    yield Placed((name,), people.legs(kind), x, y)
    yield Placed((name, top.id), people.top(kind, top.kind, top.color, top.look), x, y)
    yield Placed((name, f"{name}.head"), people.head(kind, skin), x, y)
    yield Placed((name, f"{name}.hair"), people.hair_before(kind, person.hair), x, y)
    for place in ("neck", "head"):
        if place in belongings:
            worn = belongings[place]
            sprite = (people.scarf(kind, worn.color, worn.look) if place == "neck"
                      else people.headwear(kind, worn.kind, worn.color, worn.look))  # fmt: skip
            yield Placed((name, worn.id), sprite, x, y)
    for side in ("left", "right"):
        pose = held.pose if held and held.hand == side else "free"
        sleeve = people.arm(kind, side, pose, top.kind, top.color, look=top.look, skin=skin)
        if top.kind == "shirt":
            yield Placed((name,), sleeve, x, y)
            yield Placed((top.id,), people.short_sleeve(kind, side, pose), x, y, drawn=False)
        else:
            yield Placed((name, top.id), sleeve, x, y)
        if held and held.hand == side:
            grip = people.hand_point(kind, side, pose)
            sprite = objects.held(held.kind, held.color, held.look, side)
            yield Placed((held.id,), sprite, x + round(grip[0]), y + round(grip[1]))
        yield Placed((name, f"{name}.{side} hand"), people.hand_sprite(kind, side, pose, skin), x, y)
    if "seat" in belongings:
        yield from _ridden(belongings["seat"], person)


def _ridden(thing: Thing, rider: Thing) -> Iterator[Placed]:
    if thing.kind == "bicycle":
        ground = rider.y
        yield Placed((thing.id,), sprites.vehicle("bicycle", thing.color, thing.look, thing.facing), rider.x, ground)
        return
    hip = people.build_of(rider.kind).hip
    ground = rider.y + round(hip) + 21
    yield Placed((thing.id,), sprites.animal("horse", thing.look, thing.facing, 1.0), rider.x, ground)
    yield Placed((rider.id,), people.leg_over(rider.kind), rider.x, rider.y)
