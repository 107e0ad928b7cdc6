"""Random composition of a scene: a front row of things, a background, and the things that people wear and hold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vlaudit.datasets.scenes import words
from vlaudit.datasets.scenes.people import build_of
from vlaudit.datasets.scenes.scenery import TEXTURES
from vlaudit.datasets.scenes.world import SIZE, Scene, Thing
from vlaudit.seeds import digest

_HALF_WIDTH = {
    "dog": 20, "cat": 16, "horse": 22, "cow": 23, "sheep": 19, "bird": 21, "rabbit": 15, "turtle": 22,
    "car": 20, "bus": 21, "truck": 21, "bicycle": 20, "plane": 21, "tractor": 18,
}  # fmt: skip
"""Distance in pixels from the centre of a thing to its farther edge."""

_HIGH = ("umbrella", "balloon", "kite")
"""Kinds that could be confused with, or could cover, a group in the sky."""

_HELD_WEIGHTS = [1.0 if kind in words.TABLEWARE else 2.2 for kind in words.OBJECTS]
"""Sampling weights of held objects; higher for those that are never on a table, so that all are equally frequent."""


@dataclass
class _Cluster:
    """Things that are placed together, around x = 0, from `low` to `high`."""

    things: list[Thing]
    low: int
    high: int


class _Composer:
    """Random generator of the parts of one scene, with distinct colours, kinds and ids."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._colors = rng.sample(words.COLORS, len(words.COLORS))
        self._counts: dict[str, int] = {}
        self._used: set[str] = set()

    def color(self) -> str:
        return self._colors.pop() if self._colors else self.rng.choice(words.COLORS)

    def kind(self, kinds: Sequence[str], weights: Sequence[float] | None = None) -> str:
        """Choose a kind that the scene does not contain yet, so that a word identifies one thing."""
        while True:
            kind = self.rng.choices(kinds, weights)[0]
            if kind not in self._used:
                self._used.add(kind)
                return kind

    def name(self, stem: str) -> str:
        self._counts[stem] = self._counts.get(stem, 0) + 1
        return f"{stem}{self._counts[stem]}"

    def side(self) -> str:
        return self.rng.choice(words.SIDES)

    def look(self, count: int = 2) -> int:
        return self.rng.randrange(count)

    def garments(self, person: str) -> list[Thing]:
        """Return the clothes of a person: a top, often headwear, sometimes a scarf."""
        rng = self.rng
        chosen = [("top", rng.choice(words.TOPS))]
        if rng.random() < 0.6:
            chosen.append(("head", rng.choice(words.HEADWEAR)))
        if rng.random() < 0.3:
            chosen.append(("neck", "scarf"))
        return [
            Thing(f"{person}.{place}", kind, self.color(), look=self.look(), holder=person, place=place)
            for place, kind in chosen
        ]

    def held(self, person: str) -> Thing | None:
        """Return a thing in a hand of a person, or None."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.12:
            return None
        if draw < 0.42:
            kind, pose = self.kind(words.INSTRUMENTS), "holding"
        else:
            kind = self.kind(words.OBJECTS, _HELD_WEIGHTS)
            pose = "eating" if kind in words.FOODS and rng.random() < 0.5 else "holding"
        return Thing(
            f"{person}.held",
            kind,
            self.color(),
            look=self.look(),
            holder=person,
            place="hand",
            hand=self.side(),
            pose=pose,
        )

    def person(self) -> _Cluster:
        """Return a dressed person who may hold something."""
        rng, name = self.rng, self.name("person")
        ground = rng.randint(87, 93)
        kind, hair = self.kind(words.PEOPLE), self.kind(words.HAIR)
        person = Thing(name, kind, x=0, y=ground, look=self.look(4), hair=hair)
        things = [person, *self.garments(name)]
        held = self.held(name)
        low, high = -15, 15
        if held:
            things.append(held)
            reach = round(build_of(person.kind).half) + 27
            low, high = (low, reach) if held.hand == "left" else (-reach, high)
        return _Cluster(things, low, high)

    def rider(self) -> _Cluster:
        """Return a person riding a horse or a bicycle."""
        rng, name = self.rng, self.name("person")
        ground, kind = rng.randint(88, 93), self.kind(words.PEOPLE)
        horse = rng.random() < 0.5
        lift = round(-build_of(kind).hip) - 21 if horse else (-1 if kind in ("man", "woman") else -9)
        person = Thing(name, kind, x=0, y=ground + lift, look=self.look(4), hair=self.kind(words.HAIR))
        mount = Thing(
            f"{name}.seat",
            "horse" if horse else "bicycle",
            "" if horse else self.color(),
            look=self.look(4 if horse else 2),
            facing=self.side(),
            holder=name,
            place="seat",
        )
        return _Cluster([person, *self.garments(name), mount], -22, 22)

    def animal(self) -> _Cluster:
        rng, kind = self.rng, self.rng.choice(words.ANIMALS)
        half = _HALF_WIDTH[kind]
        thing = Thing(self.name("animal"), kind, x=0, y=rng.randint(86, 93), look=self.look(4), facing=self.side())
        return _Cluster([thing], -half, half)

    def flock(self) -> _Cluster:
        """Return two animals of one kind, one behind the other."""
        rng, kind = self.rng, self.rng.choice(words.ANIMALS)
        half = round(_HALF_WIDTH[kind] * 0.84)
        facing, ground, turn = self.side(), rng.randint(87, 93), rng.choice((-1, 1))
        things = [
            Thing(
                self.name("animal"),
                kind,
                x=offset,
                y=ground - rise,
                look=self.look(4),
                facing=facing,
                group="flock",
            )
            for offset, rise in ((8 * turn, 16), (-8 * turn, 0))
        ]
        return _Cluster(things, -half - 8, half + 8)

    def furniture(self, *, bare: bool = False) -> _Cluster:
        """Return a piece of furniture, with a thing on or under it unless `bare`."""
        rng = self.rng
        name = self.name("furniture")
        kind = "table" if bare else rng.choice(words.FURNITURE)
        things = [Thing(name, kind, x=0, y=rng.randint(88, 93))]
        draw = rng.random()
        if kind == "table" and draw < (0.5 if bare else 0.25):
            things.append(Thing(f"{name}.cover", "cloth", self.color(), look=self.look(), holder=name, place="cover"))
        if not bare:
            place = "on" if len(things) > 1 else rng.choice(("on", "under"))
            item = self.kind(words.TABLEWARE)
            things.append(
                Thing(
                    f"{name}.{place}",
                    item,
                    self.color(),
                    look=self.look(),
                    facing=self.side(),
                    holder=name,
                    place=place,
                )
            )
        return _Cluster(things, -19, 19)

    def person_behind_table(self) -> _Cluster:
        """Return a person behind a bare table."""
        person, table = self.person(), self.furniture(bare=True)
        front = table.things[0]
        child = person.things[0].kind in ("boy", "girl")
        person.things[0] = replace(person.things[0], y=front.y - (16 if child else 6), layer=1)
        table.things[0] = replace(front, layer=2)
        return _Cluster([*person.things, *table.things], min(person.low, -19), max(person.high, 19))

    def vehicle(self) -> _Cluster:
        kind = self.rng.choice(words.VEHICLES)
        half = _HALF_WIDTH[kind]
        y = self.rng.randint(20, 22) if kind == "plane" else self.rng.randint(86, 92)
        thing = Thing(self.name("vehicle"), kind, self.color(), x=0, y=y, look=self.look(), facing=self.side(), layer=0)
        return _Cluster([thing], -half, half)

    def sky_group(self) -> _Cluster:
        kind, count = self.rng.choice(("balloon", "kite")), self.rng.choice((2, 3))
        color, name = self.color(), self.name("sky")
        look, facing = self.look(), self.side()
        things = [
            Thing(
                f"{name}.{step}",
                kind,
                color,
                x=round((step - (count - 1) / 2) * 15),
                y=self.rng.randint(25, 27),
                look=look,
                facing=facing,
                layer=0,
                group=name,
            )
            for step in range(count)
        ]
        return _Cluster(things, -count * 8, count * 8)

    def row(self) -> list[_Cluster]:
        one, other = self.rng.choices(_LAYOUTS, _LAYOUT_WEIGHTS)[0]
        clusters = [getattr(self, stem)() for stem in (one, other) if stem]
        self.rng.shuffle(clusters)
        return clusters


_LAYOUTS = (
    ("person", ""),
    ("person", "animal"),
    ("person", "person"),
    ("person", "furniture"),
    ("person", "vehicle"),
    ("rider", "animal"),
    ("rider", "furniture"),
    ("person_behind_table", "animal"),
    ("person", "flock"),
    ("animal", "furniture"),
    ("animal", "vehicle"),
)
_LAYOUT_WEIGHTS = (8, 26, 14, 12, 12, 5, 4, 7, 5, 4, 3)


def _spread(rng: random.Random, clusters: list[_Cluster]) -> list[tuple[int, int]] | None:
    """Place the clusters side by side; return the interval of each, or None if they do not fit."""
    slack = SIZE - sum(cluster.high - cluster.low for cluster in clusters)
    if slack < -4:
        return None
    cuts = sorted(rng.randint(min(slack, 0), max(slack, 0)) for _ in clusters)
    taken, cursor, used = [], 0, 0
    for cluster, cut in zip(clusters, cuts, strict=True):
        cursor += cut - used
        used = cut
        shift = cursor - cluster.low
        cluster.things = [thing if thing.holder else replace(thing, x=thing.x + shift) for thing in cluster.things]
        taken.append((cursor, cursor + cluster.high - cluster.low))
        cursor += cluster.high - cluster.low
    return taken


def _free(taken: list[tuple[int, int]], width: int) -> list[int]:
    """Return the possible left edges of a thing of this width outside the taken intervals."""
    return [x for x in range(SIZE - width + 1) if all(x >= high or x + width <= low for low, high in taken)]


def compose(seed: int, index: int) -> Scene:
    """Return scene `index` of a seed."""
    own = int(digest("scenes", seed, index)[:15], 16)
    rng = random.Random(own)
    while True:
        composer = _Composer(rng)
        clusters = composer.row()
        taken = _spread(rng, clusters)
        if taken is not None:
            break
    things = [thing for cluster in clusters for thing in cluster.things]
    tall = [span for cluster, span in zip(clusters, taken, strict=True) if cluster.things[0].category != "animals"]
    things += _background(composer, things, tall)
    return Scene(own, rng.choice(words.SCENERY), rng.randrange(TEXTURES), tuple(things))


def _background(composer: _Composer, things: list[Thing], tall: list[tuple[int, int]]) -> list[Thing]:
    """Return a vehicle behind the front row, or a group in the sky, or nothing."""
    rng = composer.rng
    crowded = any(thing.category == "vehicles" for thing in things) or len(tall) > 1
    if not crowded and rng.random() < 0.5:
        cluster = composer.vehicle()
        # a plane needs less room, but with a smaller requirement, little room would imply a plane
        places = _free(tall, 42)
        if places:
            x = rng.choice(places) + 21
            y = cluster.things[0].y if cluster.things[0].kind == "plane" else rng.randint(56, 59)
            return [replace(cluster.things[0], x=x, y=y)]
    elif rng.random() < 0.3 and not any(thing.kind in _HIGH for thing in things):
        cluster = composer.sky_group()
        x = rng.randint(-cluster.low, SIZE - cluster.high)
        return [replace(thing, x=thing.x + x) for thing in cluster.things]
    return []
