"""The regions of a sample as a model reads them: features, and boxes as fractions of the image's sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.models.region_encoder import RegionEncoder
from vlaudit.models.streams.contract import Layout
from vlaudit.samples import Box, Image, Region, Sample
from vlaudit.traces import ImageAxis

SLACK = 1.0
"""Tolerated overhang of a detector's box, in pixels: boxes are rounded when they are stored."""


def region_refusal(sample: Sample, layout: Layout, encoder: RegionEncoder | None) -> str | None:
    """Return why the regions of a sample cannot be read by a model of this layout, or None."""
    if sample.image is None:
        return "it has no image, so the size of the picture that its boxes belong to is unknown"
    if not sample.regions:
        return "it has no regions, and this model reads regions; give data with boxes"
    for region in sample.regions:
        if reason := _fault(region, sample.image, layout, encoder):
            return f"region {region.id!r} {reason}"
    return None


def _fault(region: Region, image: Image, layout: Layout, encoder: RegionEncoder | None) -> str | None:
    box = region.box
    outside = min(box.left, box.top, image.width - box.right, image.height - box.bottom) < -SLACK
    if outside or not box.intersection(Box(0, 0, image.width, image.height)).area > 0:  # not: NaN compares as False
        return (
            f"has the box {tuple(round(edge, 1) for edge in box)}, which is not inside its image of "
            f"{image.width} x {image.height} pixels"
        )
    if region.features is None:
        if encoder is not None:
            return None
        return (
            "has no features, and this checkpoint comes without an encoder for pixels; give features=FILE with the "
            "data (stored features allow no change of pixels other than covering and blanking)"
        )
    if len(region.features) != layout.region_width:
        return f"has {len(region.features)} features, this checkpoint reads {layout.region_width}"
    return None


def features_of(samples: Sequence[Sample], encoder: RegionEncoder | None) -> list[Float[Tensor, "regions width"]]:
    """Return the features of every sample's regions; missing ones are encoded from the pixels, in one batch."""
    bare = [[region.box for region in sample.regions if region.features is None] for sample in samples]
    asked = [(sample.image, boxes) for sample, boxes in zip(samples, bare, strict=True) if boxes and sample.image]
    if asked and encoder is None:
        raise RequestError("regions without features came to a model without an encoder")
    encoded = iter(encoder.encode_many(asked) if encoder and asked else ())
    return [
        _joined(sample, next(encoded).features if boxes else None) for sample, boxes in zip(samples, bare, strict=True)
    ]


def _joined(sample: Sample, encoded: Float[np.ndarray, "encoded width"] | None) -> Float[Tensor, "regions width"]:
    fresh = iter(encoded if encoded is not None else ())
    rows = [next(fresh) if region.features is None else region.features for region in sample.regions]
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def boxes_of(sample: Sample, encoder: RegionEncoder | None = None) -> Float[Tensor, "regions 4"]:
    """Return left, top, right, bottom of every region as fractions of the image's width and height, 0 to 1.

    Boxes of regions whose features the encoder computes are rounded as it rounds them (`RegionEncoder.located`).
    """
    image = sample.image
    if image is None:
        raise RequestError(f"sample {sample.id}: it has no image to place boxes in")
    sides = np.array([image.width, image.height, image.width, image.height], np.float32)
    shares = np.array([region.box for region in sample.regions], np.float32).reshape(-1, 4) / sides
    if encoder is not None:
        bare = [region.features is None for region in sample.regions]
        shares[bare] = encoder.located(shares[bare])
    return torch.from_numpy(shares)


def with_global(
    features: Float[Tensor, "regions width"], boxes: Float[Tensor, "regions 4"]
) -> tuple[Float[Tensor, "positions width"], Float[Tensor, "positions 4"]]:
    """Prepend a region for the whole image: the mean of all features, the box of the image.

    Source: VOLTA's evaluation reader (see REGION_MODELS.md next to the goldens); its pretraining divides differently.
    """
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).to(boxes)
    return torch.cat([features.mean(0, keepdim=True), features]), torch.cat([whole, boxes])


def region_axis(sample: Sample, layout: Layout) -> ImageAxis:
    """Return the boxes of the image positions."""
    boxes = [region.box for region in sample.regions]
    return ImageAxis((None, *boxes) if layout.global_region else tuple(boxes), "region")
