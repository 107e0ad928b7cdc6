"""Word probabilities at a hidden slot, and the choice that a model answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from vlaudit.errors import RefusedSample
from vlaudit.measures.base import Measure, Numbers, Reduction, Unit, above, crossed, flat, hidden_row, tested_slot
from vlaudit.samples import SIDES, Sample, Slot, Span
from vlaudit.traces import Reading, Words


@dataclass(frozen=True)
class WordProbability(Measure):
    """Probability of the true word at the hidden slot, and the answer: the most probable of the slot's choices.

    The true word is the slot's `answer` after the perturbations of the condition.

    Columns per condition: `p` (probability over the model's scope: the vocabulary, or the choices for models that can
    only choose), `answer`, `truth`, `correct`, `chance` (1 / number of choices, the accuracy of a guess). Columns per
    unit if `reference` names a condition: `CONDITION.same`, true if the answer equals that of the reference. Each name
    of `preferred`: 1 if the true word is more probable under the first condition of its pair, 0.5 for a tie, else 0.

    Source: the masked-word scores of the ALBEF challenges study, Figures 1 to 3. Differs: the study prints `p` alone,
    for one example per case; `p` depends on how confident a model is in general, so accuracy is judged as well.
    """

    reference: str | None = None
    preferred: Mapping[str, tuple[str, str]] = field(default_factory=dict, kw_only=True)
    needs = frozenset({Words()})

    @property
    def named(self) -> frozenset[str]:
        """The reference condition, and the conditions of every pair."""
        pairs = frozenset(name for pair in self.preferred.values() for name in pair)
        return pairs if self.reference is None else pairs | {self.reference}

    def readings(self, sample: Sample) -> frozenset[Reading]:
        """Return the reading of the slot's choices; raise `RefusedSample` if the tested slot is not hidden."""
        slot = tested_slot(sample)
        if Span(slot.start, slot.end) not in sample.hidden_phrases:
            raise RefusedSample(sample.id, "its tested word is not hidden")
        return frozenset({Words(slot.choices)})

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return `p`, `answer`, `truth`, `correct`, `chance` and `same` of the conditions, and the comparisons."""
        conditions = tuple(conditions)
        compared = [] if self.reference is None else [name for name in conditions if name != self.reference]
        each = crossed(conditions, ("p", "answer", "truth", "correct", "chance"))
        return each | crossed(compared, ("same",)) | frozenset(self.preferred)

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return `p`, `answer`, `truth`, `correct` and `chance` of each trace."""
        slots = [tested_slot(reduction.sample) for reduction in batch]
        rows = [
            reduction.trace[Words(slot.choices)][hidden_row(reduction)]
            for reduction, slot in zip(batch, slots, strict=True)
        ]
        together = torch.cat(rows).double().exp().cpu()  # one transfer per batch
        split = torch.split(together, [len(row) for row in rows])
        return [self._numbers(slot, probabilities.tolist()) for slot, probabilities in zip(slots, split, strict=True)]

    def _numbers(self, slot: Slot, probabilities: list[float]) -> dict[str, Any]:
        answer = slot.choices[max(range(len(slot.choices)), key=probabilities.__getitem__)]
        return {
            "p": probabilities[slot.choices.index(slot.answer)],
            "answer": answer,
            "truth": slot.answer,
            "correct": answer == slot.answer,
            "chance": 1 / len(slot.choices),
        }

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of every condition, and the comparisons between conditions."""
        reference = None if self.reference is None else conditions[self.reference]["answer"]
        same = {
            f"{name}.same": numbers["answer"] == reference
            for name, numbers in conditions.items()
            if self.reference not in (None, name)
        }
        preferred = {
            name: above(conditions[one]["p"], conditions[other]["p"]) for name, (one, other) in self.preferred.items()
        }
        return {**flat(conditions), **same, **preferred}


@dataclass(frozen=True)
class SideProbability(WordProbability):
    """Answered side for an image and for its mirror image, the two conditions of `pair`.

    A further condition may test a word that is not a side, as a control of whether the model reads the image.

    Columns in addition to those of `WordProbability`: `CONDITION.p_left` and `CONDITION.p_right` for both conditions
    of the pair; `accuracy`, the share of the two images with a correct side; `flips`, true if the two answers differ;
    `left`, the mean over both images of the probability of "left" among the two words, p_left / (p_left + p_right).
    Each side is shown in one of the two images, so that `left` is one half for a model without a preference, whether
    it recognizes the side or not; one half also if both probabilities are 0.

    Source: ALBEF challenges study, Figure 3. Differs: the study compares the two probabilities of one pair of images;
    here are many pairs.
    """

    pair: tuple[str, str] = ("original", "mirrored")

    @property
    def named(self) -> frozenset[str]:
        """The reference condition and the pair."""
        return super().named | frozenset(self.pair)

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return the columns of `WordProbability`, the probabilities of both sides, and those of the pair."""
        sides = crossed(self.pair, [f"p_{side}" for side in SIDES])
        return super().columns(conditions) | sides | {"accuracy", "flips", "left"}

    def _numbers(self, slot: Slot, probabilities: list[float]) -> dict[str, Any]:
        each = zip(slot.choices, probabilities, strict=True)
        return {**super()._numbers(slot, probabilities), **{f"p_{word}": p for word, p in each if word in SIDES}}

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of both images and of their pair."""
        one, other = (conditions[name] for name in self.pair)
        return {
            **super().row(unit, conditions),
            "accuracy": (one["correct"] + other["correct"]) / 2,
            "flips": one["answer"] != other["answer"],
            "left": (_left(one) + _left(other)) / 2,
        }


def _left(numbers: Numbers) -> float:
    """Return the probability of left among both sides."""
    left, right = (numbers[f"p_{side}"] for side in SIDES)
    return 0.5 if left + right == 0 else float(left / (left + right))
