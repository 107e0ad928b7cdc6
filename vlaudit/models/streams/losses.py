"""Losses of models over captions and regions: masked words, masked regions, matching."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

IGNORED = -1
"""The label of a word that is not masked, in the official data."""


def masked_word_loss(logits: Float[Tensor, "*axes vocabulary"], labels: Int[Tensor, "*axes"]) -> Float[Tensor, ""]:
    """Return the cross-entropy (nats), averaged over the labelled positions; NaN without any."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED)


def region_class_kl(
    logits: Float[Tensor, "*axes classes"], target: Float[Tensor, "*axes classes"], masked: Bool[Tensor, "*axes"]
) -> Float[Tensor, ""]:
    """Return KL(target || prediction) in nats, averaged over the masked regions; 0 without any.

    `target` is the detector's distribution over classes, in the order of the logits.
    """
    each = F.kl_div(logits.log_softmax(dim=-1), target, reduction="none").sum(dim=-1)
    return (each * masked).sum() / masked.sum().clamp(min=1)


def match_loss(logits: Float[Tensor, "batch 2"], matched: Bool[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Return the cross-entropy (nats) of (no match, match) logits, averaged over the batch."""
    return F.cross_entropy(logits, matched.long())
