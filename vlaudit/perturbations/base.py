"""Protocol of perturbations, and their application with random numbers that do not depend on the order of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from vlaudit.errors import UsageError
from vlaudit.samples import Sample
from vlaudit.seeds import generator

Owner = Literal["image_id", "id"] | None
"""Field that seeds the random numbers: per image (its captions share the perturbed image) or per sample; None where a
perturbation draws none, which saves the time to seed them."""


class _NoDraws(np.random.Generator):
    """Generator for perturbations that declare to draw nothing: any use of it raises `UsageError`."""

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("_"):
            raise UsageError(
                f"a perturbation with drawn_for = None must draw no random numbers, but it used rng.{name}; "
                'set drawn_for = "image_id" or "id"'
            )
        return super().__getattribute__(name)


_NO_DRAWS = _NoDraws(np.random.PCG64(0))


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
        sample = perturbation(sample, _generator(perturbation, sample, seed))
    return sample


def _generator(perturbation: Perturbation, sample: Sample, seed: int) -> np.random.Generator:
    if perturbation.drawn_for is None:
        return _NO_DRAWS
    owner: str = getattr(sample, perturbation.drawn_for)
    return generator(seed, repr(perturbation), owner)
