"""Samples and tokenized captions as padded tensors on the network's device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from vlaudit.errors import RequestError
from vlaudit.models.region_encoder import RegionEncoder
from vlaudit.models.streams.captions import Encoding
from vlaudit.models.streams.contract import Inputs, Layout
from vlaudit.models.streams.pixels import PixelLayout, patch_axis, pixel_fault, preprocess
from vlaudit.models.streams.region_inputs import boxes_of, features_of, region_axis, region_refusal, with_global
from vlaudit.samples import Image, Sample
from vlaudit.traces import ImageAxis


class Row(NamedTuple):
    """One row of a batch: a sample, and the tokenized caption to read with it."""

    sample: Sample
    caption: Encoding


@dataclass(frozen=True)
class BatchBuilder:
    """Make the inputs of one network; `encoder` computes features for regions that have none."""

    layout: Layout
    pad: int
    device: torch.device
    dtype: torch.dtype
    encoder: RegionEncoder | None = None

    def fault(self, sample: Sample) -> str | None:
        """Return why the image or the regions of a sample cannot be read, or None."""
        if self.layout.pixels is not None:
            return pixel_fault(sample.image, self.layout.pixels)
        return region_refusal(sample, self.layout, self.encoder) if self.layout.region_width else None

    def axis(self, sample: Sample) -> ImageAxis | None:
        """Return the boxes of the image positions; None for a text-only network and for a sample without image."""
        if self.layout.pixels is not None:
            return patch_axis(sample.image, self.layout.pixels) if sample.image else None
        return None if self.layout.region_width is None else region_axis(sample, self.layout)

    def captions(self, captions: Sequence[Encoding]) -> tuple[Int[Tensor, "batch length"], Int[Tensor, "batch length"]]:
        """Return ids padded to the longest caption, and a mask that is 1 at real tokens."""
        ids = [torch.tensor(caption.ids, device=self.device) for caption in captions]
        padded = pad_sequence(ids, batch_first=True, padding_value=self.pad)
        return padded, pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)

    def pixels(self, images: Sequence[Image]) -> Float[Tensor, "batch 3 height breadth"]:
        """Return preprocessed images, padded with zeros at the right and at the bottom; each image is read once."""
        layout = _pixel_layout(self.layout)
        read = {key: preprocess(image, layout) for key, image in {image.key: image for image in images}.items()}
        height, width = (max(pixels.shape[side] for pixels in read.values()) for side in (1, 2))
        read = {key: F.pad(p, (0, width - p.shape[2], 0, height - p.shape[1])) for key, p in read.items()}
        return torch.stack([read[image.key] for image in images]).to(self.device, self.dtype)

    def inputs(self, rows: Sequence[Row]) -> Inputs:
        """Return the inputs of a joint network."""
        ids, mask = self.captions([row.caption for row in rows])
        samples = [row.sample for row in rows]
        if self.layout.pixels is not None:
            return self._with_pixels(ids, mask, samples)
        return Inputs(ids, mask) if self.layout.region_width is None else self._with_regions(ids, mask, samples)

    def _with_pixels(self, ids: Tensor, mask: Tensor, samples: Sequence[Sample]) -> Inputs:
        images, layout = [image_of(sample) for sample in samples], _pixel_layout(self.layout)
        grids = tuple(layout.grid(image) for image in images)
        present = self._present([1 + rows * columns for rows, columns in grids], mask)
        return Inputs(ids, mask, present=present, pixels=self.pixels(images), grids=grids)

    def _with_regions(self, ids: Tensor, mask: Tensor, samples: Sequence[Sample]) -> Inputs:
        boxes = [boxes_of(sample, self.encoder) for sample in samples]
        rows = list(zip(features_of(samples, self.encoder), boxes, strict=True))
        if self.layout.global_region:
            rows = [with_global(features, places.to(features)) for features, places in rows]
        present = self._present([len(places) for _, places in rows], mask)
        return Inputs(ids, mask, self._padded([f for f, _ in rows]), self._padded([b for _, b in rows]), present)

    def _present(self, lengths: Sequence[int], mask: Tensor) -> Int[Tensor, "batch positions"]:
        return pad_sequence([torch.ones(length, dtype=torch.long) for length in lengths], batch_first=True).to(mask)

    def _padded(self, rows: Sequence[Tensor]) -> Tensor:
        return pad_sequence([row.to(self.device, self.dtype) for row in rows], batch_first=True)


def image_of(sample: Sample) -> Image:
    """Return the image of a sample; `RequestError` where it has none."""
    if sample.image is None:
        raise RequestError(f"sample {sample.id}: it has no image")
    return sample.image


def _pixel_layout(layout: Layout) -> PixelLayout:
    if layout.pixels is None:
        raise RequestError("pixels were requested for a network that reads none")
    return layout.pixels
