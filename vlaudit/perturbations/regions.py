"""Which regions a perturbation is about, which pixels are theirs, and what the image still shows afterwards."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from vlaudit.errors import RefusedSample
from vlaudit.samples import COLORS, Box, Image, Phrase, Region, Sample, Slot

COLOR_WORDS = frozenset({*COLORS, "grey"})
ACHROMATIC = frozenset({"black", "white", "gray", "grey"})

HIDDEN = "hidden"
"""As a target: the regions that the caption's hidden words name."""


class Rect(NamedTuple):
    """Whole pixels: rows `top` to `bottom` and columns `left` to `right`, half-open."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def cut(self) -> tuple[slice, slice]:
        """Index of these pixels in an array (height, width, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def area(self) -> int:
        """The number of pixels; 0 where it is turned inside out."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)

    def shared(self, other: Rect) -> int:
        """Return how many pixels both hold."""
        return Rect(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area


def rect_of(box: Box, image: Image) -> Rect:
    """Return every pixel that the box touches, within the image: rounded outward, so that nothing of it stays."""
    return Rect(
        max(math.floor(box.left), 0),
        max(math.floor(box.top), 0),
        min(math.ceil(box.right), image.width),
        min(math.ceil(box.bottom), image.height),
    )


def mask_of(rects: Iterable[Rect], height: int, width: int) -> Bool[np.ndarray, "{height} {width}"]:
    """Return True for each pixel that one of the rectangles holds."""
    mask = np.zeros((height, width), dtype=bool)
    for rect in rects:
        mask[rect.cut] = True
    return mask


def image_of(sample: Sample) -> Image:
    """Return the sample's image; refused where it has none."""
    if sample.image is None:
        raise RefusedSample(sample.id, "it has no image")
    return sample.image


def targets(sample: Sample, of: str | tuple[str, ...]) -> tuple[Region, ...]:
    """Return the regions that `of` names: region ids, a slot kind, or `"hidden"`; refused where there is none.

    A slot kind ("color", "object", ...) names the regions of every slot of that kind; `"hidden"` the regions
    of the slots and phrases that lie inside a hidden span of the caption. An empty tuple names nothing, and
    is no refusal.
    """
    if isinstance(of, tuple):
        return tuple(_region(sample, region_id) for region_id in of)
    parts: list[Slot | Phrase] = [*sample.slots, *sample.phrases]
    named = [part for part in parts if _asked(sample, part, of)]
    ids = dict.fromkeys(region_id for part in named for region_id in part.region_ids)
    if not ids:
        what = "hidden word" if of == HIDDEN else f"{of} slot"
        raise RefusedSample(sample.id, f"no {what} of its caption is linked to a region")
    return tuple(sample.region(region_id) for region_id in ids)


def _asked(sample: Sample, part: Slot | Phrase, of: str) -> bool:
    if of == HIDDEN:
        return any(start <= part.start and part.end <= end for start, end in sample.hidden_phrases)
    return isinstance(part, Slot) and part.kind == of


def _region(sample: Sample, region_id: str) -> Region:
    try:
        return sample.region(region_id)
    except KeyError:
        raise RefusedSample(sample.id, f"it has no region {region_id!r}") from None


def target_rects(sample: Sample, of: str | tuple[str, ...]) -> tuple[Rect, ...]:
    """Return the pixels of the regions that `of` names; refused where a box leaves its image altogether."""
    image = image_of(sample)
    rects = tuple(rect_of(region.box, image) for region in targets(sample, of))
    if any(rect.left >= rect.right or rect.top >= rect.bottom for rect in rects):
        raise RefusedSample(sample.id, "a box lies outside the image or has no area")
    return rects


def after_edit(sample: Sample, rects: Sequence[Rect], mostly: Callable[[Region], Region]) -> tuple[Region, ...]:
    """Return the regions after the pixels in `rects` changed: `mostly` is applied where more than half of one did.

    What a detector said of a region that was touched is forgotten: it would describe pixels that are gone.
    """
    regions = []
    for region, share in zip(sample.regions, shares(sample, rects), strict=True):
        touched = forgotten(region) if share > 0 else region
        regions.append(mostly(touched) if share > 0.5 else touched)
    return tuple(regions)


def shares(sample: Sample, rects: Sequence[Rect]) -> list[float]:
    """Return which share of each region's own pixels, 0 to 1, lies in one of the rectangles."""
    image = image_of(sample)
    mask = mask_of(rects, image.height, image.width)
    owns = (mask[rect_of(region.box, image).cut] for region in sample.regions)
    return [int(np.count_nonzero(own)) / own.size if own.size else 0.0 for own in owns]


def forgotten(region: Region) -> Region:
    """Return the region without what a detector said of it.

    An adapter with an encoder looks at the changed pixels itself; one without refuses the sample, with the reason.
    """
    return replace(region, features=None, classes=None, confidence=None)


def blocked(region: Region) -> Region:
    """Return the region with all its features at zero, as masked regions are given to region-feature models.

    One without features stays without: its pixels say that it is gone.
    """
    if region.features is None:
        return forgotten(region)
    return replace(region, features=np.zeros_like(region.features), classes=None, confidence=None)


def without_words(attributes: tuple[str, ...], words: frozenset[str]) -> tuple[str, ...]:
    """Return the attributes that hold none of these words.

    >>> without_words(("red", "tall", "dark red"), frozenset({"red"}))
    ('tall',)
    """
    return tuple(attribute for attribute in attributes if words.isdisjoint(re.findall(r"\w+", attribute.lower())))
