"""Captions of scenes, built as trees of clauses, phrases and words with exact spans.

The grammar prevents the words of a caption from predicting each other. All places take the same prepositions, hands
are "the left hand" and never "his", an article does not depend on its noun, a caption mentions at most one side of the
image, and colours are independent of the objects that have them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from vlaudit.datasets.scenes import words
from vlaudit.datasets.scenes.drawing import boxes, is_next_to
from vlaudit.datasets.scenes.text import Caption, Clause, Piece, Word, plain
from vlaudit.datasets.scenes.world import SIZE, Scene, Thing
from vlaudit.samples import Box

MAX_WORDS = 17
"""Maximum length of a caption without a hint; with one it has at most 22 words, which fits ALBEF's tokenizer."""
MIN_WORDS = 8
JOINERS = ("and", "while")
"""Conjunctions between two clauses; the grammar uses neither word elsewhere."""
_ATTEMPTS = 64
CAPTIONS = 8
"""Number of captions that `captions` returns; `describe` accepts any variant number."""


def side_of(box: Box, width: float = SIZE) -> str:
    """Return "left" or "right" if the centre of the box is in that outer third of the image, otherwise ""."""
    x = box.center[0]
    return "left" if x < width / 3 else "right" if x > width * 2 / 3 else ""


class _Writer:
    """Writer of one caption; its random choices depend only on the scene's seed and the variant."""

    def __init__(self, scene: Scene, variant: int) -> None:
        self.scene = scene
        self.rng = random.Random(scene.seed * 1009 + variant)
        self.boxes = boxes(scene)
        self.sided = False
        self.placed = False
        self.things = [thing for thing in scene.things if thing.id in self.boxes]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def noun(self, thing: Thing, *, kind: str = "") -> Piece:
        """Return "a red ball", or "the ball" without its colour; the article does not depend on the noun.

        A garment always has its colour, which identifies it among the person's garments.
        """
        region = (thing.id,)
        name = Word(thing.kind, kind, region if kind else ())
        if thing.color and (thing.category == "clothing" or self.chance(0.8)):
            return Piece((Word("a"), Word(thing.color, "color", region), name), thing.category, region)
        article = "the" if thing.color else "a"
        return Piece((Word(article), name), thing.category, region)

    def place(self) -> Clause:
        """Return "in the park" at the first call, and nothing afterwards."""
        if self.placed:
            return ()
        self.placed = True
        word = Word(self.scene.scenery, "scenery", ("scenery",))
        return (plain(self.rng.choice(("in", "at"))), Piece((Word("the"), word), "scene", ("scenery",)))

    def side(self, *things: Thing) -> Clause:
        """Return "on the left ..." if all these things are on one side; at most once per caption."""
        sides = {side_of(self.boxes[thing.id]) for thing in things}
        if self.sided or len(sides) != 1 or sides == {""}:
            return ()
        self.sided = True
        word = Word(sides.pop(), "position side", tuple(thing.id for thing in things))
        tail = self.rng.choice(
            ("", "", " side", " side of the picture", " of the picture", " of the photo", " of the image")
        )
        return (Piece((Word("on"), Word("the"), word, *plain(tail).words)),)

    def in_hand(self, person: Thing, held: Thing) -> Clause:
        """Return "in the left hand", "in one hand", or nothing."""
        draw = self.rng.random()
        hand = f"{person.id}.{held.hand} hand"
        if draw < 0.72:
            phrase: tuple[Word, ...] = (Word("the"), Word(held.hand, "hand side", (hand,)), Word("hand"))
        elif draw < 0.8:
            phrase = (Word("one"), Word("hand"))
        else:
            return ()
        preposition = "with" if held.category == "instruments" else "in"
        return (plain(preposition), Piece(phrase, "bodyparts", (hand,)))

    def garment(self, person: Thing) -> Thing:
        """Choose a garment such that all seven kinds occur equally often."""
        worn = {thing.place: thing for thing in self.scene.held_by(person.id)}
        if "neck" in worn and self.chance(0.476):
            return worn["neck"]
        if "head" in worn and self.chance(0.95):
            return worn["head"]
        return worn["top"]

    def person_noun(self, person: Thing, *, asked: bool = True) -> Piece:
        word = Word(person.kind, "person", (person.id,)) if asked else Word(person.kind)
        return Piece((Word("a"), word), "people", (person.id,))

    def person_details(self, person: Thing) -> Clause:
        """Return the modifier of a person's noun: hair, a garment, the side, the place, or nothing."""
        garment, draw = self.garment(person), self.rng.random()
        if draw < 0.38:
            verb = self.rng.choice(("in", "wearing", "with"))
            return (plain(verb), self.noun(garment, kind="clothing"))
        bare = not any(thing.place == "head" for thing in self.scene.held_by(person.id))
        if draw < 0.52 and bare:
            hair = Piece((Word(person.hair), Word("hair")), "bodyparts", (f"{person.id}.hair",))
            return (plain("with"), hair)
        if draw < 0.62:
            return self.side(person)
        if draw < 0.72 and not self.placed:
            return (plain("standing"), *self.place()) if not self._rides(person) else self.place()
        return ()

    def _rides(self, person: Thing) -> bool:
        return any(thing.place == "seat" for thing in self.scene.held_by(person.id))

    def person_clause(self, person: Thing) -> Clause:
        """Return a clause about what a person rides, holds, plays, eats or wears."""
        belongings = {thing.place: thing for thing in self.scene.held_by(person.id)}
        subject = (self.person_noun(person), *self.person_details(person))
        there = self.chance(0.25)
        lead = (plain("there is"),) if there else ()
        if "seat" in belongings:
            verb = "riding" if there else self.rng.choice(("rides", "is riding"))
            seat = belongings["seat"]
            return (*lead, *subject, plain(verb), self.noun(seat))
        if "hand" in belongings and self.chance(0.85):
            return (*lead, *subject, *self.holds(person, belongings["hand"], there=there))
        used = {region for piece in subject for region in piece.regions}
        fresh = [
            thing for place, thing in belongings.items() if place in ("top", "head", "neck") and thing.id not in used
        ]
        garment = self.garment(person)
        if garment.id in used:
            garment = self.rng.choice(fresh) if fresh else garment
        if garment.id in used:
            subject = (self.person_noun(person, asked=len(self.scene.people()) == 1), *subject[1:])
            return (*lead, *subject, *(() if there else (plain("is standing"),)), *self.place())
        verb = "wearing" if there else self.rng.choice(("wears", "is wearing"))
        return (*lead, *subject, plain(verb), self.noun(garment, kind="clothing"))

    def holds(self, person: Thing, held: Thing, *, there: bool) -> Clause:
        """Return the predicate for a held thing; `there` states that the clause begins with "there is"."""
        if held.category == "instruments":
            verb = "playing" if there else self.rng.choice(("plays", "is playing"))
            return (plain(verb), self.noun(held, kind="instrument"), *self.in_hand(person, held))
        if held.pose == "eating":
            verb = "eating" if there else self.rng.choice(("eats", "is eating"))
            return (plain(verb), self.noun(held, kind="object"))
        verb = self.rng.choice(("holding", "carrying") if there else ("holds", "is holding", "carries", "has"))
        return (plain(verb), self.noun(held, kind="object"), *self.in_hand(person, held))

    def next_to(self, thing: Thing) -> Clause:
        """Return "next to the person" if a free-standing thing is within a few pixels."""
        near = self.rng.choice(("next to", "near"))
        for other in self.things:
            if other.category in ("people", "other") and is_next_to(self.boxes, thing, other):
                if other.category == "people":
                    if len(self.scene.people()) > 1:
                        continue
                    return (plain(near), Piece(plain("the person").words, "people", (other.id,)))
                return (plain(near), Piece(plain(f"the {other.kind}").words, "other", (other.id,)))
        return ()

    def thing_clause(self, thing: Thing) -> Clause:
        """Return a clause about the place of an animal or a vehicle."""
        kind = "animal" if thing.category == "animals" else "vehicle"
        alone = sum(other.category == thing.category for other in self.scene.things) == 1
        noun = self.noun(thing, kind=kind if alone else "")
        adjacent = self.next_to(thing) if thing.layer == 1 else ()
        where = adjacent if adjacent and self.chance(0.35) else self.side(thing)
        return self._placement(noun, where, one=True)

    def _placement(self, noun: Piece, where: Clause, *, one: bool) -> Clause:
        if self.chance(0.35):
            return (plain("there is" if one else "there are"), noun, *(where or self.place()))
        where = where or self.place()
        if not where:
            return (plain("there is" if one else "there are"), noun)
        verb = self.rng.choice(("is", "stands", "waits") if one else ("are", "stand", "wait"))
        return (noun, plain(verb), *where)

    def group_clause(self, things: list[Thing]) -> Clause:
        """Return a clause about the number and place of things of one kind."""
        first, ids = things[0], tuple(thing.id for thing in things)
        count = "two" if len(things) == 2 else "three"
        colored = bool(first.color) and self.chance(0.8) and len({thing.color for thing in things}) == 1
        color = (Word(first.color, "color", ids),) if colored else ()
        noun = Piece((Word(count), *color, Word(words.PLURALS[first.kind])), first.category, ids)
        if first.category == "other":
            sky = (plain("in the sky"),)
            return (noun, plain("are"), *sky) if self.chance(0.6) else (plain("there are"), noun, *sky)
        return self._placement(noun, self.side(*things), one=False)

    def people_clause(self, people: list[Thing]) -> Clause:
        ids = tuple(person.id for person in people)
        noun = Piece((Word("two"), Word("people")), "people", ids)
        verb = self.rng.choice(("stand", "are standing"))
        return (noun, plain(verb), *self.place())

    def furniture_clause(self, thing: Thing) -> Clause:
        """Return a clause about a thing on or under a piece of furniture, or about its place."""
        items = {item.place: item for item in self.scene.held_by(thing.id)}
        table = Piece(plain(f"a {thing.kind}").words, "other", (thing.id,))
        for place in ("on", "under"):
            if place in items:
                noun = self.noun(items[place], kind="object")
                if self.chance(0.4):
                    return (plain("there is"), noun, plain(place), table)
                return (noun, plain("is"), plain(place), table, *(self.side(thing) if self.chance(0.35) else ()))
        return self._placement(table, self.side(thing), one=True)

    def cover_clause(self, cover: Thing) -> Clause:
        """Return a clause about a thing that covers a person or a table."""
        noun, holder = self.noun(cover), self.scene.thing(cover.holder)
        covered = Piece(
            plain("the person" if holder.category == "people" else "the table").words, holder.category, (holder.id,)
        )
        return (noun, plain("covers"), covered, *(self.place() if self.chance(0.3) else ()))

    def behind_clause(self, person: Thing, table: Thing) -> Clause:
        """Return a clause about a person behind a table."""
        behind = (plain("behind"), Piece(plain("a table").words, "other", (table.id,)))
        details = self.person_details(person)
        if self.chance(0.3):
            return (plain("there is"), self.person_noun(person), *details, *behind)
        return (self.person_noun(person), *details, plain(self.rng.choice(("is", "stands", "waits"))), *behind)


