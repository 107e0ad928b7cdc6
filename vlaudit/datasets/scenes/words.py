"""Vocabulary of the scenes: things, colours, answer sets per slot kind, and hints."""

from __future__ import annotations

COLORS = ("red", "yellow", "green", "blue", "purple", "pink", "black", "white", "brown")
""""orange" is excluded because its article ("an") would reveal the hidden word."""

PEOPLE = ("man", "woman", "boy", "girl")
ANIMALS = ("dog", "cat", "horse", "cow", "sheep", "bird", "rabbit", "turtle")
VEHICLES = ("car", "bus", "truck", "bicycle", "plane", "tractor")
INSTRUMENTS = ("guitar", "drum", "trumpet", "violin", "harp")
FOODS = ("cake", "pizza", "candy")
OBJECTS = ("ball", "kite", "balloon", "flag", "bag", "book", "cup", "umbrella", "box", *FOODS)
TABLEWARE = ("ball", "bag", "book", "cup", "box", *FOODS)
"""Objects that may be placed on or under furniture."""

TOPS = ("shirt", "coat", "robe")
HEADWEAR = ("hat", "cap", "crown")
CLOTHING = (*TOPS, *HEADWEAR, "scarf")
FURNITURE = ("table", "bench")
SCENERY = ("park", "beach", "street", "forest", "desert", "snow", "farm")
HAIR = ("black", "brown", "blond", "gray")
SIDES = ("left", "right")

PLURALS = {
    "dog": "dogs",
    "cat": "cats",
    "horse": "horses",
    "cow": "cows",
    "sheep": "sheep",
    "bird": "birds",
    "rabbit": "rabbits",
    "turtle": "turtles",
    "balloon": "balloons",
    "kite": "kites",
}

CANDIDATES: dict[str, tuple[str, ...]] = {
    "color": COLORS,
    "object": OBJECTS,
    "person": PEOPLE,
    "animal": ANIMALS,
    "scenery": SCENERY,
    "clothing": CLOTHING,
    "instrument": INSTRUMENTS,
    "vehicle": VEHICLES,
    "hand side": SIDES,
    "position side": SIDES,
}
"""Answer set by slot kind."""

HINTS: dict[str, str] = {
    "red": "the color of a tomato",
    "yellow": "the color of a lemon",
    "green": "the color of grass",
    "blue": "the color of the ocean",
    "purple": "the color of a grape",
    "pink": "the color of a rose",
    "black": "the color of coal",
    "white": "the color of milk",
    "brown": "the color of chocolate",
    "man": "this is the father",
    "woman": "this is the mother",
    "boy": "this is the son",
    "girl": "this is the daughter",
    "dog": "it barks",
    "cat": "it catches mice",
    "horse": "it has a saddle",
    "cow": "it gives milk",
    "sheep": "it gives wool",
    "bird": "it sings with a beak",
    "rabbit": "it eats carrots",
    "turtle": "it has a hard shell",
    "car": "it has four doors",
    "bus": "it carries many passengers",
    "truck": "it carries heavy goods",
    "bicycle": "it has two pedals",
    "plane": "it has two wings",
    "tractor": "it works for farmers",
    "guitar": "it has six strings",
    "drum": "it needs two sticks",
    "trumpet": "it is made of brass",
    "violin": "it needs a bow",
    "harp": "it is for angels",
    "ball": "it is for football",
    "kite": "it needs wind",
    "balloon": "it is full of air",
    "flag": "it shows a country",
    "bag": "it is for shopping",
    "book": "it is for reading",
    "cup": "it is for tea",
    "umbrella": "it is for rain",
    "box": "it is made of paper",
    "cake": "it is for birthdays",
    "pizza": "it is made with cheese",
    "candy": "it is very sweet",
    "shirt": "it has short sleeves",
    "coat": "it has long sleeves",
    "robe": "it reaches the feet",
    "hat": "it has a wide brim",
    "cap": "it is for baseball",
    "crown": "it is for kings",
    "scarf": "it warms the neck",
    "park": "children play here",
    "beach": "there are waves here",
    "street": "there is traffic here",
    "forest": "there are many trees here",
    "desert": "there is no water here",
    "snow": "winter is cold here",
    "farm": "there are crops here",
}
"""Hint by word: a sentence that makes the word likely without containing it or a form of it; at most five words."""

COPY_HINT = "the word is {word}"
"""Copy hint: a sentence that contains the word."""

GRAMMAR_WORDS = (
    *("a", "the", "one", "two", "three", "there", "person", "people", "and", "while", "we", "can", "see", "this"),
    *("is", "are", "has", "holds", "carries", "plays", "eats", "rides", "wears", "covers", "shows", "cloth", "sky"),
    *("holding", "carrying", "playing", "eating", "riding", "wearing", "standing", "stands", "stand", "waits", "wait"),
    *("in", "at", "on", "under", "behind", "with", "next", "to", "near", "of", "side", "picture", "photo", "image"),
    *("hand", "head", "hair"),
)
"""Words of the grammar that are not answers."""


def candidates(kind: str) -> tuple[str, ...]:
    """Return the answer set of a slot kind; raise `KeyError` for an unknown kind."""
    return CANDIDATES[kind]


def vocabulary() -> tuple[str, ...]:
    """Return all words of captions, hints and labels, sorted; each is one token."""
    words: set[str] = {*GRAMMAR_WORDS, *FURNITURE, *HAIR, *PLURALS.values()}
    for answers in CANDIDATES.values():
        words.update(answers)
    for text in (*HINTS.values(), COPY_HINT.format(word="red")):
        words.update(text.split())
    return tuple(sorted(words))
