"""Attention of our networks: the fused kernel, except in layers whose probabilities are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

Layers = bool | Collection[int]
"""Layers to return: all (True), none (False), or these; numbers of other passes are ignored."""


def wanted(layers: Layers, number: int) -> bool:
    """Return whether `layers` selects this layer.

    >>> wanted((1, 3), 3), wanted(True, 7), wanted((), 0)
    (True, True, False)
    """
    return layers if isinstance(layers, bool) else number in layers


@dataclass(frozen=True)
class Encoded:
    """Result of a pass through a stack of layers; the mappings hold the requested layers.

    `states[i]` is the input of layer i; for i the number of layers, the output of the last one. Attention is after the
    softmax. Layer numbers are the network's own: a pass that starts at layer 6 has its first states at 6.
    """

    last: Float[Tensor, "batch length width"]
    states: Mapping[int, Float[Tensor, "batch length width"]] = field(default_factory=dict)
    self_attention: Mapping[int, Float[Tensor, "batch heads length length"]] = field(default_factory=dict)
    cross_attention: Mapping[int, Float[Tensor, "batch heads length keys"]] = field(default_factory=dict)


def split_heads(
    vectors: Float[Tensor, "batch length width"], heads: int
) -> Float[Tensor, "batch {heads} length depth"]:
    """View vectors as one group of components per head."""
    return vectors.reshape(*vectors.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(
    vectors: Float[Tensor, "batch heads length depth"],
) -> Float[Tensor, "batch length width"]:
    """Undo `split_heads`."""
    return vectors.transpose(1, 2).flatten(2)


def additive_mask(
    attention_mask: Int[Tensor, "batch keys"] | Bool[Tensor, "batch keys"],
    dtype: torch.dtype,
    fill: float = -10000.0,
) -> Float[Tensor, "batch 1 1 keys"]:
    """Return the additive mask of scores: 0 for a key that may be read, `fill` for one that may not."""
    return ((1 - attention_mask.to(dtype)) * fill)[:, None, None, :]


def attend(
    query: Float[Tensor, "batch heads query depth"],
    key: Float[Tensor, "batch heads key depth"],
    value: Float[Tensor, "batch heads key depth"],
    mask: Float[Tensor, "batch #heads #query key"] | None = None,
    *,
    weights: bool = False,
) -> tuple[Float[Tensor, "batch heads query depth"], Float[Tensor, "batch heads query key"] | None]:
    """Return scaled dot-product attention and, with `weights`, its probabilities.

    Without `weights` the probabilities are never materialized, and torch selects its fastest kernel.
    """
    if not weights:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask), None
    scores = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
    probabilities = (scores if mask is None else scores + mask).softmax(dim=-1)
    return probabilities @ value, probabilities
