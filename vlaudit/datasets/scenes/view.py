"""Conversion of scenes to the types of samples: images, regions and relations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from vlaudit.datasets.scenes.captions import side_of
from vlaudit.datasets.scenes.drawing import boxes, draw, is_next_to
from vlaudit.datasets.scenes.world import SIZE, Scene, Thing
from vlaudit.samples import Box, Image, Region, Relation

PREDICATES = (
    *("standing in", "wearing", "holding", "eating", "playing", "riding"),
    *("covering", "on", "under", "behind", "next to"),
)
"""All predicates of the relations of scenes."""

_OF_PLACE = {"top": "wearing", "head": "wearing", "neck": "wearing", "seat": "riding"}
_OF_ITEM = {"on": "on", "under": "under", "cover": "covering"}


def image_of(scene: Scene) -> Image:
    """Return the image of a scene, drawn when its pixels are requested."""
    return Image(scene.key, SIZE, SIZE, partial(draw, scene))


def regions_of(scene: Scene) -> tuple[Region, ...]:
    """Return a region for every visible thing and part, with its noun as label and its attributes.

    Attributes are the colour (the hair colour of hair) and the side: for a hand its own side, for a held thing the side
    of the hand, and for a free-standing thing the side of the image if its centre is in an outer third.
    """
    things = {thing.id: thing for thing in scene.things}
    found = []
    for name, box in boxes(scene).items():
        if name == "scenery":
            found.append(Region(name, box, scene.scenery))
        elif name in things:
            found.append(Region(name, box, things[name].kind, _attributes(things[name], box)))
        else:
            found.append(_part(things, name, box))
    return tuple(found)


def _attributes(thing: Thing, box: Box) -> tuple[str, ...]:
    side = thing.hand if thing.holder else side_of(box)
    return tuple(word for word in (thing.color, side) if word)


def _part(things: Mapping[str, Thing], name: str, box: Box) -> Region:
    owner, part = name.split(".", 1)
    if part == "hair":
        return Region(name, box, "hair", (things[owner].hair,))
    side, _, hand = part.partition(" ")
    return Region(name, box, hand, (side,)) if hand else Region(name, box, part)


def relations_of(scene: Scene) -> tuple[Relation, ...]:
    """Return the relations between the regions of a scene; "next to" is symmetric."""
    where = boxes(scene)
    shown = [thing for thing in scene.things if thing.id in where]
    found: list[Relation] = []
    for thing in shown:
        found.extend(_with_holder(thing) if thing.holder else _by_itself(scene, thing))
        found.extend(Relation(thing.id, "next to", other.id) for other in shown if is_next_to(where, thing, other))
    return tuple(found)


def _with_holder(thing: Thing) -> Iterator[Relation]:
    if thing.place == "hand":
        yield Relation(thing.holder, "playing" if thing.category == "instruments" else thing.pose, thing.id)
        if thing.kind == "umbrella":
            yield Relation(thing.id, "covering", thing.holder)
    elif thing.place in _OF_ITEM:
        yield Relation(thing.id, _OF_ITEM[thing.place], thing.holder)
    else:
        yield Relation(thing.holder, _OF_PLACE[thing.place], thing.id)


def _by_itself(scene: Scene, thing: Thing) -> Iterator[Relation]:
    if thing.category != "people":
        return
    if not any(other.place == "seat" for other in scene.held_by(thing.id)):
        yield Relation(thing.id, "standing in", "scenery")
    for other in scene.things:
        if other.kind == "table" and other.layer > thing.layer:
            yield Relation(thing.id, "behind", other.id)
