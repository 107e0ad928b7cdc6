"""What a perturbation is, and the one way to apply it: its random draw belongs to the request, not to run order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from vlaudit.samples import Sample
from vlaudit.seeds import generator

Owner = Literal["image_id", "id"]
"""Whose draw it is: the image's (all its captions share the perturbed image) or the sample's own."""


@runtime_checkable
class Perturbation(Protocol):
    """Settings as fields of a frozen dataclass; calling it makes one sample into another and keeps no state.

    `__repr__` states every setting: it is part of what the draw is derived from, and of the report's line.
    A perturbation that has no meaning for a sample raises `RefusedSample` with the reason.
    """

    drawn_for: ClassVar[Owner]

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the perturbed sample; `rng` is the only source of chance."""
        ...


def apply(perturbations: Sequence[Perturbation], sample: Sample, seed: int) -> Sample:
    """Apply the perturbations one after another, each with the generator that belongs to it and to the sample.

    Equal requests give equal bytes, whoever asks, in whatever order and process. An image perturbation draws
    for the image id, so that the captions of one image share one perturbed image. Raises `RefusedSample`.
    """
    for perturbation in perturbations:
        owner: str = getattr(sample, perturbation.drawn_for)
        sample = perturbation(sample, generator(seed, repr(perturbation), owner))
    return sample
