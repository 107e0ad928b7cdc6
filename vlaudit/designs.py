"""Choose what the units of a design are: which word of a sample is asked for, and which other sample stands beside it.

A design is `Design(id, units, asks, measure)`; what is here makes the `units` of most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vlaudit.errors import RefusedSample
from vlaudit.findings import Ask
from vlaudit.measures.base import Unit
from vlaudit.perturbations import apply
from vlaudit.samples import Sample, Slot
from vlaudit.seeds import generator

NOUNS = ("person", "animal", "vehicle", "object", "clothing", "instrument")
"""Kinds of slots that name a thing with a place in the image."""

SIDE_KINDS = ("hand side", "position side")
"""Kinds of slots that say left or right."""


@dataclass(frozen=True)
class PairedUnit(Unit):
    """A unit beside which a sample of another image stands; None where the data have one image only."""

    partner: Sample | None = None

    @property
    def other(self) -> Sample:
        """The partner; `RefusedSample` where there is none."""
        if self.partner is None:
            raise RefusedSample(self.sample.id, "there is no other image with another caption beside it")
        return self.partner


def with_partners(samples: Iterable[Sample]) -> Iterator[tuple[Sample, Sample | None]]:
    """Yield every sample with the next one that shows another image and says something else, the first after the last.

    No draw: the order of a data set is arbitrary enough, and neighbours are read together.
    """
    given = list(samples)
    for i, sample in enumerate(given):
        after = (given[(i + step) % len(given)] for step in range(1, len(given)))
        yield sample, next((other for other in after if _differ(sample, other)), None)


def _differ(one: Sample, other: Sample) -> bool:
    return one.image_id != other.image_id and one.caption.casefold() != other.caption.casefold()


def every_sample(samples: Iterable[Sample], seed: int) -> Iterator[PairedUnit]:  # noqa: ARG001 (as `Design` has it)
    """Make every sample a unit, with its partner."""
    for sample, partner in with_partners(samples):
        yield PairedUnit(sample.id, sample, partner=partner)


@dataclass(frozen=True)
class OneSlot:
    """Units: one slot of each sample that has any.

    `slots` gives those that may be chosen. One is drawn, by the sample's id and the seed, among those whose conditions
    (`asks`) can be made; where that holds for none, one is drawn all the same, and refused with its reason later.
    `tried` names the conditions that tell whether all can be made; all are tried where it is None.
    Facts: `kind` and `word`, and whatever `facts` gives.
    """

    slots: Callable[[Sample], Sequence[Slot]]
    asks: Callable[[Unit], Mapping[str, Ask]]
    facts: Callable[[Sample, Slot], Mapping[str, object]] | None = None
    tried: tuple[str, ...] | None = None

    def __call__(self, samples: Iterable[Sample], seed: int) -> Iterator[PairedUnit]:
        """Yield the units."""
        for sample, partner in with_partners(samples):
            slots = self.slots(sample)
            order = generator(seed, "one slot", sample.id).permutation(len(slots))
            units = [self._unit(sample, slots[i], partner) for i in order]
            if units:
                yield next((unit for unit in units if can_be_asked(unit, self.asks, seed, self.tried)), units[0])

    def _unit(self, sample: Sample, slot: Slot, partner: Sample | None) -> PairedUnit:
        facts = {"kind": slot.kind, "word": sample.text(slot).lower()}
        more = self.facts(sample, slot) if self.facts else {}
        return PairedUnit(f"{sample.id}:{slot.start}", sample, slot, {**facts, **more}, partner)


def can_be_asked(
    unit: Unit, asks: Callable[[Unit], Mapping[str, Ask]], seed: int, tried: Sequence[str] | None = None
) -> bool:
    """Say whether these conditions of the unit can be made, all where None; no image is drawn or read for it."""
    try:
        made = asks(unit)
        for condition in made if tried is None else tried:
            apply(made[condition].changes, made[condition].sample, seed)
    except RefusedSample:
        return False
    return True


def of_kinds(*kinds: str) -> Callable[[Sample], tuple[Slot, ...]]:
    """Return what gives the slots of these kinds."""

    def chosen(sample: Sample) -> tuple[Slot, ...]:
        return tuple(slot for slot in sample.slots if slot.kind in kinds)

    return chosen


def hiding(unit: Unit, *kinds: str) -> Sample:
    """Return the unit's sample with its slot hidden, and every slot of these kinds beside it."""
    return unit.sample.hiding(asked(unit), *(slot for slot in unit.sample.slots if slot.kind in kinds))


def asked(unit: Unit) -> Slot:
    """Return the slot that a unit asks for; `RefusedSample` where it asks for none."""
    if unit.slot is None:
        raise RefusedSample(unit.sample.id, "its unit asks for no word")
    return unit.slot
