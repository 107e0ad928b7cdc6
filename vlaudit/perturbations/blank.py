"""Replacement of the image by a single colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vlaudit.errors import UsageError
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import image_of, with_zero_features
from vlaudit.samples import Image, Sample
from vlaudit.seeds import digest


@dataclass(frozen=True)
class Blank:
    """Replace the image by one colour of the same size; regions become invisible and detector features zero.

    The default is middle grey, because the mean colour of the image would still distinguish sea from forest. Blank
    images of equal size are one image and run once. Deterministic. Raises `RefusedSample` without an image.
    """

    color: tuple[int, int, int] = (128, 128, 128)
    drawn_for: ClassVar[Owner] = None

    def __post_init__(self) -> None:
        if len(self.color) != 3 or not all(0 <= channel <= 255 for channel in self.color):
            raise UsageError(f"Blank: color must be three numbers from 0 to 255, got {self.color!r}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a blank image."""
        image = image_of(sample)
        size = (image.height, image.width)
        blank = Image(digest("blank", size, self.color), image.width, image.height, partial(_plain, size, self.color))
        regions = tuple(with_zero_features(replace(region, visible=False)) for region in sample.regions)
        return replace(sample, image=blank, regions=regions)


def _plain(size: tuple[int, int], color: tuple[int, int, int]) -> UInt8[np.ndarray, "height width 3"]:
    return np.full((*size, 3), color, dtype=np.uint8)
