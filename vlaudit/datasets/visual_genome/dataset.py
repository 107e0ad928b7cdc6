"""Samples of Visual Genome: one per region description, with all objects and relations of its image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlaudit.datasets.attached import AttachedFeatures
from vlaudit.datasets.base import Refusal
from vlaudit.datasets.grounding import grounded_slots
from vlaudit.datasets.images import UnreadableImage, open_image
from vlaudit.datasets.photos import absent_image, find_photos
from vlaudit.datasets.visual_genome.descriptions import Description, OtherDescriptions, phrases_of
from vlaudit.datasets.visual_genome.json_lists import Element, ImageList, elements, image_id_of, refusal_reason
from vlaudit.datasets.visual_genome.objects import GRAPHS, OBJECTS, RELATIONSHIPS, Objects, id_of, relations_of
from vlaudit.errors import DataError
from vlaudit.samples import Image, Relation, Sample, words_of

PLACES = ("VG_100K", "VG_100K_2", "images/VG_100K", "images/VG_100K_2", "images", "")
"""Usual folders of the two parts of the photos, relative to the folder of the JSON files."""

_SIZES = "image_data.json"
_MIN_WORDS = 2


class VisualGenome:
    """Visual Genome as a data set: one sample per region description whose graph names objects.

    Samples are in the order of region_graphs.json: first one per image, then the others, so that a limit of some
    hundreds covers as many images. For the others, the files are read a second time. The files are streamed; memory
    holds one image at a time, and the position of each image in the other files.

    A refusal represents one description without a sample, or one invalid object, relation or image; three quarters of
    the published descriptions have no graph. Every sample has all objects of its image as regions, in pixels of the
    photo, and all relations of its image. If files disagree on the box of an object, objects.json is used. The `world`
    of a sample provides `hint` and `copy_hint` from the other descriptions of the same object. If photos are missing,
    `features` provides the regions, and `image` has the size stated by image_data.json or by the features, without
    pixels.
    """

    name = "visual-genome"

    def __init__(self, folder: Path, images: str = "", features: str = "", names: str = "") -> None:
        spec = f"{self.name}:{folder}"
        _check_files(spec, folder)
        self.folder = folder
        self.refusals: list[Refusal] = []
        self._photos = find_photos(spec, folder, images, PLACES, _is_photo, needed=not features)
        self._attached = AttachedFeatures.open(folder, features, names)
        self._objects = ImageList(folder / OBJECTS, self.refusals)
        self._relationships = self._optional(RELATIONSHIPS)
        self._sizes = self._optional(_SIZES)
        self._images: dict[str, Image | str] = {}
        self._counts: dict[int, tuple[int, int, int]] = {}

    def _optional(self, name: str) -> ImageList | None:
        return ImageList(self.folder / name, self.refusals) if (self.folder / name).is_file() else None

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples; repeated iterations add no refusals."""
        for chosen in (slice(0, 1), slice(1, None)):
            seen: set[str] = set()
            for element in elements(self.folder / GRAPHS):
                samples, refused, counts = self._of_image(element, seen)
                if element.number not in self._counts:
                    self.refusals += refused
                    self._counts[element.number] = counts
                yield from samples[chosen]

    def describe(self) -> str:
        """Return the numbers of descriptions, images, boxes, relations and refused records read so far, as one line."""
        images = sum(counts[0] > 0 for counts in self._counts.values())
        captions, boxes, relations = (sum(counts[i] for counts in self._counts.values()) for i in range(3))
        features = f"; {self._attached.describe()}" if self._attached else ""
        without = "" if self._relationships else f", no {RELATIONSHIPS}"
        return (
            f"Visual Genome: {captions} descriptions of {images} images, {boxes} boxes, {relations} relations, "
            f"{len(self.refusals)} records refused{without}{features}"
        )

    def _of_image(self, element: Element, seen: set[str]) -> tuple[list[Sample], list[Refusal], tuple[int, int, int]]:
        """Return the samples of a record of region_graphs.json, its refusals, and counts for `describe`."""
        none = (0, 0, 0)
        image_id, problem = image_id_of(element.value), ""
        if image_id is None or image_id in seen:
            problem = refusal_reason(image_id)
        elif not isinstance(element.value.get("regions"), list):
            problem = "'regions' must be a list"
        if image_id is None or problem:
            return [], [Refusal(GRAPHS, f"record {element.number + 1}", problem)], none
        seen.add(image_id)
        described = element.value["regions"]
        try:
            image = self._image(image_id)
        except UnreadableImage as reason:
            file = f"{image_id}.jpg"
            return [], [Refusal(file, f"image {image_id}, {len(described)} descriptions", str(reason))], none
        objects = Objects(image_id, image)
        relations = self._fill(objects, described)
        descriptions = _descriptions(described, objects)
        samples, refused = _samples(objects, relations, descriptions), objects.refusals
        if self._attached:
            samples, unmatched = self._attached.attach(image_id, image, samples)
            refused += [*unmatched, *(_unlinked(one) for one in samples if not one.phrases)]
            samples = [one for one in samples if one.phrases]
        samples = _hinted(samples, described)
        return samples, refused, (len(samples), len(objects.regions), len(relations))

    def _fill(self, objects: Objects, described: list[Any]) -> tuple[Relation, ...]:
        """Add the objects of an image from the three files, in order of precedence, and return its relations."""
        own = _members(self._objects.get(objects.image_id), "objects")
        for number, record in enumerate(own):
            objects.add(record, OBJECTS, f"object {number + 1} of image {objects.image_id}")
        graphs = [one for one in described if isinstance(one, dict)]
        related = self._relationships.get(objects.image_id) if self._relationships else None
        stated = [(RELATIONSHIPS, one) for one in _members(related, "relationships") if isinstance(one, dict)]
        for one in graphs:
            for record in _members(one, "objects"):
                objects.add(record, GRAPHS, f"an object of region {one.get('region_id')} of image {objects.image_id}")
        drawn = [(GRAPHS, one) for graph in graphs for one in _members(graph, "relationships") if isinstance(one, dict)]
        return relations_of([*stated, *drawn], objects)

    def _image(self, image_id: str) -> Image:
        """Return the photo, opened once, or with features a placeholder of the stated size."""
        if image_id not in self._images:
            try:
                self._images[image_id] = open_image(self._photos.find(f"{image_id}.jpg"), f"vg-{image_id}")
            except UnreadableImage as reason:
                size = self._size(image_id)
                self._images[image_id] = absent_image(f"vg-{image_id}", *size) if size else self._unsized(str(reason))
        image = self._images[image_id]
        if isinstance(image, str):
            raise UnreadableImage(image)
        return image

    def _unsized(self, reason: str) -> str:
        """Return the reason for refusing an image without photo and, if features are given, without a known size."""
        return f"{reason}, and neither {_SIZES} nor the features state its size" if self._attached else reason

    def _size(self, image_id: str) -> tuple[int, int] | None:
        if self._attached is None:
            return None
        stated = (self._sizes.get(image_id) if self._sizes else None) or {}
        width, height = stated.get("width"), stated.get("height")
        if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
            return width, height
        return self._attached.size(image_id)


