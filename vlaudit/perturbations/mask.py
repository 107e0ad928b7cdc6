"""Hide words of the caption from the model; the image, or a hint, must supply them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.samples import Sample


@dataclass(frozen=True)
class MaskWords:
    """Hide every slot of these kinds; no kinds hide every slot. Refused where there is none. Nothing is drawn."""

    kinds: tuple[str, ...] = ()
    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the slots hidden, beside what is hidden already."""
        asked = [slot for slot in sample.slots if not self.kinds or slot.kind in self.kinds]
        if not asked:
            raise RefusedSample(sample.id, f"its caption has no slot of {' or '.join(self.kinds) or 'any kind'}")
        return sample.hiding(*asked)


@dataclass(frozen=True)
class MaskPhrases:
    """Hide every phrase of these types; no types hide every phrase. Refused where there is none. Nothing is drawn."""

    types: tuple[str, ...] = ()
    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the phrases hidden, beside what is hidden already."""
        asked = [phrase for phrase in sample.phrases if not self.types or phrase.type in self.types]
        if not asked:
            raise RefusedSample(sample.id, f"its caption has no phrase of {' or '.join(self.types) or 'any type'}")
        return sample.hiding(*asked)
