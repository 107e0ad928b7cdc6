"""Mismatched pairs: an image with the caption of another image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.samples import Phrase, Sample, Slot

_Part = TypeVar("_Part", Phrase, Slot)


@dataclass(frozen=True)
class OtherCaption:
    """Replace the caption by that of the partner, with phrases, slots and hidden spans; image and regions stay.

    The partner's words name nothing in this image, so they are linked to no region. Deterministic.
    Raises `RefusedSample` if the sample has no partner.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its partner's caption."""
        return with_caption_of(sample, _partner(sample))


@dataclass(frozen=True)
class OtherImage:
    """Replace the image by that of the partner, with its regions and relations; the caption stays.

    The caption's words name nothing in that image, so they are linked to no region. Deterministic.
    Raises `RefusedSample` if the sample has no partner.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its partner's image."""
        return with_caption_of(_partner(sample), sample)


@dataclass(frozen=True)
class OtherPair:
    """Replace the sample by its partner, which keeps its own caption. Deterministic.

    Together with the sample, `OtherCaption` and `OtherImage` this gives all four pairings of two images and captions.
    Raises `RefusedSample` if the sample has no partner.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the partner."""
        return _partner(sample)


def with_caption_of(sample: Sample, other: Sample) -> Sample:
    """Return `sample` with the caption of `other`, linked to no region; image and regions stay."""
    return replace(
        sample,
        caption=other.caption,
        phrases=tuple(_unlinked(phrase) for phrase in other.phrases),
        slots=tuple(_unlinked(slot) for slot in other.slots),
        hidden_phrases=other.hidden_phrases,
        world=None,
    )


def _unlinked(part: _Part) -> _Part:
    return replace(part, region_ids=())


def _partner(sample: Sample) -> Sample:
    if sample.partner is None:
        raise RefusedSample(sample.id, "the data have no suitable sample with another image and another caption")
    return sample.partner


def mismatched(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """Return the samples in their order, each with the caption of another image.

    The pairing is random and uses each caption once if possible. A sample without a partner takes the caption of
    another image at random. Raises `RefusedSample` if there is no other image.
    """
    order = rng.permutation(len(samples))
    partners = [samples[index] for index in order]
    for index, sample in enumerate(samples):
        if not sample.differs_from(partners[index]):
            _exchange(samples, partners, index, rng)
    return [with_caption_of(sample, partner) for sample, partner in zip(samples, partners, strict=True)]


def _exchange(samples: Sequence[Sample], partners: list[Sample], index: int, rng: np.random.Generator) -> None:
    """Exchange the partners of this sample and another one so that both differ, or use a partner a second time."""
    candidates = [int(other) for other in rng.permutation(len(samples))]
    for other in candidates:
        if samples[index].differs_from(partners[other]) and samples[other].differs_from(partners[index]):
            partners[index], partners[other] = partners[other], partners[index]
            return
    for other in candidates:
        if samples[index].differs_from(samples[other]):
            partners[index] = samples[other]
            return
    raise RefusedSample(samples[index].id, "the data have no sample with another image and another caption")
