"""Objects and relations of a Visual Genome image, merged from the records of three files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from vlaudit.datasets.base import Refusal
from vlaudit.datasets.visual_genome.predicates import normalize_predicate
from vlaudit.samples import Box, Image, Region, Relation

OBJECTS, RELATIONSHIPS, GRAPHS = "objects.json", "relationships.json", "region_graphs.json"


def names_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a record's object in lower case, from the list `names` or the string `name`.

    >>> names_of({"names": ["Lamp  post "]}), names_of({"name": "man"}), names_of({})
    (('lamp post',), ('man',), ())
    """
    given = record.get("names", record.get("name"))
    listed = given if isinstance(given, list) else [given]
    return tuple(name for text in listed if isinstance(text, str) and (name := " ".join(text.lower().split())))


def id_of(value: object) -> str | None:
    """Return an id as a string, or None if the value is not an id."""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None


class Objects:
    """Objects of an image by id; of several records of an object, or of objects merged into it, the first is kept.

    A box is x, y, w, h in pixels of the image, origin top left; it is clipped to the image. Objects with invalid boxes
    are refused; references to them are ignored without a further refusal.
    """

    def __init__(self, image_id: str, image: Image) -> None:
        self.image_id = image_id
        self.image = image
        self.refusals: list[Refusal] = []
        self._regions: dict[str, Region | None] = {}
        self._merged_into: dict[str, str] = {}

    @property
    def regions(self) -> tuple[Region, ...]:
        """All objects with a valid box, in the order of their addition."""
        return tuple(region for region in self._regions.values() if region is not None)

    def add(self, record: object, file: str, where: str) -> str | None:
        """Add the object of a record if it is new; return the id of its region, or None if it is refused."""
        if not isinstance(record, dict) or (identity := id_of(record.get("object_id"))) is None:
            self._refuse(file, where, "must be an object with an 'object_id'")
            return None
        known = self.resolve(identity)
        if known is None:
            known = identity
            self._regions[identity] = self._region(identity, record, file)
        for other in _listed(record.get("merged_object_ids")):
            if other not in self._regions:
                self._merged_into.setdefault(other, known)
        return known if self._regions[known] is not None else None

    def resolve(self, identity: object) -> str | None:
        """Return the id of the kept record of an object, or None if it is unknown."""
        text = id_of(identity)
        if text is None:
            return None
        text = self._merged_into.get(text, text)
        return text if text in self._regions else None

    def has_box(self, identity: str | None) -> bool:
        """Return True if the kept record of an object has a valid box."""
        return identity is not None and self._regions.get(identity) is not None

    def _region(self, identity: str, record: Mapping[str, Any], file: str) -> Region | None:
        numbers = [record.get(key) for key in ("x", "y", "w", "h")]
        where = f"object {identity} of image {self.image_id}"
        box = _box(numbers, self.image)
        names = names_of(record)
        if box is None:
            self._refuse(file, where, f"x, y, w, h must be numbers with a positive area, got {numbers}")
        elif not box.inside(self.image.width, self.image.height):
            self._refuse(
                file, where, f"the box is outside the image of {self.image.width} x {self.image.height} pixels"
            )
        elif not names:
            self._refuse(file, where, "missing name")
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
    """Return the distinct relations of (file, record) pairs with normalized predicates; invalid ones are refused.

    A record of relationships.json contains its `subject` and `object`, one of region_graphs.json their ids. Both files
    use the same relationship_id.
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
        problem = _problem(predicate, ends, objects)
        if problem:
            objects.refusals.append(Refusal(file, where, problem))
        else:
            found[Relation(str(ends[0]), normalize_predicate(str(predicate)), str(ends[1]))] = None
    return tuple(found)


def _end(record: Mapping[str, Any], role: str, objects: Objects, file: str, where: str) -> str | None:
    if role in record:
        return objects.add(record[role], file, f"{role} of {where}")
    return objects.resolve(record.get(f"{role}_id"))


def _problem(predicate: object, ends: list[str | None], objects: Objects) -> str:
    if not isinstance(predicate, str) or not predicate.strip():
        return f"'predicate' must be a string, got {predicate!r}"
    if not all(map(objects.has_box, ends)):
        return "subject and object must be objects of the image with valid boxes"
    return "subject and object must differ" if ends[0] == ends[1] else ""
