"""The masked-word losses of ALBEF's pretraining."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

IGNORED = -100
"""The label of a position that is not masked."""


def masked_word_loss(logits: Float[Tensor, "*axes vocabulary"], labels: Int[Tensor, "*axes"]) -> Float[Tensor, ""]:
    """Return the cross-entropy (nats), averaged over the labelled positions; NaN without any."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED)


def distilled_masked_word_loss(
    logits: Float[Tensor, "*axes vocabulary"],
    teacher_logits: Float[Tensor, "*axes vocabulary"],
    labels: Int[Tensor, "*axes"],
    alpha: float,
) -> Float[Tensor, ""]:
    """Return (1 - alpha) of the label loss and alpha of the cross-entropy against the teacher's distribution.

    ALBEF, section 3.3: the teacher is the momentum model; both terms average over the labelled positions.
    """
    labelled = labels != IGNORED
    soft = F.cross_entropy(logits[labelled], teacher_logits[labelled].softmax(dim=-1))
    return (1 - alpha) * masked_word_loss(logits, labels) + alpha * soft
