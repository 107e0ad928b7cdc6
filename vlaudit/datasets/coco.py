"""COCO captions: a captions JSON file with its images (`coco:DIR`), and the boxes of its instances if available.

Format: Chen et al. 2015, "Microsoft COCO Captions", as in captions_val2017.json: an object with `images` (records with
`id` and `file_name`) and `annotations` (records with `id`, `image_id` and `caption`). See docs/data.md for refusals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vlaudit.datasets.base import Refusal, parse_options
from vlaudit.datasets.coco_boxes import CocoBoxes, linked
from vlaudit.datasets.coco_files import (
    Record,
    Types,
    find_captions,
    find_images,
    find_instances,
    load,
    names_of,
    records,
)
from vlaudit.datasets.hints import OtherCaptions
from vlaudit.datasets.images import UnreadableImage, inside, open_image
from vlaudit.datasets.mining import slots_in
from vlaudit.errors import UsageError
from vlaudit.samples import Image, Region, Sample, words_of

_IMAGE: Types = {"id": (int, str), "file_name": str}
_ANNOTATION: Types = {"id": (int, str), "image_id": (int, str), "caption": str}


def from_spec(text: str) -> CocoCaptions:
    """Return the data set `DIR[,captions=FILE][,images=DIR]`; both options are relative to the first DIR.

    Raises `UsageError` for unknown options, and `DataError` if the folder does not contain the data set.
    """
    folder, options = parse_options(text, ("captions", "images"))
    if not folder:
        raise UsageError("--data coco:DIR requires the folder with the captions and the images, got none")
    return CocoCaptions(Path(folder), **options)


class _Caption(NamedTuple):
    id: str
    text: str


class CocoCaptions:
    """COCO captions as a data set: one sample per caption, grouped by image, in the order of the captions file.

    Construction reads the JSON and refuses invalid records. Image files are opened, or refused, once during iteration,
    so that a limit is cheap for a folder of 100,000 images. A refusal represents one caption without a sample, or one
    malformed record. Leading and trailing white space of captions is removed, and inner white space becomes single
    spaces. Slots are mined from the captions (`mining`). If the folder of the captions contains instances_*.json, its
    boxes become regions (`coco_boxes`). The `world` of a sample provides `hint` and `copy_hint` from the other
    captions of its image.
    """

    name = "coco"

    def __init__(self, folder: Path, captions: str = "", images: str = "") -> None:
        self.file = find_captions(folder, captions)
        content = load(self.file)
        listed, refused = records(content, "images", self.file, _IMAGE)
        written, malformed = records(content, "annotations", self.file, _ANNOTATION)
        self.refusals: list[Refusal] = [*refused, *malformed]
        self.images = find_images(folder, images, listed, self.file)
        self._records = self._unique_images(listed)
        self._captions = self._grouped(written)
        instances = find_instances(self.file)
        self._boxes = CocoBoxes.read(instances) if instances else None
        if self._boxes:
            self.refusals += self._boxes.refusals
        self._opened: dict[str, Image | None] = {}

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples; repeated iterations add no refusals."""
        for image_id, captions in self._captions.items():
            first = image_id not in self._opened
            if first:
                self._opened[image_id] = self._open(image_id, captions)
            image = self._opened[image_id]
            if image is not None:
                yield from self._samples(image_id, image, captions, self._regions(image_id, image, first=first))

    def describe(self) -> str:
        """Return the file and the numbers of images, captions and refused records read so far, as one line."""
        read = [image_id for image_id, image in self._opened.items() if image is not None]
        captions = sum(len(self._captions[image_id]) for image_id in read)
        boxes = "with boxes" if self._boxes else "no boxes"
        return (
            f"COCO captions, {self.file.name}: {captions} captions of {len(read)} images, "
            f"{len(self.refusals)} records refused, {boxes}"
        )

    def _refuse(self, where: str, reason: str) -> None:
        self.refusals.append(Refusal(self.file.name, where, reason))

    def _unique_images(self, listed: Sequence[Record]) -> dict[str, Record]:
        """Return the image records by id; of equal records the first is kept, of an id with two files none."""
        files: dict[str, set[str]] = {}
        for record in listed:
            files.setdefault(str(record["id"]), set()).add(record["file_name"])
        unique: dict[str, Record] = {}
        for record in listed:
            identity = str(record["id"])
            if len(files[identity]) > 1:
                self._refuse(f"image {identity}", f"the id names {len(files[identity])} different files")
            elif identity in unique:
                self._refuse(f"image {identity}", "duplicate id; the first record is kept")
            else:
                unique[identity] = record
        return unique

    def _grouped(self, written: Sequence[Record]) -> dict[str, tuple[_Caption, ...]]:
        """Return the captions by image, both in the order of their first occurrence in the file."""
        groups: dict[str, list[_Caption]] = {}
        seen: set[str] = set()
        for record in written:
            caption = _Caption(str(record["id"]), " ".join(record["caption"].split()))
            if caption.id in seen:
                self._refuse(f"caption {caption.id}", "duplicate id; the first record is kept")
            elif not words_of(caption.text):
                self._refuse(f"caption {caption.id}", f"the caption contains no word: {record['caption']!r}")
            elif str(record["image_id"]) not in self._records:
                self._refuse(f"caption {caption.id}", f"unknown image_id {record['image_id']!r}")
            else:
                groups.setdefault(str(record["image_id"]), []).append(caption)
            seen.add(caption.id)
        return {image_id: tuple(captions) for image_id, captions in groups.items()}

    def _open(self, image_id: str, captions: Sequence[_Caption]) -> Image | None:
        record = self._records[image_id]
        try:
            return open_image(self._file_of(record), f"coco-{image_id}")
        except UnreadableImage as reason:
            for caption in captions:
                where = f"caption {caption.id} of image {image_id}"
                self.refusals.append(Refusal(record["file_name"], where, str(reason)))
            return None

    def _file_of(self, record: Record) -> Path:
        paths = [inside(self.images, name) for name in names_of(record)]
        return next((path for path in paths if path.is_file()), paths[0])

    def _regions(self, image_id: str, image: Image, *, first: bool) -> tuple[Region, ...]:
        if self._boxes is None:
            return ()
        record = self._records[image_id]
        annotated_size = (record.get("width", image.width), record.get("height", image.height))
        regions, refused = self._boxes.regions(image_id, image, annotated_size)
        if first:
            self.refusals += refused
        return regions

    def _samples(
        self,
        image_id: str,
        image: Image,
        captions: Sequence[_Caption],
        regions: tuple[Region, ...],
    ) -> Iterator[Sample]:
        for caption in captions:
            others = tuple(other.text for other in captions if other.id != caption.id)
            yield Sample(
                id=f"coco-{image_id}-{caption.id}",
                image_id=f"coco-{image_id}",
                image=image,
                caption=caption.text,
                regions=regions,
                slots=linked(slots_in(caption.text), caption.text, regions),
                world=OtherCaptions(others),
            )
