"""Show again what was hidden: what was chosen by a hidden word can be asked about the whole caption."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from vlaudit.perturbations.base import Owner
from vlaudit.samples import Sample


@dataclass(frozen=True)
class Reveal:
    """Hide nothing of the caption any more. Whether caption and image match is asked of what the caption says.

    Nothing is drawn.
    """

    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its whole caption to be read."""
        return replace(sample, hidden_phrases=())
