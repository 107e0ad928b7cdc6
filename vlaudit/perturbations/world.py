"""Protocols of a sample's world: its drawing, or further knowledge of its data set about the image.

The protocols are structural, because data sets and perturbations must not import each other: a world only needs the
methods. Each method raises `RefusedSample` if it is undefined for the sample.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.samples import Sample, Slot


@runtime_checkable
class Redrawable(Protocol):
    """A world that rendered the image and can render it again with one object changed and all other pixels equal.

    The methods return the sample with the new image, its regions and its relations; the caption stays.
    """

    @property
    def colors(self) -> tuple[str, ...]:
        """Colours that an object can have."""
        ...

    def shown_by(self, sample: Sample) -> bool:
        """Return whether the sample's image is the unedited drawing: not covered, mirrored or in grayscale."""
        ...

    def recolored(self, sample: Sample, region_id: str, color: str) -> Sample:
        """Return the sample with one object in another colour."""
        ...

    def moved(self, sample: Sample, region_id: str, rng: np.random.Generator) -> Sample:
        """Return the sample with one object and its parts at another place where the caption stays true."""
        ...


@runtime_checkable
class Hinting(Protocol):
    """A world with further text about the image."""

    def hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return context that makes the slot's word likely without containing it or a form of it; None without one."""
        ...

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return context that contains the slot's word; None without one."""
        ...


@runtime_checkable
class Foiling(Protocol):
    """A world with words that are false of the image."""

    def foils(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        """Return answers of the slot's kind that are false of the image."""
        ...


@runtime_checkable
class Clausal(Protocol):
    """A world with the boundary between the clauses of a caption."""

    def joint(self, sample: Sample) -> tuple[int, int] | None:
        """Return start and end of the text that joins the two clauses, with its white space; None for one clause."""
        ...


def redrawable(sample: Sample) -> Redrawable | None:
    """Return the world that can redraw the sample's image; `None` for a photo.

    Raises `RefusedSample` if the pixels were edited before, because redrawing would undo the edit.
    """
    if not isinstance(sample.world, Redrawable):
        return None
    if not sample.world.shown_by(sample):
        raise RefusedSample(sample.id, "its image was edited before; a perturbation that redraws must come first")
    return sample.world
