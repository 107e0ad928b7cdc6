"""Samples of the scene world: any number, each determined by a seed and an index."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vlaudit.datasets.scenes.captions import describe, side_of
from vlaudit.datasets.scenes.compose import compose
from vlaudit.datasets.scenes.drawing import boxes, draw, is_next_to
from vlaudit.datasets.scenes.pairs import hint_for, with_copy_hint, with_hint
from vlaudit.datasets.scenes.world import SIZE, Scene, Thing
from vlaudit.errors import UsageError
from vlaudit.samples import Box, Image, Region, Relation, Sample
from vlaudit.seeds import digest


def sample(seed: int, index: int, caption: int = 0, hint_share: float = 0.0) -> Sample:
    """Return scene `index` of a seed with one of its captions.

    With `hint_share`, that share of the samples carries a hint at one of its words (a fifth of them a copy hint), so
    that a model can learn what hints mean; their ids end in "-hint" and "-copy".
    """
    scene = compose(seed, index)
    drawn = sample_of(scene, f"scenes-{seed}-{index}", caption)
    return _hinted(drawn, hint_share) if hint_share else drawn


def sample_of(scene: Scene, image_id: str, caption: int = 0) -> Sample:
    """Return the sample of a scene that exists already."""
    said = describe(scene, caption)
    where = boxes(scene)
    return Sample(
        id=f"{image_id}-{caption}",
        image_id=image_id,
        image=image_of(scene),
        caption=said.text,
        regions=regions(scene, where),
        phrases=said.phrases,
        relations=relations(scene, where),
        slots=said.slots,
        world=scene,
    )


def redrawn(drawn: Sample, scene: Scene) -> Sample:
    """Return the sample with the image of another scene and what is true of it, under the same caption.

    A phrase or slot keeps the ids of its regions, without those that the other scene does not show.
    """
    where = boxes(scene)

    def shown(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in ids if name in where)

    return replace(
        drawn,
        image=image_of(scene),
        regions=regions(scene, where),
        relations=relations(scene, where),
        phrases=tuple(replace(part, region_ids=shown(part.region_ids)) for part in drawn.phrases),
        slots=tuple(replace(part, region_ids=shown(part.region_ids)) for part in drawn.slots),
        world=scene,
    )


def _hinted(drawn: Sample, share: float) -> Sample:
    rng = random.Random(int(digest("hint", drawn.id)[:15], 16))
    if rng.random() >= share:
        return drawn
    if rng.random() < 0.2:
        return with_copy_hint(drawn, rng.choice(drawn.slots)) if drawn.slots else drawn
    able = [slot for slot in drawn.slots if hint_for(drawn, slot)]
    return with_hint(drawn, rng.choice(able)) if able else drawn


def image_of(scene: Scene) -> Image:
    """Return the scene's image, drawn when its pixels are asked for."""
    return Image(scene.key, SIZE, SIZE, partial(draw, scene))


def regions(scene: Scene, where: dict[str, Box]) -> tuple[Region, ...]:
    """Return every thing and part with the word that names it and the words that are true of it."""
    things = {thing.id: thing for thing in scene.things}
    found = [Region("scenery", where["scenery"], scene.scenery)]
    for name, box in where.items():
        if name in things:
            found.append(Region(name, box, things[name].kind, _attributes(things[name], box)))
        elif name != "scenery":
            owner, part = name.split(".", 1)
            word = part.split()[-1]
            side = (part.split()[0],) if word == "hand" else ()
            found.append(Region(name, box, word, (things[owner].hair,) if word == "hair" else side))
    return tuple(found)


def _attributes(thing: Thing, box: Box) -> tuple[str, ...]:
    side = thing.hand if thing.holder else side_of(box)
    return tuple(word for word in (thing.color, side) if word)


_PREDICATES = {
    "top": "wearing",
    "head": "wearing",
    "neck": "wearing",
    "seat": "riding",
    "on": "on",
    "under": "under",
    "cover": "covering",
}
_THING_FIRST = {"on", "under", "cover"}


def relations(scene: Scene, where: dict[str, Box]) -> tuple[Relation, ...]:
    """Return what the scene shows of who does what with what: eleven predicates."""
    found: list[Relation] = []
    for thing in scene.things:
        if thing.id not in where:
            continue
        if thing.holder:
            found.extend(_with_holder(thing))
        elif thing.category == "people":
            ridden = any(other.place == "seat" for other in scene.held_by(thing.id))
            found.extend([] if ridden else [Relation(thing.id, "standing in", "scenery")])
            found.extend(
                Relation(thing.id, "behind", table.id)
                for table in scene.things
                if table.kind == "table" and table.layer > thing.layer
            )
        if not thing.holder and not thing.group:
            found.extend(
                Relation(thing.id, "next to", other.id)
                for other in scene.things
                if not other.group and is_next_to(scene, where, thing, other)
            )
    return tuple(found)


def _with_holder(thing: Thing) -> Iterator[Relation]:
    if thing.place == "hand":
        predicate = "playing" if thing.category == "instruments" else thing.pose
        yield Relation(thing.holder, predicate, thing.id)
        if thing.kind == "umbrella":
            yield Relation(thing.id, "covering", thing.holder)
        return
    pair = (thing.id, thing.holder) if thing.place in _THING_FIRST else (thing.holder, thing.id)
    yield Relation(pair[0], _PREDICATES[thing.place], pair[1])


def batch(seed: int, start: int, count: int) -> tuple[UInt8[np.ndarray, "count 96 96 3"], list[Scene]]:
    """Return the pixels and the scenes `start` to `start + count` of a seed, for training."""
    scenes = [compose(seed, index) for index in range(start, start + count)]
    return np.stack([draw(scene) for scene in scenes]), scenes


@dataclass(frozen=True)
class Scenes:
    """The scene world as a data set: `limit` scenes of a seed, one caption each.

    Nothing is stored or downloaded; scene `index` is the same whatever the limit.
    """

    seed: int = 0
    limit: int | None = None
    name: ClassVar[str] = "scenes"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"seed must be 0 or more, got {self.seed}")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit must be 1 or more, got {self.limit}")

    def __len__(self) -> int:
        return 1000 if self.limit is None else self.limit

    def __iter__(self) -> Iterator[Sample]:
        return (sample(self.seed, index) for index in range(len(self)))
