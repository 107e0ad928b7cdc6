"""Choices of the slots in captions of photos: the words that a model chooses its answer from, per kind of slot."""

from __future__ import annotations

from vlaudit.samples import COLORS, SIDES, Slot, Span

PHOTO_CHOICES: dict[str, tuple[str, ...]] = {
    "color": COLORS,
    "hand side": SIDES,
    "position side": SIDES,
    "person": ("person", "man", "woman", "boy", "girl", "child", "people", "men", "women", "children"),
    "animal": ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear"),
    "vehicle": ("bicycle", "bike", "car", "motorcycle", "airplane", "plane", "bus", "train", "truck", "boat"),
    "object": (
        *("bench", "umbrella", "ball", "kite", "bottle", "cup", "knife", "bowl", "apple", "sandwich", "pizza", "cake"),
        *("chair", "table", "bed", "toilet", "laptop", "keyboard", "phone", "book", "clock", "sink"),
    ),
    "clothing": (
        "shirt",
        "hat",
        "jacket",
        "dress",
        "coat",
        "pants",
        "shoes",
        "cap",
        "shorts",
        "suit",
        "skirt",
        "helmet",
    ),
    "instrument": ("guitar", "drum", "drums", "piano", "violin", "trumpet", "flute", "saxophone"),
    "scenery": ("street", "beach", "park", "field", "room", "water", "snow", "grass", "building", "mountain", "road"),
}
"""Choices per kind: common words that the vocabularies of published models contain as a single piece."""


def choices_of(known: tuple[str, ...], answer: str) -> tuple[str, ...]:
    """Return the known words with the answer added if it is missing; empty if no words are known.

    >>> choices_of(("cat", "dog"), "zebra"), choices_of((), "zebra")
    (('cat', 'dog', 'zebra'), ())
    """
    return known if answer in known or not known else (*known, answer)


def photo_slot(caption: str, span: Span, kind: str, region_ids: tuple[str, ...] = ()) -> Slot:
    """Return the slot of a word in a photo's caption, with the word as the answer and the choices of its kind."""
    answer = caption[span.start : span.end].lower()
    choices = choices_of(PHOTO_CHOICES.get(kind, ()), answer)
    return Slot(span.start, span.end, kind, region_ids, answer, choices)
