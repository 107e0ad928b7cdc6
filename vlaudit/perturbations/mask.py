"""Masking of words and phrases of the caption, so that the image or a hint must supply them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.samples import Sample


@dataclass(frozen=True)
class MaskWords:
    """Hide every slot of the given kinds (empty: of any kind). Deterministic.

    Raises `RefusedSample` if the caption has no such slot.
    """

    kinds: tuple[str, ...] = ()
    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the slots hidden, in addition to the spans that are hidden already."""
        slots = [slot for slot in sample.slots if not self.kinds or slot.kind in self.kinds]
        if not slots:
            raise RefusedSample(sample.id, f"its caption has no slot of {' or '.join(self.kinds) or 'any kind'}")
        return sample.hiding(*slots)


@dataclass(frozen=True)
class MaskPhrases:
    """Hide every phrase of the given types (empty: of any type). Deterministic.

    Raises `RefusedSample` if the caption has no such phrase.
    """

    types: tuple[str, ...] = ()
    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the phrases hidden, in addition to the spans that are hidden already."""
        phrases = [phrase for phrase in sample.phrases if not self.types or phrase.type in self.types]
        if not phrases:
            raise RefusedSample(sample.id, f"its caption has no phrase of {' or '.join(self.types) or 'any type'}")
        return sample.hiding(*phrases)
