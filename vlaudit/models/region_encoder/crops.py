"""Crops of boxes: the pixels inside a box, resized to one size."""

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

    A box includes every pixel that it touches, as in `Cover`. It is cropped before it is resized (bilinear,
    antialiased), so that no pixel from outside the box contributes. The aspect ratio is lost, because it is no part of
    the content. Crops are made on the CPU, where alone torch resizes 8-bit images, so they do not depend on the device.
    Raises `DataError` where a box holds no pixel of its image.
    """
    crops = [crop for image, boxes in images for crop in _crops(image, boxes, side)]
    return torch.cat(crops) if crops else torch.empty((0, 3, side, side), dtype=torch.uint8)


def _crops(image: Image, boxes: Sequence[Box], side: int) -> list[Tensor]:
    # One box at a time: torch resizes small 8-bit images in integers, several times faster than batched sampling.
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
