"""Find in a real caption what can be asked for: colours, sides, objects; and tell what would give a word away.

Conservative by rule: a word that may name something else is left out, because a slot that asks the wrong
question costs more than one slot fewer. Sides are rare in COCO captions (one in several hundred), so much
text is needed for them.
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
from vlaudit.samples import COLORS, Slot, Span, words_of

COLOR_WORDS = frozenset({*COLORS, "grey"})

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
    """Return the slots of a caption in their order: color, hand or position side, person, animal, vehicle, object.

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
        and not _of_a_picture(words, index)
        and _next(words, index) not in KIND_OF_PERSON
        and (words[index] != "orange" or _is_orange_a_color(words, index))
    }


KIND_OF_PERSON = frozenset(word for word, kind in KIND.items() if kind == "person")
"""A colour right before a person is no colour that a picture shows."""


def _is_orange_a_color(words: list[str], index: int) -> bool:
    """Say whether "orange" stands before a thing that is coloured, or after a verb that colours: else it is a fruit."""
    after = index + 1
    while after < len(words) and (words[after] in COLOR_WORDS or words[after] in ("and", "striped", "colored")):
        after += 1
    if after < len(words):
        if words[after - 1] == "and":
            return False
        thing = words[after]
        return (thing in KIND or thing in COLORED_THINGS) and thing not in FRUIT
    return index > 0 and words[index - 1] in _BE


def _of_a_picture(words: list[str], index: int) -> bool:
    """Say whether this is the black or the white of a "black and white photo"."""
    for start in (index, index - 2):
        if start >= 0 and words[start : start + 3] in (["black", "and", "white"], ["white", "and", "black"]):
            return not PICTURES.isdisjoint(words[start + 3 : start + 5])
    return False


def _is_name(caption: str, spans: list[Span], index: int) -> bool:
    """Say whether the word and its neighbour are written as a name is ("Red Sox"), in a caption that is not all so."""
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
    """Say whether the noun only describes the next one, or the one before says that it is none ("hot dog")."""
    following = _next(words, index)
    if KIND[words[index]] == "person":  # what follows people is mostly what they do: "people ride"
        return words[index] == "baby" and KIND.get(following) == "animal"
    return following in COMPOUND_HEADS or (index > 0 and words[index - 1] in COMPOUND_MODIFIERS)


def _next(words: list[str], index: int) -> str:
    return words[index + 1] if index + 1 < len(words) else ""


def _lowered(caption: str, spans: list[Span]) -> list[str]:
    return [caption[span.start : span.end].lower() for span in spans]


def _hyphenated(caption: str, span: Span) -> bool:
    return "-" in (caption[span.start - 1 : span.start], caption[span.end : span.end + 1])


def names_word(text: str, word: str) -> bool:
    """Say whether the text holds the word, a form of it, or a compound with it; rather once too often.

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
    """Return the words that this one may be a form of: itself, and what is left without an ending.

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
