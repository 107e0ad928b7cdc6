"""Protocol of perturbations, and their application with random numbers that do not depend on the order of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from vlaudit.samples import Sample
from vlaudit.seeds import generator

Owner = Literal["image_id", "id"]
"""Field that seeds the random numbers: per image (its captions share the perturbed image) or per sample."""


@runtime_checkable
class Perturbation(Protocol):
    """A frozen dataclass of settings; a call returns a perturbed copy of a sample and keeps no state.

    `__repr__` must contain every setting: it seeds the random numbers and is shown in the report.
    A call raises `RefusedSample` with the reason if the perturbation is undefined for the sample.
    """

    drawn_for: ClassVar[Owner]

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the perturbed sample; `rng` is the only source of random numbers."""
        ...


def apply(perturbations: Sequence[Perturbation], sample: Sample, seed: int) -> Sample:
    """Apply the perturbations in order, each with a generator seeded by `seed`, the perturbation and the sample.

    Equal requests give equal bytes in every order and process. A perturbation of the image is seeded by the image id,
    so that the captions of one image share one perturbed image. Raises `RefusedSample`.
    """
    for perturbation in perturbations:
        owner: str = getattr(sample, perturbation.drawn_for)
        sample = perturbation(sample, generator(seed, repr(perturbation), owner))
    return sample
