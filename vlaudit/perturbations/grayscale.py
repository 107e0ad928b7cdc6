"""Removal of colour from the image, with its luminance unchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import image_of, without_features, without_words
from vlaudit.samples import COLOR_WORDS, Sample

_CHROMATIC = COLOR_WORDS - {"black", "white", "gray", "grey"}


@dataclass(frozen=True)
class Grayscale:
    """Set the three channels of each pixel to its luma, (299 R + 587 G + 114 B) / 1000 (ITU-R BT.601), rounded.

    Luma is computed from the coded values, as by Pillow's mode "L" and by published pipelines, not from linear light.
    Each pixel's luma changes by at most half a grey level. Chromatic colour words are removed from the regions'
    attributes; black, white and gray stay, because they are still true. Features are dropped. Deterministic.
    Raises `RefusedSample` without an image.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a grey image."""
        regions = tuple(
            without_features(replace(region, attributes=without_words(region.attributes, _CHROMATIC)))
            for region in sample.regions
        )
        return replace(sample, image=image_of(sample).edited("grayscale", gray), regions=regions)


def luma(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width"]:
    """Return BT.601 luma, 0-255, rounded half up; integer arithmetic makes it equal on every machine."""
    thousandths: np.ndarray = pixels.astype(np.int32) @ np.array([299, 587, 114], dtype=np.int32)
    return ((thousandths + 500) // 1000).astype(np.uint8)


def gray(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels with all three channels equal to their luma."""
    return np.repeat(luma(pixels)[..., None], 3, axis=2)
