"""Images as ALBEF was trained to see them, and where its patches lie in them.

Source: the official evaluation transform: RGB, resized to a square whatever the aspect (PIL bicubic), scaled to
[0, 1], normalised. Differs: nothing; our own Pillow and torch code instead of torchvision.
"""

from __future__ import annotations

from functools import lru_cache

import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.samples import Box, Image
from vlaudit.traces import ImageAxis

_MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))
_STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))


def preprocess(image: Image, size: int) -> Float[Tensor, "3 size size"]:
    """Return the pixels that the network reads, on the CPU."""
    picture = PIL.Image.fromarray(image.pixels())
    if picture.size != (size, size):
        picture = picture.resize((size, size), PIL.Image.Resampling.BICUBIC)
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(size, size, 3)
    return ((values.float() / 255 - _MEAN) / _STD).permute(2, 0, 1).contiguous()


def patch_axis(image: Image, grid: int) -> ImageAxis:
    """Return [CLS] and the patches row by row, as boxes in pixels of the image before it was resized."""
    return _patches(image.width, image.height, grid)


@lru_cache(maxsize=256)  # most images of a data set have one of a few sizes
def _patches(width: int, height: int, grid: int) -> ImageAxis:
    across, down = width / grid, height / grid
    cells = [
        Box(column * across, row * down, (column + 1) * across, (row + 1) * down)
        for row in range(grid)
        for column in range(grid)
    ]
    return ImageAxis((None, *cells), "patch")
