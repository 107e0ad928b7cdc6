"""The objects of one Visual Genome image: records of three files, made into regions that each stand once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from vlaudit.datasets.base import Refusal
from vlaudit.datasets.visual_genome.predicates import folded
from vlaudit.samples import Box, Image, Region, Relation

OBJECTS, RELATIONSHIPS, GRAPHS = "objects.json", "relationships.json", "region_graphs.json"


def names_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a record calls its object, in lower case: records hold `names`, a list, or `name`, a text.

    >>> names_of({"names": ["Lamp  post "]}), names_of({"name": "man"}), names_of({})
    (('lamp post',), ('man',), ())
    """
    given = record.get("names", record.get("name"))
    listed = given if isinstance(given, list) else [given]
    return tuple(name for text in listed if isinstance(text, str) and (name := " ".join(text.lower().split())))


def id_of(value: object) -> str | None:
    """Return an id as text; None for what is none."""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None


class Objects:
    """Objects of an image by id, each once: the record that comes first counts, and stands for all it is merged of.

    A box is x, y, w, h in pixels of the image, from its top left corner; it is clipped to the image. Objects whose box
    makes no sense are refused, and so is, silently, what refers to them.
    """

    def __init__(self, image_id: str, image: Image) -> None:
        self.image_id = image_id
        self.image = image
        self.refusals: list[Refusal] = []
        self._regions: dict[str, Region | None] = {}
        self._stands_for: dict[str, str] = {}

    @property
    def regions(self) -> tuple[Region, ...]:
        """Every object with a box, in the order in which they came."""
        return tuple(region for region in self._regions.values() if region is not None)

    def add(self, record: object, file: str, where: str) -> str | None:
        """Take a record if its object is new; return the region that stands for it, None where it was refused."""
        if not isinstance(record, dict) or (identity := id_of(record.get("object_id"))) is None:
            self._refuse(file, where, "it is no object with an object_id")
            return None
        known = self.resolve(identity)
        if known is None:
            known = identity
            self._regions[identity] = self._region(identity, record, file)
        for other in _listed(record.get("merged_object_ids")):
            if other not in self._regions:
                self._stands_for.setdefault(other, known)
        return known if self._regions[known] is not None else None

    def resolve(self, identity: object) -> str | None:
        """Return the id of the record that stands for an object, None where there is none."""
        text = id_of(identity)
        if text is None:
            return None
        text = self._stands_for.get(text, text)
        return text if text in self._regions else None

    def has_box(self, identity: str | None) -> bool:
        """Say whether a record that stands for an object has a box that makes sense."""
        return identity is not None and self._regions.get(identity) is not None

    def _region(self, identity: str, record: Mapping[str, Any], file: str) -> Region | None:
        numbers = [record.get(key) for key in ("x", "y", "w", "h")]
        where = f"object {identity} of image {self.image_id}"
        box = _box(numbers, self.image)
        names = names_of(record)
        if box is None:
            self._refuse(file, where, f"its x, y, w, h must be numbers with an area, got {numbers}")
        elif not box.inside(self.image.width, self.image.height):
            self._refuse(file, where, f"it lies outside its image of {self.image.width} x {self.image.height} pixels")
        elif not names:
            self._refuse(file, where, "it has no name")
        else:
            return Region(identity, box, names[0])
        return None

    def _refuse(self, file: str, where: str, reason: str) -> None:
        self.refusals.append(Refusal(file, where, reason))


def _listed(value: object) -> list[str]:
    return [text for one in value if (text := id_of(one))] if isinstance(value, list) else []


def _box(numbers: list[Any], image: Image) -> Box | None:
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        return None
    if not all(abs(number) < 1e9 and isfinite(number) for number in numbers) or min(numbers[2:]) <= 0:
        return None
    x, y, width, height = map(float, numbers)
    return Box(x, y, x + width, y + height).intersection(Box(0.0, 0.0, float(image.width), float(image.height)))


def relations_of(listed: Iterable[tuple[str, Mapping[str, Any]]], objects: Objects) -> tuple[Relation, ...]:
    """Return the relations of (file, record), each once, predicates folded; what makes no sense goes to the refusals.

    A record of relationships.json holds its `subject` and `object`, one of region_graphs.json their ids; the same
    relationship_id stands in both.
    """
    found: dict[Relation, None] = {}
    seen: set[str] = set()
    for file, record in listed:
        identity = id_of(record.get("relationship_id"))
        if identity is not None and identity in seen:
            continue
        seen.add(identity or "")
        where = f"relationship {identity} of image {objects.image_id}"
        ends = [_end(record, role, objects, file, where) for role in ("subject", "object")]
        predicate = record.get("predicate")
        wrong = _wrong(predicate, ends, objects)
        if wrong:
            objects.refusals.append(Refusal(file, where, wrong))
        else:
            found[Relation(str(ends[0]), folded(str(predicate)), str(ends[1]))] = None
    return tuple(found)


def _end(record: Mapping[str, Any], role: str, objects: Objects, file: str, where: str) -> str | None:
    if role in record:
        return objects.add(record[role], file, f"{role} of {where}")
    return objects.resolve(record.get(f"{role}_id"))


def _wrong(predicate: object, ends: list[str | None], objects: Objects) -> str:
    if not isinstance(predicate, str) or not predicate.strip():
        return f"its predicate must be a text, got {predicate!r}"
    if not all(map(objects.has_box, ends)):
        return "its subject or object is no object of the image with a box"
    return "it joins an object with itself" if ends[0] == ends[1] else ""
