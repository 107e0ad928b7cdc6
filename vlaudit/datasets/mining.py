"""Rule-based search for slots (colours, sides, objects) in captions of photos, and for texts that reveal a word.

The rules are conservative: ambiguous words are left out, because a wrong slot costs more than a missing one.
Sides are rare in COCO captions (one in several hundred), so a test of sides needs many captions.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vlaudit.datasets.choices import photo_slot
from vlaudit.datasets.words import (
    BODY_PARTS,
    COLORED_THINGS,
    COMPOUND_HEADS,
    COMPOUND_MODIFIERS,
    FRUIT,
    IRREGULAR,
    KIND,
    PICTURES,
)
from vlaudit.samples import COLOR_WORDS, Slot, Span, words_of

_BE = frozenset({"is", "are", "was", "were", "painted", "bright", "dark", "light", "colored", "all"})

_PLACE = (
    r"(?:\b(?:on|to|at|towards?)\s+(?:the|his|her|its|their)\s+(?:far\s+|upper\s+|lower\s+|top\s+|bottom\s+)?"
    r"(left|right)(?=\s*(?:$|[.,;:!?)])|\s+(?:of|and|is|are|has|with|while|who|that|wearing|holding|looking)\b)"
    r"|\b(left|right)(?:\s+|-)(?:hand(?:\s+|-))?(?:side|corner|half|edge)\b)"
)
_PARTS = "|".join(sorted(BODY_PARTS))
_BODY = rf"\b(?:his|her|its|their|the|one|with|'s|\u2019s)\s+(left|right)\s+(?:{_PARTS})\b"
_NOT_A_HAND = r"(?!\s*-?\s*(?:side|corner|lane|turn|drive|man)\b)"


def slots_in(caption: str) -> tuple[Slot, ...]:
    """Return the slots of a caption in its order: colors, hand and position sides, people, animals, vehicles, objects.

    >>> [
    ...     (slot.kind, "a dog left of the red bus"[slot.start : slot.end])
    ...     for slot in slots_in("a dog left of the red bus")
    ... ]
    [('animal', 'dog'), ('color', 'red'), ('vehicle', 'bus')]
    """
    spans = words_of(caption)
    found = {**_nouns(caption, spans), **_colors(caption, spans), **_sides(caption)}
    return tuple(photo_slot(caption, span, kind) for span, kind in sorted(found.items()))


def _colors(caption: str, spans: list[Span]) -> dict[Span, str]:
    words = _lowered(caption, spans)
    return {
        span: "color"
        for index, span in enumerate(spans)
        if words[index] in COLOR_WORDS
        and not _hyphenated(caption, span)
        and not _is_name(caption, spans, index)
        and not _describes_a_picture(words, index)
        and _next(words, index) not in _PERSONS
        and (words[index] != "orange" or _is_orange_a_color(words, index))
    }


_PERSONS = frozenset(word for word, kind in KIND.items() if kind == "person")
"""Nouns for people: a colour word before one of them names no visible colour."""


def _is_orange_a_color(words: list[str], index: int) -> bool:
    """Return whether "orange" precedes a coloured object or follows a verb for colours; otherwise it is a fruit."""
    after = index + 1
    while after < len(words) and (words[after] in COLOR_WORDS or words[after] in ("and", "striped", "colored")):
        after += 1
    if after < len(words):
        if words[after - 1] == "and":
            return False
        noun = words[after]
        return (noun in KIND or noun in COLORED_THINGS) and noun not in FRUIT
    return index > 0 and words[index - 1] in _BE


def _describes_a_picture(words: list[str], index: int) -> bool:
    """Return whether the word is "black" or "white" in "black and white photo"."""
    for start in (index, index - 2):
        if start >= 0 and words[start : start + 3] in (["black", "and", "white"], ["white", "and", "black"]):
            return not PICTURES.isdisjoint(words[start + 3 : start + 5])
    return False


def _is_name(caption: str, spans: list[Span], index: int) -> bool:
    """Return whether the word and the next one are capitalized like a name ("Red Sox"); False in all capitals."""
    if index + 1 == len(spans) or caption.isupper():
        return False
    pair = [caption[span.start : span.end] for span in spans[index : index + 2]]
    return all(word[0].isupper() for word in pair)


def _sides(caption: str) -> dict[Span, str]:
    found = {}
    for match in re.finditer(_BODY + _NOT_A_HAND, caption, flags=re.IGNORECASE):
        found[Span(*match.span(1))] = "hand side"
    for match in re.finditer(_PLACE, caption, flags=re.IGNORECASE):
        found[Span(*match.span(1 if match[1] else 2))] = "position side"
    return found


def _nouns(caption: str, spans: list[Span]) -> dict[Span, str]:
    words = _lowered(caption, spans)
    return {
        span: KIND[words[index]]
        for index, span in enumerate(spans)
        if words[index] in KIND and not _hyphenated(caption, span) and not _is_modifier(words, index)
    }


def _is_modifier(words: list[str], index: int) -> bool:
    """Return whether the noun modifies the next noun, or the word before it changes its meaning ("hot dog")."""
    following = _next(words, index)
    if KIND[words[index]] == "person":  # mostly followed by a verb: "people ride"
        return words[index] == "baby" and KIND.get(following) == "animal"
    return following in COMPOUND_HEADS or (index > 0 and words[index - 1] in COMPOUND_MODIFIERS)


def _next(words: list[str], index: int) -> str:
    return words[index + 1] if index + 1 < len(words) else ""


def _lowered(caption: str, spans: list[Span]) -> list[str]:
    return [caption[span.start : span.end].lower() for span in spans]


def _hyphenated(caption: str, span: Span) -> bool:
    return "-" in (caption[span.start - 1 : span.start], caption[span.end : span.end + 1])


def names_word(text: str, word: str) -> bool:
    """Return whether the text contains the word, a form of it, or a compound with it; prefers false positives.

    >>> (
    ...     names_word("Two men riding.", "man"),
    ...     names_word("A snowboarder.", "snowboard"),
    ...     names_word("A cat.", "car"),
    ... )
    (True, True, False)
    """
    word = word.lower()
    return any(_related(text[span.start : span.end].lower(), word) for span in words_of(text))


def _related(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return bool(forms(one) & forms(other)) or (len(shorter) >= 4 and shorter in longer)


@lru_cache(maxsize=1 << 16)
def forms(word: str) -> frozenset[str]:
    """Return the words that `word` may be a form of: itself, and its possible stems.

    >>> sorted(forms("buses")), "ride" in forms("riding")
    (['bus', 'buse', 'buses'], True)
    """
    word = re.sub(r"['\u2019]s$", "", word)
    found = {word, IRREGULAR.get(word, word)}
    for ending, put in (
        ("s", ""),
        ("es", ""),
        ("ies", "y"),
        ("ves", "f"),
        ("ing", ""),
        ("ing", "e"),
        ("ed", ""),
        ("d", ""),
    ):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 2:
            found.add(stem + put)
            if ending in ("ing", "ed") and stem[-1] == stem[-2]:
                found.add(stem[:-1])
    return frozenset(found)
