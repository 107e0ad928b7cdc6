"""Outputs of a forward pass: the readings that can be requested, and the trace that contains them.

A trace states its text positions as characters of the caption, and its image positions as boxes in pixels of the
image, so that measures are independent of tokenizers and patch grids. Attention is named by the modalities of queries
and keys for every architecture: `Attention("text", "image")` has text queries and image keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.samples import Box, Span

Modality = Literal["text", "image"]


@dataclass(frozen=True)
class Reading:
    """A requested output of a forward pass. Subclasses state the axes of the returned tensor."""


@dataclass(frozen=True)
class Words(Reading):
    """Natural-log probabilities of `words` at every hidden position: (hidden, words).

    Masked language models normalize over the full vocabulary; models that only choose between candidates normalize
    over the candidates (see `Capabilities.word_probability`). If `words` is None, the words are `adapter.vocabulary`
    in the order of its ids. Every hidden phrase and every candidate must be a single word piece.
    """

    words: tuple[str, ...] | None = None


@dataclass(frozen=True)
class HiddenPieces(Reading):
    """Natural-log probability of the original word piece at each hidden position: (hidden,).

    A hidden phrase may have several pieces.
    """


@dataclass(frozen=True)
class Match(Reading):
    """Image-text matching output, a scalar: log-odds or an uncalibrated score (see `Capabilities.match`)."""


@dataclass(frozen=True)
class Feature(Reading):
    """Contrastive embedding of one modality, with unit length: (width,)."""

    modality: Modality


@dataclass(frozen=True)
class Hidden(Reading):
    """Hidden states of one modality: (stages, positions, width). If `stages` is None, all stages in order."""

    modality: Modality
    stages: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Attention(Reading):
    """Attention probabilities: (layers, heads, queries, keys). If `layers` is None, all layers in order."""

    queries: Modality
    keys: Modality
    layers: tuple[int, ...] | None = None


@dataclass(frozen=True)
class RegionClasses(Reading):
    """Natural-log probabilities of the detector's classes for every region: (regions, classes)."""


@dataclass(frozen=True)
class TextAxis:
    """Text positions of a trace and the caption characters that they encode.

    `spans[i]` is the span of the caption that position i encodes, or None for special tokens such as [CLS] and [SEP],
    which are not text. `hidden[k]` are the positions of the sample's k-th hidden phrase.
    """

    spans: tuple[Span | None, ...]
    hidden: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def text(self) -> tuple[int, ...]:
        """Positions that encode characters of the caption."""
        return tuple(i for i, span in enumerate(self.spans) if span is not None)

    @property
    def hidden_positions(self) -> tuple[int, ...]:
        """Positions of all hidden phrases, in the order of the first axis of `Words` and `HiddenPieces`."""
        return tuple(position for phrase in self.hidden for position in phrase)

    def positions(self, start: int, end: int) -> tuple[int, ...]:
        """Return the positions that encode any of the characters `start` to `end` (exclusive).

        >>> TextAxis((None, Span(0, 1), Span(2, 5), Span(5, 7))).positions(2, 7)
        (2, 3)
        """
        return tuple(i for i, s in enumerate(self.spans) if s is not None and s.start < end and start < s.end)


@dataclass(frozen=True)
class ImageAxis:
    """Image positions of a trace and the boxes that they encode.

    `boxes[i]` is the box of position i in pixels of the sample's image, or None for a position that represents the
    whole image (a [CLS] patch, a global region).
    """

    boxes: tuple[Box | None, ...]
    unit: Literal["patch", "region"]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def places(self) -> tuple[int, ...]:
        """Positions with a box, in order."""
        return tuple(i for i, box in enumerate(self.boxes) if box is not None)

    def weights(self, box: Box) -> Float[np.ndarray, "positions"]:
        """Return the weight of each position for `box`, 0 to 1.

        For patches, the weight is the proportion of the patch that the box covers; attention on a box is the weighted
        sum over patches. For regions, it is 1 for the region with the highest IoU if that is at least 0.5, otherwise 0.

        >>> ImageAxis((None, Box(0, 0, 8, 8), Box(8, 0, 16, 8)), "patch").weights(Box(4, 0, 16, 8)).tolist()
        [0.0, 0.5, 1.0]
        """
        if self.unit == "patch":
            return self._covered(box)
        overlap = np.array([0.0 if cell is None else cell.iou(box) for cell in self.boxes])
        best = np.zeros(len(self.boxes))
        if len(overlap) and overlap.max() >= 0.5:
            best[int(overlap.argmax())] = 1.0
        return best

    def _covered(self, box: Box) -> Float[np.ndarray, "positions"]:
        left, top, right, bottom = self._edges
        across = np.minimum(right, box.right) - np.maximum(left, box.left)
        down = np.minimum(bottom, box.bottom) - np.maximum(top, box.top)
        area = (right - left) * (bottom - top)
        shares: np.ndarray = np.maximum(across, 0) * np.maximum(down, 0) / area
        shares[np.isnan(shares)] = 0.0
        return shares

    @cached_property
    def _edges(self) -> Float[np.ndarray, "4 positions"]:
        """Return left, top, right and bottom of every position; NaN for positions without a box."""
        return np.array([(np.nan,) * 4 if box is None else box for box in self.boxes], dtype=float).reshape(-1, 4).T


@dataclass(frozen=True, eq=False)
class Trace:
    """The outputs for one request: `trace[reading]` is a tensor on the model's device, without padding.

    `key` is the key of the request; `text` and `image` describe the positions along the tensors' axes.
    """

    key: str
    arrays: Mapping[Reading, Tensor]
    text: TextAxis
    image: ImageAxis | None

    def __getitem__(self, reading: Reading) -> Tensor:
        """Return the tensor of a reading; raise `RequestError` if it was not requested."""
        try:
            return self.arrays[reading]
        except KeyError:
            requested = ", ".join(map(repr, self.arrays)) or "none"
            raise RequestError(
                f"trace {self.key}: the reading {reading!r} was not requested; requested: {requested}"
            ) from None
