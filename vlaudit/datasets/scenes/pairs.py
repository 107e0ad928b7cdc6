"""Hints, foils and clause boundaries of scene captions."""

from __future__ import annotations

from vlaudit.datasets.scenes import words
from vlaudit.datasets.scenes.captions import JOINERS, MAX_WORDS
from vlaudit.datasets.scenes.world import Scene, other_side
from vlaudit.samples import Sample, Slot, Span

MAX_WORDS_WITH_HINT = MAX_WORDS + 5
"""Maximum length of a caption with a hint, in words."""


def hint_for(sample: Sample, slot: Slot) -> str | None:
    """Return a sentence that makes a slot's word likely without containing it or a form of it, or None.

    Sides have no hint, and neither have words of a kind that occurs twice in the caption, where the hint would be
    ambiguous.
    """
    alone = sum(other.kind == slot.kind for other in sample.slots) == 1
    hint = words.HINTS.get(sample.text(slot)) if alone else None
    return hint if hint and _fits(sample, hint) else None


def copy_hint_for(sample: Sample, slot: Slot) -> str | None:
    """Return a sentence that contains a slot's word, or None if the caption would become too long."""
    hint = words.COPY_HINT.format(word=sample.text(slot))
    return hint if _fits(sample, hint) else None


def _fits(sample: Sample, hint: str) -> bool:
    return len(sample.caption.split()) + len(hint.split()) <= MAX_WORDS_WITH_HINT


def foils(scene: Scene, sample: Sample, slot: Slot) -> tuple[str, ...]:
    """Return the answers to a slot that make the caption false: those absent from the scene and the caption.

    For a side, the foil is the other side, even if the caption contains it for another thing.
    """
    if slot.kind.endswith("side"):
        return (other_side(sample.text(slot)),)
    shown = {*scene.kinds(), *sample.caption.split()}
    if slot.kind == "color":
        shown |= {thing.color for thing in scene.things}
    return tuple(word for word in words.candidates(slot.kind) if word not in shown)


def joint_of(caption: str) -> Span | None:
    """Return the span of the conjunction between two clauses, including its spaces, or None for one clause.

    The grammar uses "and" and "while" only as conjunctions.

    >>> joint_of("a dog waits and a man holds the cup")
    Span(start=11, end=16)
    """
    for joiner in JOINERS:
        start = caption.find(f" {joiner} ")
        if start >= 0:
            return Span(start, start + len(joiner) + 2)
    return None


def is_sideless(sample: Sample) -> bool:
    """Return True if the caption contains neither "left" nor "right"."""
    return set(words.SIDES).isdisjoint(sample.caption.split())
