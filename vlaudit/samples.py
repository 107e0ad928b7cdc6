"""Samples: an image with a caption and the annotations of both.

Regions and relations describe the image: a perturbation that covers a region also marks it as not visible, one that
recolours it also changes its attributes. Phrases and slots describe the caption, which may be false of the image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from vlaudit.errors import DataError
from vlaudit.seeds import digest

PHRASE_TYPES = ("people", "bodyparts", "scene", "clothing", "animals", "instruments", "vehicles", "other")
"""The eight coreference types of Flickr30k Entities (Plummer et al. 2015)."""

COLORS = ("black", "white", "red", "green", "yellow", "blue", "brown", "purple", "pink", "orange", "gray")
"""The eleven basic colour terms of English (Berlin and Kay 1969)."""

COLOR_WORDS = frozenset({*COLORS, "grey"})
"""The basic colour terms in both spellings."""

SIDES = ("left", "right")
"""The words that a left-right flip of the image exchanges."""


class Box(NamedTuple):
    """Rectangle in pixels of an image: half-open, with the origin at the top left, so that width is `right - left`."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area in square pixels; 0 if a width or height is negative."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def center(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def intersection(self, other: Box) -> Box:
        """Return the intersection of both boxes; its area is 0 if they do not overlap."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def iou(self, other: Box) -> float:
        """Return intersection over union, 0 to 1.

        >>> Box(0, 0, 2, 2).iou(Box(1, 0, 3, 2))
        0.3333333333333333
        """
        shared = self.intersection(other).area
        union = self.area + other.area - shared
        return shared / union if union else 0.0

    def mirrored(self, image_width: float) -> Box:
        """Return the box after a left-right flip of an image of this width."""
        return Box(image_width - self.right, self.top, image_width - self.left, self.bottom)

    def shifted(self, x: float, y: float) -> Box:
        """Return the box moved by (x, y) pixels."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def inside(self, width: float, height: float) -> bool:
        """Return whether the box has an area and is inside an image of this size."""
        return 0 <= self.left < self.right <= width and 0 <= self.top < self.bottom <= height


def _stored(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return pixels


def _edited(image: Image, edit: Callable[[Any], Any]) -> UInt8[np.ndarray, "height width 3"]:
    return np.ascontiguousarray(edit(image.pixels().copy()))


@dataclass(frozen=True)
class Image:
    """RGB image with a key, read or drawn on demand.

    Images with equal keys have equal pixels, so that equal inputs merge without decoding. `read` is a module-level
    function or a `functools.partial` of one, so that images can be pickled.
    """

    key: str
    width: int
    height: int
    read: Callable[[], UInt8[np.ndarray, "height width 3"]] = field(compare=False, repr=False)

    @classmethod
    def from_array(cls, pixels: UInt8[np.ndarray, "height width 3"]) -> Image:
        """Return an image of existing pixels; the key is their digest."""
        pixels = np.ascontiguousarray(pixels)
        height, width, _ = pixels.shape
        return cls(digest(pixels.shape, pixels.tobytes()), width, height, partial(_stored, pixels))

    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """Read or draw the pixels, (height, width, 3), 0-255; the array is read-only.

        Raises `DataError` if their shape does not match `height` and `width`.
        """
        pixels = self.read().view()
        if pixels.shape != (self.height, self.width, 3):
            raise DataError(
                f"image {self.key}: its pixels must have shape {(self.height, self.width, 3)}, got {pixels.shape}"
            )
        pixels.setflags(write=False)
        return pixels

    def edited(self, how: str, edit: Callable[[Any], Any]) -> Image:
        """Return the image after `edit` (pixels to pixels of the same shape), which runs on demand.

        `how` describes the edit completely, settings and random seed included: it becomes part of the key.
        """
        return Image(digest(self.key, how), self.width, self.height, partial(_edited, self, edit))


@dataclass(frozen=True)
class Region:
    """Object in the image, with its box.

    `attributes` are words that are true of the object (its colour, its side); `visible` is False if it is covered.
    Region-feature models read a detector's output: `features`, the feature vector, (width,); `classes`, the class
    probabilities, background first; `confidence`, the probability of the most probable class other than background.
    All three are None without a detection.
    """

    id: str
    box: Box
    label: str
    attributes: tuple[str, ...] = ()
    visible: bool = True
    features: Float[np.ndarray, "width"] | None = field(default=None, compare=False, repr=False)
    classes: Float[np.ndarray, "classes"] | None = field(default=None, compare=False, repr=False)
    confidence: float | None = field(default=None, compare=False, repr=False)

    @cached_property
    def key(self) -> str:
        """Digest of all fields, the detector's output included."""
        arrays = (b"" if array is None else array.tobytes() for array in (self.features, self.classes))
        return digest(self, *arrays, self.confidence)


class Span(NamedTuple):
    """Range of characters of a caption, `start` to `end`, half-open."""

    start: int
    end: int


@dataclass(frozen=True)
class Phrase:
    """Characters `start` to `end` of the caption that name regions of the image; a plural names several."""

    id: str
    start: int
    end: int
    type: str
    region_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slot:
    """Word of the caption that a model can be tested on: if it is hidden, the image or a hint must supply it.

    `kind` names the question ("color", "object", "hand side", ...); `region_ids` are the regions that answer it.
    `answer` is the word that is true of the image, in lower case. `choices` are the words that a model chooses from,
    the answer included. The data set provides both. A perturbation of the image that changes the truth (mirror,
    recolour) changes the answer too; an edit of the caption changes neither. A slot without choices cannot be tested.
    `asked` marks the one slot that a unit tests.
    """

    start: int
    end: int
    kind: str
    region_ids: tuple[str, ...] = ()
    answer: str = ""
    choices: tuple[str, ...] = ()
    asked: bool = False

    def answered(self, answer: str) -> Slot:
        """Return the slot with another true answer, which is added to the choices if they exist and lack it."""
        choices = self.choices if answer in self.choices or not self.choices else (*self.choices, answer)
        return replace(self, answer=answer, choices=choices)


@dataclass(frozen=True)
class Relation:
    """Relation between two regions, by their ids; `predicate` is one or two words ("on", "playing")."""

    subject: str
    predicate: str
    object: str


@dataclass(frozen=True)
class Sample:
    """One image with one caption and the annotations of both.

    `hidden_phrases` are spans of the caption that the model must not read; the adapter inserts its mask token.
    `world` provides further knowledge about the image (protocols in `vlaudit.perturbations.world`). `partner` is a
    sample of another image with another caption, for conditions that exchange one of them; the unit selection sets it.
    Raises `DataError` if region ids are not unique or unknown, if a span leaves the caption, or if the answer of a
    slot is not one of its choices.
    """

    id: str
    image_id: str
    image: Image | None
    caption: str
    regions: tuple[Region, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    relations: tuple[Relation, ...] = ()
    slots: tuple[Slot, ...] = ()
    hidden_phrases: tuple[Span, ...] = ()
    world: object | None = field(default=None, compare=False, repr=False)
    partner: Sample | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        ids = {region.id for region in self.regions}
        if len(ids) != len(self.regions):
            raise DataError(f"sample {self.id}: two regions have the same id")
        parts: tuple[Phrase | Slot, ...] = (*self.phrases, *self.slots)
        for part in parts:
            self._check_span(part.start, part.end)
            _check_known(self.id, part.region_ids, ids)
        for relation in self.relations:
            _check_known(self.id, (relation.subject, relation.object), ids)
        for span in self.hidden_phrases:
            self._check_span(*span)
        for slot in self.slots:
            if slot.choices and slot.answer not in slot.choices:
                raise DataError(
                    f"sample {self.id}: the answer of a slot must be one of its choices ({', '.join(slot.choices)}), "
                    f"got {slot.answer!r}"
                )

    def _check_span(self, start: int, end: int) -> None:
        if not 0 <= start < end <= len(self.caption):
            raise DataError(
                f"sample {self.id}: a span must be inside its caption of {len(self.caption)} characters, "
                f"got {start}:{end} in {self.caption!r}"
            )

    def region(self, region_id: str) -> Region:
        """Return the region with this id; raise `KeyError` if there is none."""
        for region in self.regions:
            if region.id == region_id:
                return region
        raise KeyError(region_id)

    def text(self, part: Phrase | Slot | Span) -> str:
        """Return the characters of the caption that a phrase, slot or span covers."""
        return self.caption[part.start : part.end]

    @property
    def asked_slot(self) -> Slot | None:
        """Tested slot, with its place after all edits of the caption; None if no slot is marked."""
        return next((slot for slot in self.slots if slot.asked), None)

    def differs_from(self, other: Sample) -> bool:
        """Return whether the samples differ in image (by id, and by pixels if known) and in caption."""
        if self.image_id == other.image_id or self.caption.casefold() == other.caption.casefold():
            return False
        return self.image is None or other.image is None or self.image.key != other.image.key

    def asking(self, slot: Slot) -> Sample:
        """Return the sample with this slot as the tested one; this hides nothing."""
        asked = [(one.start, one.end) == (slot.start, slot.end) for one in self.slots]
        slots = (
            one if one.asked == now else replace(one, asked=now) for one, now in zip(self.slots, asked, strict=True)
        )
        return replace(self, slots=tuple(slots))

    def hiding(self, *parts: Phrase | Slot | Span) -> Sample:
        """Return the sample with these parts of the caption hidden, in addition to the parts hidden before."""
        spans = {*self.hidden_phrases, *(Span(part.start, part.end) for part in parts)}
        return replace(self, hidden_phrases=tuple(sorted(spans)))


def _check_known(sample_id: str, region_ids: Sequence[str], ids: set[str]) -> None:
    for region_id in region_ids:
        if region_id not in ids:
            raise DataError(f"sample {sample_id}: every named region must be one of its regions, got {region_id!r}")


def words_of(caption: str) -> list[Span]:
    """Return the spans of the caption's words: runs of letters, digits and apostrophes inside a word.

    >>> words_of("a dog's ball.")
    [Span(start=0, end=1), Span(start=2, end=7), Span(start=8, end=12)]
    """
    return [Span(*found.span()) for found in re.finditer(r"[^\W_]+(?:['\u2019][^\W_]+)*", caption)]
