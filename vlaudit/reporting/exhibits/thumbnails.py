"""Thumbnails of images for embedding in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import PIL.Image

from vlaudit.errors import VlauditError
from vlaudit.findings import Design
from vlaudit.measures.base import Unit
from vlaudit.perturbations import apply
from vlaudit.samples import Box, Image, Sample

SIDE = 192
"""Longest side of a thumbnail in pixels."""

_WHOLE = 0.8
"""Share of the picture above which a box is not outlined."""

Pictures = Callable[[Unit], Mapping[str, Image]]
"""Function from a unit to its pictures by label."""


class Place(NamedTuple):
    """Box in percent of its picture."""

    left: float
    top: float
    width: float
    height: float


class Thumbnail(NamedTuple):
    """Labelled picture: a data URI ("" if it cannot be read), and boxes to outline."""

    label: str
    uri: str
    alt: str
    width: int
    height: int
    places: tuple[Place, ...] = ()


def condition_pictures(design: Design, conditions: Mapping[str, str], unit: Unit) -> dict[str, Image]:
    """Return the perturbed pictures of a unit by label; `conditions` maps labels to conditions."""
    samples = {
        label: apply(design.conditions[condition], unit.sample, unit.seed) for label, condition in conditions.items()
    }
    return {label: sample.image for label, sample in samples.items() if sample.image is not None}


def thumbnails(unit: Unit, pictures: Pictures | None, *, label: str = "") -> list[Thumbnail]:
    """Return the pictures of a unit; without `pictures`, its own image with the tested regions outlined."""
    if pictures is not None:
        try:
            images = pictures(unit)
        except VlauditError as error:
            return [Thumbnail(str(error), "", "", SIDE, SIDE)]
        return [thumbnail(name, image, unit.sample.caption) for name, image in images.items()]
    image = unit.sample.image
    if image is None:
        return []
    return [thumbnail(label, image, unit.sample.caption, _tested_boxes(unit))]


def thumbnail(label: str, image: Image, caption: str, boxes: Sequence[Box] = ()) -> Thumbnail:
    """Return an image as a data URI: a lossless PNG if it is small, otherwise a JPEG of at most `SIDE` pixels."""
    places = tuple(_place(box, image) for box in boxes if box.area < _WHOLE * image.width * image.height)
    alt = f"{label}: {caption}" if label else caption
    try:
        picture = PIL.Image.fromarray(image.pixels())
    except (VlauditError, OSError, ValueError):
        return Thumbnail(label, "", alt, image.width, image.height)
    kind = "PNG" if max(picture.size) <= SIDE else "JPEG"
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"optimize": True} if kind == "PNG" else {"quality": 82}))
    uri = f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return Thumbnail(label, uri, alt, picture.width, picture.height, places)


def marked(sample: Sample, unit: Unit) -> list[tuple[str, bool]]:
    """Return the caption in pieces with flags: True for the tested slot, or for hidden spans if no slot is tested."""
    spans = [(unit.slot.start, unit.slot.end)] if unit.slot else [tuple(span) for span in sample.hidden_phrases]
    pieces, at = [], 0
    for start, end in sorted(spans):
        pieces += [(sample.caption[at:start], False), (sample.caption[max(at, start) : end], True)]
        at = max(at, end)
    pieces.append((sample.caption[at:], False))
    return [piece for piece in pieces if piece[0]]


def _tested_boxes(unit: Unit) -> list[Box]:
    names = unit.slot.region_ids if unit.slot else ()
    return [unit.sample.region(name).box for name in names]


def _place(box: Box, image: Image) -> Place:
    left, top = 100 * box.left / image.width, 100 * box.top / image.height
    return Place(left, top, 100 * box.width / image.width, 100 * box.height / image.height)
