"""What only the world knows about a caption: what hints at a word, which words are false, where its clauses meet."""

from __future__ import annotations

from vlaudit.datasets.scenes import words
from vlaudit.datasets.scenes.captions import JOINERS, MAX_WORDS
from vlaudit.datasets.scenes.world import Scene, other_side
from vlaudit.samples import Sample, Slot, Span

LONGEST = MAX_WORDS + 5
"""Longest caption with a hint, in words."""


def hint_for(sample: Sample, slot: Slot) -> str | None:
    """Return a sentence that makes a slot's word likely without naming it or a form of it; `None` where there is none.

    A side has no hint. Neither has a word of a kind that the caption has twice, because the hint could be about either.
    """
    alone = sum(other.kind == slot.kind for other in sample.slots) == 1
    hint = words.HINTS.get(sample.text(slot)) if alone else None
    return hint if hint and _fits(sample, hint) else None


def copy_hint_for(sample: Sample, slot: Slot) -> str | None:
    """Return a sentence that names a slot's word; `None` where the caption would become too long."""
    hint = words.COPY_HINT.format(word=sample.text(slot))
    return hint if _fits(sample, hint) else None


def _fits(sample: Sample, hint: str) -> bool:
    return len(sample.caption.split()) + len(hint.split()) <= LONGEST


def foils(scene: Scene, sample: Sample, slot: Slot) -> tuple[str, ...]:
    """Return the answers of the slot's kind that make the caption false: absent from the scene and from the caption.

    Of a side, this is the other one: it may stand in the caption already, of something else.
    """
    if slot.kind.endswith("side"):
        return (other_side(sample.text(slot)),)
    shown = {*scene.kinds(), *sample.caption.split()}
    if slot.kind == "color":
        shown |= {thing.color for thing in scene.things}
    return tuple(word for word in words.candidates(slot.kind) if word not in shown)


def joint_of(caption: str) -> Span | None:
    """Return where the joint of two clauses stands, its blanks included; `None` for one clause.

    The grammar joins clauses with "and" or "while", and uses neither word for anything else.

    >>> joint_of("a dog waits and a man holds the cup")
    Span(start=11, end=16)
    """
    for joiner in JOINERS:
        start = caption.find(f" {joiner} ")
        if start >= 0:
            return Span(start, start + len(joiner) + 2)
    return None


def is_sideless(sample: Sample) -> bool:
    """Say whether the caption holds neither "left" nor "right"."""
    return set(words.SIDES).isdisjoint(sample.caption.split())