def _descriptions(described: list[Any], objects: Objects) -> list[Description]:
    found: dict[str, Description] = {}
    for number, record in enumerate(described, start=1):
        identity = id_of(record.get("region_id")) if isinstance(record, dict) else None
        description = "missing key 'region_id'" if identity is None else _description(record, identity, objects)
        if identity in found:
            description = "duplicate id; the first record is kept"
        if isinstance(description, str):
            where = f"region {identity or f'number {number}'} of image {objects.image_id}"
            objects.refusals.append(Refusal(GRAPHS, where, description))
        else:
            found[description.id] = description
    return list(found.values())


def _description(record: Mapping[str, Any], identity: str, objects: Objects) -> Description | str:
    """Return the description of a record, or the reason why there is none."""
    if not isinstance(record.get("phrase"), str):
        return "'phrase' must be a string"
    if len(words_of(record["phrase"])) < _MIN_WORDS:
        return "the phrase must have at least two words"
    if not _members(record, "objects"):
        return "the region graph has no object"
    text, phrases = phrases_of(record, objects)
    return Description(identity, text, phrases) if phrases else "the phrase names no object of its graph with a box"


def _samples(objects: Objects, relations: tuple[Relation, ...], descriptions: list[Description]) -> list[Sample]:
    regions = objects.regions
    return [
        Sample(
            id=f"vg-{objects.image_id}-{one.id}",
            image_id=objects.image_id,
            image=objects.image,
            caption=one.text,
            regions=regions,
            phrases=one.phrases,
            relations=relations,
            slots=grounded_slots(one.text, one.phrases),
        )
        for one in descriptions
    ]


def _hinted(samples: list[Sample], described: list[Any]) -> list[Sample]:
    """Return the samples with the descriptions of their image as `world`, those with regions first."""
    own = [sample.caption for sample in samples]
    phrases = [
        " ".join(one["phrase"].split())
        for one in described
        if isinstance(one, dict) and isinstance(one.get("phrase"), str)
    ]
    rest = [text for text in dict.fromkeys(phrases) if text not in own]
    about = [frozenset(name for phrase in sample.phrases for name in phrase.region_ids) for sample in samples]
    world = OtherDescriptions((*own, *rest), (*about, *[frozenset[str]()] * len(rest)))
    return [replace(sample, world=world) for sample in samples]


def _unlinked(sample: Sample) -> Refusal:
    where = f"region {sample.id.rsplit('-', 1)[-1]} of image {sample.image_id}"
    return Refusal(GRAPHS, where, "no detector box matches any object that the phrase names")


def _members(record: Any, key: str) -> list[Any]:
    listed = record.get(key) if isinstance(record, Mapping) else None
    return listed if isinstance(listed, list) else []


def _is_photo(name: str) -> bool:
    return name.endswith(".jpg") and name[:-4].isdigit()


def _check_files(spec: str, folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"{spec}: the folder does not exist")
    missing = [name for name in (OBJECTS, GRAPHS) if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{spec}: not a Visual Genome folder: looked for {OBJECTS} and {GRAPHS} (and {RELATIONSHIPS}, "
            f"{_SIZES} if available), found no {' and no '.join(missing)}; unpack the zip files"
        )
    for name in (OBJECTS, GRAPHS, RELATIONSHIPS, _SIZES):
        if (folder / name).is_file():
            next(elements(folder / name), None)
