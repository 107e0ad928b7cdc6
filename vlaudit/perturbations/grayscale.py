"""Take the colour out of the image and leave its luminance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import ACHROMATIC, COLOR_WORDS, forgotten, image_of, without_words
from vlaudit.samples import Sample


@dataclass(frozen=True)
class Grayscale:
    """Set the three channels of each pixel to its luma, (299 R + 587 G + 114 B) / 1000 (ITU-R BT.601), rounded.

    Luma of the coded values, as Pillow's "L" and as published pipelines take it, not linear light: the law is
    that each pixel's luma changes by at most half a grey level. Colour words leave the regions' attributes;
    black, white and gray stay, because they still hold. Features are dropped. Nothing is drawn.
    """

    drawn_for: ClassVar[Owner] = "image_id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a grey image."""
        chromatic = COLOR_WORDS - ACHROMATIC
        regions = tuple(
            forgotten(replace(region, attributes=without_words(region.attributes, chromatic)))
            for region in sample.regions
        )
        return replace(sample, image=image_of(sample).edited("grayscale", gray), regions=regions)


def luma(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width"]:
    """Return BT.601 luma, 0-255, rounded half up; in whole numbers, so equal on every machine."""
    thousandths: np.ndarray = pixels.astype(np.int32) @ np.array([299, 587, 114], dtype=np.int32)
    return ((thousandths + 500) // 1000).astype(np.uint8)


def gray(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels with all three channels at their luma."""
    return np.repeat(luma(pixels)[..., None], 3, axis=2)
