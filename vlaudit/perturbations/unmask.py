"""Unmasking of the whole caption, and the test of another word instead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.samples import Sample


@dataclass(frozen=True)
class Unmask:
    """Hide no word, so that the match score of the whole caption can be measured. Deterministic."""

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its whole caption visible."""
        return replace(sample, hidden_phrases=())


@dataclass(frozen=True)
class AskOther:
    """Test the first slot of the given kinds instead, the only hidden one: a control of whether a model reads images.

    Deterministic. Raises `RefusedSample` if the caption has no such slot.
    """

    kinds: tuple[str, ...]
    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with another tested slot."""
        other = next((slot for slot in sample.slots if slot.kind in self.kinds), None)
        if other is None:
            raise RefusedSample(sample.id, f"its caption has no slot of kind {' or '.join(self.kinds)}")
        return replace(sample, hidden_phrases=()).hiding(other).asking(other)
