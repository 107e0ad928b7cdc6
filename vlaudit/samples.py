"""What goes into a model: an image, a caption, and what is known about both.

A sample states what its image *shows*: a perturbation that covers a region also marks it as not visible, one that
recolours it also changes its attributes. What the caption says is a separate matter (`phrases`, `slots`).
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

SIDES = ("left", "right")
"""The words that a left-right flip of the image exchanges."""


class Box(NamedTuple):
    """A rectangle in pixels of its image: half-open, origin top left, so width is `right - left`."""

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
        """Area in square pixels; 0 for a box that is turned inside out."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def center(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def intersection(self, other: Box) -> Box:
        """Return what both boxes cover; its area is 0 where they do not meet."""
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
        """Return the box where a left-right flip of the image puts it."""
        return Box(image_width - self.right, self.top, image_width - self.left, self.bottom)

    def shifted(self, x: float, y: float) -> Box:
        """Return the box moved by (x, y) pixels."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def inside(self, width: float, height: float) -> bool:
        """Say whether the box has an area and lies within an image of this size."""
        return 0 <= self.left < self.right <= width and 0 <= self.top < self.bottom <= height


def _stored(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return pixels


def _edited(image: Image, edit: Callable[[Any], Any]) -> UInt8[np.ndarray, "height width 3"]:
    return np.ascontiguousarray(edit(image.pixels().copy()))


@dataclass(frozen=True)
class Image:
    """An RGB image that is read or drawn when its pixels are asked for, and known by a key before that.

    Two images with the same key have the same pixels: the key is what lets equal inputs merge without decoding.
    `read` is a module-level function or a `functools.partial` of one, so that images can travel between processes.
    """

    key: str
    width: int
    height: int
    read: Callable[[], UInt8[np.ndarray, "height width 3"]] = field(compare=False, repr=False)

    @classmethod
    def from_array(cls, pixels: UInt8[np.ndarray, "height width 3"]) -> Image:
        """Hold pixels that exist already; the key is a digest of them."""
        pixels = np.ascontiguousarray(pixels)
        height, width, _ = pixels.shape
        return cls(digest(pixels.shape, pixels.tobytes()), width, height, partial(_stored, pixels))

    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """Read or draw the pixels, (height, width, 3), 0-255; the array is read-only."""
        pixels = self.read().view()
        if pixels.shape != (self.height, self.width, 3):
            raise DataError(
                f"image {self.key}: its pixels must have shape {(self.height, self.width, 3)}, got {pixels.shape}"
            )
        pixels.setflags(write=False)
        return pixels

    def edited(self, how: str, edit: Callable[[Any], Any]) -> Image:
        """Return the image that `edit` (pixels to pixels of the same shape) makes of this one, when it is asked for.

        `how` names the edit completely, settings and random draw included: it becomes part of the key.
        """
        return Image(digest(self.key, how), self.width, self.height, partial(_edited, self, edit))


@dataclass(frozen=True)
class Region:
    """A thing that the image shows, with its box.

    `attributes` are words that are true of it (its colour, its side); `visible` is False once it was covered.
    What a detector says of it, for region-feature models: `features` is its vector, (width,), `classes` its
    probability of each of its classes, background first, and `confidence` that of the likeliest one that is not
    background; all None where no detector saw it.
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
        """A digest of all that is known of it, what a detector says included."""
        arrays = (b"" if array is None else array.tobytes() for array in (self.features, self.classes))
        return digest(self, *arrays, self.confidence)


class Span(NamedTuple):
    """Characters `start` to `end` (half-open) of a caption."""

    start: int
    end: int


