"""Image preprocessing for networks of patches, and the place of each patch in the original image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.samples import Box, Image
from vlaudit.traces import ImageAxis

Channels = tuple[float, float, float]

CLIP_MEAN: Channels = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Channels = (0.26862954, 0.26130258, 0.27577711)
HALF: Channels = (0.5, 0.5, 0.5)
LONGEST = 1333 / 800
"""Longest allowed side over shortest side of an image that keeps its aspect ratio (Kim et al. 2021, section 4.1)."""


@dataclass(frozen=True)
class PixelLayout:
    """Preprocessing of an image into patches of `patch` pixels per side: RGB, PIL bicubic, scaled to 0..1, normalized.

    By default the image is resized to a square of `size` pixels, which changes its aspect ratio. With `keep_aspect`
    its shorter side becomes `size` (less where the longer one would exceed 1333/800 of it), and both are rounded down
    to whole patches, as in ViLT.
    """

    size: int
    patch: int
    mean: Channels = CLIP_MEAN
    std: Channels = CLIP_STD
    keep_aspect: bool = False

    def grid(self, image: Image) -> tuple[int, int]:
        """Return the rows and columns of patches; 0 where the image is too narrow for one."""
        side = self.size // self.patch
        return _rounded_grid(image.width, image.height, self.size, self.patch) if self.keep_aspect else (side, side)


def _rounded_grid(width: int, height: int, size: int, patch: int) -> tuple[int, int]:
    """Repeat the arithmetic of ViLT's preprocessing, floating-point rounding included."""
    longest = int(LONGEST * size)
    scale = size / min(height, width)
    sides: tuple[float, float] = (size, scale * width) if height < width else (scale * height, size)
    if max(sides) > longest:
        scale = longest / max(sides)
        sides = (scale * sides[0], scale * sides[1])
    rows, columns = (int(side + 0.5) // patch for side in sides)
    return rows, columns


def preprocess(image: Image, layout: PixelLayout) -> Float[Tensor, "3 height breadth"]:
    """Return the pixels that a network of this layout reads, on the CPU."""
    picture = PIL.Image.fromarray(image.pixels())
    rows, columns = layout.grid(image)
    width, height = columns * layout.patch, rows * layout.patch
    if picture.size != (width, height):
        picture = picture.resize((width, height), PIL.Image.Resampling.BICUBIC)
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(height, width, 3)
    return ((values.float() / 255 - torch.tensor(layout.mean)) / torch.tensor(layout.std)).permute(2, 0, 1).contiguous()


def patch_axis(image: Image, layout: PixelLayout) -> ImageAxis:
    """Return [CLS] and the patches row by row, as boxes in pixels of the original image."""
    return _patches(image.width, image.height, *layout.grid(image))


@lru_cache(maxsize=256)  # most images of a data set have one of a few sizes
def _patches(width: int, height: int, rows: int, columns: int) -> ImageAxis:
    across, down = width / columns, height / rows
    cells = [
        Box(column * across, row * down, (column + 1) * across, (row + 1) * down)
        for row in range(rows)
        for column in range(columns)
    ]
    return ImageAxis((None, *cells), "patch")


def pixel_fault(image: Image | None, layout: PixelLayout) -> str | None:
    """Return why an image cannot be read, or None."""
    if image is None:
        return "it has no image"
    if 0 in layout.grid(image):
        return (
            f"its image of {image.width} x {image.height} pixels is too narrow: resized to at most "
            f"{int(LONGEST * layout.size)} pixels per side, it is thinner than a patch of {layout.patch}"
        )
    return None
