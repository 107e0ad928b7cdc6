"""The boxes of instances_*.json, as regions; and which of them a word of a caption means."""

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
    """Boxes by image; a box is [left, top, width, height] in pixels of the image as its file stores it."""

    def __init__(self, file: str, boxes: dict[str, list[Record]], labels: dict[str, str]) -> None:
        self.file = file
        self.refusals: list[Refusal] = []
        self._boxes = boxes
        self._labels = labels

    @classmethod
    def read(cls, path: Path) -> CocoBoxes:
        """Read an instances file; `DataError` where it is none, refusals for its malformed records."""
        content = load(path)
        categories, refused = records(content, "categories", path, _CATEGORY)
        annotations, malformed = records(content, "annotations", path, _ANNOTATION)
        labels = {str(record["id"]): record["name"] for record in categories}
        grouped: dict[str, list[Record]] = {}
        read = cls(path.name, grouped, labels)
        read.refusals += [*refused, *malformed]
        seen: set[str] = set()
        for record in annotations:
            wrong = _wrong(record, labels, seen)
            seen.add(str(record["id"]))
            if wrong:
                read.refusals.append(Refusal(path.name, f"box {record['id']}", wrong))
            else:
                grouped.setdefault(str(record["image_id"]), []).append(record)
        return read

    def regions(
        self, image_id: str, image: Image, drawn_for: tuple[object, object]
    ) -> tuple[tuple[Region, ...], list[Refusal]]:
        """Return the image's regions, boxes clipped to it, and the refusals.

        A box that lies outside is refused, and so are all where they were drawn for another size (width, height):
        a photo that its EXIF turns upright has boxes of the photo as it lay.
        """
        boxes = self._boxes.get(image_id, [])
        if boxes and drawn_for != (image.width, image.height):
            reason = f"drawn for {drawn_for[0]} x {drawn_for[1]} pixels, it has {image.width} x {image.height}"
            return (), [Refusal(self.file, f"boxes of image {image_id}", reason)]
        regions, refused = [], []
        for record in boxes:
            box = _clipped(record, image)
            if box.inside(image.width, image.height):
                regions.append(Region(str(record["id"]), box, self._labels[str(record["category_id"])]))
            else:
                reason = f"it lies outside its image of {image.width} x {image.height} pixels"
                refused.append(Refusal(self.file, f"box {record['id']}", reason))
        return tuple(regions), refused


def _clipped(record: Record, image: Image) -> Box:
    left, top, width, height = (float(number) for number in record["bbox"])
    whole = Box(0.0, 0.0, float(image.width), float(image.height))
    return Box(left, top, left + width, top + height).intersection(whole)


def _wrong(record: Record, labels: dict[str, str], seen: set[str]) -> str:
    numbers = record["bbox"]
    finite = all(
        isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < 1e9 for number in numbers
    )
    if len(numbers) != 4 or not finite or numbers[2] <= 0 or numbers[3] <= 0:
        return f"its 'bbox' must be left, top, width, height with an area, got {numbers!r}"
    if str(record["category_id"]) not in labels:
        return f"it belongs to no category: category_id {record['category_id']!r}"
    return "the id is there twice; the first record is kept" if str(record["id"]) in seen else ""


def linked(slots: tuple[Slot, ...], caption: str, regions: tuple[Region, ...]) -> tuple[Slot, ...]:
    """Return the slots with the regions that answer them.

    A noun is linked to every region of its category, because with two dogs the image shows "a dog" until both
    are covered. A colour is linked through the noun right after it, where that has one region: of two buses
    nobody knows which is red. Sides and all other colours stay unlinked.
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