@dataclass(frozen=True)
class Phrase:
    """Characters `start` to `end` of the caption that name regions of the image; several where it is plural."""

    id: str
    start: int
    end: int
    type: str
    region_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slot:
    """One word of the caption that a model can be tested on: hide it, and the image (or a hint) must supply it.

    `kind` names the question ("color", "object", "hand side", ...); `region_ids` are the regions that answer it.
    `answer` is the word that is true of the image, in lower case, and `choices` are the words a model chooses from,
    the answer included. The data set fills both in. A perturbation of the image that changes the truth (mirror,
    recolour) changes the answer with it; an edit of the caption changes neither. A slot without choices cannot be
    tested. `asked` marks the one slot that a unit tests.
    """

    start: int
    end: int
    kind: str
    region_ids: tuple[str, ...] = ()
    answer: str = ""
    choices: tuple[str, ...] = ()
    asked: bool = False

    def answered(self, answer: str) -> Slot:
        """Return the slot with another true answer, which is added to the choices where it is not one of them."""
        choices = self.choices if answer in self.choices or not self.choices else (*self.choices, answer)
        return replace(self, answer=answer, choices=choices)


@dataclass(frozen=True)
class Relation:
    """`subject` and `object` are region ids, `predicate` a word or two ("on", "playing")."""

    subject: str
    predicate: str
    object: str


@dataclass(frozen=True)
class Sample:
    """One image with one caption, and what is known about both.

    `hidden_phrases` are spans of the caption that the model must not read; its adapter renders its own mask token.
    `world` is what the image was drawn from, where it was drawn (see `vlaudit.datasets.scenes`). `partner` is a sample
    of another image with another caption, for conditions that exchange one of them; the unit selection sets it.
    Raises `DataError` where a span leaves the caption, a region is named that does not exist, or the answer of a slot
    is not one of its choices.
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
        for named in parts:
            self._check_span(named.start, named.end)
            _check_known(self.id, named.region_ids, ids)
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
                f"sample {self.id}: a span must lie inside its caption of {len(self.caption)} characters, "
                f"got {start}:{end} in {self.caption!r}"
            )

    def region(self, region_id: str) -> Region:
        """Return the region with this id; `KeyError` where there is none."""
        for region in self.regions:
            if region.id == region_id:
                return region
        raise KeyError(region_id)

    def text(self, part: Phrase | Slot | Span) -> str:
        """Return the characters of the caption that a phrase, slot or span covers."""
        return self.caption[part.start : part.end]

    @property
    def asked_slot(self) -> Slot | None:
        """The slot that is tested, as it is after every edit of the caption; None where no slot is marked."""
        return next((slot for slot in self.slots if slot.asked), None)

    def differs_from(self, other: Sample) -> bool:
        """Return whether the other sample has another image, by id and by pixels where known, and another caption."""
        if self.image_id == other.image_id or self.caption.casefold() == other.caption.casefold():
            return False
        return self.image is None or other.image is None or self.image.key != other.image.key

    def asking(self, slot: Slot) -> Sample:
        """Return the sample with this slot as the tested one; nothing is hidden by that."""
        place = slot.start, slot.end
        return replace(self, slots=tuple(replace(one, asked=(one.start, one.end) == place) for one in self.slots))

    def hiding(self, *parts: Phrase | Slot | Span) -> Sample:
        """Return the sample with these parts of the caption hidden, in addition to those hidden already."""
        spans = {*self.hidden_phrases, *(Span(part.start, part.end) for part in parts)}
        return replace(self, hidden_phrases=tuple(sorted(spans)))


def _check_known(sample_id: str, named: Sequence[str], ids: set[str]) -> None:
    for region_id in named:
        if region_id not in ids:
            raise DataError(f"sample {sample_id}: it names the region {region_id!r}, which it does not have")


def words_of(caption: str) -> list[Span]:
    """Return the spans of the caption's words: runs of letters, digits and apostrophes inside a word.

    >>> words_of("a dog's ball.")
    [Span(start=0, end=1), Span(start=2, end=7), Span(start=8, end=12)]
    """
    return [Span(*found.span()) for found in re.finditer(r"[^\W_]+(?:['\u2019][^\W_]+)*", caption)]
