"""Edit a caption and move every span with it, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from vlaudit.errors import UsageError
from vlaudit.samples import SIDES, Phrase, Sample, Slot, Span

Edit = tuple[int, int, str]
"""Characters `start` to `end` of the caption and what stands there afterwards; `start == end` inserts."""

_Part = TypeVar("_Part", Phrase, Slot)


def edit_caption(sample: Sample, edits: Sequence[Edit]) -> Sample:
    """Return the sample with its caption edited and phrases, slots and hidden spans remapped.

    Laws: a span that no edit touches covers the same characters; one that holds an edit, or equals it, covers
    the replacement too; one that lies wholly inside a larger replaced stretch, or is deleted, is dropped,
    because what it named is gone; text inserted at a span's border lies outside it; no edits give the sample
    itself.
    Raises `UsageError` where edits overlap or leave the caption, or where one cuts through a span's border.
    """
    if not edits:
        return sample
    ordered = _checked(sample, edits)
    pieces, position = [], 0
    for start, end, new in ordered:
        pieces += [sample.caption[position:start], new]
        position = end
    caption = "".join([*pieces, sample.caption[position:]])
    return respanned(sample, caption, lambda span: _moved(sample, span, ordered))


def respanned(sample: Sample, caption: str, move: Callable[[Span], Span | None]) -> Sample:
    """Return the sample with another caption, each span put where `move` says, or dropped where it says `None`."""
    hidden = (move(span) for span in sample.hidden_phrases)
    return replace(
        sample,
        caption=caption,
        phrases=_parts(sample.phrases, move),
        slots=_parts(sample.slots, move),
        hidden_phrases=tuple(sorted(span for span in hidden if span)),
    )


def _parts(parts: tuple[_Part, ...], move: Callable[[Span], Span | None]) -> tuple[_Part, ...]:
    moved = ((part, move(Span(part.start, part.end))) for part in parts)
    return tuple(replace(part, start=span.start, end=span.end) for part, span in moved if span)


def _checked(sample: Sample, edits: Sequence[Edit]) -> list[Edit]:
    ordered = sorted(edits, key=lambda edit: edit[:2])
    position = 0
    for start, end, _ in ordered:
        if not position <= start <= end <= len(sample.caption):
            raise UsageError(
                f"edits must lie inside the caption of sample {sample.id} ({len(sample.caption)} characters) "
                f"and must not overlap, got {[edit[:2] for edit in ordered]}"
            )
        position = end
    return ordered


def _moved(sample: Sample, span: Span, edits: Sequence[Edit]) -> Span | None:
    before = within = 0
    for start, end, new in edits:
        growth = len(new) - (end - start)
        if end <= span.start:
            before += growth
        elif span.start <= start and end <= span.end and start < span.end:
            within += growth
        elif start <= span.start and span.end <= end:
            return None
        elif start < span.end and span.start < end:
            raise UsageError(
                f"an edit of sample {sample.id} must not cut through the border of {sample.text(span)!r} "
                f"at {span.start}:{span.end}, got {start}:{end}"
            )
    moved = Span(span.start + before, span.end + before + within)
    return moved if moved.start < moved.end else None


def exchanged_side(word: str) -> str:
    """Return "left" for "right" and "right" for "left", written as the word was.

    >>> exchanged_side("Left")
    'Right'
    """
    return cased_like(SIDES[1 - SIDES.index(word.lower())], word)


def cased_like(word: str, model: str) -> str:
    """Return the word in capitals, with a capital, or small, as `model` is written.

    >>> cased_like("blue", "RED"), cased_like("blue", "Red"), cased_like("blue", "red")
    ('BLUE', 'Blue', 'blue')
    """
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[:1].isupper() else word
