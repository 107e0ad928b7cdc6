"""Where a unit's word stands after its sample was perturbed, and what the caption says there."""

from __future__ import annotations

from vlaudit.errors import DataError
from vlaudit.measures.base import Reduction
from vlaudit.samples import Slot, Span


def slot_of(reduction: Reduction) -> Slot:
    """Return the unit's slot as it stands in the perturbed caption: edits move slots, and keep their order."""
    unit, sample = reduction.unit, reduction.sample
    if unit.slot is None or len(sample.slots) != len(unit.sample.slots):
        raise DataError(
            f"unit {unit.id}, condition {reduction.condition}: a word can be asked for only where the unit has a slot "
            f"and no slot is dropped; the caption has {len(sample.slots)} of {len(unit.sample.slots)} slots"
        )
    return sample.slots[unit.sample.slots.index(unit.slot)]


def said(reduction: Reduction) -> str:
    """Return the word that the caption has at the unit's slot, in small letters."""
    return reduction.sample.text(slot_of(reduction)).lower()


def hidden_row(reduction: Reduction) -> int:
    """Return which row of `Words` belongs to the unit's slot; `DataError` where the slot is not hidden."""
    slot, hidden = slot_of(reduction), reduction.sample.hidden_phrases
    if Span(slot.start, slot.end) not in hidden:
        raise DataError(f"unit {reduction.unit.id}, condition {reduction.condition}: its word is not hidden")
    positions = reduction.trace.text.hidden[hidden.index(Span(slot.start, slot.end))]
    return reduction.trace.text.hidden_positions.index(positions[0])
