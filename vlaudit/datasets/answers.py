"""What could stand in a slot of a caption: the set that a model chooses its answer from, and words that are false."""

from __future__ import annotations

from vlaudit.datasets.hints import OtherCaptions
from vlaudit.datasets.mining import names_word
from vlaudit.datasets.scenes import World, candidates
from vlaudit.samples import COLORS, SIDES, Sample, Slot

PHOTO_ANSWERS: dict[str, tuple[str, ...]] = {
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
"""Answer sets for photos: common words of each kind that the vocabularies of published models hold as one piece."""


def answers(sample: Sample, slot: Slot) -> tuple[str, ...]:
    """Return the words that a model chooses between at a slot; what the caption says there is one of them.

    For a drawn scene these are all words of the slot's kind that its world knows, for a photo `PHOTO_ANSWERS`.
    """
    said = sample.text(slot).lower()
    known = candidates(slot.kind) if isinstance(sample.world, World) else PHOTO_ANSWERS.get(slot.kind, ())
    return known if said in known else (*known, said)


def false_words(sample: Sample, slot: Slot) -> tuple[str, ...]:
    """Return words of the slot's kind that nothing known about a photo names: no caption of it, and no region.

    Empty for drawn scenes, whose world knows better (`vlaudit.perturbations.Foil` asks it), and where nothing is left.
    """
    if isinstance(sample.world, World):
        return ()
    others = sample.world.captions if isinstance(sample.world, OtherCaptions) else ()
    told = " . ".join([sample.caption, *others, *(region.label for region in sample.regions)])
    return tuple(word for word in PHOTO_ANSWERS.get(slot.kind, ()) if not names_word(told, word))
