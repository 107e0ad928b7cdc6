"""How probable a hidden word is, and which word of its set the model would say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vlaudit.errors import DataError
from vlaudit.measures.base import Numbers, Reduction, Unit, flat
from vlaudit.measures.slots import hidden_row, said, slot_of
from vlaudit.samples import SIDES, Sample, Slot
from vlaudit.traces import Words

Answers = Callable[[Sample, Slot], tuple[str, ...]]
"""Gives the words that could stand in a slot."""


@dataclass(frozen=True)
class WordProbability:
    """Probability of the true word at the hidden slot, and the answer: the most probable word of the set.

    `words` is the set, or gives it for a sample and a slot; `truth` names the true word of a condition (default: what
    the caption says there); `clean` is the condition that answers are compared with.

    Columns of a condition: `p` (probability over the model's scope: the vocabulary, or the set for models that can only
    choose), `answer`, `truth`, `correct`. Of a unit: `CONDITION.same`, whether the answer is that of `clean`.

    Source: the masked-word scores of the ALBEF challenges study, Fig. 1-3. Differs: the study prints `p` alone, for one
    example each; `p` moves with how sure a model is of anything, so accuracy is judged beside it.
    """

    words: tuple[str, ...] | Answers
    truth: Callable[[Reduction], str] = said
    clean: str = "shown"

    def reading(self, sample: Sample, slot: Slot) -> Words:
        """Return what must be read to ask for this slot."""
        return Words(self.words if isinstance(self.words, tuple) else self.words(sample, slot))

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return `p`, `answer`, `truth` and `correct` of each trace, and the probability of every word."""
        readings = [self.reading(reduction.sample, slot_of(reduction)) for reduction in batch]
        asked = zip(batch, readings, strict=True)
        rows = [reduction.trace[reading][hidden_row(reduction)] for reduction, reading in asked]
        together = torch.cat(rows).double().exp().cpu()  # one transfer a batch
        split = torch.split(together, [len(row) for row in rows])
        return [
            self._numbers(reduction, reading.words or (), probabilities.tolist())
            for reduction, reading, probabilities in zip(batch, readings, split, strict=True)
        ]

    def _numbers(self, reduction: Reduction, words: tuple[str, ...], probabilities: list[float]) -> dict[str, Any]:
        truth = self.truth(reduction)
        if truth not in words:
            raise DataError(
                f"unit {reduction.unit.id}, condition {reduction.condition}: the true word {truth!r} must be one of "
                f"those that are asked for, got {', '.join(words)}"
            )
        answer = words[max(range(len(words)), key=probabilities.__getitem__)]
        return {
            "p": probabilities[words.index(truth)],
            "answer": answer,
            "truth": truth,
            "correct": answer == truth,
            **self._each(words, probabilities),
        }

    def _each(self, words: tuple[str, ...], probabilities: list[float]) -> dict[str, float]:
        """Return what else a condition keeps."""
        return {}

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of every condition, and which answers are those of the clean one."""
        clean = conditions.get(self.clean, {}).get("answer")
        same = {
            f"{condition}.same": numbers["answer"] == clean
            for condition, numbers in conditions.items()
            if clean is not None and condition != self.clean
        }
        return {**flat(conditions), **same}


def side_shown(reduction: Reduction) -> str:
    """Return what the caption says; in the condition `mirrored`, where the image is flipped, the other side."""
    word = said(reduction)
    return SIDES[1 - SIDES.index(word)] if reduction.condition == "mirrored" else word


@dataclass(frozen=True)
class SideProbability(WordProbability):
    """Which side a model says, for an image and its mirror image: conditions `original` and `mirrored`.

    The mirror image has the other side for its truth. A condition may ask for another word than a side, to see whether
    the model can read the picture at all.

    Columns beside those of `WordProbability`: `CONDITION.p_left` and `p_right`; `accuracy`, the share of the two images
    whose side is right; `flips`, whether the answer changes with the image; `left`, the share of the two that is said
    to be left. Every unit has one image of each side, so that `left` is one half for whoever answers right.

    Source: ALBEF challenges study, Fig. 3. Differs: the study compares the two probabilities of one pair of images;
    here the answer is the argmax of the two words, over many pairs.
    """

    words: tuple[str, ...] | Answers = SIDES
    truth: Callable[[Reduction], str] = side_shown
    clean: str = "original"

    def _each(self, words: tuple[str, ...], probabilities: list[float]) -> dict[str, float]:
        return {f"p_{word}": probabilities[words.index(word)] for word in SIDES if word in words}

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of both images and of their pair."""
        pair = [conditions["original"], conditions["mirrored"]]
        return {
            **super().row(unit, conditions),
            "accuracy": sum(numbers["correct"] for numbers in pair) / 2,
            "flips": pair[0]["answer"] != pair[1]["answer"],
            "left": sum(numbers["answer"] == SIDES[0] for numbers in pair) / 2,
        }
