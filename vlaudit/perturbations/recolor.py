"""Recolour an object and keep its caption: a model should name the colour that is shown, not the usual one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import (
    COLOR_WORDS,
    HIDDEN,
    Rect,
    after_edit,
    image_of,
    mask_of,
    target_rects,
    targets,
    without_words,
)
from vlaudit.perturbations.world import redrawable
from vlaudit.samples import COLORS, Region, Sample, Slot

HUES = {
    "red": (230, 20, 20),
    "orange": (255, 130, 0),
    "yellow": (250, 220, 0),
    "green": (20, 170, 30),
    "blue": (20, 70, 230),
    "purple": (140, 30, 200),
}
"""The colours that are hues and can be given to a photo; black, white, gray, brown and pink are also a lightness."""

LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Recolor:
    """Give regions another colour; their attributes and the answers of their colour slots change, the caption stays.

    `of` says which regions (see `regions.targets`), `color` which colour; `None` draws one for the image, of
    those that none of the regions has. A drawn scene is redrawn with one thing changed and the rest equal to
    the pixel. In a photo each pixel of the box keeps its luma and takes the hue, as far as 0-255 allows, the
    pixels of the background inside the box included; only hues can be given to a photo (`HUES`), and whatever
    else lies in the box by more than half changes its colour word too.
    Refused: no such region, and a colour that this image cannot be given.
    """

    of: str | tuple[str, ...] = HIDDEN
    color: str | None = None
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        if self.color is not None and self.color not in COLORS:
            raise UsageError(f"color must be None or one of {', '.join(COLORS)}, got {self.color!r}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the regions recoloured."""
        regions = targets(sample, self.of)
        if not regions:
            return sample
        if world := redrawable(sample):
            after = _redrawn(sample, regions, self.color or _drawn(sample, world.colors, regions, rng))
        else:
            after = _retinted(sample, target_rects(sample, self.of), self._hue(sample, regions, rng))
        return replace(after, slots=tuple(_reanswered(slot, sample, after) for slot in after.slots))

    def _hue(self, sample: Sample, regions: tuple[Region, ...], rng: np.random.Generator) -> str:
        if self.color is None:
            return _drawn(sample, tuple(HUES), regions, rng)
        if self.color not in HUES:
            raise RefusedSample(sample.id, f"a photo can be given another hue ({', '.join(HUES)}), not {self.color!r}")
        return self.color


def _reanswered(slot: Slot, before: Sample, after: Sample) -> Slot:
    """Return a colour slot with the colour that its regions have now, where that changed; any other slot as it is."""
    now = _colors_of(slot, after)
    if slot.kind != "color" or now == _colors_of(slot, before):
        return slot
    if len(now) != 1:
        raise RefusedSample(after.id, f"the regions of one word must have one colour, got {' and '.join(sorted(now))}")
    return slot.answered(now.pop())


def _colors_of(slot: Slot, sample: Sample) -> set[str]:
    return {word for name in slot.region_ids for word in sample.region(name).attributes if word in COLORS}


def _drawn(sample: Sample, colors: tuple[str, ...], regions: tuple[Region, ...], rng: np.random.Generator) -> str:
    shown = {word for region in regions for word in region.attributes}
    others = [color for color in colors if color not in shown]
    if not others:
        raise RefusedSample(sample.id, "the regions have every colour between them, none is left to give")
    return others[int(rng.integers(len(others)))]


def _redrawn(sample: Sample, regions: tuple[Region, ...], color: str) -> Sample:
    for region in regions:
        world = redrawable(sample)
        if world is not None:
            sample = world.recolored(sample, region.id, color)
    return sample


def _retinted(sample: Sample, rects: tuple[Rect, ...], color: str) -> Sample:
    def named(region: Region) -> Region:
        kept = without_words(region.attributes, COLOR_WORDS)
        return replace(region, attributes=(*kept, color))

    how = f"recolor {color} {[tuple(rect) for rect in rects]}"
    image = image_of(sample).edited(how, partial(_tinted, rects=rects, color=color))
    return replace(sample, image=image, regions=after_edit(sample, rects, named))


def _tinted(
    pixels: UInt8[np.ndarray, "height width 3"], rects: tuple[Rect, ...], color: str
) -> UInt8[np.ndarray, "height width 3"]:
    mask = mask_of(rects, *pixels.shape[:2])
    pixels[mask] = np.rint(_at_luma(pixels[mask] @ LUMA, np.array(HUES[color], dtype=float))).astype(np.uint8)
    return pixels


def _at_luma(lumas: Float[np.ndarray, "pixels"], color: Float[np.ndarray, "3"]) -> Float[np.ndarray, "pixels 3"]:
    """Return the colour's hue at each luma: its chroma, scaled down until every channel lies within 0-255."""
    chroma = color - color @ LUMA  # has no luma of its own, so adding any amount of it keeps the pixel's
    room = np.where(chroma > 0, (255 - lumas[:, None]) / chroma, lumas[:, None] / -chroma)
    tinted: np.ndarray = lumas[:, None] + np.minimum(room.min(axis=1, keepdims=True), 1) * chroma
    return tinted
