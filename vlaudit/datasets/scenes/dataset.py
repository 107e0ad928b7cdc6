"""Samples of the scene world: any number, each determined by a seed and an index."""

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
    """What perturbations may ask of a drawn sample: to redraw it with one thing changed, and what its text hides.

    Answers `Redrawable`, `Hinting` and `Clausal` of `vlaudit.perturbations.world`; raises `RefusedSample` where what is
    asked makes no sense for the sample.
    """

    scene: Scene
    colors: ClassVar[tuple[str, ...]] = words.COLORS

    def shown_by(self, sample: Sample) -> bool:
        """Say whether the sample's image is this scene's drawing as it is."""
        return sample.image is not None and sample.image.key == self.scene.key

    def recolored(self, sample: Sample, region_id: str, color: str) -> Sample:
        """Return the sample with one thing in another colour, everything else equal to the pixel."""
        try:
            return redrawn(sample, recolored(self.scene, region_id, color))
        except UsageError as error:
            raise RefusedSample(sample.id, str(error)) from error

    def moved(self, sample: Sample, region_id: str, rng: np.random.Generator) -> Sample:
        """Return the sample with a thing that stands by itself, and all that it holds, elsewhere in its row.

        The place is drawn from all that keep the caption true and nothing hidden (see `moves.places`).
        """
        try:
            free = places(self.scene, sample, region_id)
        except UsageError as error:
            raise RefusedSample(sample.id, str(error)) from error
        if not free:
            raise RefusedSample(sample.id, f"there is no other place for {region_id!r} that keeps its caption true")
        return redrawn(sample, moved(self.scene, region_id, free[int(rng.integers(len(free)))]))

    def hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return context that makes the slot's word likely without naming it or a form of it."""
        return pairs.hint_for(sample, slot)

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return context that names the slot's word."""
        return pairs.copy_hint_for(sample, slot)

    def foils(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        """Return the answers of the slot's kind that make the caption false."""
        return pairs.foils(self.scene, sample, slot)

    def joint(self, sample: Sample) -> tuple[int, int] | None:
        """Return where the words that join the caption's two clauses start and end, blanks included."""
        return pairs.joint_of(sample.caption)


def sample(seed: int, index: int, caption: int = 0) -> Sample:
    """Return scene `index` of a seed under one of its captions."""
    return sample_of(compose(seed, index), f"scenes-{seed}-{index}", caption)


def sample_of(scene: Scene, image_id: str, caption: int = 0) -> Sample:
    """Return the sample of a scene that exists already."""
    said = describe(scene, caption)
    return Sample(
        id=f"{image_id}-{caption}",
        image_id=image_id,
        image=image_of(scene),
        caption=said.text,
        regions=regions_of(scene),
        phrases=said.phrases,
        relations=relations_of(scene),
        slots=said.slots,
        world=World(scene),
    )


def redrawn(drawn: Sample, scene: Scene) -> Sample:
    """Return the sample with the image of another scene and what is true of it, under the same caption.

    A phrase or slot keeps the ids of its regions, without those that the other scene does not show.
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
    """Return the scene that a sample was drawn from; `UsageError` for a sample of another origin."""
    if not isinstance(drawn.world, World):
        raise UsageError(f"the sample must be drawn from a scene, {drawn.id!r} is not")
    return drawn.world.scene


def batch(seed: int, start: int, count: int) -> tuple[UInt8[np.ndarray, "count 96 96 3"], list[Scene]]:
    """Return the pixels and the scenes `start` to `start + count` of a seed."""
    scenes = [compose(seed, index) for index in range(start, start + count)]
    return np.stack([draw(scene) for scene in scenes]), scenes


@dataclass(frozen=True)
class Scenes:
    """The scene world as a data set: `limit` scenes of a seed, one caption each; nothing is ever refused.

    Scene `index` of a seed is the same whatever the limit.
    """

    seed: int = 0
    limit: int = 1000
    name: ClassVar[str] = "scenes"
    refusals: list[Refusal] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"seed must be 0 or more, got {self.seed}")
        if self.limit < 1:
            raise UsageError(f"the number of scenes must be 1 or more, got {self.limit}")

    def __len__(self) -> int:
        return self.limit

    def __iter__(self) -> Iterator[Sample]:
        return (sample(self.seed, index) for index in range(self.limit))

    def describe(self) -> str:
        """Return one line for the report's banner."""
        return f"scenes: {self.limit} drawn from seed {self.seed}"


def from_spec(text: str) -> Scenes:
    """Return the data set that `"seed=3,n=500"` names; both may be left out."""
    head, options = parse_options(text, ("seed", "n"))
    if head:
        raise UsageError(f"--data scenes takes seed=INTEGER and n=INTEGER, got {head!r}")
    return Scenes(_whole("seed", options.get("seed", "0")), _whole("n", options.get("n", "1000")))


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"--data scenes: {name} must be a whole number, got {value!r}") from None
