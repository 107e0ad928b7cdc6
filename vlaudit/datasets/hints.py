"""What other people wrote about the same image: hints at a word that this caption hides."""

from __future__ import annotations

from dataclasses import dataclass

from vlaudit.datasets.mining import names_word
from vlaudit.samples import Sample, Slot, words_of


@dataclass(frozen=True)
class OtherCaptions:
    """The captions of one image by the other annotators, in the order of their file.

    A hint is context that makes a hidden word likely without naming it, a form of it, or a compound with it;
    a copy hint names the word itself. Which caption is taken is the file's order, so nothing is chosen to
    please.
    """

    captions: tuple[str, ...]

    def hints(self, sample: Sample, slot: Slot) -> list[str]:
        """Return the other captions that do not name the slot's word or a form of it."""
        word = sample.text(slot)
        return [caption for caption in self.captions if not names_word(caption, word)]

    def hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return the first hint, `None` where every other caption names the word."""
        return next(iter(self.hints(sample, slot)), None)

    def copy_hint(self, sample: Sample, slot: Slot) -> str | None:
        """Return the first other caption that names the very word, `None` where none does."""
        word = sample.text(slot).lower()
        naming = (caption for caption in self.captions if word in _words(caption))
        return next(naming, None)

    def foils(self, sample: Sample, slot: Slot) -> tuple[str, ...]:
        """Return the choices of the slot that nothing known about the image names: no caption of it, and no region."""
        known = " . ".join([sample.caption, *self.captions, *(region.label for region in sample.regions)])
        return tuple(word for word in slot.choices if not names_word(known, word))


def _words(caption: str) -> set[str]:
    return {caption[span.start : span.end].lower() for span in words_of(caption)}
