"""Flip the image left to right, and with it whatever is known about the image."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import forgotten, image_of
from vlaudit.perturbations.text import exchanged_side
from vlaudit.samples import Region, Sample


@dataclass(frozen=True)
class Mirror:
    """Flip the image left to right: pixels, boxes, and the side words in labels, attributes and relations.

    The caption stays, its side words included: that is the question. Features are dropped, because a
    detector's vector of the unflipped pixels would not be one of these. Nothing is drawn.
    """

    drawn_for: ClassVar[Owner] = "image_id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a mirrored image."""
        image = image_of(sample)
        regions = tuple(_mirrored(region, image.width) for region in sample.regions)
        relations = tuple(replace(relation, predicate=_other_side(relation.predicate)) for relation in sample.relations)
        return replace(sample, image=image.edited("mirror", _flipped), regions=regions, relations=relations)


def _mirrored(region: Region, image_width: int) -> Region:
    return replace(
        forgotten(region),
        box=region.box.mirrored(image_width),
        label=_other_side(region.label),
        attributes=tuple(_other_side(attribute) for attribute in region.attributes),
    )


def _other_side(text: str) -> str:
    return re.sub(r"\b(left|right)\b", lambda found: exchanged_side(found[0]), text, flags=re.IGNORECASE)


def _flipped(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return pixels[:, ::-1]
