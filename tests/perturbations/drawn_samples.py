"""Small photos with boxes and captions with spans, as Hypothesis draws them."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vlaudit.samples import COLORS, SIDES, Box, Image, Phrase, Region, Relation, Sample, Slot, Span, words_of

ATTRIBUTES = ("red", "blue", "dark green", "white", "left", "right", "tall")
LABELS = ("dog", "left hand", "ball")
WORDS = ("a", "an", "red", "blue", "dog", "Left", "right", "orange", "ball", "runs", "is", "here")


@st.composite
def pixels(draw, least=6, most=20):
    shape = (draw(st.integers(least, most)), draw(st.integers(least, most)), 3)
    return draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, 255)))


@st.composite
def boxes(draw, width, height):
    left = draw(st.floats(0, width - 1, width=16))
    top = draw(st.floats(0, height - 1, width=16))
    right = draw(st.floats(left + 0.5, width))
    bottom = draw(st.floats(top + 0.5, height))
    return Box(left, top, right, bottom)


@st.composite
def photos(draw, caption="a red ball and a blue dog on the left"):
    """A photo with one to three regions; each word of a known kind is a slot of the first region."""
    image = draw(pixels())
    height, width, _ = image.shape
    regions = tuple(
        Region(
            f"r{index}",
            draw(boxes(width, height)),
            draw(st.sampled_from(LABELS)),
            tuple(draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True, max_size=3))),
            features=np.arange(4, dtype=np.float32),
        )
        for index in range(draw(st.integers(1, 3)))
    )
    relations = (Relation("r0", "left of", regions[-1].id),)
    slots = tuple(slot for span in words_of(caption) if (slot := _slot(caption, span)))
    return Sample("s1", "i1", Image.from_array(image), caption, regions, relations=relations, slots=slots)


def _slot(caption, span):
    kinds = {"red": "color", "blue": "color", "orange": "color", "left": "position side", "right": "hand side"}
    word = caption[slice(*span)].lower()
    kind = kinds.get(word)
    return Slot(*span, kind, ("r0",), word, COLORS if kind == "color" else SIDES) if kind else None


@st.composite
def captioned(draw, joint=""):
    """A sample without an image whose caption has slots, phrases and hidden spans, one slot perhaps tested.

    `joint` joins two clauses.
    """
    clauses = [draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=6)) for _ in range(2 if joint else 1)]
    caption = joint.join(" ".join(clause) for clause in clauses) + draw(st.sampled_from(("", ".")))
    words = words_of(caption)
    slots = tuple(slot for span in words if (slot := _slot(caption, span)))
    asked = draw(st.sampled_from((None, *slots)))
    unlinked = tuple(replace(slot, region_ids=(), asked=slot == asked) for slot in slots)
    phrases = tuple(_phrase(draw, caption, words, index, joint) for index in range(draw(st.integers(0, 3))))
    hidden = tuple(sorted(set(draw(st.lists(st.sampled_from(words), max_size=2)))))
    return Sample("s1", "i1", None, caption, phrases=phrases, slots=unlinked, hidden_phrases=hidden)


def _phrase(draw, caption, words, index, joint):
    first = draw(st.integers(0, len(words) - 1))
    last = draw(st.integers(first, len(words) - 1))
    span = Span(words[first].start, words[last].end)
    if joint and joint in caption[slice(*span)]:
        span = words[first]
    return Phrase(f"p{index}", *span, "other")


def spanned(sample):
    """Every phrase, slot and hidden span with the text that it covers."""
    parts = (*sample.phrases, *sample.slots, *sample.hidden_phrases)
    return [sample.text(part) for part in parts]
