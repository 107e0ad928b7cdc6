"""Put a thing at another place of the image: where it stands should not matter to what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.regions import HIDDEN, targets
from vlaudit.perturbations.world import redrawable
from vlaudit.samples import Sample


@dataclass(frozen=True)
class Move:
    """Move the one region that `of` names (see `regions.targets`) to another place where the caption stays true.

    The draw is the image's. Refused for photos, because what stands behind the thing is not known; where several
    regions are named; and where there is no other place.
    """

    of: str | tuple[str, ...] = HIDDEN
    drawn_for: ClassVar[Owner] = "image_id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the thing at another place."""
        regions = targets(sample, self.of)
        if not regions:
            return sample
        if len(regions) > 1:
            raise RefusedSample(sample.id, f"one region can be moved, not {len(regions)} at once")
        world = redrawable(sample)
        if world is None:
            raise RefusedSample(sample.id, "nothing can be moved in a photo: what stands behind it is not known")
        return world.moved(sample, regions[0].id, rng)
