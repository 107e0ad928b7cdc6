"""Left-right flip of the image and of all its annotations."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import image_of, without_features
from vlaudit.perturbations.text import exchanged_side
from vlaudit.samples import SIDES, Region, Sample, Slot


@dataclass(frozen=True)
class Mirror:
    """Flip the image left to right: pixels, boxes, side words in labels, attributes and relations, true answers.

    The caption stays, side words included. Features are dropped, because they describe the pixels before the flip.
    Deterministic. Raises `RefusedSample` without an image.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a mirrored image."""
        image = image_of(sample)
        regions = tuple(_mirrored(region, image.width) for region in sample.regions)
        relations = tuple(replace(relation, predicate=_other_side(relation.predicate)) for relation in sample.relations)
        slots = tuple(_other_answer(slot) for slot in sample.slots)
        flipped = image.edited("mirror", _flipped)
        return replace(sample, image=flipped, regions=regions, relations=relations, slots=slots)


def _other_answer(slot: Slot) -> Slot:
    return slot.answered(exchanged_side(slot.answer)) if slot.answer in SIDES else slot


def _mirrored(region: Region, image_width: int) -> Region:
    return replace(
        without_features(region),
        box=region.box.mirrored(image_width),
        label=_other_side(region.label),
        attributes=tuple(_other_side(attribute) for attribute in region.attributes),
    )


def _other_side(text: str) -> str:
    return re.sub(r"\b(left|right)\b", lambda found: exchanged_side(found[0]), text, flags=re.IGNORECASE)


def _flipped(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    return pixels[:, ::-1]
