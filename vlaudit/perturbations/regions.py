"""Selection of target regions, their pixels, and the update of regions after an edit of the image."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from vlaudit.errors import RefusedSample
from vlaudit.samples import Box, Image, Phrase, Region, Sample, Slot

HIDDEN = "hidden"
"""Target that selects the regions of the caption's hidden words."""


class Rect(NamedTuple):
    """Rectangle of whole pixels: rows `top` to `bottom` and columns `left` to `right`, half-open."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the pixels in an array (height, width, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def area(self) -> int:
        """Number of pixels; 0 if a width or height is negative."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)

    def overlap(self, other: Rect) -> int:
        """Return the number of pixels in both rectangles."""
        return Rect(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area


def rect_of(box: Box, image: Image) -> Rect:
    """Return all pixels of the image that the box touches: rounded outward, so that an edit covers the whole box."""
    return Rect(
        max(math.floor(box.left), 0),
        max(math.floor(box.top), 0),
        min(math.ceil(box.right), image.width),
        min(math.ceil(box.bottom), image.height),
    )


def mask_of(rects: Iterable[Rect], height: int, width: int) -> Bool[np.ndarray, "{height} {width}"]:
    """Return True for each pixel inside any of the rectangles."""
    mask = np.zeros((height, width), dtype=bool)
    for rect in rects:
        mask[rect.slices] = True
    return mask


def image_of(sample: Sample) -> Image:
    """Return the sample's image; raise `RefusedSample` if it has none."""
    if sample.image is None:
        raise RefusedSample(sample.id, "it has no image")
    return sample.image


def targets(sample: Sample, of: str | tuple[str, ...]) -> tuple[Region, ...]:
    """Return the regions that `of` selects: region ids, a slot kind, or `"hidden"`.

    A slot kind ("color", "object", ...) selects the regions of every slot of that kind. `"hidden"` selects the regions
    of the slots and phrases inside a hidden span of the caption. An empty tuple selects nothing.
    Raises `RefusedSample` if an id is unknown, or if a kind or `"hidden"` selects no region.
    """
    if isinstance(of, tuple):
        return tuple(_region(sample, region_id) for region_id in of)
    parts: list[Slot | Phrase] = [*sample.slots, *sample.phrases]
    selected = [part for part in parts if _is_selected(sample, part, of)]
    ids = dict.fromkeys(region_id for part in selected for region_id in part.region_ids)
    if not ids:
        description = "hidden word" if of == HIDDEN else f"{of} slot"
        raise RefusedSample(sample.id, f"no {description} of its caption is linked to a region")
    return tuple(sample.region(region_id) for region_id in ids)


def _is_selected(sample: Sample, part: Slot | Phrase, of: str) -> bool:
    if of == HIDDEN:
        return any(start <= part.start and part.end <= end for start, end in sample.hidden_phrases)
    return isinstance(part, Slot) and part.kind == of


def _region(sample: Sample, region_id: str) -> Region:
    try:
        return sample.region(region_id)
    except KeyError:
        raise RefusedSample(sample.id, f"it has no region {region_id!r}") from None


def target_rects(sample: Sample, of: str | tuple[str, ...]) -> tuple[Rect, ...]:
    """Return the pixels of the regions that `of` selects; raise `RefusedSample` if a box has none in its image."""
    image = image_of(sample)
    rects = tuple(rect_of(region.box, image) for region in targets(sample, of))
    if any(rect.left >= rect.right or rect.top >= rect.bottom for rect in rects):
        raise RefusedSample(sample.id, "every selected box must have an area inside the image, one has none")
    return rects


def after_edit(sample: Sample, rects: Sequence[Rect], update: Callable[[Region], Region]) -> tuple[Region, ...]:
    """Return the regions after an edit of the pixels in `rects`.

    `update` is applied to regions with more than half of their pixels edited. Regions with any edited pixel lose their
    detector features, because these describe the previous pixels.
    """
    regions = []
    for region, share in zip(sample.regions, covered_shares(sample, rects), strict=True):
        edited = without_features(region) if share > 0 else region
        regions.append(update(edited) if share > 0.5 else edited)
    return tuple(regions)


def covered_shares(sample: Sample, rects: Sequence[Rect]) -> list[float]:
    """Return the share of each region's pixels, 0 to 1, that is inside any of the rectangles."""
    image = image_of(sample)
    mask = mask_of(rects, image.height, image.width)
    covered = (mask[rect_of(region.box, image).slices] for region in sample.regions)
    return [int(np.count_nonzero(pixels)) / pixels.size if pixels.size else 0.0 for pixels in covered]


def without_features(region: Region) -> Region:
    """Return the region without detector features, classes and confidence.

    An adapter with an encoder reads the edited pixels instead; an adapter without one refuses the sample.
    """
    if region.features is None and region.classes is None and region.confidence is None:
        return region  # the same object, which knows its key
    return replace(region, features=None, classes=None, confidence=None)


def with_zero_features(region: Region) -> Region:
    """Return the region with all features zero, the form in which region-feature models receive masked regions.

    A region without features stays without them: its edited pixels show that it is covered.
    """
    if region.features is None:
        return without_features(region)
    return replace(region, features=np.zeros_like(region.features), classes=None, confidence=None)


def without_words(attributes: tuple[str, ...], words: frozenset[str]) -> tuple[str, ...]:
    """Return the attributes that contain none of the words.

    >>> without_words(("red", "tall", "dark red"), frozenset({"red"}))
    ('tall',)
    """
    return tuple(attribute for attribute in attributes if words.isdisjoint(re.findall(r"\w+", attribute.lower())))
