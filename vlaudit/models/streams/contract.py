"""The contract between `EncoderAdapter` and a network: inputs, results and layout of a network.

A network is either joint (one pass over captions and images: `JointNetwork`) or staged (text and image are first
encoded apart, so that each encoding can be reused: `StagedNetwork`). Heads are separate protocols (`WordHead`,
`MatchHead`, `RegionHead`, `FeatureHeads`); the layout declares which of them a network has.

Layers and stages are numbered by depth through the whole model. Stage 0 of a modality is its embeddings, stage i + 1
is the output of layer i. A modality that a layer does not touch has no such stage, and no attention in that layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from vlaudit.models.base import Architecture
from vlaudit.models.streams.captions import PLAIN, CaptionPolicy
from vlaudit.models.streams.pixels import PixelLayout
from vlaudit.traces import Modality

Pair = tuple[Modality, Modality]
"""Modality of the queries, modality of the keys."""


@dataclass(frozen=True)
class Inputs:
    """A padded batch of captions with regions or with pixels.

    `mask` and `present` are 1 at real tokens and at real image positions. `boxes` are left, top, right, bottom as
    fractions of the image's sides, 0 to 1. Features and boxes of padded regions are zero. `hidden` marks regions whose
    features were zeroed on purpose. `types` are token types, all 0 where None. A network with `global_region` receives
    the whole image as its first region.
    `pixels` are preprocessed images, padded with zeros at the right and at the bottom; `grids` holds the rows and
    columns of real patches per image. Their positions are [CLS], then the patches row by row; `present` counts both.
    A text-only network receives neither.
    """

    ids: Int[Tensor, "batch length"]
    mask: Int[Tensor, "batch length"]
    features: Float[Tensor, "batch regions width"] | None = None
    boxes: Float[Tensor, "batch regions 4"] | None = None
    present: Int[Tensor, "batch positions"] | None = None
    hidden: Bool[Tensor, "batch regions"] | None = None
    types: Int[Tensor, "batch length"] | None = None
    pixels: Float[Tensor, "batch channels height breadth"] | None = None
    grids: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """Attention and states to return from inside a pass; attention probabilities are only materialized for these."""

    attention: frozenset[tuple[Modality, Modality, int]] = frozenset()
    states: frozenset[tuple[Modality, int]] = frozenset()


@dataclass(frozen=True)
class Stage:
    """The result of one stage of a staged network: its last states, and what was wanted (or more), as in `Streams`."""

    last: Float[Tensor, "batch length width"]
    states: Mapping[tuple[Modality, int], Float[Tensor, "batch positions width"]] = field(default_factory=dict)
    attention: Mapping[tuple[Modality, Modality, int], Float[Tensor, "batch heads queries keys"]] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Streams:
    """The result of a whole pass; the mappings hold what was wanted.

    `text` and `image` are the last states. Attention is after the softmax; where the modalities share one, a query's
    two slices sum to 1 together.
    """

    text: Float[Tensor, "batch length width"]
    image: Float[Tensor, "batch image_length width"] | None = None
    states: Mapping[tuple[Modality, int], Float[Tensor, "batch positions width"]] = field(default_factory=dict)
    attention: Mapping[tuple[Modality, Modality, int], Float[Tensor, "batch heads queries keys"]] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Layout:
    """Inputs and readable outputs of a network, in the terms of `Capabilities`.

    `max_length` counts the tokens of a caption, special ones included. `captions` tokenizes them.
    A network reads regions (`region_width` is the width of their features), pixels (`pixels`), or text alone (both
    None). `global_region`: the first region represents the whole image, with the mean of the other features.
    `words`, `match`, `classes` (number of predicted detector classes) and `features` declare its heads; `match` is
    "log-odds" for (no match, match) logits, "score" for a single logit.
    `fused_from` is the first text layer of a staged network that reads the image; layers before it never do.
    """

    architecture: Architecture
    joint_softmax: bool
    attention: Mapping[Pair, tuple[int, ...]]
    states: Mapping[Modality, tuple[int, ...]]
    heads: int | Mapping[Pair, int]
    max_length: int
    vocabulary_size: int
    region_width: int | None = None
    classes: int | None = None
    global_region: bool = False
    pixels: PixelLayout | None = None
    words: bool = True
    match: Literal["log-odds", "score"] | None = "log-odds"
    features: frozenset[Modality] = frozenset()
    fused_from: int = 0
    captions: CaptionPolicy = PLAIN


@runtime_checkable
class JointNetwork(Protocol):
    """A torch module that reads captions and images in one pass."""

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        ...

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Run a pass."""
        ...


@runtime_checkable
class StagedNetwork(Protocol):
    """A torch module that encodes text and image apart before it fuses them; the adapter reuses both encodings."""

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        ...

    def text_stage(self, ids: Int[Tensor, "batch length"], mask: Int[Tensor, "batch length"], wanted: Wanted) -> Stage:
        """Run the text layers before `fused_from`; only embeddings where there is none."""
        ...

    def image_stage(self, pixels: Float[Tensor, "batch channels height breadth"], wanted: Wanted) -> Stage:
        """Encode images."""
        ...

    def fusion_stage(
        self,
        text: Float[Tensor, "batch length width"],
        mask: Int[Tensor, "batch length"],
        image: Float[Tensor, "#batch positions image_width"],
        wanted: Wanted,
    ) -> Stage:
        """Run the text layers from `fused_from` on the last states of both; a single image is read by every row."""
        ...


Network = JointNetwork | StagedNetwork


@runtime_checkable
class WordHead(Protocol):
    """A network that scores every word at a position (`Layout.words`)."""

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return one logit per word at these text states."""
        ...


@runtime_checkable
class MatchHead(Protocol):
    """A network that scores whether caption and image belong together (`Layout.match`)."""

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch labels"]:
        """Return (no match, match) in this order, also if the checkpoint's differs, or a single logit that ranks."""
        ...


@runtime_checkable
class RegionHead(Protocol):
    """A network that predicts the detector class of a region (`Layout.classes`)."""

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Return one logit per detector class at these image states, in the checkpoint's order of classes."""
        ...


@runtime_checkable
class RegionNetwork(JointNetwork, WordHead, MatchHead, RegionHead, Protocol):
    """A joint network with every head that pretraining on captions and regions trains."""


@runtime_checkable
class FeatureHeads(Protocol):
    """A staged network with contrastive features (`Layout.features`)."""

    def text_feature(self, states: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch projection"]:
        """Return unit-length features of the last states of the text stage."""
        ...

    def image_feature(self, states: Float[Tensor, "batch positions width"]) -> Float[Tensor, "batch projection"]:
        """Return unit-length features of the last states of the image stage."""
        ...
