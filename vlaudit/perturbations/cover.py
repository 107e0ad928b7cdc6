"""Occlusion of regions, and its control: occlusion of an equal area elsewhere."""

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
    covered_shares,
    image_of,
    mask_of,
    rect_of,
    target_rects,
    with_zero_features,
)
from vlaudit.samples import Image, Region, Sample

FILLS = ("mean", "noise", "blur")


@dataclass(frozen=True)
class Cover:
    """Cover regions and mark every region that is covered by more than half as not visible.

    `of` selects the regions: region ids, a slot kind, or `"hidden"` (see `regions.targets`). Every pixel that a box
    touches is covered; all other pixels stay. `fill` is

    - `"mean"`: the mean colour of the pixels outside, which contains no information about the covered pixels;
    - `"noise"`: pixels sampled from outside with replacement, so that brightness and colours match the rest of the
    image;
    - `"blur"`: the region under a Gaussian blur with a radius of a quarter of its longer side. It hides the shape and
    keeps the mean colour, so it does not hide a colour.

    Features from a detector become zero if the region is covered by more than half, or if it contains more than half
    of one covered box: a person's features also describe the covered hat. All other features stay, also those of
    regions that are covered in part. Features that an adapter computes always describe the covered pixels.

    One random draw per image. Raises `RefusedSample` if no region is selected, or if the regions fill the
    image (use `Blank`).

    Source: "blocked" in the ALBEF challenges study, Fig. 1: the object covered, the image not blanked.
    Differs: the fill is not one fixed colour, which would look like an object. Each cover is judged
    alone: two halves of a region, covered one after the other, leave it visible. Features: Frank, Bugliarello and
    Elliott (2021), who replace those of a region whose intersection with the annotated box is strictly more than half
    of that box. Differs: regions inside a covered box are replaced too, even if they are much smaller than it; and by
    zeros, as in their ablation of regions to be predicted, not by the mean over the data.
    """

    of: str | tuple[str, ...] = HIDDEN
    fill: str = "mean"
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the regions covered."""
        return cover_rects(sample, target_rects(sample, self.of), self.fill, rng)


@dataclass(frozen=True)
class CoverElsewhere:
    """Cover an equal area elsewhere: the same boxes, shifted together so that none overlaps a target.

    Control of `Cover`: equal damage, with the object visible. The shift is uniform over all shifts by whole pixels
    that keep every box inside the image and off the targets. One random draw per image.
    Raises `RefusedSample` if `Cover` does, and if no such shift exists.
    """

    of: str | tuple[str, ...] = HIDDEN
    fill: str = "mean"
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the control area covered."""
        rects = target_rects(sample, self.of)
        return cover_rects(sample, _elsewhere(sample, rects, rng) if rects else (), self.fill, rng)


def check_fill(fill: str) -> None:
    """Raise `UsageError` if `fill` is not one of `FILLS`."""
    if fill not in FILLS:
        raise UsageError(f"fill must be one of {', '.join(FILLS)}, got {fill!r}")


def cover_rects(sample: Sample, rects: tuple[Rect, ...], fill: str, rng: np.random.Generator) -> Sample:
    """Return the sample with the pixels of `rects` covered; the sample itself if `rects` is empty."""
    if not rects:
        return sample
    image = image_of(sample)
    if mask_of(rects, image.height, image.width).all():
        raise RefusedSample(sample.id, "the region fills the image; use Blank to remove the whole image")
    seed = int(rng.integers(2**63)) if fill == "noise" else 0
    covered = image.edited(
        f"cover {fill} {[tuple(rect) for rect in rects]} {seed}",
        partial(_filled, rects=rects, fill=fill, seed=seed),
    )
    shares = covered_shares(sample, rects)
    regions = tuple(_updated(region, share, rects, image) for region, share in zip(sample.regions, shares, strict=True))
    return replace(sample, image=covered, regions=regions)


def _updated(region: Region, share: float, rects: Sequence[Rect], image: Image) -> Region:
    own = rect_of(region.box, image)
    affected = share > 0.5 or any(own.overlap(rect) > rect.area / 2 for rect in rects)
    updated = replace(region, visible=False) if share > 0.5 else region
    return with_zero_features(updated) if affected else updated


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
        patch = Pillow.fromarray(np.ascontiguousarray(pixels[rect.slices]))
        pixels[rect.slices] = np.asarray(patch.filter(ImageFilter.GaussianBlur(radius)))
    return pixels


def _elsewhere(sample: Sample, rects: Sequence[Rect], rng: np.random.Generator) -> tuple[Rect, ...]:
    image = image_of(sample)
    free = _free_shifts(rects, image.height, image.width)
    places = np.flatnonzero(free)
    if not len(places):
        raise RefusedSample(sample.id, "the region is too large: no equal area is free outside it")
    row, column = np.unravel_index(int(places[rng.integers(len(places))]), free.shape)
    down = int(row) - min(rect.top for rect in rects)
    across = int(column) - min(rect.left for rect in rects)
    return tuple(Rect(rect.left + across, rect.top + down, rect.right + across, rect.bottom + down) for rect in rects)


def _free_shifts(rects: Sequence[Rect], height: int, width: int) -> Bool[np.ndarray, "rows columns"]:
    """Return True for each position (top, left) of the rectangles' common frame where no copy overlaps an original."""
    top, left = min(rect.top for rect in rects), min(rect.left for rect in rects)
    rows = height - (max(rect.bottom for rect in rects) - top) + 1
    columns = width - (max(rect.right for rect in rects) - left) + 1
    free = np.ones((rows, columns), dtype=bool)
    for copy in rects:
        for rect in rects:
            # a shift (down, across) makes the two overlap if rect.top - copy.bottom < down < rect.bottom - copy.top
            first_row, last_row = top + rect.top - copy.bottom + 1, top + rect.bottom - copy.top
            first_column, last_column = left + rect.left - copy.right + 1, left + rect.right - copy.left
            free[max(first_row, 0) : max(last_row, 0), max(first_column, 0) : max(last_column, 0)] = False
    return free
