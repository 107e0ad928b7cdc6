"""Edits of words in the caption with an unchanged image: exchanged sides, exchanged colours, and foils."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.text import Edit, cased_like, edit_caption, exchanged_side
from vlaudit.perturbations.world import Foiling
from vlaudit.samples import SIDES, Sample, Slot

ASKED = "asked"
"""Kind that selects the tested slot."""


@dataclass(frozen=True)
class SwapSides:
    """Exchange left and right in the slots of the caption that name a side (of a kind that ends in "side").

    "The left shoe is left behind" keeps its verb. Applying it twice has no effect. Deterministic.
    Raises `RefusedSample` if the caption names no side.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with left and right exchanged in its caption."""
        sides = [slot for slot in sample.slots if slot.kind.endswith("side")]
        edits = [
            (slot.start, slot.end, exchanged_side(sample.text(slot)))
            for slot in sides
            if sample.text(slot).lower() in SIDES
        ]
        if not edits:
            raise RefusedSample(sample.id, "its caption names no side")
        return edit_caption(sample, edits)


@dataclass(frozen=True)
class SwapColors:
    """Exchange the first two different colours of the caption, so that only the binding of colours changes.

    "A red ball on an orange box" becomes "An orange ball on a red box". Applying it twice has no effect if the
    articles were correct. Deterministic. Raises `RefusedSample` if the caption names fewer than two colours.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with two colours exchanged."""
        colors = sorted((slot for slot in sample.slots if slot.kind == "color"), key=lambda slot: slot.start)
        for second in colors[1:]:
            words = sample.text(colors[0]).lower(), sample.text(second).lower()
            if words[0] != words[1]:
                return edit_caption(
                    sample,
                    [*slot_edits(sample, colors[0], words[1]), *slot_edits(sample, second, words[0])],
                )
        raise RefusedSample(sample.id, "its caption does not name two different colours")


@dataclass(frozen=True)
class Foil:
    """Replace the word of one slot by another word at random, which makes the caption false.

    `kind` is a kind of slots, or "asked" for the tested slot. The new word is one of `words`. Without `words` it is
    false of the image according to the sample's world; without such a world it is a choice of the slot that is no
    region's label. It is never a word of the caption. Articles are adapted ("a" to "an").
    One random draw per sample. Raises `RefusedSample` if the caption has no such slot, or if no word is left.
    """

    kind: str = "color"
    words: tuple[str, ...] = ()
    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with one word of its caption replaced."""
        slots = [slot for slot in sample.slots if slot.kind == self.kind or (slot.asked and self.kind == ASKED)]
        if not slots:
            raise RefusedSample(sample.id, f"its caption has no {self.kind} slot")
        slot = slots[int(rng.integers(len(slots)))]
        used = set(re.findall(r"\w+", sample.caption.lower()))
        foils = [word for word in self._candidates(sample, slot) if used.isdisjoint(re.findall(r"\w+", word.lower()))]
        if not foils:
            raise RefusedSample(sample.id, f"no other word can replace {sample.text(slot)!r}")
        return edit_caption(sample, slot_edits(sample, slot, foils[int(rng.integers(len(foils)))]))

    def _candidates(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        if self.words:
            return self.words
        if isinstance(sample.world, Foiling):
            return sample.world.foils(sample, slot)
        labels = {region.label for region in sample.regions}
        return tuple(word for word in slot.choices if word not in labels)


def slot_edits(sample: Sample, slot: Slot, word: str) -> list[Edit]:
    """Return the edits that put `word` into the slot, with the case of the old word and the matching article."""
    edits: list[Edit] = [(slot.start, slot.end, cased_like(word, sample.text(slot)))]
    article = re.search(r"\b(an?)\s+$", sample.caption[: slot.start], flags=re.IGNORECASE)
    if article:
        correct = "an" if word[0].lower() in "aeiou" else "a"
        # "A" may be a capital in a caption of small letters, so only the first letter keeps its case
        cased = article[1][0] + correct[1:]
        if cased.lower() != article[1].lower():
            edits.append((*article.span(1), cased))
    return edits
