"""Change words of the caption and leave the image alone: sides exchanged, colours exchanged, one word foiled."""

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
"""As a kind: the slot that is tested."""


@dataclass(frozen=True)
class SwapSides:
    """Exchange left and right in the caption, where they name a side (slots of a kind that ends in "side").

    "The left shoe is left behind" keeps its verb. Twice is nothing. Refused where no side is named. Nothing
    is drawn.
    """

    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with the other sides in its caption."""
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
    """Exchange the first two different colours of the caption: which thing has which colour is all that changes.

    "A red ball on an orange box" becomes "An orange ball on a red box". Twice is nothing, where the articles
    were right before. Refused where the caption names fewer than two colours. Nothing is drawn.
    """

    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with two colours exchanged."""
        colors = sorted((slot for slot in sample.slots if slot.kind == "color"), key=lambda slot: slot.start)
        for second in colors[1:]:
            words = sample.text(colors[0]).lower(), sample.text(second).lower()
            if words[0] != words[1]:
                return edit_caption(
                    sample,
                    [*replacing(sample, colors[0], words[1]), *replacing(sample, second, words[0])],
                )
        raise RefusedSample(sample.id, "its caption does not name two different colours")


@dataclass(frozen=True)
class Foil:
    """Replace one slot of a kind by another word, drawn for the sample: true before, false after.

    `kind` is a kind of slots, or "asked" for the slot that is tested. The word is one of `words`; without them one that
    the world knows to be false of the image; without such a world one of the slot's choices that no region has as its
    label. Never one that the caption contains. "A" becomes "an" where the new word needs it. Refused where the
    caption has no such slot, or no word is left.
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
        held = set(re.findall(r"\w+", sample.caption.lower()))
        left = [word for word in self._candidates(sample, slot) if held.isdisjoint(re.findall(r"\w+", word.lower()))]
        if not left:
            raise RefusedSample(sample.id, f"there is no other word to put in for {sample.text(slot)!r}")
        return edit_caption(sample, replacing(sample, slot, left[int(rng.integers(len(left)))]))

    def _candidates(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        if self.words:
            return self.words
        if isinstance(sample.world, Foiling):
            return sample.world.foils(sample, slot)
        labels = {region.label for region in sample.regions}
        return tuple(word for word in slot.choices if word not in labels)


def replacing(sample: Sample, slot: Slot, word: str) -> list[Edit]:
    """Return the edits that put `word` into the slot, written as the old word was, with the article it needs."""
    edits: list[Edit] = [(slot.start, slot.end, cased_like(word, sample.text(slot)))]
    article = re.search(r"\b(an?)\s+$", sample.caption[: slot.start], flags=re.IGNORECASE)
    if article:
        needed = "an" if word[0].lower() in "aeiou" else "a"
        # a lone "A" says nothing of capitals throughout, so the first letter decides
        written = article[1][0] + needed[1:]
        if written.lower() != article[1].lower():
            edits.append((*article.span(1), written))
    return edits
