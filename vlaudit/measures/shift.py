"""How far the text states of a model move when the image is replaced: fusion, whatever the architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.measures.base import Numbers, Reduction, Unit
from vlaudit.traces import Hidden

States = Float[Tensor, "stages positions width"]


@dataclass(frozen=True)
class TextShift:
    """Relative change of the text states of every stage, between the conditions `own` and `other` (another image).

    Columns: `shift` (stages,) over the positions that read text, `special_shift` (stages,) over [CLS], [SEP] and their
    like: the norm of the difference over the sum of both norms, each over positions and width together. 0 where the
    image makes no difference, 1 where the states turn into their opposite; states of equal norm that differ by a fifth
    of it give 0.1. Bounded, so that its interval needs no assumption. The caption is the same, so positions correspond.

    Source: ours; DESIGN, "image_moves_text". VALUE has no such quantity: its NMI says how far apart the modalities lie,
    not whether one reads the other, and stays high in models that fuse by reading finished image states.
    """

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the states, apart for text and for special positions: the difference waits for the other condition."""
        return [self._states(reduction) for reduction in batch]

    def _states(self, reduction: Reduction) -> dict[str, States]:
        states = reduction.trace[Hidden("text")]
        text = list(reduction.trace.text.text)
        special = [i for i in range(len(reduction.trace.text)) if i not in text]
        return {"text": states[:, text].float().cpu(), "special": states[:, special].float().cpu()}

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the relative change at every stage."""
        own, other = conditions["own"], conditions["other"]
        return {
            "shift": relative_change(own["text"], other["text"]).tolist(),
            "special_shift": relative_change(own["special"], other["special"]).tolist(),
        }


def relative_change(own: States, other: States) -> Float[Tensor, "stages"]:
    """Return norm of the difference over the sum of the norms, 0 to 1, for each stage; 0 where nothing differs."""
    difference, *norms = (torch.linalg.vector_norm(states, dim=(1, 2)) for states in (own - other, own, other))
    relative = difference / torch.stack(norms).sum(0)
    return torch.where(difference == 0, torch.zeros_like(relative), relative)  # NaN stays NaN
