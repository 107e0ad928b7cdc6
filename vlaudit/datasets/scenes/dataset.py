"""Samples of synthetic scenes, each determined by a seed and an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vlaudit.datasets.base import Refusal, parse_options
from vlaudit.datasets.scenes import pairs, words
from vlaudit.datasets.scenes.captions import describe
from vlaudit.datasets.scenes.compose import compose
from vlaudit.datasets.scenes.drawing import boxes, draw
from vlaudit.datasets.scenes.moves import places
from vlaudit.datasets.scenes.view import image_of, regions_of, relations_of
from vlaudit.datasets.scenes.world import Scene, moved, recolored
from vlaudit.errors import RefusedSample, UsageError
from vlaudit.samples import Sample, Slot


@dataclass(frozen=True)
class World:
    """Interface of a drawn sample for perturbations: redrawing with one change, hints, foils and clauses.

    Implements `Redrawable`, `Hinting` and `Clausal` of `vlaudit.perturbations.world`. Raises `RefusedSample` if an
    operation is undefined for the sample.
    """

    scene: Scene
    colors: ClassVar[tuple[str, ...]] = words.COLORS

    def shown_by(self, sample: Sample) -> bool:
        """Return True if the sample's image is the unmodified drawing of this scene."""
        return sample.image is not None and sample.image.key == self.scene.key

    def recolored(self, sample: Sample, region_id: str, color: str) -> Sample:
        """Return the sample with one thing in another colour and all other pixels unchanged."""
        try:
            return redrawn(sample, recolored(self.scene, region_id, color))
        except UsageError as error:
            raise RefusedSample(sample.id, str(error)) from error

    def moved(self, sample: Sample, region_id: str, rng: np.random.Generator) -> Sample:
        """Return the sample with a free-standing thing, and everything that it holds, moved along its row.

        The new place is drawn at random among those that keep the caption true and hide nothing (see `moves.places`).
        """
        try:
            free = places(self.scene, sample, region_id)
        except UsageError as error:
            raise RefusedSample(sample.id, str(error)) from error
        if not free:
            raise RefusedSample(sample.id, f"no other place for {region_id!r} keeps the caption true")
        return redrawn(sample, moved(self.scene, region_id, free[int(rng.integers(len(free)))]))

    def hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return a sentence that makes the slot's word likely without containing it or a form of it, or None."""
        return pairs.hint_for(sample, slot)

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return a sentence that contains the slot's word, or None."""
        return pairs.copy_hint_for(sample, slot)

    def foils(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        """Return the answers to the slot that make the caption false."""
        return pairs.foils(self.scene, sample, slot)

    def joint(self, sample: Sample) -> tuple[int, int] | None:
        """Return where the words that join the caption's two clauses start and end, blanks included."""
        return pairs.joint_of(sample.caption)


def sample(seed: int, index: int, caption: int = 0) -> Sample:
    """Return the sample of scene `index` of a seed with one of its captions."""
    return sample_of(compose(seed, index), f"scenes-{seed}-{index}", caption)


def sample_of(scene: Scene, image_id: str, caption: int = 0) -> Sample:
    """Return the sample of a given scene with one of its captions."""
    description = describe(scene, caption)
    return Sample(
        id=f"{image_id}-{caption}",
        image_id=image_id,
        image=image_of(scene),
        caption=description.text,
        regions=regions_of(scene),
        phrases=description.phrases,
        relations=relations_of(scene),
        slots=description.slots,
        world=World(scene),
    )


def redrawn(drawn: Sample, scene: Scene) -> Sample:
    """Return the sample with the image, regions and relations of another scene and the same caption.

    Phrases and slots keep those region ids that the other scene contains.
    """
    where = boxes(scene)

    def shown(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in ids if name in where)

    return replace(
        drawn,
        image=image_of(scene),
        regions=regions_of(scene),
        relations=relations_of(scene),
        phrases=tuple(replace(part, region_ids=shown(part.region_ids)) for part in drawn.phrases),
        slots=tuple(replace(part, region_ids=shown(part.region_ids)) for part in drawn.slots),
        world=World(scene),
    )


def scene_of(drawn: Sample) -> Scene:
    """Return the scene of a drawn sample; raise `UsageError` for a sample of another data set."""
    if not isinstance(drawn.world, World):
        raise UsageError(f"the sample must be drawn from a scene, got {drawn.id!r}, which is not")
    return drawn.world.scene


def batch(seed: int, start: int, count: int) -> tuple[UInt8[np.ndarray, "count 96 96 3"], list[Scene]]:
    """Return the pixels and the scenes `start` to `start + count` (exclusive) of a seed."""
    scenes = [compose(seed, index) for index in range(start, start + count)]
    return np.stack([draw(scene) for scene in scenes]), scenes


@dataclass(frozen=True)
class Scenes:
    """Synthetic scenes as a data set: `limit` scenes of a seed with one caption each, and no refusals.

    Scene `index` of a seed does not depend on the limit.
    """

    seed: int = 0
    limit: int = 1000
    name: ClassVar[str] = "scenes"
    refusals: list[Refusal] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"seed must be 0 or more, got {self.seed}")
        if self.limit < 1:
            raise UsageError(f"limit must be 1 or more, got {self.limit}")

    def __len__(self) -> int:
        return self.limit

    def __iter__(self) -> Iterator[Sample]:
        return (sample(self.seed, index) for index in range(self.limit))

    def describe(self) -> str:
        """Return one line for the report."""
        return f"scenes: {self.limit} drawn from seed {self.seed}"


def from_spec(text: str) -> Scenes:
    """Return the data set of options such as `"seed=3,n=500"`; both are optional."""
    head, options = parse_options(text, ("seed", "n"))
    if head:
        raise UsageError(f"--data scenes takes seed=INTEGER and n=INTEGER, got {head!r}")
    return Scenes(_integer("seed", options.get("seed", "0")), _integer("n", options.get("n", "1000")))


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"--data scenes: {name} must be an integer, got {value!r}") from None
