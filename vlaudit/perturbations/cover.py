"""Cover what a word names, or, as the control, an equal area elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image as Pillow
from PIL import ImageFilter

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import (
    HIDDEN,
    Rect,
    blocked,
    image_of,
    mask_of,
    rect_of,
    shares,
    target_rects,
)
from vlaudit.samples import Image, Region, Sample

FILLS = ("mean", "noise", "blur")


@dataclass(frozen=True)
class Cover:
    """Cover regions; they count as not visible from then on, and so does whatever else is covered by more than half.

    `of` says which: region ids, a slot kind, or `"hidden"` (see `regions.targets`). Every pixel that a box
    touches is covered, every other pixel stays. `fill` is

    - `"mean"`: the mean colour of the pixels outside, which tells nothing of what was covered;
    - `"noise"`: pixels drawn from outside with replacement, as bright and as colourful as the rest of the
    image;
    - `"blur"`: the region itself, with a Gaussian of a quarter of its longer side; it hides shape and keeps
    the mean colour, so it is no way to hide a colour.

    Features that a detector gave become zero, where a region is covered by more than half, or holds more than half of
    what one box covers: a person's features tell of the hat that is covered. All other features stay, also those of
    regions that were touched. (Features that an adapter computes are those of the covered pixels, everywhere.)

    The random draw belongs to the image. Refused: no such region, or a region that fills the image (use
    `Blank`).

    Source: "blocked" in the ALBEF challenges study, Fig. 1: the object covered, the image not blanked.
    Differs: the fill is not one fixed colour, which would be an object of its own. Each cover is judged
    alone: two halves of a region, covered one after the other, leave it visible. Features: Frank, Bugliarello and
    Elliott (2021), who replace those of a region whose intersection with the annotated box is strictly more than half
    of that box. Differs: regions that lie in a covered box are replaced too, however small they are beside it; and by
    zeros, as in their ablation of regions to be predicted, not by the mean over the data.
    """

    of: str | tuple[str, ...] = HIDDEN
    fill: str = "mean"
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the regions covered."""
        return covering(sample, target_rects(sample, self.of), self.fill, rng)


@dataclass(frozen=True)
class CoverElsewhere:
    """Cover an equal area elsewhere: the same boxes, shifted together to a place where none meets a target.

    The control of `Cover`: equal damage, the object left alone. The place is uniform over all shifts (whole
    pixels) that keep every box inside the image and off the targets. The draw belongs to the image.
    Refused: what `Cover` refuses, and regions so large that there is no such place.
    """

    of: str | tuple[str, ...] = HIDDEN
    fill: str = "mean"
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the control area covered."""
        rects = target_rects(sample, self.of)
        return covering(sample, _elsewhere(sample, rects, rng) if rects else (), self.fill, rng)


def check_fill(fill: str) -> None:
    """Raise `UsageError` where the fill is none that exists."""
    if fill not in FILLS:
        raise UsageError(f"fill must be one of {', '.join(FILLS)}, got {fill!r}")


def covering(sample: Sample, rects: tuple[Rect, ...], fill: str, rng: np.random.Generator) -> Sample:
    """Return the sample with these pixels covered; the sample itself where there are none."""
    if not rects:
        return sample
    image = image_of(sample)
    if mask_of(rects, image.height, image.width).all():
        raise RefusedSample(sample.id, "the region fills the image, nothing would be left: blank it instead")
    seed = int(rng.integers(2**63)) if fill == "noise" else 0
    covered = image.edited(
        f"cover {fill} {[tuple(rect) for rect in rects]} {seed}",
        partial(_filled, rects=rects, fill=fill, seed=seed),
    )
    own = shares(sample, rects)
    regions = tuple(_after(region, share, rects, image) for region, share in zip(sample.regions, own, strict=True))
    return replace(sample, image=covered, regions=regions)


def _after(region: Region, share: float, rects: Sequence[Rect], image: Image) -> Region:
    held = rect_of(region.box, image)
    hides = share > 0.5 or any(held.shared(rect) > rect.area / 2 for rect in rects)
    after = replace(region, visible=False) if share > 0.5 else region
    return blocked(after) if hides else after


def _filled(
    pixels: UInt8[np.ndarray, "height width 3"], rects: tuple[Rect, ...], fill: str, seed: int
) -> UInt8[np.ndarray, "height width 3"]:
    if fill == "blur":
        return _blurred(pixels, rects)
    mask = mask_of(rects, *pixels.shape[:2])
    outside = pixels[~mask]
    if fill == "mean":
        pixels[mask] = np.rint(outside.mean(axis=0)).astype(np.uint8)
    else:
        pixels[mask] = outside[np.random.default_rng(seed).integers(len(outside), size=int(mask.sum()))]
    return pixels


def _blurred(
    pixels: UInt8[np.ndarray, "height width 3"], rects: tuple[Rect, ...]
) -> UInt8[np.ndarray, "height width 3"]:
    for rect in rects:
        radius = max(rect.right - rect.left, rect.bottom - rect.top) / 4
        patch = Pillow.fromarray(np.ascontiguousarray(pixels[rect.cut]))
        pixels[rect.cut] = np.asarray(patch.filter(ImageFilter.GaussianBlur(radius)))
    return pixels


def _elsewhere(sample: Sample, rects: Sequence[Rect], rng: np.random.Generator) -> tuple[Rect, ...]:
    image = image_of(sample)
    free = _free_shifts(rects, image.height, image.width)
    places = np.flatnonzero(free)
    if not len(places):
        raise RefusedSample(sample.id, "the region is too large for an equal area beside it")
    row, column = np.unravel_index(int(places[rng.integers(len(places))]), free.shape)
    down = int(row) - min(rect.top for rect in rects)
    across = int(column) - min(rect.left for rect in rects)
    return tuple(Rect(rect.left + across, rect.top + down, rect.right + across, rect.bottom + down) for rect in rects)


def _free_shifts(rects: Sequence[Rect], height: int, width: int) -> Bool[np.ndarray, "rows columns"]:
    """Return which positions (top, left) of the rectangles' common frame keep every copy off every original."""
    top, left = min(rect.top for rect in rects), min(rect.left for rect in rects)
    rows = height - (max(rect.bottom for rect in rects) - top) + 1
    columns = width - (max(rect.right for rect in rects) - left) + 1
    free = np.ones((rows, columns), dtype=bool)
    for copy in rects:
        for kept in rects:
            # a shift (down, across) makes the two meet when kept.top - copy.bottom < down < kept.bottom - copy.top
            first_row, last_row = top + kept.top - copy.bottom + 1, top + kept.bottom - copy.top
            first_column, last_column = left + kept.left - copy.right + 1, left + kept.right - copy.left
            free[max(first_row, 0) : max(last_row, 0), max(first_column, 0) : max(last_column, 0)] = False
    return free
