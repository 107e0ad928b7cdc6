"""Give the model context in words for what is hidden, and see whether it still looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vlaudit.errors import RefusedSample
from vlaudit.perturbations.base import Owner
from vlaudit.perturbations.text import edit_caption
from vlaudit.perturbations.world import Hinting
from vlaudit.samples import Sample, Slot, Span


@dataclass(frozen=True)
class Hint:
    """Add context that makes the hidden word likely without naming it or a form of it; it stands after the caption.

    In scenes the world writes it, in COCO it is another person's caption of the image. To withhold the hint is not to
    give it: the caption as it is. Mask first: the hint is for the one slot that is hidden.
    Refused where not exactly one slot is hidden, and where there is no hint. Nothing is drawn.

    Source: the text hint of the ALBEF challenges study, Fig. 1. Differs: `CopyHint`, which names the word, is a
    condition of its own.
    """

    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a hint."""
        slot = hidden_slot(sample)
        return _appended(sample, _hinting(sample).hint(sample, slot), f"a hint at {sample.text(slot)!r}")


@dataclass(frozen=True)
class CopyHint:
    """Add context that names the hidden word: a model can copy it. As `Hint` in everything else."""

    drawn_for: ClassVar[Owner] = "id"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a copy hint."""
        slot = hidden_slot(sample)
        return _appended(sample, _hinting(sample).copy_hint(sample, slot), f"a text that names {sample.text(slot)!r}")


def hidden_slot(sample: Sample) -> Slot:
    """Return the one slot that is hidden; refused where none is, or several are."""
    hidden = [slot for slot in sample.slots if Span(slot.start, slot.end) in sample.hidden_phrases]
    if len(hidden) != 1:
        raise RefusedSample(sample.id, f"a hint is for one hidden slot, and {len(hidden) or 'none'} is hidden")
    return hidden[0]


def _hinting(sample: Sample) -> Hinting:
    if not isinstance(sample.world, Hinting):
        raise RefusedSample(sample.id, "nothing is known about its image beside its caption")
    return sample.world


def _appended(sample: Sample, hint: str | None, wanted: str) -> Sample:
    if not hint:
        raise RefusedSample(sample.id, f"there is no {wanted.removeprefix('a ')}")
    written = hint[0].isupper() or hint[-1] in ".!?"
    stop = "." if written and sample.caption[-1:] not in ".!?" else ""
    end = len(sample.caption)
    return edit_caption(sample, [(end, end, f"{stop} {hint}")])
