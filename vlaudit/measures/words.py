"""Word probabilities at a hidden slot, and the choice that a model answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vlaudit.errors import RefusedSample
from vlaudit.measures.base import Measure, Numbers, Reduction, Unit, crossed, flat, hidden_row, tested_slot
from vlaudit.samples import SIDES, Sample, Slot, Span
from vlaudit.traces import Reading, Words


@dataclass(frozen=True)
class WordProbability(Measure):
    """Probability of the true word at the hidden slot, and the answer: the most probable of the slot's choices.

    The true word is the slot's `answer` after the perturbations of the condition.

    Columns per condition: `p` (probability over the model's scope: the vocabulary, or the choices for models that can
    only choose), `answer`, `truth`, `correct`. Columns per unit if `reference` names a condition: `CONDITION.same`,
    true if the answer equals that of the reference.

    Source: the masked-word scores of the ALBEF challenges study, Figures 1 to 3. Differs: the study prints `p` alone,
    for one example per case; `p` depends on how confident a model is in general, so accuracy is judged as well.
    """

    reference: str | None = None
    needs = frozenset({Words()})

    @property
    def named(self) -> frozenset[str]:
        """The reference condition."""
        return frozenset(() if self.reference is None else (self.reference,))

    def readings(self, sample: Sample) -> frozenset[Reading]:
        """Return the reading of the slot's choices; raise `RefusedSample` if the tested slot is not hidden."""
        slot = tested_slot(sample)
        if Span(slot.start, slot.end) not in sample.hidden_phrases:
            raise RefusedSample(sample.id, "its tested word is not hidden")
        return frozenset({Words(slot.choices)})

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return `p`, `answer`, `truth`, `correct` and `same` of the conditions."""
        conditions = tuple(conditions)
        compared = [] if self.reference is None else [name for name in conditions if name != self.reference]
        return crossed(conditions, ("p", "answer", "truth", "correct")) | crossed(compared, ("same",))

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return `p`, `answer`, `truth` and `correct` of each trace."""
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
        }

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the columns of every condition, and the comparisons of the answers with the reference condition."""
        if self.reference is None:
            return flat(conditions)
        reference = conditions[self.reference]["answer"]
        same = {
            f"{name}.same": numbers["answer"] == reference
            for name, numbers in conditions.items()
            if name != self.reference
        }
        return {**flat(conditions), **same}


@dataclass(frozen=True)
class SideProbability(WordProbability):
    """Answered side for an image and for its mirror image, the two conditions of `pair`.

    A further condition may test a word that is not a side, as a control of whether the model reads the image.

    Columns in addition to those of `WordProbability`: `CONDITION.p_left` and `CONDITION.p_right` for both conditions
    of the pair; `accuracy`, the share of the two images with a correct side; `flips`, true if the two answers differ;
    `left`, the share of the two answers that are "left". Each side is shown in one of the two images, so that `left`
    is one half for a model that answers correctly.

    Source: ALBEF challenges study, Figure 3. Differs: the study compares the two probabilities of one pair of images;
    here the answer is the argmax of the two words, over many pairs.
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
            "left": sum(numbers["answer"] == SIDES[0] for numbers in (one, other)) / 2,
        }