Maker = Callable[[], Clause]


def _topics(writer: _Writer) -> list[tuple[float, frozenset[str], Maker]]:
    """Return the possible clauses, each with a weight, the ids of its things, and a function that writes it."""
    scene, topics = writer.scene, []

    def add(weight: float, ids: list[str], make: Maker) -> None:
        topics.append((weight, frozenset(ids), make))

    flocks: dict[str, list[Thing]] = {}
    for thing in writer.things:
        if thing.group:
            flocks.setdefault(thing.group, []).append(thing)
        elif thing.category == "people":
            add(3.0, [thing.id], partial(writer.person_clause, thing))
            for table in writer.things:
                if table.kind == "table" and table.layer == 2:
                    add(1.0, [thing.id, table.id], partial(writer.behind_clause, thing, table))
        elif thing.place == "cover" or (thing.kind == "umbrella" and thing.place == "hand"):
            if thing.place == "cover" or len(scene.people()) == 1:
                add(0.8, [thing.id, thing.holder], partial(writer.cover_clause, thing))
        elif not thing.holder and thing.category in ("animals", "vehicles"):
            add(2.5, [thing.id], partial(writer.thing_clause, thing))
        elif not thing.holder and thing.layer != 2:
            add(2.0, [thing.id], partial(writer.furniture_clause, thing))
    for group in flocks.values():
        add(1.5, [thing.id for thing in group], partial(writer.group_clause, group))
    if len(scene.people()) > 1:
        people = list(scene.people())
        add(0.6, [person.id for person in people], partial(writer.people_clause, people))
    return topics


