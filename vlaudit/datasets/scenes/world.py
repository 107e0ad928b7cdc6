"""Scenes as values (things with places, colours and holders), and edits that change one thing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vlaudit.datasets.scenes import words
from vlaudit.errors import UsageError
from vlaudit.seeds import digest

SIZE = 96
"""Width and height of a scene's image in pixels."""

CATEGORY_OF_KIND: dict[str, str] = {
    **dict.fromkeys(words.PEOPLE, "people"),
    **dict.fromkeys(words.ANIMALS, "animals"),
    **dict.fromkeys(words.VEHICLES, "vehicles"),
    **dict.fromkeys(words.INSTRUMENTS, "instruments"),
    **dict.fromkeys(words.CLOTHING, "clothing"),
    **dict.fromkeys((*words.OBJECTS, *words.FURNITURE, "cloth"), "other"),
}


@dataclass(frozen=True)
class Thing:
    """One thing of a scene.

    A free-standing thing has its bottom centre at (x, y) in pixels. A thing with a `holder` is worn, held, ridden, or
    placed on or under its holder (see `place`), and moves with it. `hand` is the holder's hand; people face the viewer,
    so their left hand is on the right of the image. `look` numbers variants of the drawing that captions never mention
    (shade, coat, skin). `hair` is a person's hair colour. `pose` of a held thing is "holding" or "eating".
    """

    id: str
    kind: str
    color: str = ""
    x: int = 0
    y: int = 0
    facing: str = "right"
    look: int = 0
    hair: str = ""
    holder: str = ""
    place: str = ""
    hand: str = ""
    pose: str = ""
    layer: int = 1
    group: str = ""

    @property
    def category(self) -> str:
        """The coreference type of the thing's phrase."""
        return CATEGORY_OF_KIND[self.kind]


@dataclass(frozen=True)
class Scene:
    """The complete content of an image; equal scenes have equal pixels.

    `seed` determines the captions, which are therefore stable when one thing is edited. `texture` is the variant of the
    scenery.
    """

    seed: int
    scenery: str
    texture: int
    things: tuple[Thing, ...]

    @property
    def key(self) -> str:
        """A digest of the value."""
        return digest("scene", self.seed, self.scenery, self.texture, self.things)

    def thing(self, thing_id: str) -> Thing:
        """Return the thing with this id; raise `UsageError` if there is none."""
        for thing in self.things:
            if thing.id == thing_id:
                return thing
        raise UsageError(f"thing_id must be one of {[t.id for t in self.things]}, got {thing_id!r}")

    def held_by(self, thing_id: str) -> tuple[Thing, ...]:
        """Return the things with this holder."""
        return tuple(thing for thing in self.things if thing.holder == thing_id)

    def people(self) -> tuple[Thing, ...]:
        """Return the people."""
        return tuple(thing for thing in self.things if thing.category == "people")

    def kinds(self) -> set[str]:
        """Return the kinds of all things, and the scenery."""
        return {self.scenery, *(thing.kind for thing in self.things)}

    def with_thing(self, changed: Thing) -> Scene:
        """Return the scene with the thing of this id replaced."""
        return replace(self, things=tuple(changed if t.id == changed.id else t for t in self.things))


def recolored(scene: Scene, thing_id: str, color: str) -> Scene:
    """Return the scene with one thing in another colour."""
    thing = scene.thing(thing_id)
    if not thing.color:
        raise UsageError(f"thing_id must name a thing with a colour, got {thing_id!r} ({thing.kind}), which has none")
    return scene.with_thing(replace(thing, color=_known("color", color, words.COLORS)))


def replaced(scene: Scene, thing_id: str, kind: str) -> Scene:
    """Return the scene with a thing replaced by another kind of the same category."""
    thing = scene.thing(thing_id)
    return scene.with_thing(replace(thing, kind=_known("kind", kind, exchangeable(thing))))


def exchangeable(thing: Thing) -> tuple[str, ...]:
    """Return the kinds that may replace this thing (see `replaced`)."""
    if thing.place in ("on", "under"):
        return words.TABLEWARE
    if thing.pose == "eating":
        return words.FOODS
    if thing.place == "top":
        return words.TOPS
    if thing.place == "head":
        return words.HEADWEAR
    if thing.group.startswith("sky"):
        return ("balloon", "kite")
    if thing.place in ("seat", "cover", "neck"):
        return (thing.kind,)
    if thing.category == "other":
        return words.OBJECTS if thing.holder else words.FURNITURE
    if thing.category == "vehicles":
        return ("plane",) if thing.kind == "plane" else tuple(k for k in words.VEHICLES if k != "plane")
    return tuple(kind for kind, category in CATEGORY_OF_KIND.items() if category == thing.category)


def swapped_hand(scene: Scene, person_id: str) -> Scene:
    """Return the scene with the thing that a person holds in the other hand."""
    held = [thing for thing in scene.held_by(person_id) if thing.hand]
    if not held:
        raise UsageError(f"person_id must name a person who holds something, got {person_id!r}, who does not")
    for thing in held:
        scene = scene.with_thing(replace(thing, hand=other_side(thing.hand)))
    return scene


def moved(scene: Scene, thing_id: str, x: int, y: int | None = None) -> Scene:
    """Return the scene with a free-standing thing, and everything that it holds, at another place."""
    thing = scene.thing(thing_id)
    if thing.holder:
        raise UsageError(f"thing_id must name a free-standing thing, got {thing_id!r} of {thing.holder!r}")
    return scene.with_thing(replace(thing, x=x, y=thing.y if y is None else y))


def without(scene: Scene, thing_id: str) -> Scene:
    """Return the scene without a thing and everything that it holds."""
    gone = {scene.thing(thing_id).id}
    while more := {t.id for t in scene.things if t.holder in gone} - gone:
        gone |= more
    return replace(scene, things=tuple(thing for thing in scene.things if thing.id not in gone))


def with_scenery(scene: Scene, name: str) -> Scene:
    """Return the scene with another scenery."""
    return replace(scene, scenery=_known("name", name, words.SCENERY))


def other_side(side: str) -> str:
    """Return "right" for "left" and "left" for "right"."""
    return "right" if side == "left" else "left"


def _known(argument: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UsageError(f"{argument} must be one of {', '.join(allowed)}, got {value!r}")
    return value
