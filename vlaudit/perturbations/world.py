"""What a perturbation may ask of a sample's world: what it was drawn from, or what its data set knows beside it.

Structural protocols, because data sets and perturbations never import each other: a world only has to have the
methods. Each raises `RefusedSample` where what is asked makes no sense for this sample.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.samples import Sample, Slot


@runtime_checkable
class Redrawable(Protocol):
    """The image was drawn from this world, and can be drawn again with one thing changed, the rest equal to the pixel.

    Each method returns the sample with another image, and the regions and relations that it shows; the caption stays.
    """

    @property
    def colors(self) -> tuple[str, ...]:
        """The colours that a thing can have."""
        ...

    def shown_by(self, sample: Sample) -> bool:
        """Say whether the sample's image is this world's drawing as it is: nothing covered, mirrored or turned grey."""
        ...

    def recolored(self, sample: Sample, region_id: str, color: str) -> Sample:
        """Return the sample with one thing in another colour."""
        ...

    def moved(self, sample: Sample, region_id: str, rng: np.random.Generator) -> Sample:
        """Return the sample with one thing, and what belongs to it, at another place where its caption stays true."""
        ...


@runtime_checkable
class Hinting(Protocol):
    """Knows more text about the image."""

    def hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return context that makes the slot's word likely without naming it or a form of it."""
        ...

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return context that names the slot's word."""
        ...


@runtime_checkable
class Foiling(Protocol):
    """Knows what is not true of the image."""

    def foils(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        """Return the answers of the slot's kind that are false of the image."""
        ...


@runtime_checkable
class Clausal(Protocol):
    """Knows where a caption falls into clauses."""

    def joint(self, sample: Sample) -> tuple[int, int] | None:
        """Return where the words that join its two clauses start and end, white space around them included."""
        ...


def redrawable(sample: Sample) -> Redrawable | None:
    """Return the world that can redraw the sample's image; `None` for a photo.

    Refused where the pixels were changed since: drawing again would undo that, so what redraws must come first.
    """
    if not isinstance(sample.world, Redrawable):
        return None
    if not sample.world.shown_by(sample):
        raise RefusedSample(sample.id, "its image was edited before; a perturbation that redraws must come first")
    return sample.world
