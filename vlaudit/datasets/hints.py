"""Hints at a hidden word from other annotators' captions of the same image."""

from __future__ import annotations

from dataclasses import dataclass

from vlaudit.datasets.mining import names_word
from vlaudit.samples import Sample, Slot, words_of


@dataclass(frozen=True)
class OtherCaptions:
    """Captions of one image by the other annotators, in the order of their file.

    A hint makes a hidden word likely without containing it, a form of it, or a compound with it. A copy hint contains
    the word itself. The first suitable caption is used, so that no caption is selected by hand.
    """

    captions: tuple[str, ...]

    def hints(self, sample: Sample, slot: Slot) -> list[str]:
        """Return the other captions that contain neither the slot's word nor a form of it."""
        word = sample.text(slot)
        return [caption for caption in self.captions if not names_word(caption, word)]

    def hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return the first hint; `None` if every other caption contains the word or a form of it."""
        return next(iter(self.hints(sample, slot)), None)

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return the first other caption that contains exactly this word; `None` if there is none."""
        word = sample.text(slot).lower()
        return next((caption for caption in self.captions if word in _words(caption)), None)

    def foils(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        """Return the choices of the slot that neither a caption of the image nor a region's label contains."""
        texts = " . ".join([sample.caption, *self.captions, *(region.label for region in sample.regions)])
        return tuple(word for word in slot.choices if not names_word(texts, word))


def _words(caption: str) -> set[str]:
    return {caption[span.start : span.end].lower() for span in words_of(caption)}
