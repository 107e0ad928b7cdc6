"""Luminance noise, the control of `Grayscale`: equal damage to the pixels, with colour unchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int16, UInt8

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.grayscale import gray
from vlaudit.perturbations.regions import image_of, without_features
from vlaudit.samples import Sample

Shift = Int16[np.ndarray, "height width"]


@dataclass(frozen=True)
class LuminanceNoise:
    """Add luminance noise with the same root-mean-square change of the pixels as `Grayscale`.

    The two are complements in luma-chroma space. Grayscale changes chroma and keeps luma; the noise adds one number to
    all three channels of a pixel, which changes luma and keeps both chroma differences exactly. A blur is no suitable
    control: it leaves flat coloured areas unchanged, and it removes the shapes that object words need.

    The noise is Gaussian and constant on square cells with a side of 1 / `cells` of the image's shorter side. Noise per
    pixel would vanish when a model resizes a photo, but grayscale does not. The noise is clipped so that every channel
    stays within 0-255. Its scale is found by bisection on the change over all pixels and channels.
    One random draw per image. Attributes stay true; features are dropped.
    Raises `RefusedSample` without an image. Reading the pixels raises it if the image is too saturated for luminance
    to change it by the same amount.
    """

    cells: int = 32
    drawn_for: ClassVar[Owner] = "image_id"

    def __post_init__(self) -> None:
        if self.cells < 1:
            raise UsageError(f"LuminanceNoise: cells must be at least 1, got {self.cells}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with noise in its luminance."""
        seed = int(rng.integers(2**63))
        edit = partial(_noisy, cells=self.cells, seed=seed, image_id=sample.image_id)
        noisy = image_of(sample).edited(f"luminance noise {self.cells} {seed}", edit)
        regions = tuple(map(without_features, sample.regions))
        return replace(sample, image=noisy, regions=regions)


def _noisy(
    pixels: UInt8[np.ndarray, "height width 3"], cells: int, seed: int, image_id: str
) -> UInt8[np.ndarray, "height width 3"]:
    target = rms_difference(pixels, gray(pixels))
    if not target:
        return pixels
    height, width, _ = pixels.shape
    noise = _field(height, width, cells, np.random.default_rng(seed))
    shift = _scaled(pixels, noise, target)
    if _rms(shift) < target * 0.98 - 0.5:
        raise RefusedSample(
            image_id,
            f"luminance noise must change this image by {target:.1f} grey levels as grayscale does, "
            f"but reaches only {_rms(shift):.1f}, because its colours are too saturated",
        )
    noisy: np.ndarray = pixels + shift[..., None]  # int16, clipped to 0-255
    return noisy.astype(np.uint8)


def rms_difference(before: UInt8[np.ndarray, "height width 3"], after: UInt8[np.ndarray, "height width 3"]) -> float:
    """Return the root-mean-square difference over pixels and channels, in grey levels."""
    return float(np.sqrt(np.mean((after.astype(np.float64) - before) ** 2)))


def _field(height: int, width: int, cells: int, rng: np.random.Generator) -> Float[np.ndarray, "height width"]:
    size = max(1, round(min(height, width) / cells))
    coarse = rng.standard_normal((-(-height // size), -(-width // size)))
    field: np.ndarray = np.kron(coarse, np.ones((size, size)))[:height, :width]
    return field


def _scaled(
    pixels: UInt8[np.ndarray, "height width 3"], noise: Float[np.ndarray, "height width"], target: float
) -> Shift:
    """Return the noise in whole grey levels, scaled so that its root mean square is closest to `target`."""
    lowest = -pixels.min(axis=2).astype(np.int16)
    highest = 255 - pixels.max(axis=2).astype(np.int16)

    def at(scale: float) -> Shift:
        return np.clip(np.rint(scale * noise), lowest, highest).astype(np.int16)

    weak, strong = 0.0, target
    while _rms(at(strong)) < target and strong < 1e4 * target:
        strong *= 2
    for _ in range(24):  # reduces the bracket to less than a millionth
        middle = (weak + strong) / 2
        weak, strong = (middle, strong) if _rms(at(middle)) < target else (weak, middle)
    return min((at(weak), at(strong)), key=lambda shift: abs(_rms(shift) - target))


def _rms(shift: Shift) -> float:
    return float(np.sqrt(np.mean(shift.astype(np.float64) ** 2)))
