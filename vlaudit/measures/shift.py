"""Change of the text states when the image is replaced: evidence of fusion for every architecture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.measures.base import Measure, Numbers, Reduction, Unit
from vlaudit.traces import Hidden

States = Float[Tensor, "stages positions width"]


ROUNDING = 1e-5
"""Relative change below which states differ by rounding in float32 only."""


@dataclass(frozen=True)
class TextShift(Measure):
    """Relative change of the text states of every stage, between two conditions: `own` image and `other` image.

    Columns: `shift` (stages,) over the text positions, `special_shift` (stages,) over [CLS], [SEP] and other special
    tokens: the norm of the difference divided by the sum of both norms, over positions and width together. 0: the image
    makes no difference; 1: the states change sign; states of equal norm that differ by a fifth of it give 0.1. The
    quantity is bounded, so its interval needs no assumption. The caption is the same, so positions correspond.

    Source: ours. VALUE has no such quantity: its NMI describes how separable the modalities are, not whether one reads
    the other, and stays high in models that fuse by reading final image states.
    """

    own: str = "own"
    other: str = "other"
    needs = frozenset({Hidden("text")})

    @property
    def named(self) -> frozenset[str]:
        """The two conditions."""
        return frozenset({self.own, self.other})

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return the two columns, which do not depend on the names of the conditions."""
        return frozenset({"shift", "special_shift"})

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the states of text and of special positions; `row` compares the conditions."""
        return [self._states(reduction) for reduction in batch]

    def _states(self, reduction: Reduction) -> dict[str, States]:
        states = reduction.trace[Hidden("text")]
        text = list(reduction.trace.text.text)
        special = [i for i in range(len(reduction.trace.text)) if i not in text]
        return {"text": states[:, text].float().cpu(), "special": states[:, special].float().cpu()}

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the relative change per stage."""
        own, other = conditions[self.own], conditions[self.other]
        return {
            "shift": relative_change(own["text"], other["text"]).tolist(),
            "special_shift": relative_change(own["special"], other["special"]).tolist(),
        }


def relative_change(own: States, other: States) -> Float[Tensor, "stages"]:
    """Return the norm of the difference over the sum of the norms, per stage, 0 to 1; 0 if only rounding differs.

    Rounding errors grow with depth as well, and a trend would rank them.
    """
    difference, *norms = (torch.linalg.vector_norm(states, dim=(1, 2)) for states in (own - other, own, other))
    relative = difference / torch.stack(norms).sum(0)
    return torch.where((difference == 0) | (relative < ROUNDING), torch.zeros_like(relative), relative)  # NaN stays NaN
