"""Where a unit's word stands after its sample was perturbed, and what the caption says there."""

from __future__ import annotations

from vlaudit.errors import DataError
from vlaudit.measures.base import Reduction
from vlaudit.samples import Slot, Span


def slot_of(reduction: Reduction) -> Slot:
    """Return what a condition asks for, as it stands in the perturbed caption.

    That is the unit's slot (edits move slots, and keep their order), or the only one that is hidden, where the unit's
    own is not. `DataError` where it is neither.
    """
    unit, sample = reduction.unit, reduction.sample
    hidden = [slot for slot in sample.slots if Span(slot.start, slot.end) in sample.hidden_phrases]
    if unit.slot is not None and len(sample.slots) == len(unit.sample.slots):
        own = sample.slots[unit.sample.slots.index(unit.slot)]
        if own in hidden or len(hidden) != 1:
            return own
    if len(hidden) != 1:
        raise DataError(
            f"unit {unit.id}, condition {reduction.condition}: it must hide the unit's slot, or one slot alone, "
            f"{len(hidden)} are hidden"
        )
    return hidden[0]


def said(reduction: Reduction) -> str:
    """Return the word that the caption has at the slot that is asked for, in small letters."""
    return reduction.sample.text(slot_of(reduction)).lower()


def hidden_row(reduction: Reduction) -> int:
    """Return which row of `Words` belongs to the slot that is asked for; `DataError` where it is not hidden."""
    slot, hidden = slot_of(reduction), reduction.sample.hidden_phrases
    if Span(slot.start, slot.end) not in hidden:
        raise DataError(f"unit {reduction.unit.id}, condition {reduction.condition}: its word is not hidden")
    positions = reduction.trace.text.hidden[hidden.index(Span(slot.start, slot.end))]
    return reduction.trace.text.hidden_positions.index(positions[0])
