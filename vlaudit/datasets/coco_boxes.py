"""Regions from the boxes of instances_*.json, and links from the words of a caption to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vlaudit.datasets.base import Refusal
from vlaudit.datasets.coco_files import Record, Types, load, records
from vlaudit.datasets.words import CATEGORY
from vlaudit.samples import Box, Image, Region, Slot

_ANNOTATION: Types = {"id": (int, str), "image_id": (int, str), "category_id": (int, str), "bbox": list}
_CATEGORY: Types = {"id": (int, str), "name": str}


class CocoBoxes:
    """Boxes by image; a box is [left, top, width, height] in pixels of the stored image."""

    def __init__(self, file: str, boxes: dict[str, list[Record]], labels: dict[str, str]) -> None:
        self.file = file
        self.refusals: list[Refusal] = []
        self._boxes = boxes
        self._labels = labels

    @classmethod
    def read(cls, path: Path) -> CocoBoxes:
        """Read an instances file, refusing malformed records; raise `DataError` if the file is invalid."""
        content = load(path)
        categories, refused = records(content, "categories", path, _CATEGORY)
        annotations, malformed = records(content, "annotations", path, _ANNOTATION)
        labels = {str(record["id"]): record["name"] for record in categories}
        grouped: dict[str, list[Record]] = {}
        read = cls(path.name, grouped, labels)
        read.refusals += [*refused, *malformed]
        seen: set[str] = set()
        for record in annotations:
            problem = _problem(record, labels, seen)
            seen.add(str(record["id"]))
            if problem:
                read.refusals.append(Refusal(path.name, f"box {record['id']}", problem))
            else:
                grouped.setdefault(str(record["image_id"]), []).append(record)
        return read

    def regions(
        self, image_id: str, image: Image, annotated_size: tuple[object, object]
    ) -> tuple[tuple[Region, ...], list[Refusal]]:
        """Return the regions of an image, with boxes clipped to the image, and the refusals.

        A box outside the image is refused. All boxes are refused if they were annotated for another size (width,
        height), for instance for a photo before the rotation by its EXIF orientation.
        """
        boxes = self._boxes.get(image_id, [])
        if boxes and annotated_size != (image.width, image.height):
            reason = (
                f"annotated for {annotated_size[0]} x {annotated_size[1]} pixels, "
                f"but the image has {image.width} x {image.height}"
            )
            return (), [Refusal(self.file, f"boxes of image {image_id}", reason)]
        regions, refused = [], []
        for record in boxes:
            box = _clipped(record, image)
            if box.inside(image.width, image.height):
                regions.append(Region(str(record["id"]), box, self._labels[str(record["category_id"])]))
            else:
                reason = f"the box is outside the image of {image.width} x {image.height} pixels"
                refused.append(Refusal(self.file, f"box {record['id']}", reason))
        return tuple(regions), refused


def _clipped(record: Record, image: Image) -> Box:
    left, top, width, height = (float(number) for number in record["bbox"])
    whole = Box(0.0, 0.0, float(image.width), float(image.height))
    return Box(left, top, left + width, top + height).intersection(whole)


def _problem(record: Record, labels: dict[str, str], seen: set[str]) -> str:
    numbers = record["bbox"]
    finite = all(
        isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < 1e9 for number in numbers
    )
    if len(numbers) != 4 or not finite or numbers[2] <= 0 or numbers[3] <= 0:
        return f"'bbox' must be left, top, width, height with an area, got {numbers!r}"
    if str(record["category_id"]) not in labels:
        return f"unknown category_id {record['category_id']!r}"
    return "duplicate id; the first record is kept" if str(record["id"]) in seen else ""


def linked(slots: tuple[Slot, ...], caption: str, regions: tuple[Region, ...]) -> tuple[Slot, ...]:
    """Return the slots with the ids of the regions that answer them.

    A noun is linked to every region of its category: an image of two dogs shows "a dog" unless both are covered. A
    colour is linked to the region of the noun that follows it, if there is exactly one; with two buses, it is unknown
    which one is red. Sides and all other colours are not linked.
    """
    found = [_of_noun(slot, caption, regions) for slot in slots]
    for index, slot in enumerate(slots[:-1]):
        after = found[index + 1]
        adjacent = caption[slot.end : after.start].strip() == ""
        if slot.kind == "color" and adjacent and len(after.region_ids) == 1:
            found[index] = replace(slot, region_ids=after.region_ids)
    return tuple(found)


def _of_noun(slot: Slot, caption: str, regions: tuple[Region, ...]) -> Slot:
    category = CATEGORY.get(caption[slot.start : slot.end].lower())
    return replace(slot, region_ids=tuple(region.id for region in regions if region.label == category))
