"""What a measure is: traces in, small numbers out, so that nothing of a pass outlives its batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from vlaudit.samples import Sample, Slot
from vlaudit.traces import Trace


@dataclass(frozen=True)
class Unit:
    """What one row of a table is about: a sample, and the slot of it that is asked for, where there is one.

    `id` is unique within a design. Units of one image are one cluster: intervals resample images.
    `facts` are known before any pass (the answer, its kind, a partner's id) and become columns as they are.
    """

    id: str
    sample: Sample
    slot: Slot | None = None
    facts: Mapping[str, Any] | None = None

    @property
    def image_id(self) -> str:
        """The cluster that the unit belongs to."""
        return self.sample.image_id


class Reduction(NamedTuple):
    """One trace to reduce: whose it is, under which condition, and the sample as the model read it."""

    unit: Unit
    condition: str
    sample: Sample
    trace: Trace


Numbers = Mapping[str, Any]
"""Names to what one condition gave: numbers, small arrays (a value a head), or tensors that `row` combines."""


@runtime_checkable
class Measure(Protocol):
    """Reduces traces. Settings are fields of a frozen dataclass; a call keeps no state."""

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the numbers of each trace, in order; called once a batch, while the traces lie on the device."""
        ...

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of a unit once all of its conditions are there: numbers, text, or small arrays.

        Raises `RefusedSample` where this model gave nothing that can be compared; the unit is counted with the reason.
        """
        ...


def flat(conditions: Mapping[str, Numbers]) -> dict[str, Any]:
    """Return every number under `condition.name`, which is the row of most measures."""
    return {
        f"{condition}.{name}": value for condition, numbers in conditions.items() for name, value in numbers.items()
    }