def describe(scene: Scene, variant: int = 0) -> Caption:
    """Return a caption of a part of the scene; equal variants of an edited scene differ only in the edited words."""
    tried: list[Caption] = []
    for attempt in range(_ATTEMPTS):
        caption = _attempt(_Writer(scene, variant * _ATTEMPTS + attempt))
        if MIN_WORDS <= caption.length <= MAX_WORDS and _answers_once(caption):
            return caption
        tried.append(caption)
    return min(tried, key=lambda caption: abs(caption.length - 12))


def _attempt(writer: _Writer) -> Caption:
    topics = _topics(writer)
    clauses: list[Clause] = []
    used: set[str] = set()
    wanted = 1 if writer.chance(0.22) else 2
    while topics and len(clauses) < wanted:
        weights = [weight for weight, _, _ in topics]
        chosen = writer.rng.choices(topics, weights)[0]
        topics.remove(chosen)
        if chosen[1] & used:
            continue
        used |= chosen[1]
        clauses.append(chosen[2]())
    if not writer.placed and (not clauses or writer.chance(0.3)):
        clauses = _with_place(writer, clauses)
    writer.rng.shuffle(clauses)
    return Caption(tuple(clauses), "while" if writer.chance(0.3) else "and")


def _with_place(writer: _Writer, clauses: list[Clause]) -> list[Clause]:
    if not clauses or writer.chance(0.3):
        noun = writer.rng.choice(("the picture shows", "this is", "we can see"))
        place = writer.place()[1]
        return [*clauses[:1], (plain(noun), place)]
    where = writer.rng.randrange(len(clauses))
    return [(*clause, *writer.place()) if number == where else clause for number, clause in enumerate(clauses)]


def _answers_once(caption: Caption) -> bool:
    """Return True if no slot's word occurs twice in the caption, where a copy would reveal it; sides may repeat."""
    text = caption.text
    answers = [text[slot.start : slot.end] for slot in caption.slots if slot.kind not in ("hand side", "position side")]
    words_of_caption = text.split()
    return all(words_of_caption.count(word) == 1 for word in answers)


def captions(scene: Scene) -> tuple[Caption, ...]:
    """Return the first `CAPTIONS` descriptions of a scene; some may be equal."""
    return tuple(describe(scene, variant) for variant in range(CAPTIONS))
