"""What a network over captions and regions is given, and what it brings back: the contract of `RegionAdapter`.

Layers and stages are numbered by depth through the whole model. Stage 0 of a modality are its embeddings, stage i + 1
is what leaves layer i. A modality that a layer does not touch has no such stage, and no attention there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from vlaudit.models.base import Architecture
from vlaudit.traces import Modality

Pair = tuple[Modality, Modality]
"""Who asks and who answers."""


@dataclass(frozen=True)
class Inputs:
    """A padded batch of captions and regions.

    `mask` and `present` are 1 where a real token or region stands. `boxes` are left, top, right, bottom as shares of
    the image's sides, 0 to 1. Features of padded regions are zero, and so are their boxes. `hidden` marks regions that
    the model must tell from the rest: their features are zero already. `types` are token types, all 0 where None.
    Text-only models are given no features. A network with `global_region` finds the whole image in its first region.
    """

    ids: Int[Tensor, "batch length"]
    mask: Int[Tensor, "batch length"]
    features: Float[Tensor, "batch regions width"] | None = None
    boxes: Float[Tensor, "batch regions 4"] | None = None
    present: Int[Tensor, "batch regions"] | None = None
    hidden: Bool[Tensor, "batch regions"] | None = None
    types: Int[Tensor, "batch length"] | None = None


@dataclass(frozen=True)
class Wanted:
    """What is read inside a pass; only there are attention probabilities written out."""

    attention: frozenset[tuple[Modality, Modality, int]] = frozenset()
    states: frozenset[tuple[Modality, int]] = frozenset()


@dataclass(frozen=True)
class Streams:
    """What a pass brings back; the mappings hold what was wanted.

    `text` and `image` are the last states. Attention is after the softmax; where the modalities share one, a query's
    two slices sum to 1 together.
    """

    text: Float[Tensor, "batch length width"]
    image: Float[Tensor, "batch regions width"] | None = None
    states: Mapping[tuple[Modality, int], Float[Tensor, "batch positions width"]] = field(default_factory=dict)
    attention: Mapping[tuple[Modality, Modality, int], Float[Tensor, "batch heads queries keys"]] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Layout:
    """What there is to be read in a network, in the terms of `Capabilities`.

    `max_length` counts tokens of a caption with [CLS] and [SEP]. `region_width` is the width of a region's features,
    `classes` how many detector classes the network predicts; None for one that has no such head or reads no regions.
    `global_region`: the first region stands for the whole image, with the mean of the other features.
    """

    architecture: Architecture
    joint_softmax: bool
    attention: Mapping[Pair, tuple[int, ...]]
    states: Mapping[Modality, tuple[int, ...]]
    heads: int
    max_length: int
    vocabulary_size: int
    region_width: int | None = None
    classes: int | None = None
    global_region: bool = False
    matches: bool = True


@runtime_checkable
class RegionNetwork(Protocol):
    """A torch module that answers for one architecture. Heads that a network lacks are never asked (see `Layout`)."""

    @property
    def layout(self) -> Layout:
        """What there is to be read."""
        ...

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Run a pass."""
        ...

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Score every word at these text states."""
        ...

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return (no match, match) in this order, whatever the checkpoint's own label order."""
        ...

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Score every detector class at these image states, in the checkpoint's own order of classes."""
        ...
