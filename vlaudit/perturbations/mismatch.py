"""Pair an image with the caption of another image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.samples import Sample


@dataclass(frozen=True)
class Mismatch:
    """Give the sample its partner's caption, phrases, slots and hidden spans; image and regions stay.

    The partner's words name nothing in this image, so they are linked to no region. Nothing is drawn: the
    partner is a setting (see `mismatched`). Refused where both show the same image or say the same.
    """

    partner: Sample = field(repr=False)
    drawn_for: ClassVar[Owner] = "id"

    def __repr__(self) -> str:
        return f"Mismatch(partner={self.partner.id!r})"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the partner's caption."""
        if not _differ(sample, self.partner):
            raise RefusedSample(sample.id, f"{self.partner.id} shows the same image or has the same caption")
        return replace(
            sample,
            caption=self.partner.caption,
            phrases=tuple(replace(phrase, region_ids=()) for phrase in self.partner.phrases),
            slots=tuple(replace(slot, region_ids=()) for slot in self.partner.slots),
            hidden_phrases=self.partner.hidden_phrases,
            world=None,
        )


def mismatched(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """Return the samples in their order, each with the caption of another image.

    A random pairing in which each caption is used once, wherever one is found; a sample that is left over
    borrows the caption of any other image, drawn at random. Raises `RefusedSample` where there is no other
    image to borrow from.
    """
    order = rng.permutation(len(samples))
    partners = [samples[index] for index in order]
    for index, sample in enumerate(samples):
        if not _differ(sample, partners[index]):
            _exchange(samples, partners, index, rng)
    return [Mismatch(partner)(sample, rng) for sample, partner in zip(samples, partners, strict=True)]


def _exchange(samples: Sequence[Sample], partners: list[Sample], index: int, rng: np.random.Generator) -> None:
    """Exchange this sample's partner with another sample's so that both differ, or borrow one a second time."""
    candidates = [int(other) for other in rng.permutation(len(samples))]
    for other in candidates:
        if _differ(samples[index], partners[other]) and _differ(samples[other], partners[index]):
            partners[index], partners[other] = partners[other], partners[index]
            return
    for other in candidates:
        if _differ(samples[index], samples[other]):
            partners[index] = samples[other]
            return
    raise RefusedSample(samples[index].id, "no sample of another image has another caption")


def _differ(sample: Sample, partner: Sample) -> bool:
    """Say whether the partner's caption is of another image: by id, by pixels where known, and in what it says."""
    if sample.image_id == partner.image_id or sample.caption.casefold() == partner.caption.casefold():
        return False
    return sample.image is None or partner.image is None or sample.image.key != partner.image.key
