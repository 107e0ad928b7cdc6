"""Recolouring of objects: a model should answer with the shown colour, not with the usual one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import (
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
from vlaudit.samples import COLOR_WORDS, COLORS, Region, Sample, Slot

HUES = {
    "red": (230, 20, 20),
    "orange": (255, 130, 0),
    "yellow": (250, 220, 0),
    "green": (20, 170, 30),
    "blue": (20, 70, 230),
    "purple": (140, 30, 200),
}
"""Hues for photos, as RGB. Black, white, gray, brown and pink are left out, because they also state a lightness."""

LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Recolor:
    """Change the colour of regions, their attributes and the answers of their colour slots; the caption stays.

    `of` selects the regions (see `regions.targets`). `color` is the new colour; `None` draws one per image that no
    selected region has. A scene is rendered again with all other pixels unchanged. In a photo each pixel of the box,
    background included, keeps its luma and takes the hue as far as 0-255 allows; the colour must be one of `HUES`.
    Other regions that are inside the box by more than half change their colour word too.
    Raises `RefusedSample` if no region is selected, or if the image cannot be given the colour.
    """

    of: str | tuple[str, ...] = HIDDEN
    color: str | None = None
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        if self.color is not None and self.color not in COLORS:
            raise UsageError(f"Recolor: color must be None or one of {', '.join(COLORS)}, got {self.color!r}")

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
            raise RefusedSample(sample.id, f"in a photo, color must be one of {', '.join(HUES)}, got {self.color!r}")
        return self.color


def _reanswered(slot: Slot, before: Sample, after: Sample) -> Slot:
    """Return the slot with the new colour of its regions as the answer; unchanged if that is not another colour."""
    now = _colors_of(slot, after)
    if slot.kind != "color" or now == _colors_of(slot, before):
        return slot
    if len(now) != 1:
        raise RefusedSample(after.id, f"the regions of one slot must have one colour, got {' and '.join(sorted(now))}")
    return slot.answered(now.pop())


def _colors_of(slot: Slot, sample: Sample) -> set[str]:
    return {word for name in slot.region_ids for word in sample.region(name).attributes if word in COLORS}


def _drawn(sample: Sample, colors: tuple[str, ...], regions: tuple[Region, ...], rng: np.random.Generator) -> str:
    shown = {word for region in regions for word in region.attributes}
    others = [color for color in colors if color not in shown]
    if not others:
        raise RefusedSample(sample.id, "at least one colour must be unused by the selected regions, none is")
    return others[int(rng.integers(len(others)))]


def _redrawn(sample: Sample, regions: tuple[Region, ...], color: str) -> Sample:
    for region in regions:
        world = redrawable(sample)
        if world is not None:
            sample = world.recolored(sample, region.id, color)
    return sample


def _retinted(sample: Sample, rects: tuple[Rect, ...], color: str) -> Sample:
    def renamed(region: Region) -> Region:
        others = without_words(region.attributes, COLOR_WORDS)
        return replace(region, attributes=(*others, color))

    how = f"recolor {color} {[tuple(rect) for rect in rects]}"
    image = image_of(sample).edited(how, partial(_tinted, rects=rects, color=color))
    return replace(sample, image=image, regions=after_edit(sample, rects, renamed))


def _tinted(
    pixels: UInt8[np.ndarray, "height width 3"], rects: tuple[Rect, ...], color: str
) -> UInt8[np.ndarray, "height width 3"]:
    mask = mask_of(rects, *pixels.shape[:2])
    pixels[mask] = np.rint(_at_luma(pixels[mask] @ LUMA, np.array(HUES[color], dtype=float))).astype(np.uint8)
    return pixels


def _at_luma(lumas: Float[np.ndarray, "pixels"], color: Float[np.ndarray, "3"]) -> Float[np.ndarray, "pixels 3"]:
    """Return the colour's hue at each luma: its chroma, scaled down so that every channel is within 0-255."""
    chroma = color - color @ LUMA  # has luma 0, so that adding a multiple of it keeps the pixel's luma
    room = np.where(chroma > 0, (255 - lumas[:, None]) / chroma, lumas[:, None] / -chroma)
    tinted: np.ndarray = lumas[:, None] + np.minimum(room.min(axis=1, keepdims=True), 1) * chroma
    return tinted
