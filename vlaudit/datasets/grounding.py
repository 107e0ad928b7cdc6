"""Slots of captions with annotated phrases: the tested word of each phrase, its kind and its regions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vlaudit.datasets.choices import photo_slot
from vlaudit.datasets.mining import slots_in
from vlaudit.datasets.words import COLLECTIVES, NO_NOUNS, NOUN_CLASSES
from vlaudit.samples import COLOR_WORDS, Phrase, Slot, Span, words_of

KIND_OF_TYPE = {
    "people": "person",
    "animals": "animal",
    "vehicles": "vehicle",
    "instruments": "instrument",
    "clothing": "clothing",
    "scene": "scenery",
    "other": "object",
}
"""Kind of the slot of a phrase's noun, by phrase type. No audit tests body parts."""

_AFTER_THE_NOUN = re.compile(
    r"\s(?:of|in|on|with|at|from|for|to|by|near|behind|under|over|beside|who|that|which|wearing|holding|made|full)\s",
    flags=re.IGNORECASE,
)
_JOINED = re.compile(r"\s(?:and|or|&)\s", flags=re.IGNORECASE)


def head(text: str) -> Span | None:
    """Return the span of the head noun of a phrase; None if its last word is not a noun.

    The head is the last word before a preposition. A collective noun is replaced by the noun after "of".

    >>> [text[slice(*head(text))] for text in ("the edge of a pool", "a group of two men", "a man 's arm")]
    ['edge', 'men', 'arm']
    >>> head("something black") is None
    True
    """
    start, end = 0, len(text)
    while found := _AFTER_THE_NOUN.search(text, start, end):
        before = [text[slice(*_shifted(span, start))] for span in words_of(text[start : found.start()])]
        if before and before[-1].lower() in COLLECTIVES and found[0].strip().lower() == "of":
            start = found.end()
        else:
            end = found.start()
    spans = words_of(text[start:end])
    if not spans:
        return None
    last = _shifted(spans[-1], start)
    word = text[slice(*last)].lower()
    return last if word.isalpha() and len(word) > 1 and word not in NO_NOUNS and word not in COLOR_WORDS else None


def label_of(text: str) -> str:
    """Return the label of a phrase's object in lower case: its head noun with hyphenated parts, or the whole phrase.

    >>> label_of("a blue T-shirt"), label_of("Texas A&M"), label_of("# 8")
    ('t-shirt', 'a&m', '# 8')
    """
    found = head(text)
    if found is None:
        spans = words_of(text)
        found = spans[-1] if spans and text[slice(*spans[-1])].isalpha() else None
    if found is None:
        return text.strip().lower()
    start = text.rfind(" ", 0, found.start) + 1
    return text[start : found.end].strip("\"'().,").lower()


def grounded_slots(caption: str, phrases: Sequence[Phrase]) -> tuple[Slot, ...]:
    """Return the slots of a caption: mined slots (`mining.slots_in`), and the head noun of every phrase with regions.

    - Nouns: annotations override the word lists. The head noun of a phrase has the kind of the phrase's type and its
    regions. Other nouns of the phrase are slots only if "and" joins them to it ("a man and a woman").
    - Colours: linked to the regions of their phrase, or of the phrase directly after them, if that has one region and
    one colour; with two hats the red one is unknown. Colours of people are left out.
    - Sides: linked to the regions of their phrase.
    - Words outside every phrase: slots without regions.
    """
    found = {Span(slot.start, slot.end): slot for slot in _mined(caption, phrases)}
    for phrase in phrases:
        kind, noun = KIND_OF_TYPE.get(phrase.type), _noun(caption, phrase)
        if kind and noun and phrase.region_ids and not _is_part_of_a_word(caption, noun):
            found[noun] = photo_slot(caption, noun, kind, phrase.region_ids)
    return tuple(found[span] for span in sorted(found))


def _mined(caption: str, phrases: Sequence[Phrase]) -> Iterator[Slot]:
    slots = slots_in(caption)
    for slot in slots:
        phrase = _around(slot, phrases)
        if slot.kind == "color":
            yield from _color(caption, slot, slots, phrases)
        elif phrase is None:
            yield slot
        elif slot.kind in NOUN_CLASSES:
            if _is_joined(caption, slot, phrase) and phrase.type in KIND_OF_TYPE:
                yield photo_slot(caption, Span(slot.start, slot.end), KIND_OF_TYPE[phrase.type], phrase.region_ids)
        else:
            yield replace(slot, region_ids=phrase.region_ids)


def _color(caption: str, slot: Slot, slots: Sequence[Slot], phrases: Sequence[Phrase]) -> Iterator[Slot]:
    after = (phrase for phrase in phrases if phrase.start >= slot.end and not caption[slot.end : phrase.start].strip())
    phrase = _around(slot, phrases) or next(after, None)
    if phrase is None:
        yield slot
    elif phrase.type != "people":
        colors = [one for one in slots if one.kind == "color" and phrase.start <= one.start < phrase.end]
        is_unique = len(phrase.region_ids) == 1 and colors in ([slot], [])
        yield replace(slot, region_ids=phrase.region_ids if is_unique else ())


def _around(slot: Slot, phrases: Sequence[Phrase]) -> Phrase | None:
    containing = [phrase for phrase in phrases if phrase.start <= slot.start and slot.end <= phrase.end]
    return max(containing, key=lambda phrase: phrase.end - phrase.start, default=None)


def _is_joined(caption: str, slot: Slot, phrase: Phrase) -> bool:
    """Return whether the word is the head noun of one of the parts of the phrase that "and" or "or" joins."""
    start = phrase.start
    for part in _JOINED.split(caption[phrase.start : phrase.end]):
        noun = head(part)
        at = caption.index(part, start)
        if noun and _shifted(noun, at) == (slot.start, slot.end):
            return True
        start = at + len(part)
    return False


def _noun(caption: str, phrase: Phrase) -> Span | None:
    """Return the head noun of the last joined part of the phrase: "shirt" for "a red and white shirt"."""
    text = caption[phrase.start : phrase.end]
    last = _JOINED.split(text)[-1]
    noun = head(last)
    return _shifted(noun, phrase.end - len(last)) if noun else None


def _is_part_of_a_word(caption: str, span: Span) -> bool:
    return "-" in (caption[span.start - 1 : span.start], caption[span.end : span.end + 1])


def _shifted(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)
