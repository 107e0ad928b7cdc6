"""Minimal pairs on the side of the text: hint, copy hint, side, colour, foil, clause order. The image stays.

Each takes a sample of the world and returns one whose spans still cover the words they covered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from vlaudit.datasets.scenes import words
from vlaudit.datasets.scenes.captions import MAX_WORDS
from vlaudit.datasets.scenes.world import Scene, other_side
from vlaudit.errors import UsageError
from vlaudit.samples import Phrase, Sample, Slot, Span

Part = TypeVar("Part", Phrase, Slot)

LONGEST = MAX_WORDS + 5
"""Longest caption with a hint, in words."""


def hint_for(sample: Sample, slot: Slot) -> str:
    """Return the hint at a slot's word, "" where there is none.

    Sides have no hint; neither has a word whose kind is asked for twice in the caption, because the hint would not
    say which one it means.
    """
    alone = sum(other.kind == slot.kind for other in sample.slots) == 1
    hint = words.HINTS.get(sample.text(slot), "") if alone else ""
    return hint if _fits(sample, hint) else ""


def with_hint(sample: Sample, slot: Slot) -> Sample:
    """Return the sample with a second sentence that makes the slot's word likely without naming it."""
    hint = hint_for(sample, slot)
    if not hint:
        raise UsageError(f"slot must be the only {slot.kind} of a short caption, got {sample.text(slot)!r} in {sample.caption!r}")
    return _appended(sample, hint, "hint")


def with_copy_hint(sample: Sample, slot: Slot) -> Sample:
    """Return the sample with a second sentence that names the slot's word."""
    hint = words.COPY_HINT.format(word=sample.text(slot))
    if not _fits(sample, hint):
        raise UsageError(f"sample must have a caption of at most {LONGEST - 4} words, got {sample.caption!r}")
    return _appended(sample, hint, "copy")


def _fits(sample: Sample, hint: str) -> bool:
    return len(sample.caption.split()) + len(hint.split()) <= LONGEST


def _appended(sample: Sample, hint: str, how: str) -> Sample:
    return replace(sample, id=f"{sample.id}-{how}", caption=f"{sample.caption} {hint}")


def with_word(sample: Sample, slot: Slot, word: str) -> Sample:
    """Return the sample with another word in a slot; every later span moves by the difference in length."""
    if word not in words.candidates(slot.kind):
        raise UsageError(f"word must be one of {', '.join(words.candidates(slot.kind))}, got {word!r}")
    return _respelled(sample, Span(slot.start, slot.end), word)


def _respelled(sample: Sample, span: Span, word: str) -> Sample:
    grown = len(word) - (span.end - span.start)

    def after(place: int) -> int:
        return place + grown if place >= span.end else place

    return replace(
        sample,
        caption=sample.caption[: span.start] + word + sample.caption[span.end :],
        phrases=tuple(replace(part, start=after(part.start), end=after(part.end)) for part in sample.phrases),
        slots=tuple(replace(part, start=after(part.start), end=after(part.end)) for part in sample.slots),
        hidden_phrases=tuple(Span(after(part.start), after(part.end)) for part in sample.hidden_phrases),
    )


def with_other_side(sample: Sample, slot: Slot) -> Sample:
    """Return the sample with left for right in a side's slot, and right for left."""
    return with_word(sample, slot, other_side(sample.text(slot)))


def foils(sample: Sample, slot: Slot) -> tuple[str, ...]:
    """Return the words of the slot's kind that are false here: absent from the scene and from the caption."""
    scene = scene_of(sample)
    shown = scene.kinds() | set(sample.caption.split())
    if slot.kind == "color":
        shown |= {thing.color for thing in scene.things} | {thing.hair for thing in scene.things}
    return tuple(word for word in words.candidates(slot.kind) if word not in shown)


def clauses_swapped(sample: Sample) -> Sample:
    """Return the sample with its two clauses in the other order; `UsageError` where the caption has one clause."""
    cut = joint_of(sample.caption)
    if cut is None:
        raise UsageError(f"sample must have a caption of two clauses joined by and or while, got {sample.caption!r}")
    text = sample.caption
    first, joiner, second = text[: cut.start - 1], text[cut.start : cut.end], text[cut.end + 1 :]
    later = len(second) + len(joiner) + 2

    def moved(part: Part) -> Part:
        by = later if part.end <= cut.start else -(cut.end + 1)
        return replace(part, start=part.start + by, end=part.end + by)

    hidden = (Span(s + later, e + later) if e <= cut.start else Span(s - cut.end - 1, e - cut.end - 1)
              for s, e in sample.hidden_phrases)  # fmt: skip
    return replace(
        sample,
        caption=f"{second} {joiner} {first}",
        phrases=tuple(sorted(map(moved, sample.phrases), key=lambda part: part.start)),
        slots=tuple(sorted(map(moved, sample.slots), key=lambda part: part.start)),
        hidden_phrases=tuple(sorted(hidden)),
    )


def joint_of(caption: str) -> Span | None:
    """Return the span of the word that joins two clauses; the grammar uses it for nothing else."""
    cursor = 0
    for word in caption.split(" "):
        if word in ("and", "while"):
            return Span(cursor, cursor + len(word))
        cursor += len(word) + 1
    return None


def is_sideless(sample: Sample) -> bool:
    """Say whether the caption holds neither "left" nor "right"."""
    return not set(sample.caption.split()) & set(words.SIDES)


def scene_of(sample: Sample) -> Scene:
    """Return the scene that a sample was drawn from; `UsageError` for a sample of another origin."""
    if not isinstance(sample.world, Scene):
        raise UsageError(f"sample must be one of the scene world, got {sample.id!r}, which carries no scene")
    return sample.world
