"""Damage the image as much as taking its colour does, and keep its colour: the control of `Grayscale`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int16, UInt8

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.grayscale import gray
from vlaudit.perturbations.regions import forgotten, image_of
from vlaudit.samples import Sample

Shift = Int16[np.ndarray, "height width"]


@dataclass(frozen=True)
class LuminanceNoise:
    """Add noise to the luminance, of the same root-mean-square change of the pixels as `Grayscale` makes.

    The complement of grayscale in luma-chroma space: one changes chroma and keeps luma, the other adds one
    number to all three channels of a pixel, which changes luma and keeps both chroma differences exactly. A
    blur would be no control: on a flat coloured area it changes nothing, and it takes the shapes that object
    words need.

    The noise is Gaussian and constant on square cells of 1 / `cells` of the image's shorter side, because
    noise of single pixels would vanish when a model resizes a photo, and grayscale does not. It is cut where
    a channel would leave 0-255, and its strength is found by bisection, over all pixels and channels of the
    image. Read with a refusal where the image is so saturated that luminance alone cannot change it that
    much. The draw belongs to the image. Attributes stay true; features are dropped.
    """

    cells: int = 32
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        if self.cells < 1:
            raise UsageError(f"cells must be at least 1, got {self.cells}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with noise in its luminance."""
        seed = int(rng.integers(2**63))
        edit = partial(_noisy, cells=self.cells, seed=seed, image_id=sample.image_id)
        noisy = image_of(sample).edited(f"luminance noise {self.cells} {seed}", edit)
        regions = tuple(map(forgotten, sample.regions))
        return replace(sample, image=noisy, regions=regions)


def _noisy(
    pixels: UInt8[np.ndarray, "height width 3"], cells: int, seed: int, image_id: str
) -> UInt8[np.ndarray, "height width 3"]:
    wanted = change(pixels, gray(pixels))
    if not wanted:
        return pixels
    height, width, _ = pixels.shape
    noise = _field(height, width, cells, np.random.default_rng(seed))
    shift = _scaled(pixels, noise, wanted)
    if _strength(shift) < wanted * 0.98 - 0.5:
        raise RefusedSample(
            image_id,
            f"luminance alone cannot change this image by {wanted:.1f} grey levels as grayscale does, "
            f"only by {_strength(shift):.1f}: its colours are too saturated",
        )
    noisy: np.ndarray = pixels + shift[..., None]  # 16 bits wide, within 0-255 by the cut
    return noisy.astype(np.uint8)


def change(before: UInt8[np.ndarray, "height width 3"], after: UInt8[np.ndarray, "height width 3"]) -> float:
    """Return the root mean square over pixels and channels of what changed, in grey levels."""
    return float(np.sqrt(np.mean((after.astype(np.float64) - before) ** 2)))


def _field(height: int, width: int, cells: int, rng: np.random.Generator) -> Float[np.ndarray, "height width"]:
    size = max(1, round(min(height, width) / cells))
    coarse = rng.standard_normal((-(-height // size), -(-width // size)))
    field: np.ndarray = np.kron(coarse, np.ones((size, size)))[:height, :width]
    return field


def _scaled(
    pixels: UInt8[np.ndarray, "height width 3"], noise: Float[np.ndarray, "height width"], wanted: float
) -> Shift:
    """Return the noise in whole grey levels at the scale that comes nearest to the wanted strength."""
    lowest = -pixels.min(axis=2).astype(np.int16)
    highest = 255 - pixels.max(axis=2).astype(np.int16)

    def at(scale: float) -> Shift:
        return np.clip(np.rint(scale * noise), lowest, highest).astype(np.int16)

    weak, strong = 0.0, wanted
    while _strength(at(strong)) < wanted and strong < 1e4 * wanted:
        strong *= 2
    for _ in range(24):  # halves the scale's doubt to a millionth
        middle = (weak + strong) / 2
        weak, strong = (middle, strong) if _strength(at(middle)) < wanted else (weak, middle)
    return min((at(weak), at(strong)), key=lambda shift: abs(_strength(shift) - wanted))


def _strength(shift: Shift) -> float:
    return float(np.sqrt(np.mean(shift.astype(np.float64) ** 2)))
