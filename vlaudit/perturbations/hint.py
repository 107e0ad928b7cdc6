"""Textual hints at a hidden word, to measure how much a model relies on text instead of the image."""

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
    """Append context to the caption that makes the hidden word likely without containing it or a form of it.

    Scenes generate the hint; in COCO it is another annotator's caption of the image. Hide the word first: the hint is
    for the one hidden slot. The condition without a hint needs no perturbation. Deterministic.
    Raises `RefusedSample` unless exactly one slot is hidden and the sample's world has a hint for it.

    Source: the text hint of the ALBEF challenges study, Fig. 1. Differs: `CopyHint`, which contains the word, is a
    separate condition.
    """

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a hint."""
        slot = hidden_slot(sample)
        return _appended(sample, _hints(sample).hint(sample, slot), f"hint at {sample.text(slot)!r}")


@dataclass(frozen=True)
class CopyHint:
    """Append context that contains the hidden word, which a model can copy. Otherwise as `Hint`."""

    drawn_for: ClassVar[Owner] = None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a copy hint."""
        slot = hidden_slot(sample)
        return _appended(sample, _hints(sample).copy_hint(sample, slot), f"text that contains {sample.text(slot)!r}")


def hidden_slot(sample: Sample) -> Slot:
    """Return the hidden slot; raise `RefusedSample` unless exactly one is hidden."""
    hidden = [slot for slot in sample.slots if Span(slot.start, slot.end) in sample.hidden_phrases]
    if len(hidden) != 1:
        raise RefusedSample(
            sample.id, f"exactly one slot must be hidden for a hint, got {len(hidden)}; hide the word before the hint"
        )
    return hidden[0]


def _hints(sample: Sample) -> Hinting:
    if not isinstance(sample.world, Hinting):
        raise RefusedSample(sample.id, "its data set has no other text about the image, so there is no hint")
    return sample.world


def _appended(sample: Sample, hint: str | None, description: str) -> Sample:
    if not hint:
        raise RefusedSample(sample.id, f"there is no {description}")
    is_sentence = hint[0].isupper() or hint[-1] in ".!?"
    stop = "." if is_sentence and sample.caption[-1:] not in ".!?" else ""
    end = len(sample.caption)
    return edit_caption(sample, [(end, end, f"{stop} {hint}")])
