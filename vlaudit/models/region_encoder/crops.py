"""Crops of boxes: the pixels inside, and none beside them, at one size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from vlaudit.errors import DataError
from vlaudit.samples import Box, Image


def crops_of(images: Iterable[tuple[Image, Sequence[Box]]], side: int) -> UInt8[Tensor, "crops 3 {side} {side}"]:
    """Return every box of every image, in order, stretched to a square of `side` pixels.

    A box is every pixel that it touches, as `Cover` covers them. Resized bilinearly with antialiasing, after cutting,
    so that nothing from outside the box comes in at its border. The aspect is lost: how a box is shaped is no part
    of what it shows. On the CPU, wherever the network is: torch resizes 8-bit images nowhere else, and so crops do not
    depend on the device. Raises `DataError` where a box holds no pixel of its image.
    """
    crops = [crop for image, boxes in images for crop in _crops(image, boxes, side)]
    return torch.cat(crops) if crops else torch.empty((0, 3, side, side), dtype=torch.uint8)


def _crops(image: Image, boxes: Sequence[Box], side: int) -> list[Tensor]:
    # Each box alone: torch resizes small 8-bit images in integers, several times faster than one batched sampling.
    pixels = torch.from_numpy(image.pixels().copy()).permute(2, 0, 1)[None]
    return [interpolate(_cut(image, pixels, box), size=side, mode="bilinear", antialias=True) for box in boxes]


def _cut(image: Image, pixels: Tensor, box: Box) -> Tensor:
    top, bottom = max(math.floor(box.top), 0), min(math.ceil(box.bottom), image.height)
    left, right = max(math.floor(box.left), 0), min(math.ceil(box.right), image.width)
    if top >= bottom or left >= right:
        raise DataError(
            f"image {image.key}: a box must hold pixels of its image of {image.width} x {image.height}, "
            f"got {tuple(box)}"
        )
    return pixels[:, :, top:bottom, left:right]
