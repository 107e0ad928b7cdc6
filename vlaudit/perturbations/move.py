"""Move of an object to another place in the image, which should not change what a model recognizes."""

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
    """Move the region selected by `of` (see `regions.targets`) to another place where the caption stays true.

    One random draw per image. Raises `RefusedSample` for photos, because the pixels behind an object are
    unknown; if several regions are selected; and if there is no other place.
    """

    of: str | tuple[str, ...] = HIDDEN
    drawn_for: ClassVar[Owner] = "image_id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the object at another place."""
        regions = targets(sample, self.of)
        if not regions:
            return sample
        if len(regions) > 1:
            raise RefusedSample(sample.id, f"of must select one region, got {len(regions)}")
        world = redrawable(sample)
        if world is None:
            raise RefusedSample(sample.id, "nothing can be moved in a photo, because the pixels behind it are unknown")
        return world.moved(sample, regions[0].id, rng)
