"""Base class of measures, which reduce traces to small numbers so that no trace outlives its batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from vlaudit.errors import RefusedSample
from vlaudit.samples import Sample, Slot, Span
from vlaudit.traces import Reading, Trace


@dataclass(frozen=True)
class Unit:
    """Unit of analysis, described by one row of a table: a sample, in which one slot may be marked as tested.

    `id` is unique within a design. Units of one image form one cluster: intervals resample images.
    `facts` are available before any pass (the kind of the slot, a phrase's type) and become columns unchanged. `seed`
    is the seed of the run; the random draws of the conditions derive from it.
    """

    id: str
    sample: Sample
    facts: Mapping[str, Any] | None = None
    seed: int = 0

    @property
    def image_id(self) -> str:
        """Cluster of the unit."""
        return self.sample.image_id

    @property
    def slot(self) -> Slot | None:
        """Tested slot; None if no slot is marked."""
        return self.sample.asked_slot


class Reduction(NamedTuple):
    """One trace to reduce, with its unit, its condition, and the perturbed sample that the model read."""

    unit: Unit
    condition: str
    sample: Sample
    trace: Trace


Numbers = Mapping[str, Any]
"""Results of one condition by name: numbers, small arrays (one value per head), or tensors that `row` combines."""

Requirement = Literal["joint softmax", "comparable matches"]
"""Requirement on a model in addition to readings: text and image keys under one softmax; match scores that are
comparable between different images."""


class Measure:
    """Base class of measures: frozen dataclasses of settings that turn the traces of a unit into columns.

    A subclass defines `needs` (a class attribute suffices), `columns` and `reduce`, and overrides other defaults as
    needed. Calls keep no state.
    """

    @property
    def needs(self) -> frozenset[Reading]:
        """Readings that a model must support (`Words()` for words of any kind)."""
        raise NotImplementedError

    @property
    def requires(self) -> frozenset[Requirement]:
        """Further requirements on a model."""
        return frozenset()

    @property
    def named(self) -> frozenset[str]:
        """Conditions that the settings name; the design must define them."""
        return frozenset()

    def readings(self, sample: Sample) -> frozenset[Reading]:
        """Return the readings of the pass over one perturbed sample; raise `RefusedSample` if it cannot be measured."""
        return self.needs

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return the names of the columns that `row` gives for conditions with these names."""
        raise NotImplementedError

    def refusal(self, unit: Unit) -> str | None:
        """Return why a unit cannot be measured by any model, or None."""
        return None

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the numbers of each trace, in order; called once per batch, while the traces are on the device."""
        raise NotImplementedError

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of a unit once all of its conditions are reduced: numbers, text, or small arrays.

        Raises `RefusedSample` if this model's results cannot be compared; the unit is then counted with the reason.
        """
        return flat(conditions)


def flat(conditions: Mapping[str, Numbers]) -> dict[str, Any]:
    """Return every number under the name `condition.name`: the row of most measures."""
    return {
        f"{condition}.{name}": value for condition, numbers in conditions.items() for name, value in numbers.items()
    }


def crossed(conditions: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    """Return the column names that `flat` gives.

    >>> sorted(crossed(["a", "b"], ["p"]))
    ['a.p', 'b.p']
    """
    names = tuple(names)
    return frozenset(f"{condition}.{name}" for condition in conditions for name in names)


def above(one: float, other: float) -> float:
    """Return 1 if the first number is higher, 0 if it is lower, 0.5 for a tie.

    >>> above(0.2, 0.1), above(0.1, 0.1), above(0.1, 0.2)
    (1.0, 0.5, 0.0)
    """
    return (float(one > other) + float(one >= other)) / 2


def tested_slot(sample: Sample) -> Slot:
    """Return the tested slot; raise `RefusedSample` if there is none, or if it has fewer than two choices."""
    slot = sample.asked_slot
    if slot is None:
        raise RefusedSample(sample.id, "none of its words is tested: its unit selection must mark a slot")
    if len(slot.choices) < 2:
        raise RefusedSample(
            sample.id, f"its word of kind {slot.kind!r} has no choices to answer from; the data set must name them"
        )
    return slot


def hidden_row(reduction: Reduction) -> int:
    """Return the row of `Words` for the tested slot; raise `RefusedSample` if the slot is not hidden."""
    slot, hidden = tested_slot(reduction.sample), reduction.sample.hidden_phrases
    if Span(slot.start, slot.end) not in hidden:
        raise RefusedSample(reduction.sample.id, f"condition {reduction.condition}: its tested word is not hidden")
    positions = reduction.trace.text.hidden[hidden.index(Span(slot.start, slot.end))]
    return reduction.trace.text.hidden_positions.index(positions[0])
