"""Edits of a caption that keep the spans of phrases, slots and hidden words exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from vlaudit.errors import UsageError
from vlaudit.samples import SIDES, Phrase, Sample, Slot, Span

Edit = tuple[int, int, str]
"""Start and end (half-open) of the replaced characters of the caption, and the new text; `start == end` inserts."""

_Part = TypeVar("_Part", Phrase, Slot)


def edit_caption(sample: Sample, edits: Sequence[Edit]) -> Sample:
    """Return the sample with its caption edited and phrases, slots and hidden spans remapped.

    - A span that no edit touches covers the same characters.
    - A span that contains or equals an edit covers the new text too.
    - A span strictly inside a larger edit, or deleted by one, is dropped, because its words are gone.
    - Text that is inserted at the boundary of a span is outside it.
    - Without edits, the sample itself is returned.

    Raises `UsageError` if edits overlap, leave the caption, or cut through the boundary of a span.
    """
    if not edits:
        return sample
    ordered = _checked(sample, edits)
    pieces, position = [], 0
    for start, end, new in ordered:
        pieces += [sample.caption[position:start], new]
        position = end
    caption = "".join([*pieces, sample.caption[position:]])
    return replace_caption(sample, caption, lambda span: _moved(sample, span, ordered))


def replace_caption(sample: Sample, caption: str, move: Callable[[Span], Span | None]) -> Sample:
    """Return the sample with another caption; `move` maps old spans to new ones, or to `None` to drop them."""
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
    return tuple(
        part if span == (part.start, part.end) else replace(part, start=span.start, end=span.end)
        for part, span in moved
        if span
    )


def _checked(sample: Sample, edits: Sequence[Edit]) -> list[Edit]:
    ordered = sorted(edits, key=lambda edit: edit[:2])
    position = 0
    for start, end, _ in ordered:
        if not position <= start <= end <= len(sample.caption):
            raise UsageError(
                f"edits must be inside the caption of sample {sample.id} ({len(sample.caption)} characters) "
                f"and must not overlap, got {[edit[:2] for edit in ordered]}"
            )
        position = end
    return ordered


def _moved(sample: Sample, span: Span, edits: Sequence[Edit]) -> Span | None:
    before = inside = 0
    for start, end, new in edits:
        growth = len(new) - (end - start)
        if end <= span.start:
            before += growth
        elif span.start <= start and end <= span.end and start < span.end:
            inside += growth
        elif start <= span.start and span.end <= end:
            return None
        elif start < span.end and span.start < end:
            raise UsageError(
                f"an edit of sample {sample.id} must not cut through the boundary of {sample.text(span)!r} "
                f"at {span.start}:{span.end}, got {start}:{end}"
            )
    moved = Span(span.start + before, span.end + before + inside)
    return moved if moved.start < moved.end else None


def exchanged_side(word: str) -> str:
    """Return "left" for "right" and "right" for "left", with the case of `word`.

    >>> exchanged_side("Left")
    'Right'
    """
    return cased_like(SIDES[1 - SIDES.index(word.lower())], word)


def cased_like(word: str, model: str) -> str:
    """Return the word in upper case, capitalized or in lower case, following `model`.

    >>> cased_like("blue", "RED"), cased_like("blue", "Red"), cased_like("blue", "red")
    ('BLUE', 'Blue', 'blue')
    """
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[:1].isupper() else word
